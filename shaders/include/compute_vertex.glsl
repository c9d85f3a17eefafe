#ifndef COMPUTE_VERTEX_GLSL
#define COMPUTE_VERTEX_GLSL
// Vertices of the mesh, and what compute_vertices.comp stores for each of them.
//
// Inputs:  positions, texture unit 0: (n, 3) int32, local frame
//          remainders, texture unit 7: (n, 3) int32, what rounding left of the positions, in units
//                of 2^-31; BESIDE_A_FACE only
//          vertex_count: n
// Buffers are read as texels: software rasterizers gather texels several times faster than the
// contents of storage buffers.
#include "compute_camera.glsl"
#include "wide.glsl"

layout(binding = 0) uniform isamplerBuffer positions;
uniform uint vertex_count;

// Data that depends on the camera is stored for all vertices of the first camera, then of the next.
uint index_for_camera(int vertex) {
    return uint(camera_index) * vertex_count + uint(vertex);
}

#if BESIDE_A_FACE
layout(binding = 7) uniform isamplerBuffer remainders;

dvec3 position_of(int vertex) {
    precise dvec3 remainder = dvec3(texelFetch(remainders, vertex).xyz) * (1.0lf / 2147483648.0lf);
    precise dvec3 position = dvec3(texelFetch(positions, vertex).xyz) + remainder;
    return position;
}
#else
Wide3 position_of(int vertex) {
    return widened(texelFetch(positions, vertex).xyz);
}
#endif

// From the camera center.
Wide3 offset_of(int vertex) {
    return minus(position_of(vertex), given(camera.center));
}

// Homogeneous image coordinates (u w, v w, w), subpixels; w is the depth in perspective, else 1.
Wide3 image_of(int vertex) {
    Wide3 offset = offset_of(vertex);
    Wide u = dot_of(offset, given(camera.image_right));
    Wide v = dot_of(offset, given(camera.image_down));
#if PERSPECTIVE
    return vector(u, v, dot_of(offset, given(camera.view_direction)));
#else
    return plus(vector(u, v, widened(1.0)), given(camera.image_origin));
#endif
}

// A vertex in front of the camera and inside the guard band has a screen position, rounded to
// integer subpixels. Any other vertex has NO_SCREEN_POSITION as its x, and as its y an outcode: the
// OUT_ bits of the sides of the image that it lies beyond.
const int NO_SCREEN_POSITION = -0x7fffffff - 1;
const float GUARD_BAND = 8388608.0;  // 2^23 subpixels: beyond the largest image, yet exact below
const int OUT_BEHIND = 1, OUT_LEFT = 2, OUT_RIGHT = 4, OUT_ABOVE = 8, OUT_BELOW = 16;
#endif
