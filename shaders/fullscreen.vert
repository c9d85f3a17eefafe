#version 410 core
// One triangle that covers the whole image. It is made from gl_VertexID, without a vertex buffer.
//
// Inputs:  clip_z: clip depth of the triangle, for the depth test
uniform float clip_z;

void main() {
    vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
    gl_Position = vec4(corner, clip_z, 1.0);
}
