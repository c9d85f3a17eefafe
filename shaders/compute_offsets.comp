#version 430 core
// Prefix sums in steps: blocks of numbers are summed up, and these sums in turn, until one is left.
// Then, from the last sums to the first, each number is replaced by the sum of all before it.
//
// Inputs:  numbers: to sum up; with DOWN also sums, by then replaced by what comes before them
// Outputs: sums: of each block of numbers; with DOWN numbers, replaced
// Options: GROUP_SIZE  invocations per work group
//          BLOCK       numbers of a block
//          DOWN        1 for the way back
layout(local_size_x = GROUP_SIZE) in;
layout(std430, binding = 0) buffer Numbers { uint numbers[]; };
layout(std430, binding = 1) buffer Sums { uint sums[]; };
uniform uint number_count;

const uint MAX_SUM = 0x7fffffffu;  // of two such sums, none overflows

void main() {
    uint block = gl_GlobalInvocationID.x +
                 gl_NumWorkGroups.x * gl_WorkGroupSize.x * gl_GlobalInvocationID.y;
    uint first = block * uint(BLOCK), stop = min(first + uint(BLOCK), number_count);
    if (first >= number_count) return;
#if DOWN
    uint sum = sums[block];
    for (uint index = first; index < stop; ++index) {
        uint number = numbers[index];
        numbers[index] = sum;
        sum = min(sum + number, MAX_SUM);
    }
#else
    uint sum = 0u;
    for (uint index = first; index < stop; ++index) sum = min(sum + numbers[index], MAX_SUM);
    sums[block] = sum;
#endif
}
