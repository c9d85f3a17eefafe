#ifndef BARYCENTRIC_GLSL
#define BARYCENTRIC_GLSL
// barycentric_at(pixel, image, a, b, c): the point where a pixel's ray meets the plane of a face,
// as barycentric coordinates. Computed in double precision from the face's corners, without the
// rasterizer. What alpha masks decide by is `precise`: each pass and either engine must leave out
// the same crossings, see wide.glsl.
//
// Options: PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one

#include "wide.glsl"

// Takes an offset from the camera center, local frame, to homogeneous image coordinates
// (u w, v w, w); w is the depth in perspective, else 1. See LocalCamera. (u, v) may have any unit.
struct ImageMap {
    dvec3 right, down, view_direction;
    dvec2 origin;  // image of the camera center; orthographic cameras only
};

double cross2(dvec2 a, dvec2 b) {
    precise double area = a.x * b.y - a.y * b.x;
    return area;
}

// A point of the rim, as weights that sum to 1 in the image: not perspective-correct yet.
struct RimPoint {
    dvec3 weights;
    double squared_distance;  // from the pixel, in the image; negative for no point yet
};

// Takes the point of an edge that is nearest to the origin, if that is nearer than the point so
// far. `a` and `b` are the ends in the image, `at_a` and `at_b` their weights.
void take_nearer(inout RimPoint nearest, dvec2 a, dvec2 b, dvec3 at_a, dvec3 at_b) {
    precise dvec2 edge = b - a;
    precise double squared_length = edge.x * edge.x + edge.y * edge.y;
    precise double along = -(a.x * edge.x + a.y * edge.y) / squared_length;
    double t = squared_length > 0.0lf ? clamp(along, 0.0lf, 1.0lf) : 0.0lf;
    precise dvec2 point = a + t * edge;
    precise double squared_distance = point.x * point.x + point.y * point.y;
    precise dvec3 weights = (1.0lf - t) * at_a + t * at_b;
    if (nearest.squared_distance < 0.0lf || squared_distance < nearest.squared_distance)
        nearest = RimPoint(weights, squared_distance);
}

// Unnormalized barycentric coordinates of the rim point that is nearest to the pixel in the image.
// The rasterizer also covers pixels a fraction of a pixel outside of a face, and pixels of faces
// without area: these get a point of the rim.
//   weights:  unnormalized barycentric coordinates of the pixel
//   a, b, c:  homogeneous image coordinates of the corners, with the pixel as the origin
//   w:        depths of the corners in perspective, else 1
dvec3 nearest_on_rim(dvec3 weights, dvec2 a, dvec2 b, dvec2 c, dvec3 w) {
    if (min(w.x, min(w.y, w.z)) <= 0.0lf) {
        // A corner behind the camera has no screen position. The face is large in the image there,
        // and the pixel is close to it.
        dvec3 clamped = max(weights, dvec3(0.0lf));
        precise double sum = clamped.x + clamped.y + clamped.z;
        return sum > 0.0lf ? clamped : dvec3(1.0lf);
    }
    const dvec3 at_a = dvec3(1.0lf, 0.0lf, 0.0lf);
    const dvec3 at_b = dvec3(0.0lf, 1.0lf, 0.0lf);
    const dvec3 at_c = dvec3(0.0lf, 0.0lf, 1.0lf);
    precise dvec3 inverse_w = 1.0lf / w;
    precise dvec2 on_a = a * inverse_w.x, on_b = b * inverse_w.y, on_c = c * inverse_w.z;
    // No loop: software rasterizers limit how many rounds all loops of an invocation may take.
    RimPoint nearest = RimPoint(dvec3(0.0lf), -1.0lf);
    take_nearer(nearest, on_a, on_b, at_a, at_b);
    take_nearer(nearest, on_b, on_c, at_b, at_c);
    take_nearer(nearest, on_c, on_a, at_c, at_a);
    precise dvec3 perspective_weights = nearest.weights * inverse_w;
    return perspective_weights;
}

// Corners in homogeneous image coordinates (u w, v w), with the pixel as the origin.
struct ImageCorners {
    dvec2 a, b, c;
};

ImageCorners image_corners(dvec2 pixel, ImageMap image, dvec3 a, dvec3 b, dvec3 c) {
#if PERSPECTIVE
    precise dvec3 right = image.right - pixel.x * image.view_direction;
    precise dvec3 down = image.down - pixel.y * image.view_direction;
    dvec2 origin = dvec2(0.0lf);
#else
    dvec3 right = image.right;
    dvec3 down = image.down;
    precise dvec2 origin = image.origin - pixel;
#endif
    precise dvec2 image_a = dvec2(dot_of(a, right), dot_of(a, down)) + origin;
    precise dvec2 image_b = dvec2(dot_of(b, right), dot_of(b, down)) + origin;
    precise dvec2 image_c = dvec2(dot_of(c, right), dot_of(c, down)) + origin;
    return ImageCorners(image_a, image_b, image_c);
}

// Unnormalized barycentric coordinates of the pixel. The hit is the weighted sum of the corners
// whose image coordinates are (0, 0). All are positive or 0 if the pixel is inside.
dvec3 weights_of(ImageCorners corners) {
    dvec3 weights = dvec3(cross2(corners.b, corners.c), cross2(corners.c, corners.a),
                          cross2(corners.a, corners.b));
    precise double area = weights.x + weights.y + weights.z;
    return area < 0.0lf ? -weights : weights;
}

bool are_inside(dvec3 weights) {
    precise double area = weights.x + weights.y + weights.z;
    return min(weights.x, min(weights.y, weights.z)) >= 0.0lf && area > 0.0lf;
}

// Returns the weights of the corners; none is negative, their sum is 1.
//   pixel:    its center, in the unit of `image`
//   a, b, c:  offsets of the corners from the camera center, local frame
dvec3 barycentric_at(dvec2 pixel, ImageMap image, dvec3 a, dvec3 b, dvec3 c) {
    ImageCorners corners = image_corners(pixel, image, a, b, c);
    dvec3 weights = weights_of(corners);
    if (!are_inside(weights)) {
#if PERSPECTIVE
        dvec3 w = dvec3(dot_of(a, image.view_direction), dot_of(b, image.view_direction),
                        dot_of(c, image.view_direction));
#else
        const dvec3 w = dvec3(1.0lf);
#endif
        weights = nearest_on_rim(weights, corners.a, corners.b, corners.c, w);
    }
    precise dvec3 normalized = weights / (weights.x + weights.y + weights.z);
    return normalized;
}
#endif
