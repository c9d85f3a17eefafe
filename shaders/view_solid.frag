#version 410 core
// The length of each ray inside the solid. The rules are those of ddepth_gl/results/ray_pieces.py.
//
// Inputs:  pieces: of view_pieces.frag, after the last layer; counts: crossings of each pixel
//          ends: sum of all steps of each pixel; HAS_ENDS only
//          focal_x, focal_y: see distance_per_depth.glsl
// Outputs: number: length in mesh units; NaN for a miss, and where nothing tells what is solid
// Options: HAS_ENDS  see view_pieces.frag
//          PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one
#include "piece_state.glsl"
#include "distance_per_depth.glsl"
layout(location = 0) out float number;

uniform usampler2D pieces;
uniform isampler2D counts;
uniform isampler2D ends;

bool is_swapped(ivec2 pixel) {
    if (any(lessThan(pixel, ivec2(0))) || any(greaterThanEqual(pixel, textureSize(counts, 0))))
        return false;
    return texelFetch(counts, pixel, 0).x > 0 &&
           (texelFetch(pieces, pixel, 0).x & IS_SWAPPED) != 0u;
}

bool is_block(ivec2 pixel, ivec2 diagonal) {
    return is_swapped(pixel + diagonal) && is_swapped(pixel + ivec2(diagonal.x, 0)) &&
           is_swapped(pixel + ivec2(0, diagonal.y));
}

bool is_in_block(ivec2 pixel) {
    return is_block(pixel, ivec2(-1, -1)) || is_block(pixel, ivec2(1, -1)) ||
           is_block(pixel, ivec2(-1, 1)) || is_block(pixel, ivec2(1, 1));
}

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    bool is_known = texelFetch(counts, pixel, 0).x > 0;
    float length_inside = 0.0;
    if (is_known) {
        PieceState state = unpacked(texelFetch(pieces, pixel, 0));
        is_known = (state.flags & HAS_SOLID) != 0u && (state.flags & IS_INSIDE_OUT) == 0u;
#if HAS_ENDS
        if (texelFetch(ends, pixel, 0).x > 0) is_known = false;
#endif
        if ((state.flags & IS_INSIDE_OUT_IN_BLOCK) != 0u && is_in_block(pixel)) is_known = false;
        length_inside = along_ray(state.total, pixel);
    }
    number = is_known ? length_inside : uintBitsToFloat(0x7fc00000u);
}
