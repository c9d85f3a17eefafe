#version 430 core
// What is left to do with both sheets before anybody gets them, for sheets that stay on the device: misses become
// one and the same NaN, and with UNCROSS entry and exit become their mean where they have crossed at a silhouette,
// as ddepth_gl/silhouettes.py has it, which gives the reasons.
layout(local_size_x = GROUP) in;
// Bits of float32, with INVERTED those of entries all inverted; any NaN is a miss.
layout(std430, binding = 0) readonly buffer Sheets { uint sheets[]; };
layout(std430, binding = 1) writeonly buffer Entry { uint entry[]; };    // bits of float32
layout(std430, binding = 2) writeonly buffer Exit { uint exit_[]; };
uniform ivec2 image_size;
uniform int first_row;      // of this image's entries; its exits follow
uniform dvec2 most_apart;   // at a silhouette, and in a block of 2x2; mesh units, in perspective at a depth of 1

const uint MISS = 0x7fc00000u;

float depth(int sheet, ivec2 pixel) {
    uint bits = sheets[(first_row + sheet * image_size.y + pixel.y) * image_size.x + pixel.x];
    return uintBitsToFloat(INVERTED == 1 && sheet == 0 ? ~bits : bits);
}

bool is_crossed(ivec2 pixel) {
    if (any(lessThan(pixel, ivec2(0))) || any(greaterThanEqual(pixel, image_size))) return false;
    return depth(0, pixel) > depth(1, pixel);
}

bool is_block(ivec2 pixel, ivec2 towards) {
    return is_crossed(pixel + towards) && is_crossed(pixel + ivec2(towards.x, 0)) &&
           is_crossed(pixel + ivec2(0, towards.y));
}

uint bits(float value) {
    return isnan(value) ? MISS : floatBitsToUint(value);
}

void main() {
    int place = int(gl_GlobalInvocationID.x + gl_NumWorkGroups.x * gl_WorkGroupSize.x * gl_GlobalInvocationID.y);
    ivec2 pixel = ivec2(place % image_size.x, place / image_size.x);
    if (pixel.y >= image_size.y) return;
    precise float near = depth(1, pixel), far = depth(0, pixel);
    entry[place] = bits(far);
    exit_[place] = bits(near);
#if UNCROSS
    if (!(far > near)) return;
    precise float apart = far - near;
#if PERSPECTIVE
    precise dvec2 limits = most_apart * double(near);
#else
    dvec2 limits = most_apart;
#endif
    if (double(apart) > limits.x) return;
    if (double(apart) > limits.y &&
        (is_block(pixel, ivec2(-1, -1)) || is_block(pixel, ivec2(1, -1)) || is_block(pixel, ivec2(-1, 1)) ||
         is_block(pixel, ivec2(1, 1)))) return;
    precise float middle = (near + far) / 2.0;
    entry[place] = floatBitsToUint(middle);
    exit_[place] = floatBitsToUint(middle);
#endif
}
