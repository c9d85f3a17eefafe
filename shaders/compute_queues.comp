#version 430 core
// Sorts each face once into one of three queues, by its size in the image: small, medium or large.
// Most faces of a dense mesh miss all pixel centers. They are dropped after reading only the screen
// positions of their corners, or with FINE the cells. Later passes take the faces from the queues,
// so that neighboring invocations all have something to do.
//
// Inputs:  faces, see compute_face.glsl
//          cells, texture unit 5: of the vertices, from compute_vertices.comp; FINE only
//          face_count: faces of this part of the mesh
//          first_dispatch: index of the part's first dispatch
// Outputs: queues, dispatches: read through compute_queue.glsl
// Options: FINE                  see compute_vertices.comp
//          TILED                 1 if medium faces are drawn by tiles, see tiles.glsl: every face
//                                is then small or medium, unless a corner has no screen position
//          FACES_PER_INVOCATION  at most 32
//          MAX_SMALL_FACE, MAX_MEDIUM_FACE  longest side of a face's bounding box, pixels
//          MEDIUM_ROW_STRIDE     invocations per medium face, see compute_large.comp
//          MAX_GROUPS_X          work groups along the first axis of a dispatch; more go along the
//                                second
#include "compute_face.glsl"
#include "large_faces.glsl"

struct Dispatch {
    uint groups_x, groups_y, groups_z;  // as glDispatchComputeIndirect reads them
    uint face_counts[CAMERAS];
};
// For each camera 2 * face_count entries. Small faces fill the first half from its start, large
// faces the first half from its end backward, medium faces the second half.
layout(std430, binding = 5) writeonly buffer Queues { uint queues[]; };
layout(std430, binding = 6) buffer Dispatches { Dispatch dispatches[]; };
uniform uint face_count;
uniform uint first_dispatch;

const uint SMALL = 0u, MEDIUM = 1u, LARGE = 2u, NONE = 3u;

// Work groups for a number of faces. A large face has work groups of its own, as its invocations
// would be too many to count in 32 bits.
uint groups_for(uint queue, uint faces) {
    if (queue == LARGE) return faces * groups_per_large_face();
    uint invocations = faces * (queue == SMALL ? 1u : uint(MEDIUM_ROW_STRIDE));
    return (invocations + uint(GROUP_SIZE) - 1u) / uint(GROUP_SIZE);
}

// Appends `count` entries to a queue and raises the number of its work groups to match. Returns the
// index of the first entry.
uint append(uint queue, uint count) {
    uint index = atomicAdd(dispatches[first_dispatch + queue].face_counts[camera_index], count);
    uint groups = groups_for(queue, index + count);
    if (groups != groups_for(queue, index)) {
        uint groups_x = min(groups, uint(MAX_GROUPS_X));
        uint groups_y = (groups - 1u) / uint(MAX_GROUPS_X) + 1u;
        atomicMax(dispatches[first_dispatch + queue].groups_x, groups_x);
        atomicMax(dispatches[first_dispatch + queue].groups_y, groups_y);
    }
    return index;
}

#if FINE
layout(binding = 5) uniform isamplerBuffer cells;

int cell_of(int vertex) {
    return texelFetch(cells, int(index_for_camera(vertex))).x;
}

uint queue_for(uint face) {
    ivec3 corners = corners_of(face);
    int a = cell_of(corners.x), b = cell_of(corners.y), c = cell_of(corners.z);
    int difference = (a ^ b) | (b ^ c), column_mask = (1 << camera.column_bits) - 1;
    return (difference & column_mask) == 0 || (difference & ~column_mask) == 0 ? NONE : SMALL;
}
#else
uint queue_for(uint face) {
    ivec3 corners = corners_of(face);
    ivec2 a = screen_position_of(corners.x);
    ivec2 b = screen_position_of(corners.y);
    ivec2 c = screen_position_of(corners.z);
    if (a.x == NO_SCREEN_POSITION || b.x == NO_SCREEN_POSITION || c.x == NO_SCREEN_POSITION) {
        // The face is dropped if all its corners lie beyond the same side of the image.
        ivec2 end = camera.image_size * 256;
        int shared_outcode = OUT_BEHIND | OUT_LEFT | OUT_RIGHT | OUT_ABOVE | OUT_BELOW;
        ivec2 screen_positions[3] = ivec2[3](a, b, c);
        for (int i = 0; i < 3; ++i) {
            ivec2 corner = screen_positions[i];
            shared_outcode &= corner.x == NO_SCREEN_POSITION ? corner.y
                : (corner.x < 0 ? OUT_LEFT : 0) | (corner.x > end.x ? OUT_RIGHT : 0) |
                  (corner.y < 0 ? OUT_ABOVE : 0) | (corner.y > end.y ? OUT_BELOW : 0);
        }
        return shared_outcode == 0 ? LARGE : NONE;
    }
    Box box = box_around(a, b, c);
    if (box.first.x > box.last.x || box.first.y > box.last.y) return NONE;
    ivec2 size = max(a, max(b, c)) - min(a, min(b, c));
    int side = max(size.x, size.y);
    return side <= 256 * MAX_SMALL_FACE ? SMALL
         : TILED == 1 || side <= 256 * MAX_MEDIUM_FACE ? MEDIUM : LARGE;
}
#endif

// Adds faces to a queue: face first + k for each bit k of `faces` that is set.
void enqueue(uint queue, uint first, uint faces) {
    if (faces == 0u) return;
    uint index = append(queue, uint(bitCount(faces)));
    for (; faces != 0u; faces &= faces - 1u, ++index) {
        uint entry = queue == SMALL ? index
                   : queue == MEDIUM ? face_count + index : face_count - 1u - index;
        queues[2u * uint(camera_index) * face_count + entry] = first + uint(findLSB(faces));
    }
}

void main() {
    uint group = gl_WorkGroupID.x + gl_NumWorkGroups.x * gl_WorkGroupID.y;
    uint first = (group * uint(GROUP_SIZE) + gl_LocalInvocationID.x) * uint(FACES_PER_INVOCATION);
    // The faces of this invocation that go to each queue, as bits: one atomic addition appends all
    // of them.
    uint small = 0u, medium = 0u, large = 0u;
    for (uint i = 0u; i < uint(FACES_PER_INVOCATION); ++i) {
        if (first + i >= face_count) break;
        uint queue = queue_for(first + i);
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
