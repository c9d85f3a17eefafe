#version 410 core
// The shaded image from its samples: the mean of the linear colors of each pixel, as sRGB.
//
// Inputs:  samples: linear colors, alpha 0 or 1, SAMPLES x SAMPLES a pixel
// Outputs: srgb: color, not multiplied by alpha; alpha is the covered part of the pixel
// Options: SAMPLES  along each side of a pixel
layout(location = 0) out vec4 srgb;

uniform sampler2D samples;

vec3 srgb_from_linear(vec3 linear) {
    return mix(1.055 * pow(linear, vec3(1.0 / 2.4)) - 0.055, 12.92 * linear,
               lessThanEqual(linear, vec3(0.0031308)));
}

void main() {
    ivec2 first = ivec2(gl_FragCoord.xy) * SAMPLES;
    vec4 sum = vec4(0.0);
    for (int row = 0; row < SAMPLES; ++row)
        for (int column = 0; column < SAMPLES; ++column) {
            vec4 color = texelFetch(samples, first + ivec2(column, row), 0);
            if (color.a > 0.0) sum += color;  // transparent samples hold no color
        }
    srgb = vec4(0.0);
    if (sum.a > 0.0) srgb = vec4(srgb_from_linear(min(sum.rgb / sum.a, vec3(1.0))),
                                 sum.a / float(SAMPLES * SAMPLES));
    // Rounded here, since GPUs may be off by 0.6 when they convert to 8 bits.
    srgb = floor(srgb * 255.0 + 0.5) / 255.0;
}
