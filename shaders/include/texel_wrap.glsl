#ifndef TEXEL_WRAP_GLSL
#define TEXEL_WRAP_GLSL
// Texels of a texture that a point samples, by hand and in double precision, so that both engines
// read the same texels. wrapped_texel(index, size, mode) wraps one index;
// sampled_texels(uv, entry) returns the four texels of bilinear filtering and their weights.
//
// A texture is a row of `texture_table` (see MESH_TABLES in mesh_tables.py), an ivec4: first texel,
// width, height, and the sampler: wrap_u + 4 * wrap_v + 16 * filter.

const int WRAP_REPEAT = 0;
const int WRAP_CLAMP = 1;   // to the edge
const int WRAP_MIRROR = 2;  // every second copy is mirrored
const int FILTER_LINEAR = 0;
const int FILTER_NEAREST = 1;

// The texels around a point: upper left, upper right, lower left, lower right, as indices into
// `texels`; and the weights of the right and of the lower ones. With the nearest texel alone, the
// weights are 0.
struct SampledTexels {
    ivec4 index;
    dvec2 weight;
};

// Returns the texel, 0 to size - 1, that an index stands for. No division: a software rasterizer
// does an integer's lane by lane.
// index: of a near_coordinate or beside it: -1 to size for WRAP_REPEAT, -1 to 2 * size for
//        WRAP_MIRROR. mode: one of WRAP_*.
int wrapped_texel(int index, int size, int mode) {
    if (mode == WRAP_REPEAT) index += index < 0 ? size : index < size ? 0 : -size;
    if (mode == WRAP_MIRROR) index = min(index, 2 * size - 1 - index);
    return clamp(index, 0, size - 1);
}

// Returns a coordinate that samples the same, small enough for its texel's index to be an int.
double near_coordinate(double coordinate, int mode) {
    if (mode == WRAP_CLAMP) return clamp(coordinate, -1.0lf, 2.0lf);
    precise double mirrored = 2.0lf * fract(0.5lf * coordinate);
    return mode == WRAP_MIRROR ? mirrored : fract(coordinate);
}

// uv: u right, v up; (0, 0) is the lower left corner of the texture.
SampledTexels sampled_texels(dvec2 uv, ivec4 entry) {
    ivec2 size = entry.yz;
    ivec2 mode = ivec2(entry.w & 3, entry.w >> 2 & 3);
    precise dvec2 position =
        dvec2(near_coordinate(uv.x, mode.x), near_coordinate(1.0lf - uv.y, mode.y)) * dvec2(size);
    bool is_nearest = (entry.w >> 4) == FILTER_NEAREST;
    if (!is_nearest) position -= 0.5lf;  // texel 0 has its center at half a texel
    dvec2 corner = floor(position);
    ivec2 low = ivec2(corner);
    ivec2 high = is_nearest ? low : low + 1;
    ivec2 column =
        ivec2(wrapped_texel(low.x, size.x, mode.x), wrapped_texel(high.x, size.x, mode.x));
    ivec2 row = ivec2(wrapped_texel(low.y, size.y, mode.y), wrapped_texel(high.y, size.y, mode.y));
    precise dvec2 weight = position - corner;
    return SampledTexels(entry.x + size.x * row.xxyy + column.xyxy,
                         is_nearest ? dvec2(0.0lf) : weight);
}
#endif
