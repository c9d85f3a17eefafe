#ifndef COMPUTE_QUEUE_GLSL
#define COMPUTE_QUEUE_GLSL
// Reads the queues of faces that compute_queues.comp has filled, as texels: see compute_vertex.glsl
// for the reason.
//
// Inputs:  queues, texture unit 3; dispatches, texture unit 4: see compute_queues.comp
//          queue_dispatch: index of the queue's dispatch
//          face_count: faces of this part of the mesh
#include "compute_camera.glsl"

layout(binding = 3) uniform isamplerBuffer queues;
layout(binding = 4) uniform isamplerBuffer dispatches;
uniform uint queue_dispatch;
uniform uint face_count;

// Three words of each dispatch hold its work groups, the others the faces of each camera.
uint faces_in_queue() {
    int first_count = int(queue_dispatch) * (3 + CAMERAS) + 3;
    return uint(texelFetch(dispatches, first_count + camera_index).x);
}

uint queued_face(uint entry) {
    return uint(texelFetch(queues, int(2u * uint(camera_index) * face_count + entry)).x);
}
#endif
