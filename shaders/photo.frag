#version 410 core
#define VERTEX 0
// The color of the nearest face, in the light of the photo. Depth is that of the face's plane, as
// in sheet.frag, so the same faces are seen as in the sheets.
//
// Inputs:  plane, plane_limits, is_two_sided, smooth_normal, seen_side, color, uv: from sheet.vert
// Outputs: shaded: linear color, alpha 1; with ENCODED an sRGB pixel
// Options: PERSPECTIVE   1 for a perspective camera, 0 for an orthographic one
//          MIXED         1 if faces that are not two-sided count only as fronts
//          HAS_COLORS    1 if the mesh has vertex colors
//          HAS_TEXTURES  1 if the faces have a texture
//          MIRRORED      see surface_texture.glsl
//          ENCODED       1 if the samples are the pixels
#include "face_plane.glsl"
#include "face_depth.glsl"
#include "light.glsl"
#if ENCODED
#include "srgb.glsl"
#endif

layout(location = 0) out vec4 shaded;

#if MIXED
flat in int is_two_sided;
#endif
in vec3 smooth_normal;
flat in float seen_side;
#if HAS_COLORS
in vec3 color;
#endif
#if HAS_TEXTURES
in vec2 uv;
#include "surface_texture.glsl"
#endif

uniform float window_scale;     // window depth per local unit; a power of two, so exact
uniform float paint;            // linear, of what has neither color nor texture; else 1
// The direction from a point to the camera, world frame, is that of
// u * toward_right + v * toward_down + toward_origin.
uniform vec3 toward_right;
uniform vec3 toward_down;
uniform vec3 toward_origin;

void main() {
#if MIXED
    if (is_two_sided == 0 && !gl_FrontFacing) discard;
#endif
    float local_depth = local_depth_at(gl_FragCoord.xy);
    gl_FragDepth = window_scale * local_depth;
    vec3 toward_camera = normalize(gl_FragCoord.x * toward_right + gl_FragCoord.y * toward_down +
                                   toward_origin);
    vec3 linear = vec3(paint);
#if HAS_COLORS
    linear *= color;
#endif
#if HAS_TEXTURES
    linear *= surface_texel(uv);
#endif
    linear = lit(linear, seen_side * normalize(smooth_normal), toward_camera);
#if ENCODED
    shaded = srgb_pixel(linear, 1.0);
#else
    shaded = vec4(linear, 1.0);
#endif
}
