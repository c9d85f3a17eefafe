#version 430 core
// Medium faces, tile by tile: of a tile, one to a work group, the k-th invocation owns every
// GROUP-th row from the k-th on, for all faces in turn.
#include "compute_face.glsl"
#include "compute_pass.glsl"
#define PLACED 1
#include "face_outline.glsl"
#include "tiles.glsl"

layout(binding = 6) uniform isamplerBuffer tiles;

void main() {
    // Of the groups, in order, every thread gets as many: with every other tile in the first half, it has as much to do.
    int group = int(gl_WorkGroupID.x), half_of_them = (tile_count() + 1) / 2;
    int tile = group < half_of_them ? 2 * group : 2 * (group - half_of_them) + 1;
    ivec2 first = first_pixel_of(tile), last = first + TILE - 1;
    int own = first.y + int(gl_LocalInvocationID.x);
    int place = first_face_of(tile), end = place + (texelFetch(tiles, SUMMARIES + tile).x & (1 << COUNT_BITS) - 1);
    for (; place < end; ++place) {
        int face = texelFetch(tiles, place).x;
        ivec3 corners = corners_of(uint(face));
        Outline outline;
        if (!find_outline(corners, outline)) continue;
        FacePlane plane = face_plane(corners);
        ivec2 from = max(outline.box.first, first), to = min(outline.box.last, last);
        for (int row = own + (from.y - own + GROUP - 1) / GROUP * GROUP; row <= to.y; row += GROUP) {
            ivec2 columns = covered_columns(outline, row, ivec2(from.x, to.x));
            for (int column = columns.x; column <= columns.y; ++column)
                meet(ivec2(column, row), first_face + uint(face), plane, outline.is_front);
        }
    }
}
