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

// 1 / depth (perspective) or depth (orthographic), local units, is plane . (u, v, 1) with (u, v) in
// pixels. It is clamped to the limits, those of the corners. Set up as in sheet.vert, for the same
// reasons.
struct FacePlane {
    dvec3 plane;
    vec2 limits;
};

FacePlane face_plane(ivec3 corners) {
    precise dvec3 a = position_of(corners.x) - camera.center;
    precise dvec3 b = position_of(corners.y) - camera.center;
    precise dvec3 c = position_of(corners.z) - camera.center;
    precise dvec3 normal = cross(b - a, c - a);
    precise dvec3 slopes = dvec3(dot(normal, camera.ray_right), dot(normal, camera.ray_down),
                                 dot(normal, camera.ray_origin));
    precise vec3 depths = vec3(dot(a, camera.view_direction), dot(b, camera.view_direction),
                               dot(c, camera.view_direction));
    float nearest = min(depths.x, min(depths.y, depths.z));
    float farthest = max(depths.x, max(depths.y, depths.z));
    FacePlane result;
#if PERSPECTIVE
    precise double scale = dot(normal, a);
    result.limits = vec2(farthest > 0.0 ? 1.0 / farthest : 1.0e30,
                         nearest > 0.0 ? 1.0 / nearest : 1.0e30);
#else
    precise double scale = dot(normal, camera.ray_direction);
    slopes = dvec3(0.0lf, 0.0lf, dot(normal, a)) - slopes;
    result.limits = vec2(nearest, farthest);
#endif
    // Of a face seen edge-on, any depth within the limits will do.
    precise dvec3 plane = scale == 0.0lf ? dvec3(0.0lf) : slopes / scale;
    result.plane = plane;
    return result;
}

// Depth of the face at the center of a pixel, mesh units. `precise`, because passes compare the
// depths bit for bit.
float depth_at(FacePlane face, ivec2 pixel) {
    vec2 center = vec2(pixel) + 0.5;
    precise double raw = face.plane.x * double(center.x) + face.plane.y * double(center.y) +
                         face.plane.z;
    precise float value = clamp(float(raw), face.limits.x, face.limits.y);
#if PERSPECTIVE
    value = 1.0 / value;
#endif
    precise float depth = camera.local_unit * value;
    return depth;
}
#endif
