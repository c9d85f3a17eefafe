#ifndef OUTLINE_BESIDE_GLSL
#define OUTLINE_BESIDE_GLSL
// The pixels that a face covers, as in face_outline.glsl, for a camera beside a face: within a
// ten-millionth of the mesh's size, or exactly on the face. There face_outline.glsl fails: if a
// face is seen nearly edge-on and reaches behind the camera, snapping a corner to 1/256 pixel moves
// the face's plane to the other side of the camera, and half of the image with it. So here
// - the facing is exact: it tells on which side of the plane the camera is. If that is on the
//   plane, as far as double precision can tell, the face covers nothing;
// - corners are snapped to 2^-24 pixel. The error is invisible, and a corner on a pixel center
//   stays there;
// - an edge with a corner behind the camera keeps its true direction. It only moves sideways, to
//   pass through its other corner if that one is snapped.
// Both faces at an edge have the same line, so neighbors meet without gaps. Pixel centers on a line
// go by the top-left rule, see is_inside.
#include "compute_face.glsl"

const double STEPS_PER_SUBPIXEL = 65536.0lf;  // of snapped corners

// Value at (u, v): normal.x (u - through.x) + normal.y (v - through.y) + normal.z. It is exactly 0
// at the corner that the line passes through.
struct Line {
    dvec3 normal;
    dvec2 through;
};

struct Corner {
    dvec3 position;  // local frame: orders the ends of an edge, the same for both faces there
    dvec3 offset;    // from the camera center
    dvec3 image;     // homogeneous, subpixels
    bool is_snapped; // whether it has a screen position
    dvec2 snapped;   // subpixels
};

struct Outline {
    Line ab, bc, ca;  // inside, all are positive
    bool is_front;
    Box box;
};

Corner corner_of(int vertex) {
    Corner corner;
    corner.position = position_of(vertex);
    corner.offset = offset_of(vertex);
    corner.image = image_of(vertex);
    corner.is_snapped = screen_position_of(vertex).x != NO_SCREEN_POSITION;
    precise dvec2 snapped = floor(corner.image.xy / corner.image.z * STEPS_PER_SUBPIXEL + 0.5lf) /
                            STEPS_PER_SUBPIXEL;
    corner.snapped = corner.is_snapped ? snapped : dvec2(0.0lf);
    return corner;
}

bool is_before(dvec3 a, dvec3 b) {
    return a.x != b.x ? a.x < b.x : a.y != b.y ? a.y < b.y : a.z < b.z;
}

// The line from a to b, where a is before b.
Line ordered_line(Corner a, Corner b) {
    Line line;
    precise dvec3 normal;
    if (a.is_snapped && b.is_snapped) {
        normal = dvec3(a.snapped.y - b.snapped.y, b.snapped.x - a.snapped.x, 0.0lf);
    } else {
        normal = cross_of(a.image, b.image);
        if (a.is_snapped || b.is_snapped) normal.z = 0.0lf;
    }
    line.normal = normal;
    line.through = a.is_snapped ? a.snapped : b.snapped;  // (0, 0) if neither is
    return line;
}

Line line_between(Corner a, Corner b, double orientation) {
    bool is_swapped = is_before(b.position, a.position);
    Line line;
    if (is_swapped) line = ordered_line(b, a);
    else line = ordered_line(a, b);
    line.normal *= is_swapped ? -orientation : orientation;
    return line;
}

// Returns false if the face covers nothing, because it is seen edge-on.
bool find_outline(ivec3 corners, out Outline outline) {
    Corner a = corner_of(corners.x), b = corner_of(corners.y), c = corner_of(corners.z);
    dvec3 normal = cross_of(minus(b.offset, a.offset), minus(c.offset, a.offset));
#if PERSPECTIVE
    double side = dot_of(normal, a.offset);
    precise double error = camera.rounding_error * sqrt(dot_of(normal, normal));
    if (abs(side) <= error) return false;
#else
    double side = dot_of(normal, camera.ray_direction);
    if (side == 0.0lf) return false;
#endif
    outline.is_front = side < 0.0lf;
    double orientation = outline.is_front ? -1.0lf : 1.0lf;
    outline.ab = line_between(a, b, orientation);
    outline.bc = line_between(b, c, orientation);
    outline.ca = line_between(c, a, orientation);
    outline.box = a.is_snapped && b.is_snapped && c.is_snapped
        ? box_around(screen_position_of(corners.x), screen_position_of(corners.y),
                     screen_position_of(corners.z))
        : Box(ivec2(0, camera.band.x), ivec2(camera.image_size.x, camera.band.y) - 1);
    return true;
}

bool is_inside(Line line, int row, int column) {
    precise dvec2 from = 256.0lf * dvec2(column, row) + 128.0lf - line.through;
    precise double value = line.normal.x * from.x + line.normal.y * from.y + line.normal.z;
    // The top-left rule, see owns_edge in compute_small.comp.
    bool owns_edge = line.normal.x > 0.0lf || (line.normal.x == 0.0lf && line.normal.y > 0.0lf);
    return value > 0.0lf || (value == 0.0lf && owns_edge);
}

// Narrows a range of columns, first and last, to those inside of a line. The line's value is
// monotonic along a row.
void narrow_columns(inout ivec2 columns, Line line, int row) {
    if (columns.x > columns.y) return;
    bool is_first_inside = is_inside(line, row, columns.x);
    bool is_last_inside = is_inside(line, row, columns.y);
    if (is_first_inside && is_last_inside) return;
    if (!is_first_inside && !is_last_inside) {
        columns.y = columns.x - 1;
        return;
    }
    int inside = is_first_inside ? columns.x : columns.y;
    int outside = is_first_inside ? columns.y : columns.x;
    while (abs(inside - outside) > 1) {
        int middle = (inside + outside) / 2;
        if (is_inside(line, row, middle)) inside = middle;
        else outside = middle;
    }
    if (is_first_inside) columns.y = inside;
    else columns.x = inside;
}

// The first and the last of the given columns that the face covers in a row.
ivec2 covered_columns(Outline outline, int row, ivec2 columns) {
    narrow_columns(columns, outline.ab, row);
    narrow_columns(columns, outline.bc, row);
    narrow_columns(columns, outline.ca, row);
    return columns;
}
#endif
