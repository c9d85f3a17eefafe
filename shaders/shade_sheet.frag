#version 410 core
// The photo of a sheet whose faces are known: the color of each pixel's entry, in the light of the
// photo, where there is an exit as well. With COVER only the depth, for the depth test of the other
// variants: software rasterizers skip blocks of pixels that fail it, and nothing else.
//
// Inputs:  both sheets, see sheet_textures.glsl; of one band if they are in buffers
//          the mesh: see MESH_TABLES in mesh_tables.py
// Outputs: shaded: linear color, alpha 1; with ENCODED an sRGB pixel
//          with COVER, window depth: 0.5, or 0 where entry and exit are swapped
// Options: COVER         1 for depth
//          EXCHANGE      1 to take the exit where a body is inside out, see swapped_pixels.glsl
//          ENCODED       1 if the samples are the pixels
//          HAS_COLORS    1 if the mesh has vertex colors
//          TEXTURES      0 for none, 1 for one that the hardware samples, 2 for any
//          IN_BUFFERS, PERSPECTIVE, MIRRORED: see the included files
#include "ray_hit.glsl"
#include "light.glsl"
#if ENCODED
#include "srgb.glsl"
#endif
#if TEXTURES == 1
#include "surface_texture.glsl"
#elif TEXTURES == 2
#define HAS_TEXTURES 1
#include "surface_color.glsl"
#endif
#include "swapped_pixels.glsl"
#include "sheet_textures.glsl"

#if !COVER
layout(location = 0) out vec4 shaded;
#endif

uniform float paint;                     // linear, of what has neither color nor texture; else 1
uniform isamplerBuffer corner_normals;   // three a face, bits of floats
#if HAS_COLORS
uniform isamplerBuffer linear_colors;    // of vertices, bits of floats
#endif
#if TEXTURES
uniform isamplerBuffer texture_of_face;  // -1 for none
uniform isamplerBuffer uvs;              // of vertices, bits of floats
#endif
uniform int first_row;                   // of the band

vec3 mean_of(isamplerBuffer table, ivec3 rows, vec3 weights) {
    return weights.x * intBitsToFloat(texelFetch(table, rows.x).xyz) +
           weights.y * intBitsToFloat(texelFetch(table, rows.y).xyz) +
           weights.z * intBitsToFloat(texelFetch(table, rows.z).xyz);
}

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy) - ivec2(0, first_row);
#if COVER
    int entry = depth_bits(ENTRY, pixel), exit_ = depth_bits(EXIT, pixel);
    if (is_miss(entry) || is_miss(exit_)) discard;
    // Depths are positive, so their bits compare like integers.
    gl_FragDepth = entry > exit_ ? 0.0 : 0.5;
#else
    int face = face_at(ENTRY, pixel);
#if EXCHANGE
    if (is_swapped(pixel) && is_inside_out(pixel)) face = face_at(EXIT, pixel);
#endif
    // Homogeneous image coordinates of the corners, with the pixel as the origin: the point where
    // the ray meets the face is the weighted sum of the corners whose coordinates are (0, 0).
    ivec3 corners = texelFetch(faces, face).xyz;
    dvec3 a = offset_of(corners.x), b = offset_of(corners.y), c = offset_of(corners.z);
#if PERSPECTIVE
    dvec3 right = image_right - double(gl_FragCoord.x) * view_direction;
    dvec3 down = image_down - double(gl_FragCoord.y) * view_direction;
    const dvec2 origin = dvec2(0.0lf);
#else
    dvec3 right = image_right, down = image_down;
    dvec2 origin = image_origin - dvec2(gl_FragCoord.xy);
#endif
    dvec2 image_a = dvec2(dot(a, right), dot(a, down)) + origin;
    dvec2 image_b = dvec2(dot(b, right), dot(b, down)) + origin;
    dvec2 image_c = dvec2(dot(c, right), dot(c, down)) + origin;
    dvec3 areas = dvec3(image_b.x * image_c.y - image_b.y * image_c.x,
                        image_c.x * image_a.y - image_c.y * image_a.x,
                        image_a.x * image_b.y - image_a.y * image_b.x);
    double sum = areas.x + areas.y + areas.z;
    // The rasterizer also covers pixels a fraction of a pixel outside of a face: these get a point
    // of the rim.
    dvec3 exact = sum == 0.0lf ? dvec3(1.0lf) : max(areas / sum, 0.0lf);
    exact /= exact.x + exact.y + exact.z;
    vec3 weights = vec3(exact);
    vec3 flat_normal = cross(vec3(b - a), vec3(c - a));
#if PERSPECTIVE
    vec3 point = weights.x * vec3(a) + weights.y * vec3(b) + weights.z * vec3(c);
    vec3 toward_camera = -normalize(point);
#else
    vec3 toward_camera = vec3(-view_direction);
#endif
    vec3 normal = mean_of(corner_normals, 3 * face + ivec3(0, 1, 2), weights);
    if (dot(flat_normal, toward_camera) < 0.0) normal = -normal;

    vec3 linear = vec3(paint);
#if HAS_COLORS
    linear *= mean_of(linear_colors, corners, weights);
#endif
#if TEXTURES
    int texture_index = texelFetch(texture_of_face, face).x;
    dvec2 uv = exact.x * dvec2(intBitsToFloat(texelFetch(uvs, corners.x).xy)) +
               exact.y * dvec2(intBitsToFloat(texelFetch(uvs, corners.y).xy)) +
               exact.z * dvec2(intBitsToFloat(texelFetch(uvs, corners.z).xy));
#if TEXTURES == 1
    vec3 texel = surface_texel(vec2(uv.x, 1.0lf - uv.y));
#else
    vec3 texel = texture_color(max(texture_index, 0), uv).rgb;
#endif
    if (texture_index >= 0) linear *= texel;
#endif
    linear = lit(linear, normalize(normal), toward_camera);
#if ENCODED
    shaded = srgb_pixel(linear, 1.0);
#else
    shaded = vec4(linear, 1.0);
#endif
#endif
}
