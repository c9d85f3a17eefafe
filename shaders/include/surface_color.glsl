#ifndef SURFACE_COLOR_GLSL
#define SURFACE_COLOR_GLSL
// surface_color(hit, uv, texture_index): the unlit color of a point on a face. It is vertex colors
// times texture, linear, with alpha; white on a mesh without either. Include ray_hit.glsl first.
//
// Inputs:  colors, texels, texture_table: see MESH_TABLES in mesh_tables.py
//          linear_of_srgb: the linear value of each sRGB byte
// Options: HAS_COLORS    1 if the mesh has vertex colors
//          HAS_TEXTURES  1 if the mesh has textures

#if HAS_TEXTURES
#include "texel_wrap.glsl"
#endif

uniform float linear_of_srgb[256];

#if HAS_COLORS
uniform isamplerBuffer colors;         // of vertices: sRGB and alpha, a byte each
#endif
#if HAS_TEXTURES
uniform isamplerBuffer texels;         // of all textures in turn, top row first; packed as colors
uniform isamplerBuffer texture_table;  // see texel_wrap.glsl
#endif

vec4 linear_color(int srgb) {
    uvec4 color = uvec4(srgb) >> uvec4(0, 8, 16, 24) & 255u;
    return vec4(linear_of_srgb[color.x], linear_of_srgb[color.y], linear_of_srgb[color.z],
                float(color.w) / 255.0);
}

#if HAS_TEXTURES
// In linear color, wrapped and filtered as the texture's sampler says.
vec4 texture_color(int texture_index, dvec2 uv) {
    SampledTexels near = sampled_texels(uv, texelFetch(texture_table, texture_index));
    vec2 weight = vec2(near.weight);
    vec4 upper = mix(linear_color(texelFetch(texels, near.index.x).x),
                     linear_color(texelFetch(texels, near.index.y).x), weight.x);
    vec4 lower = mix(linear_color(texelFetch(texels, near.index.z).x),
                     linear_color(texelFetch(texels, near.index.w).x), weight.x);
    return mix(upper, lower, weight.y);
}
#endif

// texture_index: -1 for a face without texture.
vec4 surface_color(RayHit hit, dvec2 uv, int texture_index) {
    vec4 color = vec4(1.0);
#if HAS_COLORS
    vec3 weights = vec3(hit.barycentric);
    color = weights.x * linear_color(texelFetch(colors, hit.corners.x).x) +
            weights.y * linear_color(texelFetch(colors, hit.corners.y).x) +
            weights.z * linear_color(texelFetch(colors, hit.corners.z).x);
#endif
#if HAS_TEXTURES
    if (texture_index >= 0) color *= texture_color(texture_index, uv);
#endif
    return color;
}
#endif
