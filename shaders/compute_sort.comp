#version 430 core
// Sorts the crossings of each pixel by (depth, face). Insertion sort and heap sort are separate
// programs: invocations run in lockstep, so a loop that one of them enters costs all of them.
//
// Inputs:  range_ends: where each pixel's range of crossings ends; it starts at the end before
//          first_pixel, end_pixel: the pixels to sort
// Outputs: crossings, sorted in place: see compute_pass.glsl
// Options: GROUP_SIZE       invocations per work group
//          HEAP_SORT        0 sorts pixels of at most INSERTION_LIMIT crossings, 1 the others
//          INSERTION_LIMIT  see HEAP_SORT
//          SORT_LIMIT       pixels with more crossings are left to the CPU
layout(local_size_x = GROUP_SIZE) in;
layout(std430, binding = 0) readonly buffer RangeEnds { uint range_ends[]; };
layout(std430, binding = 1) buffer Crossings { uvec2 crossings[]; };
uniform uint first_pixel, end_pixel;

bool is_before(uvec2 a, uvec2 b) {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

#if !HEAP_SORT
void insertion_sort(uint start, uint end) {
    for (uint next = start + 1u; next < end; ++next) {
        uvec2 crossing = crossings[next];
        uint index = next;
        while (index > start) {
            uvec2 previous = crossings[index - 1u];
            if (!is_before(crossing, previous)) break;
            crossings[index] = previous;
            --index;
        }
        if (index < next) crossings[index] = crossing;
    }
}
#else
// Inserts a crossing into the heap of `size` at `start`: from `root` down, larger ones move up.
void sift_down(uint start, uint root, uint size, uvec2 crossing) {
    for (uint child = 2u * root + 1u; child < size; child = 2u * root + 1u) {
        uvec2 larger = crossings[start + child];
        if (child + 1u < size) {
            uvec2 sibling = crossings[start + child + 1u];
            if (is_before(larger, sibling)) {
                larger = sibling;
                ++child;
            }
        }
        if (!is_before(crossing, larger)) break;
        crossings[start + root] = larger;
        root = child;
    }
    crossings[start + root] = crossing;
}

void heap_sort(uint start, uint end) {
    uint size = end - start;
    for (uint root = size / 2u; root > 0u; --root)
        sift_down(start, root - 1u, size, crossings[start + root - 1u]);
    for (uint last = size - 1u; last > 0u; --last) {
        uvec2 crossing = crossings[start + last];
        crossings[start + last] = crossings[start];
        sift_down(start, 0u, last, crossing);
    }
}
#endif

void main() {
    uint pixel = first_pixel + gl_GlobalInvocationID.x +
                 gl_NumWorkGroups.x * gl_WorkGroupSize.x * gl_GlobalInvocationID.y;
    if (pixel >= end_pixel) return;
    uint start = pixel > 0u ? range_ends[pixel - 1u] : 0u, end = range_ends[pixel];
#if HEAP_SORT
    if (end - start > uint(INSERTION_LIMIT) && end - start <= uint(SORT_LIMIT))
        heap_sort(start, end);
#else
    if (end - start > 1u && end - start <= uint(INSERTION_LIMIT)) insertion_sort(start, end);
#endif
}
