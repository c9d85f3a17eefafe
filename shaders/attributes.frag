#version 410 core
// Attributes of crossings, each an output of its own. A fragment is one crossing of a list. This is
// for devices without compute shaders; others take compute_attributes.comp.
//
// Inputs:  first_pixels, crossing_faces: the list, see crossing_list.glsl
//          the mesh: see MESH_TABLES in mesh_tables.py
// Outputs: the attributes that are requested
// Options: LIST_WIDTH  width of the image that a list is drawn to, pixels
//          SMOOTH_NORMAL, BARYCENTRIC, UV, COLOR, SHADED_COLOR, POSITION
//                      location of the attribute's output, -1 if it is not requested
//          PERSPECTIVE, HAS_COLORS, HAS_TEXTURES, RUN_SHIFT: see the included files
#include "ray_hit.glsl"
#include "crossing_attributes.glsl"

#include "crossing_list.glsl"

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
    ivec2 list_position = ivec2(gl_FragCoord.xy);
    int index = list_position.y * LIST_WIDTH + list_position.x;
    vec2 pixel = vec2(pixel_of(index)) + 0.5;
    int face = face_of(index);
    CrossingAttributes found = attributes_of(ray_hit(pixel, max(face, 0)), max(face, 0));
    if (face < 0) found = no_attributes();
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
    shaded_color_out = found.shaded_color;
#endif
#if POSITION >= 0
    position_out = found.position;
#endif
}
