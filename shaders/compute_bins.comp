#version 430 core
// Bins the medium faces, one per invocation: adds each to the list of every tile that its bounding
// box touches.
//
// Inputs:  queue of medium faces, see compute_queue.glsl; faces, see compute_face.glsl
// Outputs: tiles, see tiles.glsl
// Options: MASKED  1 if some faces have alpha masks
#include "compute_face.glsl"
#include "compute_queue.glsl"
#include "tiles.glsl"

layout(std430, binding = 7) buffer Tiles { uint tiles[]; };

// Upper bound on the loop iterations of an invocation of compute_tiles.comp for so many columns and
// rows of a face.
int iterations_for(ivec2 size) {
    int rows = (size.y + TILE_ROW_STRIDE - 1) / TILE_ROW_STRIDE;
#if MASKED
    int runs = (size.x + 31) / 32;  // see add_row: a loop over the runs, and two over each
    return 4 + rows * (2 * size.x + 3 * runs + 2);
#else
    return 4 + rows * (size.x + 2);
#endif
}

void main() {
    uint index = invocation_index();
    if (index >= faces_in_queue()) return;
    uint face = queued_face(face_count + index);
    ivec3 corners = corners_of(face);
    Box box = box_around(screen_position_of(corners.x), screen_position_of(corners.y),
                         screen_position_of(corners.z));
    ivec2 first = (box.first - ivec2(0, camera.band.x)) / TILE_SIZE;
    ivec2 last = (box.last - ivec2(0, camera.band.x)) / TILE_SIZE;
    bool has_room = true;
    for (int y = first.y; y <= last.y; ++y) {
        for (int x = first.x; x <= last.x; ++x) {
            int tile = y * tiles_across() + x;
            ivec2 start = first_pixel_of(tile);
            ivec2 size = min(box.last, start + TILE_SIZE - 1) - max(box.first, start) + 1;
            int iterations = iterations_for(size);
            // The count cannot overflow into the bits above it unnoticed: some invocation finds the
            // tile full before that.
            uint before = atomicAdd(tiles[TILE_SUMMARIES + tile],
                                    uint(iterations) << COUNT_BITS | 1u);
            int count = int(before) & (1 << COUNT_BITS) - 1;
            if (count < TILE_MAX_FACES) tiles[first_entry_of(tile) + count] = face;
            has_room = has_room && count < TILE_MAX_FACES &&
                       int(before >> COUNT_BITS) + iterations <= TILE_MAX_ITERATIONS;
        }
    }
    if (!has_room) atomicMax(tiles[TILES_OVERFLOW], 1u);
}
