#version 410 core
#define VERTEX 0
// One layer of the crossings of one facing. Fragments up to the previous layer, in the order
// (depth, face), are discarded. Of the others the depth test LESS keeps the first. At equal depth
// that is the face drawn first, which has the smaller index.
//
// Inputs:  plane, plane_limits, provoking_face: from sheet.vert
//          previous_layer: output of this shader, on texture unit 0
// Outputs: crossing: read as one 64-bit number, it is the key of shared/crossing_keys.py
//          facing_count: (1, 0) for a front, (0, 1) for a back, to be summed up by blending
// Options: PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one
//          CROP         1 to discard crossings outside of `crop`
//          MASKED       1 if some faces have alpha masks, see alpha_mask.glsl
//          FIRST        1 for the first layer, which has no previous one
//          BY_FACING    1 to discard faces of the other facing, instead of culling them
//          COUNT        1 to output facing_count of every crossing, instead of a layer
#include "face_plane.glsl"
#include "face_depth.glsl"
#if MASKED
#include "local_camera.glsl"
#include "alpha_mask.glsl"
#endif

#if COUNT
layout(location = 0) out vec2 facing_count;
#else
layout(location = 0) out uvec2 crossing;  // face * 2 + (0 for a front, 1 for a back); bits of depth
#if !FIRST
uniform usampler2D previous_layer;
#endif
uniform float window_scale;               // window depth per local unit; a power of two, so exact
#endif
#if !COUNT || MASKED
flat in int provoking_face;
#endif

uniform float mesh_units;                 // per local unit, a power of two
#if CROP
uniform vec2 crop;                        // smallest and largest depth, mesh units
#endif
#if BY_FACING
uniform bool fronts_count;                // the layer is one of fronts
#endif

void main() {
#if BY_FACING
    if (gl_FrontFacing != fronts_count) discard;
#endif
#if !COUNT || CROP || !PERSPECTIVE
    float local_depth = local_depth_at(gl_FragCoord.xy);
#if !PERSPECTIVE
    if (local_depth <= 0.0) discard;      // clipping is exact only to a fraction of a pixel
#endif
    float depth = mesh_units * local_depth;
#if CROP
    if (depth < crop.x || depth > crop.y) discard;
#endif
#endif
#if !COUNT && !FIRST
    uvec2 previous = texelFetch(previous_layer, ivec2(gl_FragCoord.xy), 0).xy;
    float previous_depth = uintBitsToFloat(previous.y);
    if (depth < previous_depth) discard;
    if (depth == previous_depth && uint(provoking_face) <= previous.x >> 1) discard;
#endif
#if MASKED
    if (is_cut_out(dvec2(gl_FragCoord.xy), image_map(), camera_center, provoking_face)) discard;
#endif
#if COUNT
    facing_count = gl_FrontFacing ? vec2(1.0, 0.0) : vec2(0.0, 1.0);
#else
    crossing = uvec2(uint(provoking_face) << 1 | uint(!gl_FrontFacing), floatBitsToUint(depth));
    gl_FragDepth = window_scale * local_depth;
#endif
}
