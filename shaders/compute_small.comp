#version 430 core
// Every face once. Those that are small in the image are rasterized here, by one invocation each, in 32-bit whole
// numbers; the others go to one of two queues, see compute_large.comp. Most faces of a dense mesh miss every
// pixel centre: they are gone before anything but their places was read.
#include "compute_face.glsl"
#include "compute_pass.glsl"

layout(std430, binding = 5) writeonly buffer Queue { uint queue[]; };  // medium faces, then large ones
struct Dispatch {
    uint groups_x, groups_y, groups_z;  // as glDispatchComputeIndirect wants them
    uint faces;
};
layout(std430, binding = 6) buffer Dispatches { Dispatch dispatches[]; };
uniform uint face_count;
uniform uint dispatch_of_part;

void enqueue(uint face, uint which) {
    uint number = atomicAdd(dispatches[dispatch_of_part + which].faces, 1u);
    queue[which * face_count + number] = face;
    uint invocations = (number + 1u) * uint(which == 0u ? MEDIUM_CHUNKS : LARGE_CHUNKS);
    uint groups = (invocations + uint(GROUP) - 1u) / uint(GROUP);
    atomicMax(dispatches[dispatch_of_part + which].groups_x, min(groups, uint(MAX_GROUPS)));
    atomicMax(dispatches[dispatch_of_part + which].groups_y, (groups - 1u) / uint(MAX_GROUPS) + 1u);
}

// Whether a point exactly on an edge counts as inside: of the two faces at the edge it does for just one. It is
// the top-left rule: the answer for a point moved to the right by next to nothing, and down by next to nothing of it.
bool owns_edge(int along_right, int along_down) {
    return along_right > 0 || (along_right == 0 && along_down > 0);
}

void main() {
    uint face = invocation();
    if (face >= face_count) return;
    uvec3 corners = uvec3(indices[3u * face], indices[3u * face + 1u], indices[3u * face + 2u]);
    ivec2 a = places[corners.x], b = places[corners.y], c = places[corners.z];
    if (a.x == NO_PLACE || b.x == NO_PLACE || c.x == NO_PLACE) {
        ivec2 end = image_size * 256;
        int out_of = OUT_BEHIND | OUT_LEFT | OUT_RIGHT | OUT_ABOVE | OUT_BELOW;
        ivec2 all[3] = ivec2[3](a, b, c);
        for (int i = 0; i < 3; ++i) {
            ivec2 at = all[i];
            out_of &= at.x == NO_PLACE ? at.y
                : (at.x < 0 ? OUT_LEFT : 0) | (at.x > end.x ? OUT_RIGHT : 0) |
                  (at.y < 0 ? OUT_ABOVE : 0) | (at.y > end.y ? OUT_BELOW : 0);
        }
        if (out_of == 0) enqueue(face, 1u);
        return;
    }
    ivec2 low = min(a, min(b, c)), high = max(a, max(b, c));
    ivec2 first = max((low + 127) >> 8, ivec2(0, band.x));
    ivec2 last = min((high - 128) >> 8, ivec2(image_size.x, band.y) - 1);
    if (first.x > last.x || first.y > last.y) return;
    int side = max(high.x - low.x, high.y - low.y);
    if (side > small_face) {
        enqueue(face, side > medium_face ? 1u : 0u);
        return;
    }

    ivec2 ab = b - a, bc = c - b, ca = a - c;
    int area = ca.x * ab.y - ca.y * ab.x;  // twice; positive if clockwise on the screen, whose v goes down
    if (area == 0) return;
    bool is_front = area < 0;
    if (is_front) {
        ab = -ab;
        bc = -bc;
        ca = -ca;
    }
    // Of the edges ab, bc, ca: positive inside, and how they grow to the right and down. Whole numbers, so there is
    // no rounding: below zero by one where the edge belongs to the neighbour.
    ivec3 right = -ivec3(ab.y, bc.y, ca.y), down = ivec3(ab.x, bc.x, ca.x);
    ivec2 start = first * 256 + 128;
    ivec3 row = right * (start.x - ivec3(a.x, b.x, c.x)) + down * (start.y - ivec3(a.y, b.y, c.y));
    row.x -= int(!owns_edge(right.x, down.x));
    row.y -= int(!owns_edge(right.y, down.y));
    row.z -= int(!owns_edge(right.z, down.z));
    right *= 256;
    down *= 256;

    // To the first pixel that is covered, if any: the plane is set up once, and only if it is needed.
    ivec2 pixel = first;
    ivec3 here = row;
    bool covered = (here.x | here.y | here.z) >= 0;
    while (!covered && pixel.y <= last.y) {
        if (pixel.x < last.x) {
            pixel.x += 1;
            here += right;
        } else {
            pixel = ivec2(first.x, pixel.y + 1);
            row += down;
            here = row;
        }
        covered = (here.x | here.y | here.z) >= 0 && pixel.y <= last.y;
    }
    if (!covered) return;
    FacePlane plane = face_plane(corners);
    while (pixel.y <= last.y) {
        if ((here.x | here.y | here.z) >= 0) meet(pixel, first_face + face, plane, is_front);
        if (pixel.x < last.x) {
            pixel.x += 1;
            here += right;
        } else {
            pixel = ivec2(first.x, pixel.y + 1);
            row += down;
            here = row;
        }
    }
}
