#ifndef SURFACE_TEXTURE_GLSL
#define SURFACE_TEXTURE_GLSL
// surface_texel(uv): the linear color of a texture that the hardware samples.
//
// Inputs:  surface_texture: sRGB, top row first; mirrors
// Options: MIRRORED  1 if the texture is mirrored along some axis
uniform sampler2D surface_texture;
#if MIRRORED
uniform vec2 mirrors;  // 1 where every second copy is mirrored, across and down
#endif

// uv: u right, v down.
vec3 surface_texel(vec2 uv) {
#if MIRRORED
    uv = mix(uv, 1.0 - abs(1.0 - mod(uv, 2.0)), mirrors);
#endif
    return textureLod(surface_texture, uv, 0.0).rgb;
}
#endif
