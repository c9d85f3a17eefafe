#ifndef FACE_PLANE_GLSL
#define FACE_PLANE_GLSL
// The plane of a face on its way from sheet.vert, which sets it up, to face_depth.glsl, which
// evaluates it; see depth_plane.glsl.
//
// Options: VERTEX  1 in a vertex shader, 0 in a fragment shader
#include "depth_plane.glsl"

#if VERTEX
#define FACE_PLANE_QUALIFIER flat out
#else
#define FACE_PLANE_QUALIFIER flat in
#endif
#if FLOAT_PAIRS
FACE_PLANE_QUALIFIER vec3 plane_high;
FACE_PLANE_QUALIFIER vec3 plane_low;
#else
FACE_PLANE_QUALIFIER dvec3 plane;
#endif
FACE_PLANE_QUALIFIER vec2 plane_limits;

#if VERTEX
void output_plane(FacePlane face) {
#if FLOAT_PAIRS
    plane_high = face.plane.high;
    plane_low = face.plane.low;
#else
    plane = face.plane;
#endif
    plane_limits = face.limits;
}
#else
// What it leaves out is false.
FacePlane input_plane() {
#if FLOAT_PAIRS
    return FacePlane(Wide3(plane_high, plane_low), plane_limits, false);
#else
    return FacePlane(plane, plane_limits, false);
#endif
}
#endif
#endif
