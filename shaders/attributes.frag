#version 410 core
// Attributes of crossings, each an output of its own. A fragment is one crossing of a list, or one
// pixel of a sheet, for the shaded image. Lists are for devices without compute shaders; others
// take compute_attributes.comp.
//
// Inputs:  first_pixels, crossing_faces: the list, see crossing_list.glsl;
//          or sheet_face and sheet_depth: the entries; with EXCHANGE also exit_face and exit_depth
//          the mesh: see MESH_TABLES in mesh_tables.py
// Outputs: the attributes that are requested
// Options: FROM_LIST   1 for a list, 0 for a sheet
//          EXCHANGE    1 to take the exit where a body is inside out, see swapped_pixels.glsl
//          LIST_WIDTH  width of the image that a list is drawn to, pixels
//          SMOOTH_NORMAL, BARYCENTRIC, UV, COLOR, SHADED_COLOR, POSITION
//                      location of the attribute's output, -1 if it is not requested
//          PERSPECTIVE, HAS_COLORS, HAS_TEXTURES, RUN_SHIFT: see the included files
#include "ray_hit.glsl"
#include "crossing_attributes.glsl"

#if FROM_LIST
#include "crossing_list.glsl"
#else
uniform isampler2D sheet_face;
uniform sampler2D sheet_depth;           // NaN where there is no face
#endif
#if EXCHANGE
uniform isampler2D exit_face;
uniform sampler2D exit_depth;
#include "swapped_pixels.glsl"

float sheet_depth_at(int sheet, ivec2 pixel) {
    return sheet == ENTRY ? texelFetch(sheet_depth, pixel, 0).x
                          : texelFetch(exit_depth, pixel, 0).x;
}
#endif
#if SMOOTH_NORMAL >= 0
layout(location = SMOOTH_NORMAL) out vec3 smooth_normal_out;
#endif
#if BARYCENTRIC >= 0
layout(location = BARYCENTRIC) out vec3 barycentric_out;
#endif
#if UV >= 0
layout(location = UV) out vec2 uv_out;
#endif
#if COLOR >= 0
layout(location = COLOR) out vec4 color_out;
#endif
#if SHADED_COLOR >= 0
layout(location = SHADED_COLOR) out vec4 shaded_color_out;
#endif
#if POSITION >= 0
layout(location = POSITION) out vec3 position_out;
#endif

void main() {
#if FROM_LIST
    ivec2 list_position = ivec2(gl_FragCoord.xy);
    int index = list_position.y * LIST_WIDTH + list_position.x;
    vec2 pixel = vec2(pixel_of(index)) + 0.5;
    bool is_miss = face_of(index) < 0;
    int face = max(face_of(index), 0);
#else
    vec2 pixel = gl_FragCoord.xy;
    if (isnan(texelFetch(sheet_depth, ivec2(pixel), 0).x)) discard;
    int face = texelFetch(sheet_face, ivec2(pixel), 0).x;
#if EXCHANGE
    if (is_swapped(ivec2(pixel)) && is_inside_out(ivec2(pixel)))
        face = texelFetch(exit_face, ivec2(pixel), 0).x;
#endif
#endif
    CrossingAttributes found = attributes_of(ray_hit(pixel, face), face);
#if FROM_LIST
    if (is_miss) found = no_attributes();
#endif
#if SMOOTH_NORMAL >= 0
    smooth_normal_out = found.smooth_normal;
#endif
#if BARYCENTRIC >= 0
    barycentric_out = found.barycentric;
#endif
#if UV >= 0
    uv_out = found.uv;
#endif
#if COLOR >= 0
    color_out = found.color;
#endif
#if SHADED_COLOR >= 0
    shaded_color_out = FROM_LIST == 1 ? found.shaded_color : vec4(found.shaded_color.rgb, 1.0);
#endif
#if POSITION >= 0
    position_out = found.position;
#endif
}
