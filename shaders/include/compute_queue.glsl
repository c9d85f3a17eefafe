// The queues of faces that compute_queues.comp has filled, to be read by the passes: as texels, which software
// rasterizers read several times faster than buffers.
layout(binding = 3) uniform isamplerBuffer queues;
layout(binding = 4) uniform isamplerBuffer dispatches;  // see Dispatch in compute_queues.comp
uniform uint dispatch_of_queue;
uniform uint face_count;  // of this part of the mesh

uint faces_in_queue() {
    return uint(texelFetch(dispatches, int(dispatch_of_queue) * (3 + VIEWS) + 3 + view_number).x);
}

uint face_at(uint place) {
    return uint(texelFetch(queues, int(2u * uint(view_number) * face_count + place)).x);
}
