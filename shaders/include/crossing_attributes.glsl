#ifndef CROSSING_ATTRIBUTES_GLSL
#define CROSSING_ATTRIBUTES_GLSL
// attributes_of(hit, face): the attributes of a crossing that are requested. Include ray_hit.glsl
// first.
//
// Inputs:  the mesh: see MESH_TABLES in mesh_tables.py; the camera
// Options: SMOOTH_NORMAL, BARYCENTRIC, UV, COLOR, SHADED_COLOR, POSITION
//                      -1 if the attribute is not requested
//          PERSPECTIVE, HAS_COLORS, HAS_TEXTURES: see the included files
#include "light.glsl"
#include "surface_color.glsl"

uniform isamplerBuffer texture_of_face;  // -1 for none
uniform isamplerBuffer uvs;              // of vertices, bits of floats
uniform isamplerBuffer corner_normals;   // three a face, bits of floats
uniform dvec3 world_center;              // of the camera
uniform double mesh_units;               // per local unit

// Those that are not requested are not set.
struct CrossingAttributes {
    vec3 smooth_normal;
    vec3 barycentric;
    vec2 uv;
    vec4 color;
    vec4 shaded_color;
    vec3 position;
};

CrossingAttributes no_attributes() {
    float miss = uintBitsToFloat(0x7fc00000u);  // NaN
    return CrossingAttributes(vec3(miss), vec3(miss), vec2(miss), vec4(miss), vec4(miss),
                              vec3(miss));
}

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

CrossingAttributes attributes_of(RayHit hit, int face) {
    CrossingAttributes found;
#if SMOOTH_NORMAL >= 0 || SHADED_COLOR >= 0
    vec3 flat_normal = face_normal(hit);
    found.smooth_normal = smooth_normal(hit, face, flat_normal);
#endif
    found.barycentric = vec3(hit.barycentric);
#if UV >= 0 || (HAS_TEXTURES && (COLOR >= 0 || SHADED_COLOR >= 0))
    dvec2 uv = hit.barycentric.x * dvec2(intBitsToFloat(texelFetch(uvs, hit.corners.x).xy)) +
               hit.barycentric.y * dvec2(intBitsToFloat(texelFetch(uvs, hit.corners.y).xy)) +
               hit.barycentric.z * dvec2(intBitsToFloat(texelFetch(uvs, hit.corners.z).xy));
    found.uv = vec2(uv);
#else
    const dvec2 uv = dvec2(0.0lf);
#endif
#if POSITION >= 0 || SHADED_COLOR >= 0
    dvec3 offset = hit.barycentric.x * hit.a + hit.barycentric.y * hit.b +
                   hit.barycentric.z * hit.c;
    found.position = vec3(world_center + mesh_units * offset);
#endif
#if COLOR >= 0 || SHADED_COLOR >= 0
#if HAS_TEXTURES
    int texture_index = texelFetch(texture_of_face, face).x;
#else
    const int texture_index = -1;
#endif
    found.color = surface_color(hit, uv, texture_index);
#endif
#if SHADED_COLOR >= 0
#if PERSPECTIVE
    vec3 toward_camera = vec3(-normalize(offset));
#else
    vec3 toward_camera = vec3(-view_direction);
#endif
    vec4 color = found.color;
#if !(HAS_COLORS || HAS_TEXTURES)
    color.rgb *= 0.6;  // a white object on white paper would hardly be visible
#endif
    vec3 seen_normal = dot(flat_normal, toward_camera) < 0.0 ? -found.smooth_normal
                                                             : found.smooth_normal;
    found.shaded_color = vec4(lit(color.rgb, seen_normal, toward_camera), color.a);
#endif
    return found;
}
#endif
