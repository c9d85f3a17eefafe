#version 410 core
// The sum of all steps of each pixel's nesting, from the pieces after the last layer.
//
// Inputs:  pieces: of view_pieces.frag, without HAS_ENDS
// Outputs: sum
#include "piece_state.glsl"
layout(location = 0) out int sum;

uniform usampler2D pieces;

void main() {
    sum = unpacked(texelFetch(pieces, ivec2(gl_FragCoord.xy), 0)).nesting;
}
