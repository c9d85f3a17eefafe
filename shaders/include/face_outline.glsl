#ifndef FACE_OUTLINE_GLSL
#define FACE_OUTLINE_GLSL
// The pixels that a face of any size covers, even one that reaches out of the guard band or behind
// the camera.
//
// Options: ALL_CORNERS_SNAPPED  1 if all corners of all faces have a screen position; each line is
//                               then exact in whichever order the ends of its edge are given
//
// An edge is a line (x, y, z): the pixel (u, v), in subpixels, is on its inner side if
// x u + y v + z > 0. The coefficients are integers, small enough that double precision adds and
// multiplies them exactly, so the side of each pixel is exact. The line depends on the edge alone,
// not on the face: both faces at the edge have the same one. Nothing is clipped. A triangle that
// reaches behind the camera covers the pixels on the inner side of all three lines through its
// homogeneous corners (Olano and Greer, "Triangle Scan Conversion using 2D Homogeneous
// Coordinates", 1997).
#include "compute_face.glsl"

struct Outline {
    dvec3 ab, bc, ca;
    bool is_front;
    Box box;  // pixels of the band that the face lies in
};

// Cross product of two edges that follow each other. Its sign is that of the face's area.
double cross_2d(dvec3 line, dvec3 next) {
    precise double area = line.x * next.y - line.y * next.x;
    return area;
}

// Moves a line by half a unit toward the face that does not own it (top-left rule, see owns_edge in
// compute_small.comp). Then no pixel center lies on it.
dvec3 moved_off_pixels(dvec3 line) {
    bool owns_edge = line.x > 0.0lf || (line.x == 0.0lf && line.y > 0.0lf);
    return dvec3(line.xy, line.z + (owns_edge ? 0.5lf : -0.5lf));
}

Outline make_outline(dvec3 ab, dvec3 bc, dvec3 ca, double area) {
    Outline outline;
    outline.is_front = area < 0.0lf;
    double orientation = outline.is_front ? -1.0lf : 1.0lf;
    outline.ab = moved_off_pixels(orientation * ab);
    outline.bc = moved_off_pixels(orientation * bc);
    outline.ca = moved_off_pixels(orientation * ca);
    outline.box = Box(ivec2(0, camera.band.x), ivec2(camera.image_size.x, camera.band.y) - 1);
    return outline;
}

#if ALL_CORNERS_SNAPPED
dvec3 line_between(ivec2 a, ivec2 b) {
    dvec2 along = dvec2(b - a), through = dvec2(a);
    precise dvec3 line = dvec3(-along.y, along.x, along.y * through.x - along.x * through.y);
    return line;
}

// Returns false if the face covers nothing, because it is seen edge-on.
bool find_outline(ivec3 corners, out Outline outline) {
    ivec2 a = screen_position_of(corners.x);
    ivec2 b = screen_position_of(corners.y);
    ivec2 c = screen_position_of(corners.z);
    dvec3 ab = line_between(a, b), bc = line_between(b, c), ca = line_between(c, a);
    double area = cross_2d(ca, ab);
    outline = make_outline(ab, bc, ca, area);
    outline.box = box_around(a, b, c);
    return area != 0.0lf;
}
#else
// The larger of |x| and |y| of a line, 2^26: with subpixels of at most 2^22, sums stay below 2^53.
const double LINE_SIZE = 67108864.0lf;

struct Corner {
    ivec3 position;  // local frame: orders the ends of an edge, the same for both faces there
    bool is_snapped; // whether it has a screen position
    dvec3 image;     // homogeneous, subpixels; the screen position with w = 1 if snapped
};

Corner corner_of(int vertex) {
    Corner corner;
    corner.position = texelFetch(positions, vertex).xyz;
    ivec2 screen_position = screen_position_of(vertex);
    corner.is_snapped = screen_position.x != NO_SCREEN_POSITION;
    corner.image = corner.is_snapped ? dvec3(screen_position, 1.0lf)
                                     : doubles_of(image_of(vertex));
    return corner;
}

bool is_before(ivec3 a, ivec3 b) {
    return a.x != b.x ? a.x < b.x : a.y != b.y ? a.y < b.y : a.z < b.z;
}

dvec2 scaled_to_line_size(dvec2 direction) {
    double size = max(abs(direction.x), abs(direction.y));
    precise dvec2 scaled = floor(direction * (LINE_SIZE / size) + 0.5lf);
    return size > 0.0lf ? scaled : dvec2(0.0lf);
}

// The line from a to b, where a is before b.
dvec3 ordered_line(Corner a, Corner b) {
    precise dvec2 along;
    if (a.is_snapped && b.is_snapped) {
        along = b.image.xy - a.image.xy;
    } else if (a.is_snapped) {
        along = b.image.xy - b.image.z * a.image.xy;
        along = scaled_to_line_size(along);
    } else if (b.is_snapped) {
        along = a.image.z * b.image.xy - a.image.xy;
        along = scaled_to_line_size(along);
    } else {
        precise dvec3 line = cross_of(a.image, b.image);
        double size = max(abs(line.x), abs(line.y));
        if (size == 0.0lf) return dvec3(0.0lf, 0.0lf, sign(line.z));
        line = floor(line * (LINE_SIZE / size) + 0.5lf);
        const double far = 1125899906842624.0lf;  // 2^50: no pixel is near such a line
        return dvec3(line.xy, clamp(line.z, -far, far));
    }
    // Exactly through the snapped corner, so that all edges there meet in one point.
    dvec2 through = a.is_snapped ? a.image.xy : b.image.xy;
    precise double offset = along.y * through.x - along.x * through.y;
    return dvec3(-along.y, along.x, offset);
}

dvec3 line_between(Corner a, Corner b) {
    return is_before(b.position, a.position) ? -ordered_line(b, a) : ordered_line(a, b);
}

// Returns false if the face covers nothing, because it is seen edge-on.
bool find_outline(ivec3 corners, out Outline outline) {
    Corner a = corner_of(corners.x), b = corner_of(corners.y), c = corner_of(corners.z);
    dvec3 ab = line_between(a, b), bc = line_between(b, c), ca = line_between(c, a);
    double area = a.is_snapped ? cross_2d(ca, ab)
                        : b.is_snapped ? cross_2d(ab, bc)
                        : c.is_snapped ? cross_2d(bc, ca)
                        : dot_of(a.image, cross_of(b.image, c.image));
    outline = make_outline(ab, bc, ca, area);
    if (a.is_snapped && b.is_snapped && c.is_snapped)
        outline.box = box_around(ivec2(a.image.xy), ivec2(b.image.xy), ivec2(c.image.xy));
    return area != 0.0lf;
}
#endif

// Narrows a range of columns, first and last, to those on the inner side of a line, in the row with
// centers at v. No quotient is close to an integer, since no pixel center lies on the line. So it
// does not matter how the division rounds.
void narrow_columns(inout ivec2 columns, dvec3 line, double v) {
    precise double first_value = line.y * v + line.z + 128.0lf * line.x;
    precise double step = 256.0lf * line.x;
    if (step == 0.0lf) {
        if (first_value < 0.0lf) columns.y = -1;
        return;
    }
    precise double zero = clamp(-first_value / step, -1.0lf, double(camera.image_size.x));
    if (step > 0.0lf) columns.x = max(columns.x, int(ceil(zero)));
    else columns.y = min(columns.y, int(floor(zero)));
}

// The first and the last of the given columns that the face covers in a row.
ivec2 covered_columns(Outline outline, int row, ivec2 columns) {
    double v = 256.0lf * double(row) + 128.0lf;
    narrow_columns(columns, outline.ab, v);
    narrow_columns(columns, outline.bc, v);
    narrow_columns(columns, outline.ca, v);
    return columns;
}
#endif
