#version 410 core
// One triangle that holds the whole image, made from gl_VertexID; no vertex buffer.
uniform float clip_z;  // where the depth test sees it

void main() {
    vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
    gl_Position = vec4(corner, clip_z, 1.0);
}
