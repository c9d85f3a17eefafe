// Tiles of the band, and which faces may be seen in each: noted by compute_bins.comp, read by compute_tiles.comp. For
// software rasterizers, where atomic operations are most of the time of faces that cover many pixels: where each pixel
// belongs to one invocation, none are needed.
const ivec2 TILE = ivec2(TILE_WIDTH, TILE_HEIGHT);

int tiles_across() {
    return (view.image_size.x + TILE.x - 1) / TILE.x;
}

int tile_count() {
    return tiles_across() * ((view.band.y - view.band.x + TILE.y - 1) / TILE.y);
}

ivec2 first_pixel_of(int tile) {
    return ivec2(0, view.band.x) + TILE * ivec2(tile % tiles_across(), tile / tiles_across());
}

// Numbers in the buffer of tiles: not 0 if some tile lacked room for its faces; for each tile how many faces it has and,
// above these bits, how often they make loops go round; then each tile's faces.
const int LACKS_ROOM = 0, SUMMARIES = 1, COUNT_BITS = 10;

int first_face_of(int tile) {
    return SUMMARIES + tile_count() + tile * TILE_FACES;
}
