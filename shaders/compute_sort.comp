#version 430 core
// Sorts the crossings of each pixel by (depth, face): by insertion where they are FEW, or with MANY where they are more,
// as a heap. Two programs, since invocations run in step: loops that one of them enters cost all of them. Pixels with
// more than MOST are left to the host.
layout(local_size_x = GROUP) in;
layout(std430, binding = 0) readonly buffer Ends { uint ends[]; };      // of the pixels' stretches, in order
layout(std430, binding = 1) buffer Stored { uvec2 stored[]; };          // see compute_pass.glsl
uniform uint pixel_count;

bool comes_before(uvec2 a, uvec2 b) {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

#if !MANY
void insertion_sort(uint start, uint end) {
    for (uint next = start + 1u; next < end; ++next) {
        uvec2 crossing = stored[next];
        uint place = next;
        while (place > start) {
            uvec2 before = stored[place - 1u];
            if (!comes_before(crossing, before)) break;
            stored[place] = before;
            --place;
        }
        if (place < next) stored[place] = crossing;
    }
}
#else
// Lets a crossing sink to its place in the heap of `size` at `start`, from `hole` on.
void sink(uint start, uint hole, uint size, uvec2 crossing) {
    for (uint child = 2u * hole + 1u; child < size; child = 2u * hole + 1u) {
        uvec2 larger = stored[start + child];
        if (child + 1u < size) {
            uvec2 other = stored[start + child + 1u];
            if (comes_before(larger, other)) {
                larger = other;
                ++child;
            }
        }
        if (!comes_before(crossing, larger)) break;
        stored[start + hole] = larger;
        hole = child;
    }
    stored[start + hole] = crossing;
}

void heap_sort(uint start, uint end) {
    uint size = end - start;
    for (uint root = size / 2u; root > 0u; --root) sink(start, root - 1u, size, stored[start + root - 1u]);
    for (uint last = size - 1u; last > 0u; --last) {
        uvec2 crossing = stored[start + last];
        stored[start + last] = stored[start];
        sink(start, 0u, last, crossing);
    }
}
#endif

void main() {
    uint pixel = gl_GlobalInvocationID.x + gl_NumWorkGroups.x * gl_WorkGroupSize.x * gl_GlobalInvocationID.y;
    if (pixel >= pixel_count) return;
    uint start = pixel > 0u ? ends[pixel - 1u] : 0u, end = ends[pixel];
#if MANY
    if (end - start > uint(FEW) && end - start <= uint(MOST)) heap_sort(start, end);
#else
    if (end - start > 1u && end - start <= uint(FEW)) insertion_sort(start, end);
#endif
}
