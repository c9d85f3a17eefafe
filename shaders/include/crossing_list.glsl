#ifndef CROSSING_LIST_GLSL
#define CROSSING_LIST_GLSL
// A list of crossings: runs of 2^RUN_SHIFT consecutive pixels, each with a face.
//
// Inputs:  first_pixels: first pixel of each run, row * width + column
//          crossing_faces: of each pixel of each run, -1 for a miss
//          inverse_width: 1 / width of the rendered image
uniform isamplerBuffer first_pixels;
uniform isamplerBuffer crossing_faces;
uniform double inverse_width;  // software rasterizers divide integers lane by lane
uniform int image_width;

// Returns column and row of a crossing.
ivec2 pixel_of(int index) {
    int pixel = texelFetch(first_pixels, index >> RUN_SHIFT).x + (index & (1 << RUN_SHIFT) - 1);
    // The half keeps the product away from integers by more than it is rounded.
    int row = int((double(pixel) + 0.5lf) * inverse_width);
    return ivec2(pixel - row * image_width, row);
}

int face_of(int index) {
    return texelFetch(crossing_faces, index).x;
}
#endif
