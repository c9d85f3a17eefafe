#version 410 core
// The depths of a layer.
//
// Inputs:  keys: of the layer's crossings, see layer.frag; counts: crossings of each pixel
//          layer: number of the layer, from 0
// Outputs: number: depth, NaN at pixels without this layer
// Options: SIGNED  1 to make the depths of back faces negative
layout(location = 0) out float number;

uniform usampler2D keys;
uniform isampler2D counts;
uniform int layer;

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    bool is_there = layer < texelFetch(counts, pixel, 0).x;
    uvec2 key = texelFetch(keys, pixel, 0).xy;
    number = uintBitsToFloat(is_there ? key.y : 0x7fc00000u);
#if SIGNED
    if ((key.x & 1u) == 1u) number = -number;
#endif
}
