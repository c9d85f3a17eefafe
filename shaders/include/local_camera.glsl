#ifndef LOCAL_CAMERA_GLSL
#define LOCAL_CAMERA_GLSL
// The camera in the scene's local frame, as uniforms of fragment shaders.
//
// Inputs:  camera_center, image_right, image_down, view_direction, image_origin: see LocalCamera
#include "barycentric.glsl"

uniform dvec3 camera_center;  // local frame
// Rows that take an offset from the camera center to homogeneous image coordinates (u w, v w, w).
uniform dvec3 image_right;
uniform dvec3 image_down;
uniform dvec3 view_direction;
uniform dvec2 image_origin;   // image of the camera center; orthographic cameras only, whose w is 1

ImageMap image_map() {
    return ImageMap(image_right, image_down, view_direction, image_origin);
}
#endif
