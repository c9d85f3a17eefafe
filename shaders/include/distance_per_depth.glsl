#ifndef DISTANCE_PER_DEPTH_GLSL
#define DISTANCE_PER_DEPTH_GLSL
// along_ray(depth, pixel): the length along the ray of a difference of depths, as computed by
// Camera.distance_per_depth, step by step.
//
// Inputs:  focal_x, focal_y: uniforms, (fx, skew, cx) and (fy, cy, unused)
// Options: PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one
#if PERSPECTIVE
uniform dvec3 focal_x;
uniform dvec3 focal_y;
#endif

float along_ray(double depth, ivec2 pixel) {
#if PERSPECTIVE
    precise double y = (double(pixel.y) + 0.5lf - focal_y.y) / focal_y.x;
    precise double x = (double(pixel.x) + 0.5lf - focal_x.z - focal_x.y * y) / focal_x.x;
    precise double rest = y * y + 1.0lf;
    precise double squares = x * x + rest;
    precise double along = sqrt(squares) * depth;
    return float(along);
#else
    return float(depth);
#endif
}
#endif
