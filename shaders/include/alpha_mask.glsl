#ifndef ALPHA_MASK_GLSL
#define ALPHA_MASK_GLSL
// is_cut_out(pixel, image, camera_center, face): whether the face's alpha mask leaves out the point
// where a pixel's ray meets the face. Both engines ask it for each crossing, with the same numbers,
// so both find the same crossings.
//
// Alpha is that of the vertex colors times that of the texture at the point; it is exact wherever
// it is uniform. Point and texels are found in double precision from the mesh's own vertices.
//
// Inputs:  mask_of_face, face_masks, mask_texels: see alpha_masks.py, on texture units 9 to 11
// Options: PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one
#include "barycentric.glsl"
#include "texel_wrap.glsl"

#if __VERSION__ >= 420
layout(binding = 9) uniform isamplerBuffer mask_of_face;  // of each face: row of face_masks, or
layout(binding = 10) uniform isamplerBuffer face_masks;
layout(binding = 11) uniform isamplerBuffer mask_texels;  // alpha of all texels, four a word
#else
uniform isamplerBuffer mask_of_face;
uniform isamplerBuffer face_masks;
uniform isamplerBuffer mask_texels;
#endif
const int NO_MASK = -1;      // every point exists
const int ALL_CUT_OUT = -2;  // no point exists

const int TEXELS_PER_MASK = 8;

int mask_of(int face) {
    return texelFetch(mask_of_face, face).x;
}

float mask_alpha(int texel) {
    return float(texelFetch(mask_texels, texel >> 2).x >> 8 * (texel & 3) & 255);
}

//   pixel:  its center, in the unit of `image`
bool is_cut_out(dvec2 pixel, ImageMap image, dvec3 camera_center, int face) {
    int mask = mask_of(face);
    if (mask < 0) return mask == ALL_CUT_OUT;
    int first = TEXELS_PER_MASK * mask;
    uvec4 words[5] = uvec4[5](
        uvec4(texelFetch(face_masks, first)), uvec4(texelFetch(face_masks, first + 1)),
        uvec4(texelFetch(face_masks, first + 2)), uvec4(texelFetch(face_masks, first + 3)),
        uvec4(texelFetch(face_masks, first + 4)));
    dvec3 a = dvec3(packDouble2x32(words[0].xy), packDouble2x32(words[0].zw),
                    packDouble2x32(words[1].xy));
    dvec3 b = dvec3(packDouble2x32(words[1].zw), packDouble2x32(words[2].xy),
                    packDouble2x32(words[2].zw));
    dvec3 c = dvec3(packDouble2x32(words[3].xy), packDouble2x32(words[3].zw),
                    packDouble2x32(words[4].xy));
    double limit = packDouble2x32(words[4].zw);
    vec4 uv_ab = intBitsToFloat(texelFetch(face_masks, first + 5));
    ivec4 more = texelFetch(face_masks, first + 6);
    ivec4 texture_entry = texelFetch(face_masks, first + 7);

    dvec3 weights = barycentric_at(pixel, image, minus(a, camera_center), minus(b, camera_center),
                                   minus(c, camera_center));
    precise dvec2 uv = weights.x * dvec2(uv_ab.xy) + weights.y * dvec2(uv_ab.zw) +
                       weights.z * dvec2(intBitsToFloat(more.xy));
    // Written so that equal values yield exactly this value, whatever the weights.
    SampledTexels texels = sampled_texels(uv, texture_entry);
    vec2 across = vec2(texels.weight);
    vec4 alpha = vec4(mask_alpha(texels.index.x), mask_alpha(texels.index.y),
                      mask_alpha(texels.index.z), mask_alpha(texels.index.w));
    precise vec2 rows = alpha.xz + across.x * (alpha.yw - alpha.xz);
    precise float texture_alpha = rows.x + across.y * (rows.y - rows.x);
    vec3 corners = vec3(more.z & 255, more.z >> 8 & 255, more.z >> 16 & 255);
    precise float vertex_alpha = corners.x + float(weights.y) * (corners.y - corners.x) +
                                 float(weights.z) * (corners.z - corners.x);
    precise double product = double(vertex_alpha) * double(texture_alpha);
    return product < limit;
}
#endif
