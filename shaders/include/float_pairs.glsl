#ifndef FLOAT_PAIRS_GLSL
#define FLOAT_PAIRS_GLSL
// Wide numbers as pairs of floats, for GPUs that are slow with doubles: a number is the sum of its
// high and its low part, and the low part is at most half a unit in the last place of the high one.
// That makes some 48 bits, doubles have 53; the exponents are those of float. Include wide.glsl.
//
// The error of each operation is some 2^-46 of the sum of its terms' magnitudes. The methods are
// those of Dekker, "A Floating-Point Technique for Extending the Available Precision", 1971, and
// Ogita, Rump and Oishi, "Accurate Sum and Dot Product", 2005. They depend on `precise`.
#define Wide vec2

struct Wide3 {
    vec3 high, low;
};

Wide x_of(Wide3 a) { return Wide(a.high.x, a.low.x); }
Wide y_of(Wide3 a) { return Wide(a.high.y, a.low.y); }
Wide z_of(Wide3 a) { return Wide(a.high.z, a.low.z); }
Wide3 vector(Wide x, Wide y, Wide z) {
    return Wide3(vec3(x.x, y.x, z.x), vec3(x.y, y.y, z.y));
}

Wide widened(float a) { return Wide(a, 0.0); }
float narrowed(Wide a) { return a.x; }
vec3 narrowed(Wide3 a) { return a.high; }
dvec3 doubles_of(Wide3 a) { return dvec3(a.high) + dvec3(a.low); }

// The camera's numbers are stored as pairs, each in the eight bytes of a double.
Wide3 given(dvec3 stored) {
    vec2 x = uintBitsToFloat(unpackDouble2x32(stored.x));
    vec2 y = uintBitsToFloat(unpackDouble2x32(stored.y));
    vec2 z = uintBitsToFloat(unpackDouble2x32(stored.z));
    return vector(x, y, z);
}

bool is_less(Wide a, Wide b) { return a.x < b.x || (a.x == b.x && a.y < b.y); }

// The sum of a number and of a much smaller one, as a pair.
Wide3 pair_of(vec3 high, vec3 low) {
    precise vec3 sum = high + low;
    precise vec3 rest = low - (sum - high);
    return Wide3(sum, rest);
}

Wide pair_of(float high, float low) {
    precise float sum = high + low;
    precise float rest = low - (sum - high);
    return Wide(sum, rest);
}

// By bits: compilers may take float to int to be the inverse of int to float, as Mesa 25's does.
Wide3 widened(ivec3 a) {
    return pair_of(vec3(a & ~1023), vec3(a & 1023));
}

// What rounding left of a sum: together they are exact.
float rest_of_sum(float a, float b, float sum) {
    precise float b_in_sum = sum - a;
    precise float rest = (a - (sum - b_in_sum)) + (b - b_in_sum);
    return rest;
}

vec3 rest_of_sum(vec3 a, vec3 b, vec3 sum) {
    precise vec3 b_in_sum = sum - a;
    precise vec3 rest = (a - (sum - b_in_sum)) + (b - b_in_sum);
    return rest;
}

// Twelve leading bits.
vec3 leading_part(vec3 a) {
    precise vec3 scaled = 4097.0 * a;
    precise vec3 leading = scaled - (scaled - a);
    return leading;
}

// What rounding left of a product. By splitting the factors, not by fma(): the language lets a
// driver round in between, and llvmpipe does.
vec3 rest_of_product(vec3 a, vec3 b, vec3 product) {
    vec3 a_leading = leading_part(a), b_leading = leading_part(b);
    precise vec3 a_trailing = a - a_leading, b_trailing = b - b_leading;
    precise vec3 rest = ((a_leading * b_leading - product) + a_leading * b_trailing +
                         a_trailing * b_leading) + a_trailing * b_trailing;
    return rest;
}

Wide3 plus(Wide3 a, Wide3 b) {
    precise vec3 sum = a.high + b.high;
    precise vec3 rest = rest_of_sum(a.high, b.high, sum) + (a.low + b.low);
    return pair_of(sum, rest);
}

Wide3 minus(Wide3 a, Wide3 b) {
    return plus(a, Wide3(-b.high, -b.low));
}

Wide times(Wide a, float b) {
    precise float product = a.x * b;
    precise float rest = rest_of_product(vec3(a.x), vec3(b), vec3(product)).x + a.y * b;
    return pair_of(product, rest);
}

Wide3 over(Wide3 a, Wide b) {
    precise vec3 quotient = a.high / b.x;
    precise vec3 product = quotient * b.x;
    precise vec3 rest = (a.high - product) - rest_of_product(quotient, vec3(b.x), product) +
                        (a.low - quotient * b.y);
    precise vec3 correction = rest / b.x;
    Wide3 result = pair_of(quotient, correction);
    return b.x == 0.0 ? Wide3(vec3(0.0), vec3(0.0)) : result;
}

Wide dot_of(Wide3 a, Wide3 b) {
    precise vec3 product = a.high * b.high;
    precise vec3 rest = rest_of_product(a.high, b.high, product) +
                        (a.high * b.low + a.low * b.high);
    precise float two = product.x + product.y;
    precise float sum = two + product.z;
    precise float low = (rest_of_sum(product.x, product.y, two) +
                         rest_of_sum(two, product.z, sum)) + (rest.x + rest.y + rest.z);
    return pair_of(sum, low);
}

Wide3 cross_of(Wide3 a, Wide3 b) {
    vec3 a1 = a.high.yzx, a2 = a.high.zxy, b1 = b.high.zxy, b2 = b.high.yzx;
    precise vec3 first = a1 * b1, second = a2 * b2;
    precise vec3 difference = first - second;
    precise vec3 first_rest = rest_of_product(a1, b1, first) +
                              (a1 * b.low.zxy + a.low.yzx * b1);
    precise vec3 second_rest = rest_of_product(a2, b2, second) +
                               (a2 * b.low.yzx + a.low.zxy * b2);
    precise vec3 low = rest_of_sum(first, -second, difference) + (first_rest - second_rest);
    return pair_of(difference, low);
}

Wide value_at(Wide3 a, vec2 uv) {
    vec3 factors = vec3(uv, 1.0);
    precise vec3 product = a.high * factors;
    precise vec3 rest = rest_of_product(a.high, factors, product) + a.low * factors;
    precise float two = product.x + product.y;
    precise float sum = two + product.z;
    precise float low = (rest_of_sum(product.x, product.y, two) +
                         rest_of_sum(two, product.z, sum)) + (rest.x + rest.y + rest.z);
    return pair_of(sum, low);
}

vec2 rounded_quotients(Wide3 a) {
    Wide3 quotient = over(a, z_of(a));
    precise vec3 sum = quotient.high + 0.5;
    precise vec3 low = rest_of_sum(quotient.high, vec3(0.5), sum) + quotient.low;
    Wide3 moved = pair_of(sum, low);
    vec2 whole = floor(moved.high.xy);
    bvec2 is_below = lessThan(moved.low.xy, vec2(0.0));
    // A high part that is an integer, with a low part below 0: the number is less than the integer.
    return whole - vec2(whole.x == moved.high.x && is_below.x,
                        whole.y == moved.high.y && is_below.y);
}
#endif
