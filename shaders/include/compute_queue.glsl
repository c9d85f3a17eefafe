// The queues of faces that compute_queues.comp has filled, to be read by the passes: as texels, which software
// rasterizers read several times faster than buffers.
layout(binding = 3) uniform isamplerBuffer queues;
layout(binding = 4) uniform isamplerBuffer dispatches;  // four numbers each, see compute_queues.comp
uniform uint dispatch_of_queue;

uint faces_in_queue() {
    return uint(texelFetch(dispatches, int(4u * dispatch_of_queue + 3u)).x);
}

uint face_at(uint place) {
    return uint(texelFetch(queues, int(place)).x);
}
