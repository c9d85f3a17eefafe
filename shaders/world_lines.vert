#version 410 core
// A vertex of lines.
//
// Inputs:  position: of the vertex
//          clip_from_position: takes it to clip space
//          tint: color of the lines
// Outputs: shade: the color
layout(location = 0) in vec4 position;
out vec3 shade;

uniform mat4 clip_from_position;
uniform vec3 tint;

void main() {
    gl_Position = clip_from_position * position;
    shade = tint;
}
