#version 410 core
#define VERTEX 0
// One sheet of the double depth map: the exact depth of the face, for the depth test and as result.
//
// Inputs:  plane, plane_limits, provoking_face, is_two_sided: from sheet.vert
// Outputs: depth, face
// Options: PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one
//          WRITE_FACE   1 to output face
//          CROP         1 to discard crossings outside of `crop`
//          BY_FACING    1 to discard faces of the other facing, instead of culling them
//          MIXED        1 if some faces count on either side, and the others only if their facing
//                       is that of the sheet
//          MASKED       1 if some faces have alpha masks, see alpha_mask.glsl
#include "face_plane.glsl"
#include "face_depth.glsl"
#if MASKED
#include "local_camera.glsl"
#include "alpha_mask.glsl"
#endif

layout(location = 0) out float depth;  // z-depth, mesh units
#if WRITE_FACE
layout(location = 1) out int face;     // index into the mesh's faces
#endif
#if WRITE_FACE || MASKED
flat in int provoking_face;
#endif

uniform float mesh_units;              // per local unit, a power of two
uniform float window_scale;            // window depth per local unit; a power of two, so exact
#if CROP
uniform vec2 crop;                     // smallest and largest depth, mesh units
#endif
#if MIXED || BY_FACING
uniform bool fronts_count;             // the sheet is that of the entries
#endif
#if MIXED
flat in int is_two_sided;
#endif

void main() {
#if BY_FACING
    if (gl_FrontFacing != fronts_count) discard;
#endif
#if MIXED
    if (is_two_sided == 0 && gl_FrontFacing != fronts_count) discard;
#endif
    float local_depth = local_depth_at(gl_FragCoord.xy);
#if !PERSPECTIVE
    if (local_depth <= 0.0) discard;   // clipping is exact only to a fraction of a pixel
#endif
    depth = mesh_units * local_depth;
#if CROP
    if (depth < crop.x || depth > crop.y) discard;
#endif
#if MASKED
    if (is_cut_out(dvec2(gl_FragCoord.xy), image_map(), camera_center, provoking_face)) discard;
#endif
    gl_FragDepth = window_scale * local_depth;
#if WRITE_FACE
    face = provoking_face;
#endif
}
