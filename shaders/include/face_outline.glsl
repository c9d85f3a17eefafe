// Which pixels a face of any size covers, also one that reaches out of the guard band and behind the camera. An edge is a
// line, (x, y, z) with the pixel (u, v) on its inner side where x u + y v + z > 0. Its numbers are whole, and small enough
// that double precision adds and multiplies them exactly, so it is decided exactly on which side a pixel lies. The line
// depends on the edge alone, not on the face: both faces at the edge have the same one. Nothing needs to be clipped: a
// triangle that reaches behind the camera is seen where a pixel is on the inner side of all three lines through the
// homogeneous corners (Olano and Greer, "Triangle Scan Conversion using 2D Homogeneous Coordinates", 1997).
// The sine, so to speak, of the turn from one edge into the next at the corner between them.
double turn(dvec3 line, dvec3 next) {
    return line.x * next.y - line.y * next.x;
}

// Half a unit to the side that owns the edge, see compute_small.comp: then no pixel lies on a line.
dvec3 owned(dvec3 line) {
    bool owns = line.x > 0.0lf || (line.x == 0.0lf && line.y > 0.0lf);
    return dvec3(line.xy, line.z + (owns ? 0.5lf : -0.5lf));
}

// Narrows the columns, from x to y, to those on the inner side of a line. No quotient comes near an integer, for
// no pixel lies on the line, so the rounding of the division does not matter.
void narrow(inout ivec2 columns, dvec3 line, double v) {
    double at_zero = line.y * v + line.z + 128.0lf * line.x;
    double step = 256.0lf * line.x;
    if (step == 0.0lf) {
        if (at_zero < 0.0lf) columns.y = -1;
        return;
    }
    double zero = clamp(-at_zero / step, -1.0lf, double(view.image_size.x));
    if (step > 0.0lf) columns.x = max(columns.x, int(ceil(zero)));
    else columns.y = min(columns.y, int(floor(zero)));
}

struct Outline {
    dvec3 ab, bc, ca;
    bool is_front;
    Box box;  // the pixels of the band that it lies in
};

Outline outline_between(dvec3 ab, dvec3 bc, dvec3 ca, double area) {
    Outline outline;
    outline.is_front = area < 0.0lf;
    double inside = outline.is_front ? -1.0lf : 1.0lf;
    outline.ab = owned(inside * ab);
    outline.bc = owned(inside * bc);
    outline.ca = owned(inside * ca);
    outline.box = Box(ivec2(0, view.band.x), ivec2(view.image_size.x, view.band.y) - 1);
    return outline;
}

#if PLACED
// Of two places, in either order.
dvec3 line_of(ivec2 a, ivec2 b) {
    dvec2 along = dvec2(b - a), through = dvec2(a);
    precise dvec3 line = dvec3(-along.y, along.x, along.y * through.x - along.x * through.y);
    return line;
}

// False if the face, all of whose corners have a place, covers nothing, being seen edge-on.
bool find_outline(ivec3 corners, out Outline outline) {
    ivec2 a = place_of(corners.x), b = place_of(corners.y), c = place_of(corners.z);
    dvec3 ab = line_of(a, b), bc = line_of(b, c), ca = line_of(c, a);
    double area = turn(ca, ab);
    outline = outline_between(ab, bc, ca, area);
    outline.box = box_around(a, b, c);
    return area != 0.0lf;
}
#else
const double LINE_SIZE = 67108864.0lf;  // 2^26: with subpixels of 2^22 and less, sums stay below 2^53

struct Corner {
    dvec3 position;  // local frame: tells the ends of an edge apart, whichever face asks
    bool has_place;
    dvec3 image;     // homogeneous, subpixels; snapped, with w = 1, where the vertex has a place
};

Corner corner_of(int vertex) {
    Corner corner;
    corner.position = position_of(vertex);
    ivec2 place = place_of(vertex);
    corner.has_place = place.x != NO_PLACE;
    corner.image = corner.has_place ? dvec3(place, 1.0lf) : homogeneous(corner.position);
    return corner;
}

bool comes_before(dvec3 a, dvec3 b) {
    return a.x != b.x ? a.x < b.x : a.y != b.y ? a.y < b.y : a.z < b.z;
}

dvec2 to_line_size(dvec2 direction) {
    double size = max(abs(direction.x), abs(direction.y));
    return size > 0.0lf ? floor(direction * (LINE_SIZE / size) + 0.5lf) : dvec2(0.0lf);
}

// From a to b, where a comes before b.
dvec3 ordered_line(Corner a, Corner b) {
    precise dvec2 along;
    if (a.has_place && b.has_place) {
        along = b.image.xy - a.image.xy;
    } else if (a.has_place) {
        along = b.image.xy - b.image.z * a.image.xy;
        along = to_line_size(along);
    } else if (b.has_place) {
        along = a.image.z * b.image.xy - a.image.xy;
        along = to_line_size(along);
    } else {
        precise dvec3 line = dvec3(a.image.y * b.image.z - a.image.z * b.image.y,
                                   a.image.z * b.image.x - a.image.x * b.image.z,
                                   a.image.x * b.image.y - a.image.y * b.image.x);
        double size = max(abs(line.x), abs(line.y));
        if (size == 0.0lf) return dvec3(0.0lf, 0.0lf, sign(line.z));
        line = floor(line * (LINE_SIZE / size) + 0.5lf);
        const double far = 1125899906842624.0lf;  // 2^50: no pixel is near such a line
        return dvec3(line.xy, clamp(line.z, -far, far));
    }
    // Exactly through the corner that has a place, so that all edges there meet in one point.
    dvec2 through = a.has_place ? a.image.xy : b.image.xy;
    return dvec3(-along.y, along.x, along.y * through.x - along.x * through.y);
}

dvec3 line_of(Corner a, Corner b) {
    return comes_before(b.position, a.position) ? -ordered_line(b, a) : ordered_line(a, b);
}

// False if the face covers nothing, being seen edge-on.
bool find_outline(ivec3 corners, out Outline outline) {
    Corner a = corner_of(corners.x), b = corner_of(corners.y), c = corner_of(corners.z);
    dvec3 ab = line_of(a, b), bc = line_of(b, c), ca = line_of(c, a);
    precise double area = a.has_place ? turn(ca, ab) : b.has_place ? turn(ab, bc) : c.has_place ? turn(bc, ca)
                        : dot(a.image, cross(b.image, c.image));
    outline = outline_between(ab, bc, ca, area);
    if (a.has_place && b.has_place && c.has_place)
        outline.box = box_around(ivec2(a.image.xy), ivec2(b.image.xy), ivec2(c.image.xy));
    return area != 0.0lf;
}
#endif

// The first and the last column of a row that it covers, of those given.
ivec2 covered_columns(Outline outline, int row, ivec2 columns) {
    double v = 256.0lf * double(row) + 128.0lf;
    narrow(columns, outline.ab, v);
    narrow(columns, outline.bc, v);
    narrow(columns, outline.ca, v);
    return columns;
}
