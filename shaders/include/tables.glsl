// Tables of a mesh, kept in textures of TABLE_WIDTH texels a row: entry i is texel (i % width, i / width).
ivec2 table_place(int index) {
    return ivec2(index & (TABLE_WIDTH - 1), index / TABLE_WIDTH);
}
