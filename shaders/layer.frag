#version 410 core
#define VERTEX 0
// One layer of the crossings of one facing: of the fragments that come after the last layer in the order (depth,
// face), the depth test LESS keeps the first; at equal depth the face that is drawn first, the smaller index.
// With COUNT, (1, 0) for every front and (0, 1) for every back there is, to be added up by blending.
#include "face_plane.glsl"
#include "face_depth.glsl"

#if COUNT
layout(location = 0) out vec2 one;
#else
// face * 2 + (0 for a front, 1 for a back), and the bits of the z-depth, mesh units. As one number with the second
// on top it sorts by (depth, face).
layout(location = 0) out uvec2 crossing;
flat in int provoking_face;

#if !FIRST
uniform usampler2D last_layer;          // the layer before
#endif
uniform float window_scale;             // window depth per local unit, a power of two: loses nothing
#endif

uniform float mesh_units;               // per local unit, a power of two
#if CROP
uniform vec2 crop;                      // keep crop.x <= depth <= crop.y
#endif

void main() {
#if !COUNT || CROP || !PERSPECTIVE
    float local_depth = local_depth_at(gl_FragCoord.xy);
#if !PERSPECTIVE
    if (local_depth <= 0.0) discard;    // clipping is exact to a fraction of a pixel only
#endif
    float mesh_depth = mesh_units * local_depth;
#if CROP
    if (mesh_depth < crop.x || mesh_depth > crop.y) discard;
#endif
#endif
#if COUNT
    one = gl_FrontFacing ? vec2(1.0, 0.0) : vec2(0.0, 1.0);
#else
#if !FIRST
    uvec2 last = texelFetch(last_layer, ivec2(gl_FragCoord.xy), 0).xy;
    float last_depth = uintBitsToFloat(last.y);
    if (mesh_depth < last_depth) discard;
    if (mesh_depth == last_depth && uint(provoking_face) <= last.x >> 1) discard;
#endif
    crossing = uvec2(uint(provoking_face) << 1 | uint(!gl_FrontFacing), floatBitsToUint(mesh_depth));
    gl_FragDepth = window_scale * local_depth;
#endif
}
