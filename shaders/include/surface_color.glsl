// The unlit colour of a point on a face: vertex colours times texture, linear, with alpha; white without either.
uniform float linear_of_srgb[256];

#if HAS_COLORS
uniform usampler2D colors;         // of vertices, sRGB and alpha, 0..255
#endif
#if HAS_TEXTURES
uniform usampler2D texels;         // of all pictures one after the other, top rows first; sRGB and alpha, 0..255
uniform isampler2D picture_table;  // first texel, width, height
#endif

vec4 linear_color(uvec4 color) {
    return vec4(linear_of_srgb[color.x], linear_of_srgb[color.y], linear_of_srgb[color.z], float(color.w) / 255.0);
}

#if HAS_TEXTURES
// Between the four nearest texels; beyond its edges the picture repeats.
vec4 picture_color(int picture, dvec2 uv) {
    ivec3 shape = texelFetch(picture_table, table_place(picture), 0).xyz;
    ivec2 size = shape.yz;
    dvec2 at = dvec2(fract(uv.x), fract(1.0lf - uv.y)) * dvec2(size) - 0.5lf;
    dvec2 corner = floor(at);
    vec2 part = vec2(at - corner);
    ivec2 near = (ivec2(corner) + size) % size;
    ivec2 far = (near + 1) % size;
    ivec2 row = shape.x + size.x * ivec2(near.y, far.y);
    vec4 upper = mix(linear_color(texelFetch(texels, table_place(row.x + near.x), 0)),
                     linear_color(texelFetch(texels, table_place(row.x + far.x), 0)), part.x);
    vec4 lower = mix(linear_color(texelFetch(texels, table_place(row.y + near.x), 0)),
                     linear_color(texelFetch(texels, table_place(row.y + far.x), 0)), part.x);
    return mix(upper, lower, part.y);
}
#endif

vec4 surface_color(RayFace meets, dvec2 uv, int picture) {
    vec4 color = vec4(1.0);
#if HAS_COLORS
    vec3 weights = vec3(meets.barycentric);
    color = weights.x * linear_color(texelFetch(colors, table_place(meets.corners.x), 0)) +
            weights.y * linear_color(texelFetch(colors, table_place(meets.corners.y), 0)) +
            weights.z * linear_color(texelFetch(colors, table_place(meets.corners.z), 0));
#endif
#if HAS_TEXTURES
    if (picture >= 0) color *= picture_color(picture, uv);
#endif
    return color;
}
