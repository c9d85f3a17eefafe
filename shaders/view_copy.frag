#version 410 core
// A copy of an image, or of a band of it.
//
// Inputs:  colors or integers: the image; first: column and row of the copy where
//          it begins
// Outputs: color or integer
// Options: INTEGERS  1 for an image of one integer per pixel, 0 for one of colors
#if INTEGERS
layout(location = 0) out int integer;
uniform isampler2D integers;
#else
layout(location = 0) out vec4 color;
uniform sampler2D colors;
#endif
uniform ivec2 first;

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy) - first;
#if INTEGERS
    integer = texelFetch(integers, pixel, 0).x;
#else
    color = texelFetch(colors, pixel, 0);
#endif
}
