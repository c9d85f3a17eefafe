#version 410 core
// A mesh vertex to clip space, without losing what lies between the vertex and the camera.
// The camera centre is subtracted before anything is multiplied, and as two floats: the difference of
// nearby numbers is exact, so the error is relative to the distance from the camera, not to the mesh's size.
layout(location = 0) in vec3 position;  // local frame

uniform vec3 camera_centre_high;  // local frame
uniform vec3 camera_centre_low;
uniform mat3x4 clip_from_local;   // acts on offsets from the camera centre
uniform vec4 clip_offset;

invariant gl_Position;

void main() {
    precise vec3 from_camera = (position - camera_centre_high) - camera_centre_low;
    gl_Position = clip_from_local * from_camera + clip_offset;
}
