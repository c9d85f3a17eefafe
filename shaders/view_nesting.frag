#version 410 core
// The sum of all steps of each pixel's nesting, from the pieces after the last layer.
//
// Inputs:  pieces_even, pieces_odd, counts: see view_pieces.frag, without HAS_ENDS
// Outputs: sum; 0 for a miss
#define LAST 1
#include "piece_state.glsl"
layout(location = 0) out int sum;

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    sum = texelFetch(counts, pixel, 0).x > 0 ? last_pieces(pixel).nesting : 0;
}
