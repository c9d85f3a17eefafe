// The unlit color of a point on a face: vertex colors times texture, linear, with alpha; white without either.
uniform float linear_of_srgb[256];

#if HAS_COLORS
uniform isamplerBuffer colors;         // of vertices, sRGB and alpha, a byte each
#endif
#if HAS_TEXTURES
uniform isamplerBuffer texels;         // of all pictures one after the other, top rows first; as colors
uniform isamplerBuffer picture_table;  // first texel, width, height
#endif

vec4 linear_color(int srgb) {
    uvec4 color = uvec4(srgb) >> uvec4(0, 8, 16, 24) & 255u;
    return vec4(linear_of_srgb[color.x], linear_of_srgb[color.y], linear_of_srgb[color.z], float(color.w) / 255.0);
}

#if HAS_TEXTURES
// Between the four nearest texels; beyond its edges the picture repeats.
vec4 picture_color(int picture, dvec2 uv) {
    ivec3 shape = texelFetch(picture_table, picture).xyz;
    ivec2 size = shape.yz;
    dvec2 at = dvec2(fract(uv.x), fract(1.0lf - uv.y)) * dvec2(size) - 0.5lf;
    dvec2 corner = floor(at);
    vec2 part = vec2(at - corner);
    ivec2 near = (ivec2(corner) + size) % size;
    ivec2 far = (near + 1) % size;
    ivec2 row = shape.x + size.x * ivec2(near.y, far.y);
    vec4 upper = mix(linear_color(texelFetch(texels, row.x + near.x).x),
                     linear_color(texelFetch(texels, row.x + far.x).x), part.x);
    vec4 lower = mix(linear_color(texelFetch(texels, row.y + near.x).x),
                     linear_color(texelFetch(texels, row.y + far.x).x), part.x);
    return mix(upper, lower, part.y);
}
#endif

vec4 surface_color(RayFace meets, dvec2 uv, int picture) {
    vec4 color = vec4(1.0);
#if HAS_COLORS
    vec3 weights = vec3(meets.barycentric);
    color = weights.x * linear_color(texelFetch(colors, meets.corners.x).x) +
            weights.y * linear_color(texelFetch(colors, meets.corners.y).x) +
            weights.z * linear_color(texelFetch(colors, meets.corners.z).x);
#endif
#if HAS_TEXTURES
    if (picture >= 0) color *= picture_color(picture, uv);
#endif
    return color;
}
