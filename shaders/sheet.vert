#version 410 core
#define VERTEX 1
// The corners of faces in clip space, and the plane of each face.
//
// The rasterizer only decides which pixels a face covers. Its interpolated depth is off by several
// 1e-6 on slivers and on faces that reach behind the camera. At the rim of a grazing face, it is
// not even between the depths of the corners. The plane costs little, as it is set up once per
// face, not per pixel.
//
// Inputs:  corners of the face whose provoking vertex this is; the camera, see sheet_uniforms.py
// Outputs: gl_Position; plane, plane_limits, see face_plane.glsl; provoking_face; is_two_sided;
//          with PHOTO what photo.frag shades
// Options: PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one
//          WRITE_FACE, MASKED  1 to output provoking_face
//          MIXED        1 to output is_two_sided
//          PHOTO        1 to output what photo.frag shades; HAS_COLORS and HAS_TEXTURES: of which
//          SNAPPED      1 to take the screen positions of the engine `compute`, so that the
//                       rasterizer covers the same pixels as that engine; all corners must lie in
//                       front of the camera and inside the viewport
//          FLOAT_PAIRS  see wide.glsl; the camera's vectors are then stored as pairs
#include "face_plane.glsl"

// Local frame, integers. This vertex, and the other two corners of its face, counter-clockwise.
layout(location = 0) in ivec3 corner;
layout(location = 1) in ivec3 corner_after;
layout(location = 2) in ivec3 corner_before;
#if WRITE_FACE || MASKED
flat out int provoking_face;
#endif
#if MIXED
layout(location = 3) in int provokes_two_sided;  // 1 if the face that this vertex provokes is
flat out int is_two_sided;
#endif

#if PHOTO
layout(location = 4) in vec3 corner_normal;  // world frame
out vec3 smooth_normal;
flat out float seen_side;  // 1 if the face's counter-clockwise side is seen, else -1
#if HAS_COLORS
layout(location = 5) in vec3 corner_color;   // linear
out vec3 color;
#endif
#if HAS_TEXTURES
layout(location = 6) in vec2 corner_uv;      // u right, v down
out vec2 uv;
#endif
#endif

uniform dvec3 camera_center;     // local frame
#if SNAPPED
// Rows that take an offset to homogeneous image coordinates in subpixels, 1/256 pixel, and the
// image of an orthographic camera's center; see compute_camera.glsl.
uniform dvec3 image_right;
uniform dvec3 image_down;
uniform dvec2 image_origin;
uniform dvec2 viewport_start;    // subpixels
uniform dvec2 viewport_size;
#endif
uniform mat3x4 clip_from_local;  // acts on offsets from the camera center
uniform vec4 clip_offset;
uniform dvec3 view_direction;    // local frame: depth of an offset is its dot product with this
// Perspective: direction of the ray through pixel (u, v), of depth 1, is
// u * ray_right + v * ray_down + ray_origin. Orthographic: that is the offset of the ray's start
// from the camera center. Both in the local frame.
uniform dvec3 ray_right;
uniform dvec3 ray_down;
uniform dvec3 ray_origin;
uniform dvec3 ray_direction;     // of depth 1, of all rays; orthographic cameras only

invariant gl_Position;

void main() {
    Wide3 center = given(camera_center);
    Wide3 a = minus(widened(corner), center);
    Wide3 b = minus(widened(corner_after), center);
    Wide3 c = minus(widened(corner_before), center);
#if SNAPPED
    // As image_of in compute_vertex.glsl, and compute_vertices.comp. The driver's own arithmetic,
    // in float32, is off by less than half a subpixel, and then snaps back.
    Wide u = dot_of(a, given(image_right)), v = dot_of(a, given(image_down));
#if PERSPECTIVE
    Wide3 image = vector(u, v, dot_of(a, given(view_direction)));
#else
    Wide3 image = plus(vector(u, v, widened(1.0)), given(dvec3(image_origin, 0.0lf)));
#endif
    dvec2 snapped = dvec2(rounded_quotients(image));
    float w = narrowed(z_of(image));
    vec2 in_viewport = vec2(2.0lf * (snapped - viewport_start) / viewport_size - 1.0lf);
    gl_Position = vec4(in_viewport * w, 0.0, w);
#else
    gl_Position = clip_from_local * narrowed(a) + clip_offset;
#endif

    FacePlane face = depth_plane(a, b, c, Rays(given(ray_right), given(ray_down), given(ray_origin),
                                               given(ray_direction), given(view_direction)));
    output_plane(face);
#if WRITE_FACE || MASKED
    provoking_face = gl_VertexID;  // vertex i provokes face i, see vertex_order.py
#endif
#if MIXED
    is_two_sided = provokes_two_sided;
#endif
#if PHOTO
    smooth_normal = corner_normal;
    seen_side = face.shows_back ? -1.0 : 1.0;
#if HAS_COLORS
    color = corner_color;
#endif
#if HAS_TEXTURES
    uv = corner_uv;
#endif
#endif
}
