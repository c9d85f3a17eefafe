#ifndef SRGB_GLSL
#define SRGB_GLSL
// srgb_pixel(linear, alpha): a pixel of the photo, as 8-bit sRGB.
vec3 srgb_from_linear(vec3 linear) {
    return mix(1.055 * pow(linear, vec3(1.0 / 2.4)) - 0.055, 12.92 * linear,
               lessThanEqual(linear, vec3(0.0031308)));
}

vec4 srgb_pixel(vec3 linear, float alpha) {
    vec4 srgb = vec4(srgb_from_linear(min(linear, vec3(1.0))), alpha);
    // Rounded here, since GPUs may be off by 0.6 when they convert to 8 bits.
    return floor(srgb * 255.0 + 0.5) / 255.0;
}
#endif
