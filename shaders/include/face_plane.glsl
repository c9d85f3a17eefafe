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
FACE_PLANE_QUALIFIER Wide3 plane;
FACE_PLANE_QUALIFIER vec2 plane_limits;
#endif
