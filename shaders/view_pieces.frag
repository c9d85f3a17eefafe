#version 410 core
// Adds a layer to what is known of the pieces of each ray inside the solid. The rules are those of
// ddepth_gl/results/ray_pieces.py.
//
// Inputs:  keys: of the layer's crossings, see layer.frag; counts: crossings of each pixel
//          layer: number of the layer, from 0
//          pieces_even, pieces_odd: outputs of the layers before; they are drawn to in turns
//          ends: sum of all steps of each pixel; HAS_ENDS only
//          solid_faces: a bit per face, 32 a texel: it bounds a solid
//          swap_limits: see swap_limits() in silhouettes.py
// Outputs: known: see piece_state.glsl; with FIRST also the depth that marks pixels with as many
//          crossings, see crossing_mark.glsl
// Options: FIRST     1 for the first layer, which has none before
//          HAS_ENDS  0 if the steps are taken to add up to 0: the ray starts outside
//          PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one
#include "crossing_mark.glsl"
#include "piece_state.glsl"
layout(location = 0) out uvec4 known;

uniform usampler2D keys;
uniform isampler2D counts;
uniform usampler2D pieces_even;
uniform usampler2D pieces_odd;
uniform isampler2D ends;
uniform isamplerBuffer solid_faces;
uniform int layer;
uniform dvec2 swap_limits;

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    int count = texelFetch(counts, pixel, 0).x;
#if FIRST
    gl_FragDepth = mark_of(count);
#if HAS_ENDS
    PieceState state = PieceState(-texelFetch(ends, pixel, 0).x, 0u, 0.0, 0.0lf);
#else
    PieceState state = PieceState(0, 0u, 0.0, 0.0lf);
#endif
#else
    if (layer >= count) discard;
    PieceState state = unpacked((layer & 1) == 0 ? texelFetch(pieces_odd, pixel, 0)
                                                 : texelFetch(pieces_even, pixel, 0));
#endif
    if (layer < count) {
        uvec2 key = texelFetch(keys, pixel, 0).xy;
        float depth = uintBitsToFloat(key.y);
        if (state.nesting < 0) {  // after a back that comes before its front
            precise double difference = double(depth) - double(state.start);
#if PERSPECTIVE
            precise dvec2 limits = swap_limits * double(state.start);
#else
            dvec2 limits = swap_limits;
#endif
            if (difference > limits.x) state.flags |= IS_INSIDE_OUT;
            if (difference > limits.y) state.flags |= IS_INSIDE_OUT_IN_BLOCK;
        }
        uint face = key.x >> 1;
        bool is_solid = (texelFetch(solid_faces, int(face >> 5)).x >> int(face & 31u) & 1) != 0;
        int nesting = state.nesting;
        if (is_solid) {
            state.flags |= HAS_SOLID;
            nesting += (key.x & 1u) == 0u ? 1 : -1;
        }
        bool was_inside = state.nesting > 0, is_inside = nesting > 0;
        if (was_inside && !is_inside) state.total += double(depth) - double(state.start);
        if (is_inside && !was_inside) state.start = depth;
        if (nesting < 0) {
            state.flags |= IS_SWAPPED;
            state.start = depth;
        }
        state.nesting = nesting;
    }
    known = packed_state(state);
}
