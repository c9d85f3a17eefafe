#version 430 core
// Rasterizes the faces that are small in the image, one per invocation, in 32-bit integers.
//
// Inputs:  queue of small faces, see compute_queue.glsl; faces, see compute_face.glsl
// Outputs: those of the pass, see compute_pass.glsl
// Options: TINY  1 if almost no face covers more than four pixels: pixels are then tested one by
//                one; otherwise they are tested in blocks of 4x8
#include "compute_face.glsl"
#include "compute_pass.glsl"
#include "compute_queue.glsl"

// Top-left rule: a point exactly on an edge is covered by one of the two faces there, the face to
// the right of the edge, or below a horizontal edge. Returns true for that face. The edge function
// is positive inside; the arguments are its steps to the right and down.
bool owns_edge(int along_right, int along_down) {
    return along_right > 0 || (along_right == 0 && along_down > 0);
}

#if TINY
// Moves to the next pixel of the box, row by row.
#define NEXT_PIXEL                                                             \
    if (pixel.x < box.last.x) {                                                \
        pixel.x += 1;                                                          \
        edges += right;                                                        \
    } else {                                                                   \
        pixel = ivec2(box.first.x, pixel.y + 1);                               \
        row_edges += down;                                                     \
        edges = row_edges;                                                     \
    }                                                                          \
    covered = (edges.x | edges.y | edges.z) >= 0 && pixel.y <= box.last.y;
#else
// Sets bit `column` of `outside` if the pixel is outside of an edge; moves to the next column.
#define TEST_PIXEL(column)                                        \
    outside |= uint(edges.x | edges.y | edges.z) >> 31 << column; \
    edges += right;

// Which of 4 pixels in a row are covered, as bits, given the edge functions at the first of them.
uint covered_in_row(ivec3 edges, ivec3 right) {
    uint outside = 0u;
    TEST_PIXEL(0) TEST_PIXEL(1) TEST_PIXEL(2) TEST_PIXEL(3)
    return ~outside;
}

// Adds the crossing of a pixel of the block, given as a bit.
#define ADD_CROSSING(bit, tests_mask)                                                            \
    add_crossing(block + ivec2((bit) & 3, (bit) >> 2), number, plane, is_front, \
                 tests_mask)
#endif

void main() {
    uint entry = invocation_index();
    if (entry >= faces_in_queue()) return;
    uint face = queued_face(entry);
    ivec3 corners = corners_of(face);
    ivec2 a = screen_position_of(corners.x);
    ivec2 b = screen_position_of(corners.y);
    ivec2 c = screen_position_of(corners.z);
    Box box = box_around(a, b, c);

    ivec2 ab = b - a, bc = c - b, ca = a - c;
    // Twice the area; positive if the corners are clockwise on the screen, where v points down.
    int area = ca.x * ab.y - ca.y * ab.x;
    if (area == 0) return;
    bool is_front = area < 0;
    if (is_front) {
        ab = -ab;
        bc = -bc;
        ca = -ca;
    }
    // Edge functions of ab, bc and ca: not negative inside. `right` and `down` are their steps. All
    // are integers, so nothing is rounded. If the neighbor owns an edge, the function is lowered by
    // 1 to exclude the points on that edge.
    ivec3 right = -ivec3(ab.y, bc.y, ca.y), down = ivec3(ab.x, bc.x, ca.x);
    ivec2 start = box.first * 256 + 128;
    ivec3 row_edges = right * (start.x - ivec3(a.x, b.x, c.x)) +
                      down * (start.y - ivec3(a.y, b.y, c.y));
    row_edges.x -= int(!owns_edge(right.x, down.x));
    row_edges.y -= int(!owns_edge(right.y, down.y));
    row_edges.z -= int(!owns_edge(right.z, down.z));
    right *= 256;
    down *= 256;

#if TINY
    // Skip from one covered pixel to the next. Invocations run in lockstep: skipping pixels is
    // cheap, but at covered pixels they wait for each other.
    ivec2 pixel = box.first;
    ivec3 edges = row_edges;
    bool covered = (edges.x | edges.y | edges.z) >= 0;
    while (!covered && pixel.y <= box.last.y) {
        NEXT_PIXEL
    }
    if (!covered) return;
    uint number = number_of(face);
    FacePlane plane = face_plane(corners);
    while (covered) {
        add_crossing(pixel, number, plane, is_front, true);
        do {
            NEXT_PIXEL
        } while (!covered && pixel.y <= box.last.y);
    }
#else
    uint number = number_of(face);
    FacePlane plane = face_plane(corners);
    // Blocks of 4x8 pixels: first find the covered ones, in lockstep, then visit only these.
    ivec2 block = box.first;
    ivec3 block_edges = row_edges;
    while (block.y <= box.last.y) {
        uint covered = 0u;
        ivec2 size = min(box.last - block + 1, ivec2(4, 8));
        uint columns = (1u << size.x) - 1u;
        ivec3 edges = block_edges;
        for (int y = 0; y < size.y; ++y) {
            covered |= (covered_in_row(edges, right) & columns) << 4 * y;
            edges += down;
        }
#if MASKED
        for (uint rest = covered; rest != 0u; rest &= rest - 1u)  // see add_row
            if (ADD_CROSSING(findLSB(rest), false)) covered ^= rest & -rest;
#endif
        for (; covered != 0u; covered &= covered - 1u) ADD_CROSSING(findLSB(covered), true);
        block.x += 4;
        block_edges += 4 * right;
        if (block.x > box.last.x) {
            block = ivec2(box.first.x, block.y + 8);
            row_edges += 8 * down;
            block_edges = row_edges;
        }
    }
#endif
    end_pass();
}
