// The plane of a face as a function of the pixel, set up in sheet.vert and evaluated in sheet.frag.
//   perspective:  1 / depth = plane . (u, v, 1)
//   orthographic:     depth = plane . (u, v, 1)
// Both are exactly linear in the image coordinates (u, v) = (column + 0.5, row + 0.5). Depth is in local units.
// Doubles: on a large face the terms are much larger than their sum.
#if VERTEX
#define FACE_PLANE_QUALIFIER flat out
#else
#define FACE_PLANE_QUALIFIER flat in
#endif
FACE_PLANE_QUALIFIER dvec3 plane;
// Smallest and largest value at the face's own corners: no pixel at the rim of a grazing face gets a depth that
// the face has not.
FACE_PLANE_QUALIFIER vec2 plane_limits;
