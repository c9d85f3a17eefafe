#version 430 core
// Faces that are small in the image, one to an invocation, in 32-bit whole numbers.
#include "compute_face.glsl"
#include "compute_pass.glsl"
#include "compute_queue.glsl"

// Whether a point exactly on an edge counts as inside: of the two faces at the edge it does for just one. It is
// the top-left rule: the answer for a point moved to the right by next to nothing, and down by next to nothing of it.
bool owns_edge(int along_right, int along_down) {
    return along_right > 0 || (along_right == 0 && along_down > 0);
}

// To the next pixel of the box, row by row.
#define STEP                                                             \
    if (pixel.x < last.x) {                                              \
        pixel.x += 1;                                                    \
        here += right;                                                   \
    } else {                                                             \
        pixel = ivec2(first.x, pixel.y + 1);                             \
        row += down;                                                     \
        here = row;                                                      \
    }                                                                    \
    covered = (here.x | here.y | here.z) >= 0 && pixel.y <= last.y;

void main() {
    uint number = invocation();
    if (number >= faces_in_queue()) return;
    uint face = face_at(number);
    ivec3 corners = corners_of(face);
    ivec2 a = place_of(corners.x), b = place_of(corners.y), c = place_of(corners.z);
    Box box = box_around(a, b, c);
    ivec2 first = box.first, last = box.last;

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

    // From one covered pixel to the next. Invocations run in step: what all of them pass over is cheap, and for the
    // pixels that they cover they wait for each other.
    ivec2 pixel = first;
    ivec3 here = row;
    bool covered = (here.x | here.y | here.z) >= 0;
    while (!covered && pixel.y <= last.y) {
        STEP
    }
    if (!covered) return;
    FacePlane plane = face_plane(corners);
    while (covered) {
        meet(pixel, first_face + face, plane, is_front);
        do {
            STEP
        } while (!covered && pixel.y <= last.y);
    }
}
