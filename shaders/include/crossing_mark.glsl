#ifndef CROSSING_MARK_GLSL
#define CROSSING_MARK_GLSL
// mark_of(count): the depth that marks a pixel with so many crossings; see below_layer() in
// image_targets.py. The more crossings, the nearer.
float mark_of(int count) {
    return 1.0 / (1.0 + float(min(count, 1000)));
}
#endif
