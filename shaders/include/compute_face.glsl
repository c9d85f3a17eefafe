// A face of the mesh in a compute shader: its corners, and the plane that its depth comes from.
#include "compute_view.glsl"

layout(binding = 1) uniform isamplerBuffer places;   // of vertices, see compute_view.glsl
layout(binding = 2) uniform isamplerBuffer indices;  // vertices of each face of this part of the mesh

ivec2 place_of(int vertex) {
    return texelFetch(places, int(of_view(vertex))).xy;
}

ivec3 corners_of(uint face) {
    return texelFetch(indices, int(face)).xyz;
}

uniform uint first_face;  // of this part

// The pixels of the band whose centers are in the box around a face, given the places of its corners; none if the last
// is before the first.
struct Box {
    ivec2 first, last;
};

// BESIDE_A_FACE, corners are not snapped to subpixels: a subpixel more on either side.
Box box_around(ivec2 a, ivec2 b, ivec2 c) {
    return Box(max((min(a, min(b, c)) + 127 - BESIDE_A_FACE) >> 8, ivec2(0, view.band.x)),
               min((max(a, max(b, c)) - 128 + BESIDE_A_FACE) >> 8, ivec2(view.image_size.x, view.band.y) - 1));
}

// 1 / depth (perspective) or depth (orthographic), local units, is plane . (u, v, 1) with (u, v) in pixels; within
// the face's own corners lie the limits. Set up as in sheet.vert, for the same reasons.
struct FacePlane {
    dvec3 plane;
    vec2 limits;
};

FacePlane face_plane(ivec3 corners) {
    precise dvec3 a = position_of(corners.x) - view.camera_center;
    precise dvec3 b = position_of(corners.y) - view.camera_center;
    precise dvec3 c = position_of(corners.z) - view.camera_center;
    precise dvec3 normal = cross(b - a, c - a);
    precise dvec3 slopes = dvec3(dot(normal, view.ray_right), dot(normal, view.ray_down), dot(normal, view.ray_origin));
    precise vec3 depths = vec3(dot(a, view.view_direction), dot(b, view.view_direction), dot(c, view.view_direction));
    float nearest = min(depths.x, min(depths.y, depths.z));
    float farthest = max(depths.x, max(depths.y, depths.z));
    FacePlane face;
#if PERSPECTIVE
    precise double scale = dot(normal, a);
    face.limits = vec2(farthest > 0.0 ? 1.0 / farthest : 1.0e30, nearest > 0.0 ? 1.0 / nearest : 1.0e30);
#else
    precise double scale = dot(normal, view.ray_direction);
    slopes = dvec3(0.0lf, 0.0lf, dot(normal, a)) - slopes;
    face.limits = vec2(nearest, farthest);
#endif
    // Edge-on, any depth of the face will do.
    precise dvec3 plane = scale == 0.0lf ? dvec3(0.0lf) : slopes / scale;
    face.plane = plane;
    return face;
}

// Depth of the face at the center of a pixel, mesh units. `precise`: passes compare the results bit for bit.
float depth_at(FacePlane face, ivec2 pixel) {
    vec2 center = vec2(pixel) + 0.5;
    precise double raw = face.plane.x * double(center.x) + face.plane.y * double(center.y) + face.plane.z;
    precise float value = clamp(float(raw), face.limits.x, face.limits.y);
#if PERSPECTIVE
    value = 1.0 / value;
#endif
    precise float depth = view.mesh_units * value;
    return depth;
}
