// The queues of faces that compute_queues.comp has filled, to be read by the passes.
layout(std430, binding = 5) readonly buffer Queues { uint queues[]; };
struct Dispatch {
    uint groups_x, groups_y, groups_z;
    uint faces;
};
layout(std430, binding = 6) readonly buffer Dispatches { Dispatch dispatches[]; };
uniform uint dispatch_of_queue;
