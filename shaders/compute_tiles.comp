#version 430 core
// Rasterizes the medium faces tile by tile, one tile per work group. The k-th invocation owns every
// GROUP_SIZE-th row of the tile, starting with the k-th, and draws all faces there in turn.
//
// Inputs:  tiles, texture unit 6: see tiles.glsl; faces, see compute_face.glsl
// Outputs: those of the pass, see compute_pass.glsl
// Options: GROUP_SIZE is TILE_ROW_STRIDE here, and OWNED is 1
#include "compute_face.glsl"
#include "compute_pass.glsl"
#define ALL_CORNERS_SNAPPED 1
#include "face_outline.glsl"
#include "tiles.glsl"

layout(binding = 6) uniform isamplerBuffer tiles;

void main() {
    // Each thread of a software rasterizer runs an equal range of the work groups. With every other
    // tile in the first half, the threads share the work evenly.
    int group = int(gl_WorkGroupID.x), half_count = (tile_count() + 1) / 2;
    int tile = group < half_count ? 2 * group : 2 * (group - half_count) + 1;
    ivec2 first = first_pixel_of(tile), last = first + TILE_SIZE - 1;
    int first_row = first.y + int(gl_LocalInvocationID.x);
    int entry = first_entry_of(tile);
    int end = entry + (texelFetch(tiles, TILE_SUMMARIES + tile).x & (1 << COUNT_BITS) - 1);
    for (; entry < end; ++entry) {
        int face = texelFetch(tiles, entry).x;
        ivec3 corners = corners_of(uint(face));
        Outline outline;
        if (!find_outline(corners, outline)) continue;
        uint number = number_of(uint(face));
        FacePlane plane = face_plane(corners);
        ivec2 from = max(outline.box.first, first), to = min(outline.box.last, last);
        int row = first_row + (from.y - first_row + GROUP_SIZE - 1) / GROUP_SIZE * GROUP_SIZE;
        for (; row <= to.y; row += GROUP_SIZE) {
            ivec2 columns = covered_columns(outline, row, ivec2(from.x, to.x));
            add_row(row, columns, number, plane, outline.is_front);
        }
    }
}
