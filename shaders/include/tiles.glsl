#ifndef TILES_GLSL
#define TILES_GLSL
// Tiles of the band, and the faces in each: compute_bins.comp writes them, compute_tiles.comp reads
// them. For software rasterizers, where atomic operations take most of the time of faces that cover
// many pixels. In a tile each pixel belongs to one invocation, so none are needed.
//
// Options: TILE_WIDTH, TILE_HEIGHT  pixels
//          TILE_ROW_STRIDE          invocations per tile, which own its rows in turn
//          TILE_MAX_FACES           room in a tile
//          TILE_MAX_ITERATIONS      loop iterations that a tile's faces may cost an invocation; see
//                                   decision 7
#include "compute_camera.glsl"

const ivec2 TILE_SIZE = ivec2(TILE_WIDTH, TILE_HEIGHT);

int tiles_across() {
    return (camera.image_size.x + TILE_SIZE.x - 1) / TILE_SIZE.x;
}

int tile_count() {
    return tiles_across() * ((camera.band.y - camera.band.x + TILE_SIZE.y - 1) / TILE_SIZE.y);
}

ivec2 first_pixel_of(int tile) {
    return ivec2(0, camera.band.x) +
           TILE_SIZE * ivec2(tile % tiles_across(), tile / tiles_across());
}

// Layout of the buffer of tiles: a flag, not 0 if a tile lacked room; a summary of each tile, with
// the number of its faces in the low COUNT_BITS bits and its loop iterations above them; then the
// faces of each tile.
const int TILES_OVERFLOW = 0, TILE_SUMMARIES = 1, COUNT_BITS = 10;

int first_entry_of(int tile) {
    return TILE_SUMMARIES + tile_count() + tile * TILE_MAX_FACES;
}
#endif
