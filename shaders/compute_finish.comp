#version 430 core
// Finishes both sheets for results that stay on the device: every miss becomes the same NaN, and
// entry and exit that have swapped at a silhouette become their mean. The rule for silhouettes is
// that of ddepth_gl/results/silhouettes.py, which tells the reasons.
//
// Inputs:  sheets: depths of one image or several, of each the entries, then the exits
// Outputs: results: finished entries of one image, from first_result on, then the exits
// Options: GROUP_SIZE        invocations per work group
//          PERSPECTIVE       1 for a perspective camera, 0 for an orthographic one
//          FIX_SILHOUETTES   1 to apply the rule for silhouettes
//          EXCHANGE          1 to exchange entry and exit where they are swapped otherwise
//          INVERTED_ENTRIES  1 if the bits of all entries in `sheets` are inverted
layout(local_size_x = GROUP_SIZE) in;
// Bits of float32; any NaN is a miss.
layout(std430, binding = 0) readonly buffer Sheets { uint sheets[]; };
layout(std430, binding = 1) writeonly buffer Results { uint results[]; };
uniform int first_row;     // row of `sheets` where this image's entries begin
uniform int first_result;  // index in `results`
#include "swapped_pixels.glsl"

const uint MISS = 0x7fc00000u;

uint depth_bits(int sheet, ivec2 pixel) {
    int row = first_row + sheet * image_size.y + pixel.y;
    uint bits = sheets[row * image_size.x + pixel.x];
    return INVERTED_ENTRIES == 1 && sheet == ENTRY ? ~bits : bits;
}

float sheet_depth_at(int sheet, ivec2 pixel) {
    return uintBitsToFloat(depth_bits(sheet, pixel));
}

// On bits, because NVIDIA's compiler takes isnan() to be false for every number, and changes the
// bits of a NaN that it moves.
bool is_miss(uint bits) {
    return (bits & 0x7fffffffu) > 0x7f800000u;
}

void main() {
    int index = int(gl_GlobalInvocationID.x +
                    gl_NumWorkGroups.x * gl_WorkGroupSize.x * gl_GlobalInvocationID.y);
    ivec2 pixel = ivec2(index % image_size.x, index / image_size.x);
    if (pixel.y >= image_size.y) return;
    int entry = first_result + index, exit_ = entry + image_size.x * image_size.y;
    uint entry_bits = depth_bits(ENTRY, pixel), exit_bits = depth_bits(EXIT, pixel);
    results[entry] = is_miss(entry_bits) ? MISS : entry_bits;
    results[exit_] = is_miss(exit_bits) ? MISS : exit_bits;
#if FIX_SILHOUETTES
    if (is_miss(entry_bits) || is_miss(exit_bits) || !is_swapped(pixel)) return;
    if (is_inside_out(pixel)) {
#if EXCHANGE
        results[entry] = exit_bits;
        results[exit_] = entry_bits;
#endif
        return;
    }
    precise float mean = (uintBitsToFloat(exit_bits) + uintBitsToFloat(entry_bits)) / 2.0;
    results[entry] = floatBitsToUint(mean);
    results[exit_] = floatBitsToUint(mean);
#endif
}
