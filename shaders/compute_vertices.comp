#version 430 core
// Transforms each vertex once: from the local frame to a screen position in integer subpixels.
// Eight vertices per invocation, four stored together, because software rasterizers store lane by
// lane: a store of four integers costs hardly more than a store of one.
//
// Inputs:  vertices, see compute_vertex.glsl; their number is a multiple of 8
// Outputs: screen_positions: of each vertex, or NO_SCREEN_POSITION and an outcode
//          cells: of each vertex, with FINE only
// Options: FINE  1 if it is certain that all vertices have a screen position and that all faces are
//                small in the image; a vertex then has a cell as well
//
// A cell is row << column_bits | column. Column c holds what lies right of the center of pixel
// c - 1, and not right of the center of pixel c. The first and the last column also hold what lies
// outside of the image. Rows likewise, within the band. A face whose corners all share a column or
// a row covers no pixel center, since the top-left rule (see owns_edge in compute_small.comp) gives
// a center on its edge to the neighbor.
#include "compute_vertex.glsl"

// Two screen positions, and four cells, an element.
layout(std430, binding = 1) writeonly buffer ScreenPositions { ivec4 screen_positions[]; };
#if FINE
layout(std430, binding = 2) writeonly buffer Cells { ivec4 cells[]; };
#endif

int cell_at(ivec2 screen_position) {
    ivec2 size = ivec2(camera.image_size.x, camera.band.y - camera.band.x);
    ivec2 cell = clamp((screen_position + 127 >> 8) - ivec2(0, camera.band.x), ivec2(0), size);
    return cell.y << camera.column_bits | cell.x;
}

int outcode(Wide3 image) {
    Wide u = x_of(image), v = y_of(image), w = z_of(image), zero = widened(0.0);
    Wide right = times(w, 256.0 * float(camera.image_size.x));
    Wide bottom = times(w, 256.0 * float(camera.image_size.y));
    return (is_less(zero, w) ? 0 : OUT_BEHIND) |
           (is_less(u, zero) ? OUT_LEFT : 0) | (is_less(right, u) ? OUT_RIGHT : 0) |
           (is_less(v, zero) ? OUT_ABOVE : 0) | (is_less(bottom, v) ? OUT_BELOW : 0);
}

ivec2 snapped(int vertex) {
    Wide3 image = image_of(vertex);
    vec2 rounded = rounded_quotients(image);
#if FINE
    return ivec2(rounded);
#else
    // Also false where the quotient is infinite or NaN.
    bool has_screen_position = is_less(widened(0.0), z_of(image)) && abs(rounded.x) <= GUARD_BAND &&
                               abs(rounded.y) <= GUARD_BAND;
    return has_screen_position ? ivec2(rounded) : ivec2(NO_SCREEN_POSITION, outcode(image));
#endif
}

void store_four(int first) {
    ivec2 a = snapped(first), b = snapped(first + 1), c = snapped(first + 2),
          d = snapped(first + 3);
    uint quad = index_for_camera(first) / 4u;
    screen_positions[2u * quad] = ivec4(a, b);
    screen_positions[2u * quad + 1u] = ivec4(c, d);
#if FINE
    cells[quad] = ivec4(cell_at(a), cell_at(b), cell_at(c), cell_at(d));
#endif
}

void main() {
    int first = 8 * int(invocation_index());
    if (first >= int(vertex_count)) return;
    store_four(first);
    store_four(first + 4);
}
