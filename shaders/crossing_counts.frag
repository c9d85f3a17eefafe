#version 410 core
// The number of crossings of each pixel.
//
// Inputs:  IN_BUFFER: cursors, one count per pixel; otherwise facing_counts, see layer.frag
// Outputs: count; with IN_BUFFER also the depth that marks pixels with as many, see
//          crossing_mark.glsl
// Options: IN_BUFFER  see Inputs
#include "crossing_mark.glsl"
layout(location = 0) out int count;

#if IN_BUFFER
uniform isamplerBuffer cursors;
uniform int image_width;
#else
uniform sampler2D facing_counts;
#endif

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
#if IN_BUFFER
    count = texelFetch(cursors, pixel.y * image_width + pixel.x).x;
    gl_FragDepth = mark_of(count);
#else
    vec2 both = texelFetch(facing_counts, pixel, 0).xy;
    count = int(both.x) + int(both.y);
#endif
}
