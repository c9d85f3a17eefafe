#version 430 core
// Every face once: most faces of a dense mesh miss every pixel center and are gone before anything but the places, or
// with FINE the cells, of their corners was read. The others go to one of three queues: small in the image, medium,
// large. Every pass over the faces then takes them from there: neighboring invocations all have something to do. With
// TILED, medium faces are all those that are not small but for faces with a corner that has no place: see tiles.glsl.
#include "compute_face.glsl"

struct Dispatch {
    uint groups_x, groups_y, groups_z;  // as glDispatchComputeIndirect wants them
    uint faces[VIEWS];
};
// Of this part of the mesh, view after view: small faces from the start on, large ones from face_count on backward,
// medium ones from there on.
layout(std430, binding = 5) writeonly buffer Queues { uint queues[]; };
layout(std430, binding = 6) buffer Dispatches { Dispatch dispatches[]; };
uniform uint face_count;
uniform uint first_dispatch;

const uint SMALL = 0u, MEDIUM = 1u, LARGE = 2u, NONE = 3u;

// Work groups for some faces. Of large faces each has groups of its own: invocations would be too many for 32 bits.
uint groups_for(uint queue, uint faces) {
    if (queue == LARGE) return faces * groups_of_large();
    return (faces * (queue == SMALL ? 1u : uint(MEDIUM_ROWS_APART)) + uint(GROUP) - 1u) / uint(GROUP);
}

// Makes room for some faces at the end of a queue, and sees to it that enough groups will come for them.
uint reserve(uint queue, uint count) {
    uint number = atomicAdd(dispatches[first_dispatch + queue].faces[view_number], count);
    uint groups = groups_for(queue, number + count);
    if (groups != groups_for(queue, number)) {
        atomicMax(dispatches[first_dispatch + queue].groups_x, min(groups, uint(MAX_GROUPS)));
        atomicMax(dispatches[first_dispatch + queue].groups_y, (groups - 1u) / uint(MAX_GROUPS) + 1u);
    }
    return number;
}

#if FINE
layout(binding = 5) uniform isamplerBuffer cells;  // of vertices

int cell_of(int vertex) {
    return texelFetch(cells, int(of_view(vertex))).x;
}

uint queue_of(uint face) {
    ivec3 corners = corners_of(face);
    int a = cell_of(corners.x), b = cell_of(corners.y), c = cell_of(corners.z);
    int differ = (a ^ b) | (b ^ c), column = (1 << view.column_bits) - 1;
    return (differ & column) == 0 || (differ & ~column) == 0 ? NONE : SMALL;
}
#else
uint queue_of(uint face) {
    ivec3 corners = corners_of(face);
    ivec2 a = place_of(corners.x), b = place_of(corners.y), c = place_of(corners.z);
    if (a.x == NO_PLACE || b.x == NO_PLACE || c.x == NO_PLACE) {
        ivec2 end = view.image_size * 256;
        int out_of = OUT_BEHIND | OUT_LEFT | OUT_RIGHT | OUT_ABOVE | OUT_BELOW;
        ivec2 all[3] = ivec2[3](a, b, c);
        for (int i = 0; i < 3; ++i) {
            ivec2 at = all[i];
            out_of &= at.x == NO_PLACE ? at.y
                : (at.x < 0 ? OUT_LEFT : 0) | (at.x > end.x ? OUT_RIGHT : 0) |
                  (at.y < 0 ? OUT_ABOVE : 0) | (at.y > end.y ? OUT_BELOW : 0);
        }
        return out_of == 0 ? LARGE : NONE;
    }
    Box box = box_around(a, b, c);
    if (box.first.x > box.last.x || box.first.y > box.last.y) return NONE;
    ivec2 size = max(a, max(b, c)) - min(a, min(b, c));
    int side = max(size.x, size.y);
    return side <= 256 * SMALL_FACE ? SMALL : TILED == 1 || side <= 256 * MEDIUM_FACE ? MEDIUM : LARGE;
}
#endif

// Queues those of the faces from `first` on whose bits are set.
void enqueue(uint queue, uint first, uint set) {
    if (set == 0u) return;
    uint number = reserve(queue, uint(bitCount(set)));
    for (; set != 0u; set &= set - 1u, ++number) {
        uint place = queue == SMALL ? number : queue == MEDIUM ? face_count + number : face_count - 1u - number;
        queues[2u * uint(view_number) * face_count + place] = first + uint(findLSB(set));
    }
}

void main() {
    uint group = gl_WorkGroupID.x + gl_NumWorkGroups.x * gl_WorkGroupID.y;
    uint first = (group * uint(GROUP) + gl_LocalInvocationID.x) * uint(FACES_EACH);
    // Which of this invocation's faces, as bits: all get their places at once.
    uint small = 0u, medium = 0u, large = 0u;
    for (uint i = 0u; i < uint(FACES_EACH); ++i) {
        if (first + i >= face_count) break;
        uint queue = queue_of(first + i);
        small |= uint(queue == SMALL) << i;
        medium |= uint(queue == MEDIUM) << i;
        large |= uint(queue == LARGE) << i;
    }
    enqueue(SMALL, first, small);
#if !FINE
    enqueue(MEDIUM, first, medium);
    enqueue(LARGE, first, large);
#endif
}
