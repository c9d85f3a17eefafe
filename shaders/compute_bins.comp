#version 430 core
// Medium faces, one to an invocation: notes each in all tiles that its box touches.
#include "compute_face.glsl"
#include "compute_queue.glsl"
#include "tiles.glsl"

layout(std430, binding = 7) buffer Tiles { uint tiles[]; };

// How often loops go round in an invocation of compute_tiles.comp that draws so many rows and columns; at most.
int rounds_for(ivec2 size) {
    int rows = (size.y + TILE_ROWS_APART - 1) / TILE_ROWS_APART;
    return 4 + rows * (size.x + 2);
}

void main() {
    uint number = invocation();
    if (number >= faces_in_queue()) return;
    uint face = face_at(face_count + number);
    ivec3 corners = corners_of(face);
    Box box = box_around(place_of(corners.x), place_of(corners.y), place_of(corners.z));
    ivec2 from = (box.first - ivec2(0, view.band.x)) / TILE, to = (box.last - ivec2(0, view.band.x)) / TILE;
    bool has_room = true;
    for (int y = from.y; y <= to.y; ++y) {
        for (int x = from.x; x <= to.x; ++x) {
            int tile = y * tiles_across() + x;
            ivec2 start = first_pixel_of(tile);
            int rounds = rounds_for(min(box.last, start + TILE - 1) - max(box.first, start) + 1);
            // Before the count runs into the bits above it, somebody sees that there are too many.
            uint before = atomicAdd(tiles[SUMMARIES + tile], uint(rounds) << COUNT_BITS | 1u);
            int number = int(before) & (1 << COUNT_BITS) - 1;
            if (number < TILE_FACES) tiles[first_face_of(tile) + number] = face;
            has_room = has_room && number < TILE_FACES && int(before >> COUNT_BITS) + rounds <= TILE_ROUNDS;
        }
    }
    if (!has_room) atomicMax(tiles[LACKS_ROOM], 1u);
}
