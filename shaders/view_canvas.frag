#version 410 core
// Colors of an image of the viewer, as `colored` in ddepth_gl/viewer/coloring.py computes them.
//
// Inputs:  image: see DeviceImage; counts: crossings of each pixel, with ODD
//          table: colors of the color map
//          limits: values at both ends of the scale
//          background, odd_color: 0 to 255
//          viewport: first column and row, width and height
// Outputs: color
// Options: KIND  KIND_PHOTO and so on, see below
//          ODD   1 to mark pixels with an odd number of crossings
#define KIND_PHOTO 0
#define KIND_NUMBER 1
#define KIND_COUNT 2
#define KIND_DIRECTION 3
#define KIND_LABEL 4

layout(location = 0) out vec4 color;

#if KIND == KIND_COUNT || KIND == KIND_LABEL
uniform isampler2D image;
#else
uniform sampler2D image;
#endif
#if ODD
uniform isampler2D counts;
uniform vec3 odd_color;
#endif
uniform sampler2D table;
uniform vec2 limits;
uniform vec3 background;
uniform vec4 viewport;

// On bits, as isnan() may lie.
bool is_nan(float number) {
    return (floatBitsToUint(number) & 0x7fffffffu) > 0x7f800000u;
}

float step_of(float x) {
    return clamp(floor(x * 256.0), 0.0, 255.0);
}

vec3 entry_of_table(float entry) {
    return floor(255.0 * texelFetch(table, ivec2(int(entry), 0), 0).rgb + 0.5);
}

vec3 on_scale(float number) {
    precise float above = number - limits.x;
    precise float x = limits.y > limits.x ? above / (limits.y - limits.x) : 0.5;
    return entry_of_table(step_of(x));
}

void main() {
    // Of the nearest pixel, row 0 at the top.
    vec2 size = vec2(textureSize(image, 0));
    vec2 position = gl_FragCoord.xy - viewport.xy;
    position.y = viewport.w - position.y;
    ivec2 pixel = ivec2(clamp(position * (size / viewport.zw), vec2(0.0), size - 1.0));
#if KIND == KIND_PHOTO
    vec4 value = texelFetch(image, pixel, 0);
    value = floor(255.0 * value + 0.5);
    float alpha = value.a / 255.0;
    precise vec3 mixed = value.rgb * alpha + background * (1.0 - alpha);
    vec3 shown = floor(mixed + 0.5);
#elif KIND == KIND_NUMBER
    float value = texelFetch(image, pixel, 0).x;
    vec3 shown = is_nan(value) ? background : on_scale(value);
#elif KIND == KIND_COUNT
    int value = texelFetch(image, pixel, 0).x;
    vec3 shown = value == 0 ? background : on_scale(float(value));
#elif KIND == KIND_DIRECTION
    vec3 value = texelFetch(image, pixel, 0).xyz;
    vec3 shown = background;
    if (!is_nan(value.x)) {
        precise vec3 x = value * 0.5 + 0.5;
        shown = vec3(step_of(x.x), step_of(x.y), step_of(x.z));
    }
#else
    int value = texelFetch(image, pixel, 0).x;
    vec3 shown = value < 0 ? background : entry_of_table(float(value & 255));
#endif
#if ODD
    if ((texelFetch(counts, pixel, 0).x & 1) == 1) shown = odd_color;
#endif
    color = vec4(shown / 255.0, 1.0);
}
