#ifndef WIDE_GLSL
#define WIDE_GLSL
// Arithmetic wider than float for what decides coverage and order: numbers of type Wide, vectors of
// type Wide3.
//
// All of it is `precise`: no compiler may reorder or contract it. So the same operands yield the
// same bits in every program, whatever its options and whatever else it computes. That matters
// wherever two programs must agree: passes SHEETS and FACES, COUNT and STORE compare depths bit for
// bit, as do the programs of two layers; and a vertex must get the same screen position for all
// faces. dot() and cross() are written out, since the language leaves their order open.
//
// Options: FLOAT_PAIRS  1 for pairs of floats, see float_pairs.glsl; 0 for doubles
#ifndef FLOAT_PAIRS
#define FLOAT_PAIRS 0  // shaders that need doubles in any case do not set it
#endif

dvec3 minus(dvec3 a, dvec3 b) {
    precise dvec3 difference = a - b;
    return difference;
}

double dot_of(dvec3 a, dvec3 b) {
    precise double sum = a.x * b.x + a.y * b.y + a.z * b.z;
    return sum;
}

dvec3 cross_of(dvec3 a, dvec3 b) {
    precise dvec3 product = a.yzx * b.zxy - a.zxy * b.yzx;
    return product;
}

#if FLOAT_PAIRS
#include "float_pairs.glsl"
#else
#define Wide double
#define Wide3 dvec3

Wide x_of(Wide3 a) { return a.x; }
Wide y_of(Wide3 a) { return a.y; }
Wide z_of(Wide3 a) { return a.z; }
Wide3 vector(Wide x, Wide y, Wide z) { return dvec3(x, y, z); }

Wide widened(float a) { return double(a); }
Wide3 widened(ivec3 a) { return dvec3(a); }
float narrowed(Wide a) { return float(a); }
vec3 narrowed(Wide3 a) { return vec3(a); }
dvec3 doubles_of(Wide3 a) { return a; }
// A vector of the camera, as it is stored.
Wide3 given(dvec3 stored) { return stored; }

bool is_less(Wide a, Wide b) { return a < b; }

Wide3 plus(Wide3 a, Wide3 b) {
    precise dvec3 sum = a + b;
    return sum;
}

Wide times(Wide a, float b) {
    precise double product = a * double(b);
    return product;
}

// Returns a / b, or 0 if b is 0.
Wide3 over(Wide3 a, Wide b) {
    precise dvec3 quotient = a / b;
    return b == 0.0lf ? dvec3(0.0lf) : quotient;
}

// Returns a.x u + a.y v + a.z.
Wide value_at(Wide3 a, vec2 uv) {
    precise double value = a.x * double(uv.x) + a.y * double(uv.y) + a.z;
    return value;
}

// Returns the first two divided by the third, rounded to integers. Beyond 2^24 they need not be
// exact.
vec2 rounded_quotients(Wide3 a) {
    precise dvec2 rounded = floor(a.xy * (1.0lf / a.z) + 0.5lf);
    return vec2(rounded);
}
#endif
#endif
