#version 410 core
// What depends on the point where a pixel's ray meets a face, each attribute an output of its own. With LIST of
// crossings in a list, one a fragment; else the picture of a sheet.
#include "ray_face.glsl"
#include "surface_color.glsl"

#if LIST
uniform isamplerBuffer crossings;        // pixel, as row * width + column, and face
uniform int width;                       // of the image; that of this list is LIST_WIDTH
#else
uniform isampler2D sheet_face;
uniform sampler2D sheet_depth;       // NaN where there is no face
#endif
uniform isamplerBuffer picture_of_face;  // -1 for none
uniform isamplerBuffer uvs;              // of vertices, bits of floats
uniform isamplerBuffer corner_normals;   // three a face, bits of floats
uniform dvec3 world_center;              // of the camera
uniform double mesh_units;               // per local unit
uniform vec3 image_up;                   // unit, world frame

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

vec3 face_normal(RayFace meets) {
    dvec3 normal = cross(meets.b - meets.a, meets.c - meets.a);
    double size = dot(normal, normal);
    return size > 0.0lf ? vec3(normal / sqrt(size)) : vec3(0.0);
}

vec3 smooth_normal(RayFace meets, int face, vec3 flat_normal) {
    vec3 weights = vec3(meets.barycentric);
    vec3 sum = weights.x * intBitsToFloat(texelFetch(corner_normals, 3 * face).xyz) +
               weights.y * intBitsToFloat(texelFetch(corner_normals, 3 * face + 1).xyz) +
               weights.z * intBitsToFloat(texelFetch(corner_normals, 3 * face + 2).xyz);
    float size = length(sum);
    return size > 0.0 ? sum / size : flat_normal;
}

// A head light, and a sky above a ground half as bright. Of either side, and never brighter than the color itself.
// The weights are documented in `DepthRenderer.shade`.
vec3 lit(vec3 color, vec3 normal, vec3 flat_normal, vec3 towards_camera) {
    vec3 seen = dot(flat_normal, towards_camera) < 0.0 ? -normal : normal;
    float head = max(dot(seen, towards_camera), 0.0);
    float sky = 0.75 + 0.25 * dot(seen, image_up);
    return color * (0.7 * head + 0.3 * sky);
}

void main() {
#if LIST
    ivec2 place = ivec2(gl_FragCoord.xy);
    ivec2 crossing = texelFetch(crossings, place.y * LIST_WIDTH + place.x).xy;
    int row = crossing.x / width;
    vec2 pixel = vec2(crossing.x - row * width, row) + 0.5;
    int face = crossing.y;
#else
    vec2 pixel = gl_FragCoord.xy;
    if (isnan(texelFetch(sheet_depth, ivec2(pixel), 0).x)) discard;
    int face = texelFetch(sheet_face, ivec2(pixel), 0).x;
#endif
    RayFace meets = ray_face(pixel, face);

#if SMOOTH_NORMAL >= 0 || SHADED_COLOR >= 0
    vec3 normal = face_normal(meets);
    vec3 smoothed = smooth_normal(meets, face, normal);
#endif
#if UV >= 0 || (HAS_TEXTURES && (COLOR >= 0 || SHADED_COLOR >= 0))
    dvec2 uv = meets.barycentric.x * dvec2(intBitsToFloat(texelFetch(uvs, meets.corners.x).xy)) +
               meets.barycentric.y * dvec2(intBitsToFloat(texelFetch(uvs, meets.corners.y).xy)) +
               meets.barycentric.z * dvec2(intBitsToFloat(texelFetch(uvs, meets.corners.z).xy));
#else
    const dvec2 uv = dvec2(0.0lf);
#endif
#if POSITION >= 0 || SHADED_COLOR >= 0
    dvec3 offset = meets.barycentric.x * meets.a + meets.barycentric.y * meets.b + meets.barycentric.z * meets.c;
#endif
#if COLOR >= 0 || SHADED_COLOR >= 0
#if HAS_TEXTURES
    int picture = texelFetch(picture_of_face, face).x;
#else
    const int picture = -1;
#endif
    vec4 color = surface_color(meets, uv, picture);
#endif

#if SMOOTH_NORMAL >= 0
    smooth_normal_out = smoothed;
#endif
#if BARYCENTRIC >= 0
    barycentric_out = vec3(meets.barycentric);
#endif
#if UV >= 0
    uv_out = vec2(uv);
#endif
#if COLOR >= 0
    color_out = color;
#endif
#if SHADED_COLOR >= 0
#if PERSPECTIVE
    vec3 towards_camera = vec3(-normalize(offset));
#else
    vec3 towards_camera = vec3(-view_direction);
#endif
#if !(HAS_COLORS || HAS_TEXTURES)
    color.rgb *= 0.6;  // of a white object on white paper not much would be seen
#endif
    shaded_color_out = vec4(lit(color.rgb, smoothed, normal, towards_camera), LIST == 1 ? color.a : 1.0);
#endif
#if POSITION >= 0
    position_out = vec3(world_center + mesh_units * offset);
#endif
}
