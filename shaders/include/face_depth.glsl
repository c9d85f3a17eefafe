#ifndef FACE_DEPTH_GLSL
#define FACE_DEPTH_GLSL
// local_depth_at(pixel): the depth of the fragment's face at image coordinates, in local units.
// Include face_plane.glsl first.
float local_depth_at(vec2 pixel) {
    return local_depth(input_plane(), pixel);
}
#endif
