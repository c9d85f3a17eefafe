#version 430 core
// What is left to do with both sheets before anybody gets them, for sheets that stay on the device: misses become
// one and the same NaN, and with FIX_SILHOUETTES entry and exit become their mean where they have crossed at a silhouette,
// as ddepth_gl/silhouettes.py has it, which gives the reasons.
layout(local_size_x = GROUP) in;
// Bits of float32, with INVERTED those of entries all inverted; any NaN is a miss.
layout(std430, binding = 0) readonly buffer Sheets { uint sheets[]; };
layout(std430, binding = 1) writeonly buffer Entry { uint entry[]; };    // bits of float32
layout(std430, binding = 2) writeonly buffer Exit { uint exit_[]; };
uniform ivec2 image_size;
uniform int first_row;      // of this image's entries; its exits follow
uniform dvec2 swap_limits;   // at a silhouette, and in a block of 2x2; mesh units, in perspective at a depth of 1

const uint MISS = 0x7fc00000u;

uint depth_bits(int sheet, ivec2 pixel) {
    uint bits = sheets[(first_row + sheet * image_size.y + pixel.y) * image_size.x + pixel.x];
    return INVERTED == 1 && sheet == 0 ? ~bits : bits;
}

float depth(int sheet, ivec2 pixel) {
    return uintBitsToFloat(depth_bits(sheet, pixel));
}

// Told by the bits: NVIDIA's compiler lets isnan() be false for every number, and changes the bits of a NaN that it moves.
bool is_miss(uint bits) {
    return (bits & 0x7fffffffu) > 0x7f800000u;
}

bool is_swapped(ivec2 pixel) {
    if (any(lessThan(pixel, ivec2(0))) || any(greaterThanEqual(pixel, image_size))) return false;
    return depth(0, pixel) > depth(1, pixel);
}

bool is_block(ivec2 pixel, ivec2 toward) {
    return is_swapped(pixel + toward) && is_swapped(pixel + ivec2(toward.x, 0)) &&
           is_swapped(pixel + ivec2(0, toward.y));
}

void main() {
    int place = int(gl_GlobalInvocationID.x + gl_NumWorkGroups.x * gl_WorkGroupSize.x * gl_GlobalInvocationID.y);
    ivec2 pixel = ivec2(place % image_size.x, place / image_size.x);
    if (pixel.y >= image_size.y) return;
    uint near_bits = depth_bits(1, pixel), far_bits = depth_bits(0, pixel);
    entry[place] = is_miss(far_bits) ? MISS : far_bits;
    exit_[place] = is_miss(near_bits) ? MISS : near_bits;
#if FIX_SILHOUETTES
    if (is_miss(near_bits) || is_miss(far_bits)) return;
    precise float near = uintBitsToFloat(near_bits), far = uintBitsToFloat(far_bits);
    if (!(far > near)) return;
    precise float apart = far - near;
#if PERSPECTIVE
    precise dvec2 limits = swap_limits * double(near);
#else
    dvec2 limits = swap_limits;
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
