#version 430 core
// Every vertex once: from the local frame to whole subpixels of the image.
#include "compute_view.glsl"

layout(std430, binding = 1) writeonly buffer Places { ivec2 places[]; };
uniform uint vertex_count;

void main() {
    uint vertex = invocation();
    if (vertex >= vertex_count) return;
    dvec3 image = homogeneous(position_of(int(vertex)));
    dvec2 place = floor(image.xy * (1.0lf / image.z) + 0.5lf);
    // Also false where the quotient is infinite or no number.
    bool inside = image.z > 0.0lf && abs(place.x) <= GUARD_BAND && abs(place.y) <= GUARD_BAND;
    if (inside) {
        places[vertex] = ivec2(place);
        return;
    }
    int out_of = 0;
    dvec2 end = 256.0lf * dvec2(image_size) * image.z;
    if (image.z <= 0.0lf) out_of |= OUT_BEHIND;
    if (image.x < 0.0lf) out_of |= OUT_LEFT;
    if (image.x > end.x) out_of |= OUT_RIGHT;
    if (image.y < 0.0lf) out_of |= OUT_ABOVE;
    if (image.y > end.y) out_of |= OUT_BELOW;
    places[vertex] = ivec2(NO_PLACE, out_of);
}
