#version 410 core
// One layer of a list of all crossings, see compute_pass.glsl.
//
// Inputs:  crossings: of all pixels; range_ends: where those of each pixel end; counts: how many
//          a pixel has
// Outputs: crossing: as in layer.frag
uniform isamplerBuffer crossings;
uniform isamplerBuffer range_ends;
uniform isampler2D counts;
uniform int layer;
uniform int image_width;

layout(location = 0) out uvec2 crossing;

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    int count = texelFetch(counts, pixel, 0).x;
    if (layer >= count) discard;
    int end = texelFetch(range_ends, pixel.y * image_width + pixel.x).x;
    crossing = uvec2(texelFetch(crossings, end - count + layer).xy);
}
