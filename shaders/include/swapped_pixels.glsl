#ifndef SWAPPED_PIXELS_GLSL
#define SWAPPED_PIXELS_GLSL
// Pixels whose entry lies behind their exit. The rule, and its reasons, are those of
// ddepth_gl/results/silhouettes.py.
//
// Inputs:  image_size, swap_limits: uniforms, see swap_limits() in silhouettes.py
//          sheet_depth_at(sheet, pixel): defined by the shader that includes this, sheet ENTRY or
//          EXIT; NaN for a miss
// Options: PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one
const int ENTRY = 0, EXIT = 1;

uniform ivec2 image_size;
uniform dvec2 swap_limits;

float sheet_depth_at(int sheet, ivec2 pixel);

bool is_swapped(ivec2 pixel) {
    if (any(lessThan(pixel, ivec2(0))) || any(greaterThanEqual(pixel, image_size))) return false;
    return sheet_depth_at(ENTRY, pixel) > sheet_depth_at(EXIT, pixel);
}

// Returns whether the other three pixels of one 2x2 block around a pixel are swapped.
bool is_block(ivec2 pixel, ivec2 diagonal) {
    return is_swapped(pixel + diagonal) && is_swapped(pixel + ivec2(diagonal.x, 0)) &&
           is_swapped(pixel + ivec2(0, diagonal.y));
}

bool is_in_block(ivec2 pixel) {
    return is_block(pixel, ivec2(-1, -1)) || is_block(pixel, ivec2(1, -1)) ||
           is_block(pixel, ivec2(-1, 1)) || is_block(pixel, ivec2(1, 1));
}

// Returns whether a swapped pixel belongs to a body that is inside out, not to a silhouette.
bool is_inside_out(ivec2 pixel) {
    precise float near = sheet_depth_at(EXIT, pixel);
    precise float difference = sheet_depth_at(ENTRY, pixel) - near;
#if PERSPECTIVE
    precise dvec2 limits = swap_limits * double(near);
#else
    dvec2 limits = swap_limits;
#endif
    return double(difference) > limits.x || (double(difference) > limits.y && is_in_block(pixel));
}
#endif
