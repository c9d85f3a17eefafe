#ifndef DEPTH_PLANE_GLSL
#define DEPTH_PLANE_GLSL
// The plane of a face as depth over the image, for both engines: depth_plane() sets it up from the
// corners, local_depth() evaluates it at a pixel.
//   perspective:  1 / depth = dot(plane, (u, v, 1))
//   orthographic:     depth = dot(plane, (u, v, 1))
// Both are exactly linear in image coordinates (u, v) = (column + 0.5, row + 0.5). Depth is in
// local units. Wide numbers, because on a large face the terms are much larger than their sum.
//
// Everything is `precise`, because passes compare depths that different programs compute, bit for
// bit.
//
// Options: PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one
#include "wide.glsl"

struct FacePlane {
    Wide3 plane;
    // Smallest and largest value at the face's corners. At the rim of a grazing face, the plane
    // would otherwise yield depths that the face does not have.
    vec2 limits;
    bool shows_back;  // the clockwise side is seen
};

// Rays of a camera in the local frame, see LocalCamera.
struct Rays {
    Wide3 right, down, origin, direction, view_direction;
};

// a, b, c: offsets of the corners from the camera center
FacePlane depth_plane(Wide3 a, Wide3 b, Wide3 c, Rays rays) {
    Wide3 normal = cross_of(minus(b, a), minus(c, a));
    Wide3 slopes = vector(dot_of(normal, rays.right), dot_of(normal, rays.down),
                          dot_of(normal, rays.origin));
    vec3 depths = vec3(narrowed(dot_of(a, rays.view_direction)),
                       narrowed(dot_of(b, rays.view_direction)),
                       narrowed(dot_of(c, rays.view_direction)));
    float nearest = min(depths.x, min(depths.y, depths.z));
    float farthest = max(depths.x, max(depths.y, depths.z));
#if PERSPECTIVE
    Wide scale = dot_of(normal, a);
    precise vec2 limits = vec2(farthest > 0.0 ? 1.0 / farthest : 1.0e30,
                               nearest > 0.0 ? 1.0 / nearest : 1.0e30);
#else
    Wide scale = dot_of(normal, rays.direction);
    slopes = minus(vector(widened(0.0), widened(0.0), dot_of(normal, a)), slopes);
    vec2 limits = vec2(nearest, farthest);
#endif
    // Of a face seen edge-on, any depth within the limits will do.
    return FacePlane(over(slopes, scale), limits, is_less(widened(0.0), scale));
}

float local_depth(FacePlane face, vec2 pixel) {
    precise float value =
        clamp(narrowed(value_at(face.plane, pixel)), face.limits.x, face.limits.y);
#if PERSPECTIVE
    value = 1.0 / value;
#endif
    return value;
}
#endif
