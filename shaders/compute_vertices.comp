#version 430 core
// Every vertex once: from the local frame to whole subpixels of the image; with FINE also to the cell they lie in.
#include "compute_view.glsl"

layout(std430, binding = 1) writeonly buffer Places { ivec2 places[]; };
#if FINE
layout(std430, binding = 2) writeonly buffer Cells { int cells[]; };
#endif

int cell_of(ivec2 place) {
    ivec2 size = ivec2(view.image_size.x, view.band.y - view.band.x);
    ivec2 cell = clamp((place + 127 >> 8) - ivec2(0, view.band.x), ivec2(0), size);
    return cell.y << view.column_bits | cell.x;
}

// On which sides of the image a vertex without a place is.
int out_of(dvec3 image) {
    dvec2 end = 256.0lf * dvec2(view.image_size) * image.z;
    return (image.z <= 0.0lf ? OUT_BEHIND : 0) | (image.x < 0.0lf ? OUT_LEFT : 0) | (image.x > end.x ? OUT_RIGHT : 0) |
           (image.y < 0.0lf ? OUT_ABOVE : 0) | (image.y > end.y ? OUT_BELOW : 0);
}

void main() {
    uint vertex = invocation();
    if (vertex >= vertex_count) return;
    dvec3 image = homogeneous(position_of(int(vertex)));
    dvec2 place = floor(image.xy * (1.0lf / image.z) + 0.5lf);
#if FINE
    places[of_view(int(vertex))] = ivec2(place);
    cells[of_view(int(vertex))] = cell_of(ivec2(place));
#else
    // Also false where the quotient is infinite or no number.
    bool is_placed = image.z > 0.0lf && abs(place.x) <= GUARD_BAND && abs(place.y) <= GUARD_BAND;
    // One store for both cases: software rasterizers store lane by lane, also for a branch that no lane takes.
    places[of_view(int(vertex))] = is_placed ? ivec2(place) : ivec2(NO_PLACE, out_of(image));
#endif
}
