#version 430 core
// Faces that are small in the image, one to an invocation, in 32-bit integers. Pixels are looked at in blocks, or with
// TINY, where hardly a face has more than four, one after the other.
#include "compute_face.glsl"
#include "compute_pass.glsl"
#include "compute_queue.glsl"

// Whether a point exactly on an edge counts as inside: of the two faces at the edge it does for just one. It is
// the top-left rule: the answer for a point moved to the right by next to nothing, and down by next to nothing of it.
bool owns_edge(int along_right, int along_down) {
    return along_right > 0 || (along_right == 0 && along_down > 0);
}

#if TINY
// To the next pixel of the box, row by row.
#define STEP                                                             \
    if (pixel.x < box.last.x) {                                          \
        pixel.x += 1;                                                    \
        here += right;                                                   \
    } else {                                                             \
        pixel = ivec2(box.first.x, pixel.y + 1);                         \
        row += down;                                                     \
        here = row;                                                      \
    }                                                                    \
    covered = (here.x | here.y | here.z) >= 0 && pixel.y <= box.last.y;
#else
// Sets bit `column` of `outside` if the pixel is outside of an edge, and goes on to the next column.
#define STEP(column)                                           \
    outside |= uint(here.x | here.y | here.z) >> 31 << column; \
    here += right;

// Which pixels of a row are covered, as bits: of the first 4 from where the edges have these values.
uint covered_in_row(ivec3 here, ivec3 right) {
    uint outside = 0u;
    STEP(0) STEP(1) STEP(2) STEP(3)
    return ~outside;
}
#endif

void main() {
    uint number = invocation();
    if (number >= faces_in_queue()) return;
    uint face = face_at(number);
    ivec3 corners = corners_of(face);
    ivec2 a = place_of(corners.x), b = place_of(corners.y), c = place_of(corners.z);
    Box box = box_around(a, b, c);

    ivec2 ab = b - a, bc = c - b, ca = a - c;
    int area = ca.x * ab.y - ca.y * ab.x;  // twice; positive if clockwise on the screen, whose v goes down
    if (area == 0) return;
    bool is_front = area < 0;
    if (is_front) {
        ab = -ab;
        bc = -bc;
        ca = -ca;
    }
    // Of the edges ab, bc, ca: positive inside, and how they grow to the right and down. Integers, so there is
    // no rounding: below zero by one where the edge belongs to the neighbor.
    ivec3 right = -ivec3(ab.y, bc.y, ca.y), down = ivec3(ab.x, bc.x, ca.x);
    ivec2 start = box.first * 256 + 128;
    ivec3 row = right * (start.x - ivec3(a.x, b.x, c.x)) + down * (start.y - ivec3(a.y, b.y, c.y));
    row.x -= int(!owns_edge(right.x, down.x));
    row.y -= int(!owns_edge(right.y, down.y));
    row.z -= int(!owns_edge(right.z, down.z));
    right *= 256;
    down *= 256;

#if TINY
    // From one covered pixel to the next. Invocations run in step: what all of them pass over is cheap, and for the
    // pixels that they cover they wait for each other.
    ivec2 pixel = box.first;
    ivec3 here = row;
    bool covered = (here.x | here.y | here.z) >= 0;
    while (!covered && pixel.y <= box.last.y) {
        STEP
    }
    if (!covered) return;
    FacePlane plane = face_plane(corners);
    while (covered) {
        meet(pixel, first_face + face, plane, is_front);
        do {
            STEP
        } while (!covered && pixel.y <= box.last.y);
    }
#else
    FacePlane plane = face_plane(corners);
    // By blocks of 4x8 pixels: what is covered is found out first, in step, and then only covered pixels are gone through.
    ivec2 block = box.first;
    ivec3 here = row;
    while (block.y <= box.last.y) {
        uint covered = 0u;
        ivec2 size = min(box.last - block + 1, ivec2(4, 8));
        uint columns = (1u << size.x) - 1u;
        ivec3 left = here;
        for (int y = 0; y < size.y; ++y) {
            covered |= (covered_in_row(left, right) & columns) << 4 * y;
            left += down;
        }
        for (; covered != 0u; covered &= covered - 1u) {
            int bit = findLSB(covered);
            meet(block + ivec2(bit & 3, bit >> 2), first_face + face, plane, is_front);
        }
        block.x += 4;
        here += 4 * right;
        if (block.x > box.last.x) {
            block = ivec2(box.first.x, block.y + 8);
            row += 8 * down;
            here = row;
        }
    }
#endif
}
