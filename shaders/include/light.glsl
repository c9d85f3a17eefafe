#ifndef LIGHT_GLSL
#define LIGHT_GLSL
// lit(color, seen_normal, toward_camera): a linear color in the light of the photo: a head light,
// and a sky above a ground half as bright. Nothing is brighter than its own color.
// `DepthRenderer.shade` documents the weights.
//
// Inputs:  image_up: unit vector, world frame
uniform vec3 image_up;

// seen_normal: unit normal on the side that is seen. toward_camera: unit vector.
vec3 lit(vec3 color, vec3 seen_normal, vec3 toward_camera) {
    float head = max(dot(seen_normal, toward_camera), 0.0);
    float sky = 0.75 + 0.25 * dot(seen_normal, image_up);
    return color * (0.7 * head + 0.3 * sky);
}
#endif
