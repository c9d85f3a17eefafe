#version 410 core
// A point of a cloud, made from gl_VertexID and the depth of its pixel.
//
// Inputs:  depths: of the pixels, NaN for a miss, negative for a back face
//          stride: every so many columns and rows are drawn
//          columns: points of a row
//          clip_from_image: takes (u z, v z, z, 1) to clip space; of an orthographic camera
//          (u, v, z, 1)
//          world_from_image: takes the same to the world frame
//          light: direction in which the view looks, world frame
//          front, back: colors
// Outputs: shade: the color, darker where the surface is seen from the side
// Options: PERSPECTIVE  1 if the camera that rendered the depths is a perspective one
out vec3 shade;

uniform sampler2D depths;
uniform int stride;
uniform int columns;
uniform mat4 clip_from_image;
uniform mat4x3 world_from_image;
uniform vec3 light;
uniform vec3 front;
uniform vec3 back;

// On bits, as isnan() may lie.
bool is_finite(float number) {
    return (floatBitsToUint(number) & 0x7fffffffu) < 0x7f800000u;
}

vec4 image_point(ivec2 pixel, float signed_depth) {
    float depth = abs(signed_depth);
    vec2 image = vec2(pixel) + 0.5;
#if PERSPECTIVE
    image *= depth;
#endif
    return vec4(image, depth, 1.0);
}

// Returns the vector to the point of the next pixel that has one, or of the one before.
vec3 to_neighbor(ivec2 pixel, ivec2 offset, vec3 point) {
    ivec2 next = pixel + offset, size = textureSize(depths, 0);
    bool is_there = next.x < size.x && next.y < size.y;
    float depth = is_there ? texelFetch(depths, next, 0).x : 0.0;
    if (!is_there || !is_finite(depth)) {
        next = max(pixel - offset, ivec2(0));
        depth = texelFetch(depths, next, 0).x;
    }
    return world_from_image * image_point(next, depth) - point;
}

void main() {
    ivec2 pixel = stride * ivec2(gl_VertexID % columns, gl_VertexID / columns);
    float depth = texelFetch(depths, pixel, 0).x;
    shade = vec3(0.0);
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0);  // outside
    if (!is_finite(depth)) return;
    vec4 image = image_point(pixel, depth);
    gl_Position = clip_from_image * image;
    vec3 point = world_from_image * image;
    vec3 normal = cross(to_neighbor(pixel, ivec2(1, 0), point),
                        to_neighbor(pixel, ivec2(0, 1), point));
    float size = length(normal);
    float facing = is_finite(size) && size > 0.0 ? abs(dot(normal, light)) / size : 0.5;
    shade = (depth < 0.0 ? back : front) * (0.35 + 0.65 * facing);
}
