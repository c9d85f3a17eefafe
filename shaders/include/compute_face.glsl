#ifndef COMPUTE_FACE_GLSL
#define COMPUTE_FACE_GLSL
// A face of the mesh: its corners, its bounding box in the image, and the plane that yields its
// depth.
//
// Inputs:  screen_positions, texture unit 1: of the vertices, from compute_vertices.comp
//          indices, texture unit 2: the three vertices of each face of this part of the mesh
//          first_face: number of the part's first face in the mesh
//          numbers, texture unit 12: numbers of this part's faces in the mesh; REORDERED only
// Options: REORDERED  1 if the faces on the device have another order than in the mesh
#include "compute_vertex.glsl"
#include "depth_plane.glsl"

layout(binding = 1) uniform isamplerBuffer screen_positions;
layout(binding = 2) uniform isamplerBuffer indices;
uniform uint first_face;

ivec2 screen_position_of(int vertex) {
    return texelFetch(screen_positions, int(index_for_camera(vertex))).xy;
}

ivec3 corners_of(uint face) {
    return texelFetch(indices, int(face)).xyz;
}

// Number in the mesh of a face of this part.
#if REORDERED
layout(binding = 12) uniform isamplerBuffer numbers;

uint number_of(uint face) {
    return uint(texelFetch(numbers, int(face)).x);
}
#else
uint number_of(uint face) {
    return first_face + face;
}
#endif

// A range of pixels, both ends included; empty if `last` is before `first`.
struct Box {
    ivec2 first, last;
};

// The pixels of the band whose centers lie in the bounding box of three screen positions.
// With BESIDE_A_FACE, coverage does not use these positions: the box is one subpixel larger on
// every side.
Box box_around(ivec2 a, ivec2 b, ivec2 c) {
    ivec2 low = min(a, min(b, c)), high = max(a, max(b, c));
    return Box(max((low + 127 - BESIDE_A_FACE) >> 8, ivec2(0, camera.band.x)),
               min((high - 128 + BESIDE_A_FACE) >> 8,
                   ivec2(camera.image_size.x, camera.band.y) - 1));
}

// See depth_plane.glsl.
FacePlane face_plane(ivec3 corners) {
    return depth_plane(offset_of(corners.x), offset_of(corners.y), offset_of(corners.z),
                       Rays(given(camera.ray_right), given(camera.ray_down),
                            given(camera.ray_origin), given(camera.ray_direction),
                            given(camera.view_direction)));
}

// Depth of the face at the center of a pixel, mesh units.
float depth_at(FacePlane face, ivec2 pixel) {
    precise float depth = camera.local_unit * local_depth(face, vec2(pixel) + 0.5);
    return depth;
}
#endif
