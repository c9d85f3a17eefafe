// Where a pixel's ray meets the plane of a face: its corners, and the barycentric weights of the meeting point.
// Exact, in double precision, from the mesh's own vertices; the rasterizer has no part in it.
uniform isamplerBuffer faces;     // three vertices each
uniform isamplerBuffer vertices;  // three coordinates each, bits of doubles; local frame

uniform dvec3 camera_center;  // local frame
// Rows that take an offset from the camera center to homogeneous image coordinates (u w, v w, w).
uniform dvec3 image_right;
uniform dvec3 image_down;
uniform dvec3 view_direction;
uniform dvec2 image_origin;   // of the camera center; orthographic cameras only, whose w is 1

struct RayFace {
    ivec3 corners;      // vertices of the mesh
    dvec3 a, b, c;      // offsets from the camera center, local frame
    dvec3 barycentric;  // weights of a, b, c; none negative, their sum is 1
};

double coordinate(int index) {
    return packDouble2x32(uvec2(texelFetch(vertices, index).xy));
}

dvec3 offset_of(int vertex) {
    int first = 3 * vertex;
    return dvec3(coordinate(first), coordinate(first + 1), coordinate(first + 2)) - camera_center;
}

double cross2(dvec2 a, dvec2 b) {
    precise double area = a.x * b.y - a.y * b.x;
    return area;
}

// The rasterizer also covers pixels a fraction of a pixel outside of a face, and those of faces without area: they get
// the point of the rim that is nearest in the image. Given are the weights so far and the corners' image coordinates,
// homogeneous, with the pixel as their origin.
dvec3 on_rim(RayFace meets, dvec3 weights, dvec2 a, dvec2 b, dvec2 c) {
#if PERSPECTIVE
    dvec3 w = dvec3(dot(meets.a, view_direction), dot(meets.b, view_direction), dot(meets.c, view_direction));
#else
    dvec3 w = dvec3(1.0lf);
#endif
    if (min(w.x, min(w.y, w.z)) <= 0.0lf) {
        // A corner behind the camera has no place in the image; its face is large there, and the pixel close to it.
        dvec3 kept = max(weights, dvec3(0.0lf));
        double sum = kept.x + kept.y + kept.z;
        return sum > 0.0lf ? kept / sum : dvec3(1.0lf / 3.0lf);
    }
    // Arrays: NVIDIA's compiler has no dvec3 whose component is chosen by a variable.
    dvec2 corners[3] = dvec2[3](a / w.x, b / w.y, c / w.z);
    double depths[3] = double[3](w.x, w.y, w.z), nearest[3] = double[3](0.0lf, 0.0lf, 0.0lf);
    double least = -1.0lf;
    for (int i = 0; i < 3; ++i) {
        int j = (i + 1) % 3;
        dvec2 along = corners[j] - corners[i];
        double size = dot(along, along);
        double part = size > 0.0lf ? clamp(-dot(corners[i], along) / size, 0.0lf, 1.0lf) : 0.0lf;
        dvec2 rim = corners[i] + part * along;
        double distance = dot(rim, rim);
        if (least >= 0.0lf && distance >= least) continue;
        least = distance;
        // Straight in the image is not evenly spaced in depth.
        double of_i = (1.0lf - part) / depths[i], of_j = part / depths[j];
        nearest[i] = of_i / (of_i + of_j);
        nearest[j] = of_j / (of_i + of_j);
        nearest[3 - i - j] = 0.0lf;
    }
    return dvec3(nearest[0], nearest[1], nearest[2]);
}

RayFace ray_face(vec2 pixel, int face) {
    RayFace meets;
    meets.corners = texelFetch(faces, face).xyz;
    meets.a = offset_of(meets.corners.x);
    meets.b = offset_of(meets.corners.y);
    meets.c = offset_of(meets.corners.z);
    // Homogeneous image coordinates with the pixel as their origin: the point of the plane that is seen there
    // is the sum of the corners with weights for which these add up to (0, 0).
    dvec2 center = dvec2(pixel);
#if PERSPECTIVE
    dvec3 right = image_right - center.x * view_direction;
    dvec3 down = image_down - center.y * view_direction;
    dvec2 origin = dvec2(0.0lf);
#else
    dvec3 right = image_right;
    dvec3 down = image_down;
    dvec2 origin = image_origin - center;
#endif
    dvec2 a = dvec2(dot(meets.a, right), dot(meets.a, down)) + origin;
    dvec2 b = dvec2(dot(meets.b, right), dot(meets.b, down)) + origin;
    dvec2 c = dvec2(dot(meets.c, right), dot(meets.c, down)) + origin;
    dvec3 weights = dvec3(cross2(b, c), cross2(c, a), cross2(a, b));
    double sum = weights.x + weights.y + weights.z;
    if (sum < 0.0lf) {
        weights = -weights;
        sum = -sum;
    }
    bool is_inside = min(weights.x, min(weights.y, weights.z)) >= 0.0lf && sum > 0.0lf;
    meets.barycentric = is_inside ? weights / sum : on_rim(meets, weights, a, b, c);
    return meets;
}
