#ifndef RAY_HIT_GLSL
#define RAY_HIT_GLSL
// ray_hit(pixel, face): the point where a pixel's ray meets the plane of a face, as barycentric
// coordinates. Computed in double precision from the mesh's own vertices, without the rasterizer.
//
// Inputs:  faces, vertices: see MESH_TABLES in mesh_tables.py
//          camera_center, image_right, image_down, view_direction, image_origin: see LocalCamera
// Options: PERSPECTIVE  1 for a perspective camera, 0 for an orthographic one

uniform isamplerBuffer faces;     // three vertices each
uniform isamplerBuffer vertices;  // three coordinates each, bits of doubles; local frame

uniform dvec3 camera_center;  // local frame
// Rows that take an offset from the camera center to homogeneous image coordinates (u w, v w, w).
uniform dvec3 image_right;
uniform dvec3 image_down;
uniform dvec3 view_direction;
uniform dvec2 image_origin;   // image of the camera center; orthographic cameras only, whose w is 1

struct RayHit {
    ivec3 corners;      // vertices of the mesh
    dvec3 a, b, c;      // offsets of the corners from the camera center, local frame
    dvec3 barycentric;  // weights of a, b, c; none is negative, their sum is 1
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

// Barycentric coordinates of the rim point that is nearest to the pixel in the image. The
// rasterizer also covers pixels a fraction of a pixel outside of a face, and pixels of faces
// without area: these get a point of the rim.
//   hit:      without `barycentric`
//   weights:  unnormalized barycentric coordinates of the pixel
//   a, b, c:  homogeneous image coordinates of the corners, with the pixel as the origin
dvec3 nearest_on_rim(RayHit hit, dvec3 weights, dvec2 a, dvec2 b, dvec2 c) {
#if PERSPECTIVE
    dvec3 w = dvec3(dot(hit.a, view_direction), dot(hit.b, view_direction),
                    dot(hit.c, view_direction));
#else
    dvec3 w = dvec3(1.0lf);
#endif
    if (min(w.x, min(w.y, w.z)) <= 0.0lf) {
        // A corner behind the camera has no screen position. The face is large in the image there,
        // and the pixel is close to it.
        dvec3 clamped = max(weights, dvec3(0.0lf));
        double sum = clamped.x + clamped.y + clamped.z;
        return sum > 0.0lf ? clamped / sum : dvec3(1.0lf / 3.0lf);
    }
    // Arrays: NVIDIA's compiler does not take a dvec3 that is indexed by a variable.
    dvec2 corners[3] = dvec2[3](a / w.x, b / w.y, c / w.z);
    double depths[3] = double[3](w.x, w.y, w.z);
    double barycentric[3] = double[3](0.0lf, 0.0lf, 0.0lf);
    double smallest_distance = -1.0lf;
    for (int i = 0; i < 3; ++i) {
        int j = (i + 1) % 3;
        dvec2 edge = corners[j] - corners[i];
        double squared_length = dot(edge, edge);
        double t = squared_length > 0.0lf
            ? clamp(-dot(corners[i], edge) / squared_length, 0.0lf, 1.0lf) : 0.0lf;
        dvec2 point = corners[i] + t * edge;
        double squared_distance = dot(point, point);
        if (smallest_distance >= 0.0lf && squared_distance >= smallest_distance) continue;
        smallest_distance = squared_distance;
        // Perspective-correct: t is linear in the image, not along the edge.
        double weight_i = (1.0lf - t) / depths[i], weight_j = t / depths[j];
        barycentric[i] = weight_i / (weight_i + weight_j);
        barycentric[j] = weight_j / (weight_i + weight_j);
        barycentric[3 - i - j] = 0.0lf;
    }
    return dvec3(barycentric[0], barycentric[1], barycentric[2]);
}

RayHit ray_hit(vec2 pixel, int face) {
    RayHit hit;
    hit.corners = texelFetch(faces, face).xyz;
    hit.a = offset_of(hit.corners.x);
    hit.b = offset_of(hit.corners.y);
    hit.c = offset_of(hit.corners.z);
    // Homogeneous image coordinates with the pixel as the origin. The hit is the weighted sum of
    // the corners whose coordinates are (0, 0).
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
    dvec2 a = dvec2(dot(hit.a, right), dot(hit.a, down)) + origin;
    dvec2 b = dvec2(dot(hit.b, right), dot(hit.b, down)) + origin;
    dvec2 c = dvec2(dot(hit.c, right), dot(hit.c, down)) + origin;
    dvec3 weights = dvec3(cross2(b, c), cross2(c, a), cross2(a, b));
    double sum = weights.x + weights.y + weights.z;
    if (sum < 0.0lf) {
        weights = -weights;
        sum = -sum;
    }
    bool is_inside = min(weights.x, min(weights.y, weights.z)) >= 0.0lf && sum > 0.0lf;
    hit.barycentric = is_inside ? weights / sum : nearest_on_rim(hit, weights, a, b, c);
    return hit;
}
#endif
