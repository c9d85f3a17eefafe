#ifndef RAY_HIT_GLSL
#define RAY_HIT_GLSL
// ray_hit(pixel, face): the point where a pixel's ray meets the plane of a face, see
// barycentric.glsl, computed from the mesh's own vertices.
//
// Inputs:  faces, vertices: see MESH_TABLES in mesh_tables.py; the camera, see local_camera.glsl
// Options: PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one
//          INSIDE_ONLY  1 if the hit only matters where the pixel is inside of the face, see
//                       is_inside; 0 if not defined
#include "local_camera.glsl"

uniform isamplerBuffer faces;     // three vertices each
uniform isamplerBuffer vertices;  // three coordinates each, bits of doubles; local frame

struct RayHit {
    ivec3 corners;      // vertices of the mesh
    dvec3 a, b, c;      // offsets of the corners from the camera center, local frame
    dvec3 barycentric;  // weights of a, b, c; none is negative, their sum is 1
    bool is_inside;     // with INSIDE_ONLY; `barycentric` is of no use where this is false
};

double coordinate(int index) {
    return packDouble2x32(uvec2(texelFetch(vertices, index).xy));
}

dvec3 offset_of(int vertex) {
    int first = 3 * vertex;
    return dvec3(coordinate(first), coordinate(first + 1), coordinate(first + 2)) - camera_center;
}

RayHit ray_hit(vec2 pixel, int face) {
    RayHit hit;
    hit.corners = texelFetch(faces, face).xyz;
    hit.a = offset_of(hit.corners.x);
    hit.b = offset_of(hit.corners.y);
    hit.c = offset_of(hit.corners.z);
#if defined(INSIDE_ONLY) && INSIDE_ONLY
    dvec3 weights = weights_of(image_corners(dvec2(pixel), image_map(), hit.a, hit.b, hit.c));
    hit.is_inside = are_inside(weights);
    hit.barycentric = weights / (weights.x + weights.y + weights.z);
#else
    hit.is_inside = true;
    hit.barycentric = barycentric_at(dvec2(pixel), image_map(), hit.a, hit.b, hit.c);
#endif
    return hit;
}
#endif
