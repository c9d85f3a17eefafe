#ifndef COMPUTE_CAMERA_GLSL
#define COMPUTE_CAMERA_GLSL
// The cameras of a dispatch, in the scene's local frame, and the rows to render. A dispatch's work
// on one camera lies along its first two axes, because the number of work groups along one axis is
// limited. Its third axis is the camera.
//
// Inputs:  Cameras, uniform block, binding 0: filled by packed_camera() in camera_block.py
// Options: GROUP_SIZE     invocations per work group
//          CAMERAS        room for cameras in the uniform block and in all buffers: 1 or several
//          PERSPECTIVE    0 if the cameras are orthographic
//          BESIDE_A_FACE  1 if a camera is so close to a face that rounded vertices would show;
//                         see Scene.is_beside_a_face

// Image coordinates are in subpixels, 1/256 pixel, except for the rays: pixel i has its center at
// 256 i + 128.
struct Camera {
    dvec3 center;
    // Rows that take an offset from the camera center to homogeneous coordinates (u w, v w, w).
    dvec3 image_right;
    dvec3 image_down;
    dvec3 view_direction;  // its dot product with an offset is the offset's depth
    dvec3 image_origin;    // image of the camera center; orthographic cameras only, where w is 1
    // Perspective: the ray through (u, v) has the direction u * right + v * down + origin, of depth
    // 1. Orthographic: this is the offset of the ray's start. (u, v) in pixels.
    dvec3 ray_right;
    dvec3 ray_down;
    dvec3 ray_origin;
    dvec3 ray_direction;   // of depth 1, the same for all rays; orthographic cameras only
    ivec2 image_size;      // pixels
    ivec2 band;            // rows to render: the first, and the one after the last
    vec2 crop;             // crossings with crop.x <= depth <= crop.y count, mesh units
    float local_unit;      // mesh units per local unit, a power of two
    int column_bits;       // bits of the column in a vertex's cell, see compute_vertices.comp
    double rounding_error; // of offsets from the camera center, local units; BESIDE_A_FACE only
};
layout(std140, binding = 0) uniform Cameras { Camera cameras[CAMERAS]; };

layout(local_size_x = GROUP_SIZE) in;

#if CAMERAS > 1
#define camera_index int(gl_WorkGroupID.z)
#else
#define camera_index 0
#endif
#define camera cameras[camera_index]

uint invocation_index() {
    return gl_GlobalInvocationID.x +
           gl_NumWorkGroups.x * uint(GROUP_SIZE) * gl_GlobalInvocationID.y;
}
#endif
