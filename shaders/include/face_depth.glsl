#ifndef FACE_DEPTH_GLSL
#define FACE_DEPTH_GLSL
// local_depth_at(pixel): the depth of the fragment's face at image coordinates, in local units.
// Include face_plane.glsl first.
//
// All passes share this code, and it is `precise`: layers are told apart by comparing the results
// of two passes bit for bit.
//
// Options: PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one
float local_depth_at(vec2 pixel) {
    precise double unclamped = plane.x * double(pixel.x) + plane.y * double(pixel.y) + plane.z;
    float value = clamp(float(unclamped), plane_limits.x, plane_limits.y);
#if PERSPECTIVE
    precise float depth = 1.0 / value;
    return depth;
#else
    return value;
#endif
}
#endif
