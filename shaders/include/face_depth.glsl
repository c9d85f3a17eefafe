// local_depth_at(pixel): depth of the fragment's face at image coordinates, local units; see face_plane.glsl.
// One text for every pass, and `precise`: layers are told apart by comparing the results of two passes bit for bit.
float local_depth_at(vec2 pixel) {
    precise double raw = plane.x * double(pixel.x) + plane.y * double(pixel.y) + plane.z;
    float value = clamp(float(raw), plane_limits.x, plane_limits.y);
#if PERSPECTIVE
    precise float depth = 1.0 / value;
    return depth;
#else
    return value;
#endif
}
