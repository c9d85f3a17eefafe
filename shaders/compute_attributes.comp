#version 430 core
// Attributes of crossings, one crossing of a list per invocation.
//
// Inputs:  the list, see crossing_list.glsl; crossing_count: its length
//          the mesh: see MESH_TABLES in mesh_tables.py; the camera, see local_camera.glsl
// Outputs: results: of each attribute that is requested the values of all crossings, NaN for a miss
//          outside: see OUTSIDE
// Options: GROUP_SIZE  invocations per work group
//          OUTSIDE     0 takes the whole list and lists in `outside` the crossings whose pixel lies
//                      outside of the face, by a fraction of a pixel: few, but they cost a third
//                      more than others, which all invocations of a software rasterizer would pay.
//                      1 takes these.
//          SMOOTH_NORMAL, BARYCENTRIC, UV, COLOR, SHADED_COLOR, POSITION
//                      number of channels of the attributes before this one, -1 if it is not
//                      requested
//          PERSPECTIVE, HAS_COLORS, HAS_TEXTURES, RUN_SHIFT: see the included files
layout(local_size_x = GROUP_SIZE) in;
#define INSIDE_ONLY (OUTSIDE == 0)
#include "ray_hit.glsl"
#include "crossing_attributes.glsl"
#include "crossing_list.glsl"

layout(std430, binding = 0) writeonly buffer Results { uint results[]; };  // bits of floats
layout(std430, binding = 1) buffer Outside {
    uint outside_count;
    uint outside[];
};
uniform int crossing_count;
uniform int count;  // of the crossings that this dispatch takes

const uint MISS = 0x7fc00000u;  // NumPy's NaN

// Stores a value of an attribute. `before` is the number of channels of the attributes before it.
void store(int before, int index, vec2 value, bool is_miss) {
    int first = before * crossing_count + 2 * index;
    results[first] = is_miss ? MISS : floatBitsToUint(value.x);
    results[first + 1] = is_miss ? MISS : floatBitsToUint(value.y);
}

void store(int before, int index, vec3 value, bool is_miss) {
    int first = before * crossing_count + 3 * index;
    results[first] = is_miss ? MISS : floatBitsToUint(value.x);
    results[first + 1] = is_miss ? MISS : floatBitsToUint(value.y);
    results[first + 2] = is_miss ? MISS : floatBitsToUint(value.z);
}

void store(int before, int index, vec4 value, bool is_miss) {
    int first = before * crossing_count + 4 * index;
    results[first] = is_miss ? MISS : floatBitsToUint(value.x);
    results[first + 1] = is_miss ? MISS : floatBitsToUint(value.y);
    results[first + 2] = is_miss ? MISS : floatBitsToUint(value.z);
    results[first + 3] = is_miss ? MISS : floatBitsToUint(value.w);
}

void main() {
    int index = int(gl_GlobalInvocationID.x);
    if (index >= count) return;
#if OUTSIDE
    index = int(outside[index]);
#endif
    int face = face_of(index);
    bool is_miss = face < 0;
    face = max(face, 0);
    RayHit hit = ray_hit(vec2(pixel_of(index)) + 0.5, face);
#if !OUTSIDE
    if (!(hit.is_inside || is_miss)) outside[atomicAdd(outside_count, 1u)] = uint(index);
#endif
    CrossingAttributes found = attributes_of(hit, face);
#if SMOOTH_NORMAL >= 0
    store(SMOOTH_NORMAL, index, found.smooth_normal, is_miss);
#endif
#if BARYCENTRIC >= 0
    store(BARYCENTRIC, index, found.barycentric, is_miss);
#endif
#if UV >= 0
    store(UV, index, found.uv, is_miss);
#endif
#if COLOR >= 0
    store(COLOR, index, found.color, is_miss);
#endif
#if SHADED_COLOR >= 0
    store(SHADED_COLOR, index, found.shaded_color, is_miss);
#endif
#if POSITION >= 0
    store(POSITION, index, found.position, is_miss);
#endif
}
