#version 410 core
// The color of a point or a line of the mould view.
//
// Inputs:  shade: from world_points.vert or world_lines.vert
// Outputs: color
layout(location = 0) out vec4 color;
in vec3 shade;

void main() {
    color = vec4(shade, 1.0);
}
