#ifndef BARYCENTRIC_GLSL
#define BARYCENTRIC_GLSL
// barycentric_at(pixel, image, a, b, c): the point where a pixel's ray meets the plane of a face,
// as barycentric coordinates. Computed in double precision from the face's corners, without the
// rasterizer.
//
// Options: PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one

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
    dvec2 edge = b - a;
    double squared_length = dot(edge, edge);
    double t = squared_length > 0.0lf ? clamp(-dot(a, edge) / squared_length, 0.0lf, 1.0lf)
                                      : 0.0lf;
    dvec2 point = a + t * edge;
    double squared_distance = dot(point, point);
    if (nearest.squared_distance < 0.0lf || squared_distance < nearest.squared_distance)
        nearest = RimPoint((1.0lf - t) * at_a + t * at_b, squared_distance);
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
        return clamped.x + clamped.y + clamped.z > 0.0lf ? clamped : dvec3(1.0lf);
    }
    const dvec3 at_a = dvec3(1.0lf, 0.0lf, 0.0lf);
    const dvec3 at_b = dvec3(0.0lf, 1.0lf, 0.0lf);
    const dvec3 at_c = dvec3(0.0lf, 0.0lf, 1.0lf);
    dvec3 inverse_w = 1.0lf / w;
    a *= inverse_w.x;
    b *= inverse_w.y;
    c *= inverse_w.z;
    // No loop: software rasterizers limit how many rounds all loops of an invocation may take.
    RimPoint nearest = RimPoint(dvec3(0.0lf), -1.0lf);
    take_nearer(nearest, a, b, at_a, at_b);
    take_nearer(nearest, b, c, at_b, at_c);
    take_nearer(nearest, c, a, at_c, at_a);
    return nearest.weights * inverse_w;
}

// Corners in homogeneous image coordinates (u w, v w), with the pixel as the origin.
struct ImageCorners {
    dvec2 a, b, c;
};

ImageCorners image_corners(dvec2 pixel, ImageMap image, dvec3 a, dvec3 b, dvec3 c) {
#if PERSPECTIVE
    dvec3 right = image.right - pixel.x * image.view_direction;
    dvec3 down = image.down - pixel.y * image.view_direction;
    dvec2 origin = dvec2(0.0lf);
#else
    dvec3 right = image.right;
    dvec3 down = image.down;
    dvec2 origin = image.origin - pixel;
#endif
    return ImageCorners(dvec2(dot(a, right), dot(a, down)) + origin,
                        dvec2(dot(b, right), dot(b, down)) + origin,
                        dvec2(dot(c, right), dot(c, down)) + origin);
}

// Unnormalized barycentric coordinates of the pixel. The hit is the weighted sum of the corners
// whose image coordinates are (0, 0). All are positive or 0 if the pixel is inside.
dvec3 weights_of(ImageCorners corners) {
    dvec3 weights = dvec3(cross2(corners.b, corners.c), cross2(corners.c, corners.a),
                          cross2(corners.a, corners.b));
    return weights.x + weights.y + weights.z < 0.0lf ? -weights : weights;
}

bool are_inside(dvec3 weights) {
    return min(weights.x, min(weights.y, weights.z)) >= 0.0lf &&
           weights.x + weights.y + weights.z > 0.0lf;
}

// Returns the weights of the corners; none is negative, their sum is 1.
//   pixel:    its center, in the unit of `image`
//   a, b, c:  offsets of the corners from the camera center, local frame
dvec3 barycentric_at(dvec2 pixel, ImageMap image, dvec3 a, dvec3 b, dvec3 c) {
    ImageCorners corners = image_corners(pixel, image, a, b, c);
    dvec3 weights = weights_of(corners);
    if (!are_inside(weights)) {
#if PERSPECTIVE
        dvec3 w = dvec3(dot(a, image.view_direction), dot(b, image.view_direction),
                        dot(c, image.view_direction));
#else
        const dvec3 w = dvec3(1.0lf);
#endif
        weights = nearest_on_rim(weights, corners.a, corners.b, corners.c, w);
    }
    return weights / (weights.x + weights.y + weights.z);
}
#endif
