#version 410 core
#define VERTEX 0
// One layer of all crossings: of the fragments that come after the last layer in the order (depth, face), the
// depth test LESS keeps the first; at equal depth the face that is drawn first, which is the smaller index.
// With COUNT, one for every fragment there is, to be added up by blending.
#include "face_plane.glsl"
#include "face_depth.glsl"

#if COUNT
layout(location = 0) out float one;
#else
layout(location = 0) out float depth;   // z-depth, mesh units
layout(location = 1) out int crossing;  // face index, or its complement for a back face
flat in int provoking_face;

uniform sampler2D last_depth;           // of the layer before; less than any depth if there is none
uniform isampler2D last_crossing;
uniform float window_scale;             // window depth per local unit, a power of two: loses nothing
#endif

uniform float mesh_units;               // per local unit, a power of two
#if CROP
uniform vec2 crop;                      // keep crop.x <= depth <= crop.y
#endif

void main() {
    float local_depth = local_depth_at(gl_FragCoord.xy);
#if !PERSPECTIVE
    if (local_depth <= 0.0) discard;    // clipping is exact to a fraction of a pixel only
#endif
    float mesh_depth = mesh_units * local_depth;
#if CROP
    if (mesh_depth < crop.x || mesh_depth > crop.y) discard;
#endif
#if COUNT
    one = 1.0;
#else
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    float last = texelFetch(last_depth, pixel, 0).x;
    if (!(mesh_depth >= last)) discard;
    if (mesh_depth == last) {
        int face = texelFetch(last_crossing, pixel, 0).x;
        if (provoking_face <= max(face, ~face)) discard;
    }
    depth = mesh_depth;
    crossing = gl_FrontFacing ? provoking_face : ~provoking_face;
    gl_FragDepth = window_scale * local_depth;
#endif
}
