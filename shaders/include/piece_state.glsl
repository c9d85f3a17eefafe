#ifndef PIECE_STATE_GLSL
#define PIECE_STATE_GLSL
// What is known of the pieces of a ray inside the solid, after some of its crossings.
//
// Options: LAST  1 for last_pieces(pixel), what is known after the last crossing of a pixel
//                that has any; then the inputs are those of view_pieces.frag
const uint HAS_SOLID = 1u;               // a crossing belongs to a body that has an inside
const uint IS_SWAPPED = 2u;              // a back came before its front
const uint IS_INSIDE_OUT = 4u;           // by so much that the body is inside out
const uint IS_INSIDE_OUT_IN_BLOCK = 8u;  // or is if a whole block of pixels is swapped

struct PieceState {
    int nesting;    // number of bodies that the ray is inside
    uint flags;
    float start;    // depth where the piece began; with a negative nesting, that of the last back
    double total;   // length of all pieces that have ended, in depth
};

uvec4 packed_state(PieceState state) {
    uvec2 words = unpackDouble2x32(state.total);
    return uvec4(uint(state.nesting) << 4 | state.flags, floatBitsToUint(state.start), words);
}

PieceState unpacked(uvec4 words) {
    return PieceState(int(words.x) >> 4, words.x & 15u, uintBitsToFloat(words.y),
                      packDouble2x32(words.zw));
}

#if defined(LAST) && LAST
uniform usampler2D pieces_even;
uniform usampler2D pieces_odd;
uniform isampler2D counts;

PieceState last_pieces(ivec2 pixel) {
    int count = texelFetch(counts, pixel, 0).x;
    return unpacked((count & 1) == 1 ? texelFetch(pieces_even, pixel, 0)
                                     : texelFetch(pieces_odd, pixel, 0));
}
#endif
#endif
