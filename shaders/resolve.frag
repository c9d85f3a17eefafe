#version 410 core
// The shaded image from its samples: the mean of the linear colors of each pixel, as sRGB.
//
// Inputs:  samples: linear colors, alpha 0 or 1, SAMPLES x SAMPLES a pixel; transparent samples are
//          zero. An even number of them is read four at a time, by a linear filter.
// Outputs: srgb: color, not multiplied by alpha; alpha is the covered part of the pixel
// Options: SAMPLES  along each side of a pixel
#include "srgb.glsl"

layout(location = 0) out vec4 srgb;

uniform sampler2D samples;

void main() {
    vec4 sum = vec4(0.0);
#if SAMPLES % 2 == 0
    // Halfway between the centers of four samples, the filter returns their mean.
    vec2 first = floor(gl_FragCoord.xy) * float(SAMPLES) + 1.0;
    vec2 scale = 1.0 / vec2(textureSize(samples, 0));
    for (int row = 0; row < SAMPLES; row += 2)
        for (int column = 0; column < SAMPLES; column += 2)
            sum += 4.0 * textureLod(samples, (first + vec2(column, row)) * scale, 0.0);
    sum.a = floor(sum.a + 0.5);  // a number of samples, whatever the rounding of the weights
#else
    ivec2 first = ivec2(gl_FragCoord.xy) * SAMPLES;
    for (int row = 0; row < SAMPLES; ++row)
        for (int column = 0; column < SAMPLES; ++column)
            sum += texelFetch(samples, first + ivec2(column, row), 0);
#endif
    srgb = sum.a > 0.0 ? srgb_pixel(sum.rgb / sum.a, sum.a / float(SAMPLES * SAMPLES)) : vec4(0.0);
}
