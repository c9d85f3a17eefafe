#ifndef LARGE_FACES_GLSL
#define LARGE_FACES_GLSL
// How the work on a large face is split over invocations: by rows, and in large images each row by
// segments too, because loops must end (see decision 7).
//
// Options: LARGE_ROW_STRIDE       invocations side by side, which take the rows of a face in turn;
//                                 a multiple of GROUP_SIZE
//          PIXELS_PER_INVOCATION  pixels that one invocation walks over, apart from rounding up
#include "compute_camera.glsl"

int segments_per_row() {
    int rows = (camera.band.y - camera.band.x + LARGE_ROW_STRIDE - 1) / LARGE_ROW_STRIDE;
    return (rows * camera.image_size.x + PIXELS_PER_INVOCATION - 1) / PIXELS_PER_INVOCATION;
}

uint groups_per_large_face() {
    return uint(LARGE_ROW_STRIDE / GROUP_SIZE * segments_per_row());
}
#endif
