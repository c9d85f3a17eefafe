#ifndef FACE_PLANE_GLSL
#define FACE_PLANE_GLSL
// The plane of a face: depth as a function of the pixel. sheet.vert sets it up, face_depth.glsl
// evaluates it.
//   perspective:  1 / depth = dot(plane, (u, v, 1))
//   orthographic:     depth = dot(plane, (u, v, 1))
// Both are exactly linear in image coordinates (u, v) = (column + 0.5, row + 0.5). Depth is in
// local units. Doubles, because on a large face the terms are much larger than their sum.
//
// Options: VERTEX  1 in a vertex shader, 0 in a fragment shader
#if VERTEX
#define FACE_PLANE_QUALIFIER flat out
#else
#define FACE_PLANE_QUALIFIER flat in
#endif
FACE_PLANE_QUALIFIER dvec3 plane;
// Smallest and largest value at the face's corners. At the rim of a grazing face, the plane would
// otherwise yield depths that the face does not have.
FACE_PLANE_QUALIFIER vec2 plane_limits;
#endif
