#version 410 core
// One sheet of the double depth map: the depth of the fragment that wins the depth test.
#include "depth_encoding.glsl"

layout(location = 0) out float depth;  // z-depth, mesh units
#if WRITE_FACE
layout(location = 1) out int face;     // index into the mesh's faces
#endif
#if CROP
uniform vec2 crop;                     // keep crop.x <= depth <= crop.y
#endif

void main() {
    depth = depth_of(gl_FragCoord.z);
#if CROP
    if (depth < crop.x || depth > crop.y) discard;
#endif
#if WRITE_FACE
    face = gl_PrimitiveID;
#endif
}
