#version 410 core
// The length of each ray inside the solid. The rules are those of ddepth_gl/results/ray_pieces.py.
//
// Inputs:  pieces_even, pieces_odd, counts: see view_pieces.frag
//          ends: sum of all steps of each pixel; HAS_ENDS only
//          focal_x, focal_y: see distance_per_depth.glsl
// Outputs: number: length in mesh units; NaN for a miss, and where nothing tells what is solid
// Options: IN_BLOCKS  0 to mark pixels that are unknown if a whole block is swapped, 1 to find out
//          HAS_ENDS  see view_pieces.frag
//          PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one
#define LAST 1
#include "piece_state.glsl"
#include "distance_per_depth.glsl"
layout(location = 0) out float number;

uniform isampler2D ends;

#if IN_BLOCKS
bool is_swapped(ivec2 pixel) {
    if (any(lessThan(pixel, ivec2(0))) || any(greaterThanEqual(pixel, textureSize(counts, 0))))
        return false;
    return texelFetch(counts, pixel, 0).x > 0 &&
           (last_pieces(pixel).flags & IS_SWAPPED) != 0u;
}

bool is_block(ivec2 pixel, ivec2 diagonal) {
    return is_swapped(pixel + diagonal) && is_swapped(pixel + ivec2(diagonal.x, 0)) &&
           is_swapped(pixel + ivec2(0, diagonal.y));
}

bool is_in_block(ivec2 pixel) {
    return is_block(pixel, ivec2(-1, -1)) || is_block(pixel, ivec2(1, -1)) ||
           is_block(pixel, ivec2(-1, 1)) || is_block(pixel, ivec2(1, 1));
}
#endif

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    float miss = uintBitsToFloat(0x7fc00000u);
#if IN_BLOCKS
    if (!is_in_block(pixel)) discard;
    number = miss;
#else
    bool is_known = texelFetch(counts, pixel, 0).x > 0;
    PieceState state = last_pieces(pixel);
    gl_FragDepth = is_known && (state.flags & IS_INSIDE_OUT_IN_BLOCK) != 0u ? 0.0 : 0.5;
    if ((state.flags & HAS_SOLID) == 0u || (state.flags & IS_INSIDE_OUT) != 0u) is_known = false;
#if HAS_ENDS
    if (texelFetch(ends, pixel, 0).x > 0) is_known = false;
#endif
    number = is_known ? along_ray(state.total, pixel) : miss;
#endif
}
