#ifndef SHEET_TEXTURES_GLSL
#define SHEET_TEXTURES_GLSL
// Both sheets with their faces, as an engine rendered them. Include swapped_pixels.glsl first.
//
// Inputs:  IN_BUFFERS: sheet_depths and sheet_faces: entries, then exits; as compute_pass.glsl
//          stores them. Otherwise entry_depth, exit_depth, entry_face, exit_face: textures, NaN
//          where there is no face
// Options: IN_BUFFERS  1 if the sheets are in buffers
#if IN_BUFFERS
uniform isamplerBuffer sheet_depths;
uniform isamplerBuffer sheet_faces;

int texel_of(int sheet, ivec2 pixel) {
    return (sheet * image_size.y + pixel.y) * image_size.x + pixel.x;
}

int depth_bits(int sheet, ivec2 pixel) {
    int bits = texelFetch(sheet_depths, texel_of(sheet, pixel)).x;
    return sheet == ENTRY ? ~bits : bits;
}

int face_at(int sheet, ivec2 pixel) {
    int face = texelFetch(sheet_faces, texel_of(sheet, pixel)).x;
    return sheet == ENTRY ? ~face : face - 1;
}
#else
uniform sampler2D entry_depth;
uniform sampler2D exit_depth;
uniform isampler2D entry_face;
uniform isampler2D exit_face;

int depth_bits(int sheet, ivec2 pixel) {
    return floatBitsToInt(sheet == ENTRY ? texelFetch(entry_depth, pixel, 0).x
                                         : texelFetch(exit_depth, pixel, 0).x);
}

int face_at(int sheet, ivec2 pixel) {
    return sheet == ENTRY ? texelFetch(entry_face, pixel, 0).x : texelFetch(exit_face, pixel, 0).x;
}
#endif

float sheet_depth_at(int sheet, ivec2 pixel) {
    return intBitsToFloat(depth_bits(sheet, pixel));
}

// On bits, see compute_finish.comp.
bool is_miss(int bits) {
    return (bits & 0x7fffffff) > 0x7f800000;
}
#endif
