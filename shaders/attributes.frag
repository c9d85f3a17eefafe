#version 410 core
// Attributes of crossings, each an output of its own. A fragment is one crossing of a list, or one
// pixel of a sheet, for the shaded image.
//
// Inputs:  crossings: the list, or sheet_face and sheet_depth: the entries; with EXCHANGE also
//          exit_face and exit_depth
//          the mesh: see MESH_TABLES in mesh_tables.py
// Outputs: the attributes that are requested
// Options: FROM_LIST   1 for a list, 0 for a sheet
//          EXCHANGE    1 to take the exit where a body is inside out, see swapped_pixels.glsl
//          LIST_WIDTH  width of the image that a list is drawn to, pixels
//          SMOOTH_NORMAL, BARYCENTRIC, UV, COLOR, SHADED_COLOR, POSITION
//                      location of the attribute's output, -1 if it is not requested
//          PERSPECTIVE, HAS_COLORS, HAS_TEXTURES: see the included files
#include "ray_hit.glsl"
#include "surface_color.glsl"
#include "light.glsl"

#if FROM_LIST
uniform isamplerBuffer crossings;        // pixel, as row * image_width + column, and face
uniform int image_width;                 // of the rendered image, pixels
#else
uniform isampler2D sheet_face;
uniform sampler2D sheet_depth;           // NaN where there is no face
#endif
#if EXCHANGE
uniform isampler2D exit_face;
uniform sampler2D exit_depth;
#include "swapped_pixels.glsl"

float sheet_depth_at(int sheet, ivec2 pixel) {
    return sheet == ENTRY ? texelFetch(sheet_depth, pixel, 0).x
                          : texelFetch(exit_depth, pixel, 0).x;
}
#endif
uniform isamplerBuffer texture_of_face;  // -1 for none
uniform isamplerBuffer uvs;              // of vertices, bits of floats
uniform isamplerBuffer corner_normals;   // three a face, bits of floats
uniform dvec3 world_center;              // of the camera
uniform double mesh_units;               // per local unit

#if SMOOTH_NORMAL >= 0
layout(location = SMOOTH_NORMAL) out vec3 smooth_normal_out;
#endif
#if BARYCENTRIC >= 0
layout(location = BARYCENTRIC) out vec3 barycentric_out;
#endif
#if UV >= 0
layout(location = UV) out vec2 uv_out;
#endif
#if COLOR >= 0
layout(location = COLOR) out vec4 color_out;
#endif
#if SHADED_COLOR >= 0
layout(location = SHADED_COLOR) out vec4 shaded_color_out;
#endif
#if POSITION >= 0
layout(location = POSITION) out vec3 position_out;
#endif

vec3 face_normal(RayHit hit) {
    dvec3 normal = cross(hit.b - hit.a, hit.c - hit.a);
    double squared_length = dot(normal, normal);
    return squared_length > 0.0lf ? vec3(normal / sqrt(squared_length)) : vec3(0.0);
}

vec3 smooth_normal(RayHit hit, int face, vec3 flat_normal) {
    vec3 weights = vec3(hit.barycentric);
    vec3 sum = weights.x * intBitsToFloat(texelFetch(corner_normals, 3 * face).xyz) +
               weights.y * intBitsToFloat(texelFetch(corner_normals, 3 * face + 1).xyz) +
               weights.z * intBitsToFloat(texelFetch(corner_normals, 3 * face + 2).xyz);
    float size = length(sum);
    return size > 0.0 ? sum / size : flat_normal;
}

void main() {
#if FROM_LIST
    ivec2 list_position = ivec2(gl_FragCoord.xy);
    ivec2 crossing = texelFetch(crossings, list_position.y * LIST_WIDTH + list_position.x).xy;
    int row = crossing.x / image_width;
    vec2 pixel = vec2(crossing.x - row * image_width, row) + 0.5;
    int face = crossing.y;
#else
    vec2 pixel = gl_FragCoord.xy;
    if (isnan(texelFetch(sheet_depth, ivec2(pixel), 0).x)) discard;
    int face = texelFetch(sheet_face, ivec2(pixel), 0).x;
#if EXCHANGE
    if (is_swapped(ivec2(pixel)) && is_inside_out(ivec2(pixel)))
        face = texelFetch(exit_face, ivec2(pixel), 0).x;
#endif
#endif
    RayHit hit = ray_hit(pixel, face);

#if SMOOTH_NORMAL >= 0 || SHADED_COLOR >= 0
    vec3 flat_normal = face_normal(hit);
    vec3 normal = smooth_normal(hit, face, flat_normal);
#endif
#if UV >= 0 || (HAS_TEXTURES && (COLOR >= 0 || SHADED_COLOR >= 0))
    dvec2 uv = hit.barycentric.x * dvec2(intBitsToFloat(texelFetch(uvs, hit.corners.x).xy)) +
               hit.barycentric.y * dvec2(intBitsToFloat(texelFetch(uvs, hit.corners.y).xy)) +
               hit.barycentric.z * dvec2(intBitsToFloat(texelFetch(uvs, hit.corners.z).xy));
#else
    const dvec2 uv = dvec2(0.0lf);
#endif
#if POSITION >= 0 || SHADED_COLOR >= 0
    dvec3 offset = hit.barycentric.x * hit.a + hit.barycentric.y * hit.b +
                   hit.barycentric.z * hit.c;
#endif
#if COLOR >= 0 || SHADED_COLOR >= 0
#if HAS_TEXTURES
    int texture_index = texelFetch(texture_of_face, face).x;
#else
    const int texture_index = -1;
#endif
    vec4 color = surface_color(hit, uv, texture_index);
#endif

#if SMOOTH_NORMAL >= 0
    smooth_normal_out = normal;
#endif
#if BARYCENTRIC >= 0
    barycentric_out = vec3(hit.barycentric);
#endif
#if UV >= 0
    uv_out = vec2(uv);
#endif
#if COLOR >= 0
    color_out = color;
#endif
#if SHADED_COLOR >= 0
#if PERSPECTIVE
    vec3 toward_camera = vec3(-normalize(offset));
#else
    vec3 toward_camera = vec3(-view_direction);
#endif
#if !(HAS_COLORS || HAS_TEXTURES)
    color.rgb *= 0.6;  // a white object on white paper would hardly be visible
#endif
    vec3 seen_normal = dot(flat_normal, toward_camera) < 0.0 ? -normal : normal;
    shaded_color_out = vec4(lit(color.rgb, seen_normal, toward_camera),
                            FROM_LIST == 1 ? color.a : 1.0);
#endif
#if POSITION >= 0
    position_out = vec3(world_center + mesh_units * offset);
#endif
}
