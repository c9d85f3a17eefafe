#version 410 core
// The depths of a layer.
//
// Inputs:  keys: of the layer's crossings, see layer.frag; counts: crossings of each pixel
//          layer: number of the layer, from 0
// Outputs: number: depth, NaN at pixels without this layer
layout(location = 0) out float number;

uniform usampler2D keys;
uniform isampler2D counts;
uniform int layer;

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    bool is_there = layer < texelFetch(counts, pixel, 0).x;
    number = uintBitsToFloat(is_there ? texelFetch(keys, pixel, 0).y : 0x7fc00000u);
}
