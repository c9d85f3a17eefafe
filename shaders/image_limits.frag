#version 410 core
// The smallest and the largest finite number of a block of an image.
//
// Inputs:  numbers or integers: the image
// Outputs: limits: smallest, largest; infinity and -infinity if there is none
// Options: SIDE  of a block, pixels
//          KIND  0 for an image of floats, 1 for one of integers, 2 for limits of smaller blocks
layout(location = 0) out vec2 limits;

#if KIND == 1
uniform isampler2D integers;
#define SIZE textureSize(integers, 0)
#else
uniform sampler2D numbers;
#define SIZE textureSize(numbers, 0)
#endif

// On bits, as isinf() and isnan() may lie.
bool is_finite(float number) {
    return (floatBitsToUint(number) & 0x7fffffffu) < 0x7f800000u;
}

void main() {
    ivec2 first = ivec2(gl_FragCoord.xy) * SIDE;
    ivec2 stop = min(first + SIDE, SIZE);
    float infinity = uintBitsToFloat(0x7f800000u);
    limits = vec2(infinity, -infinity);
    for (int row = first.y; row < stop.y; ++row) {
        for (int column = first.x; column < stop.x; ++column) {
#if KIND == 1
            vec2 found = vec2(float(texelFetch(integers, ivec2(column, row), 0).x));
#elif KIND == 2
            vec2 found = texelFetch(numbers, ivec2(column, row), 0).xy;
#else
            vec2 found = texelFetch(numbers, ivec2(column, row), 0).xx;
#endif
            if (is_finite(found.x)) limits.x = min(limits.x, found.x);
            if (is_finite(found.y)) limits.y = max(limits.y, found.y);
        }
    }
}
