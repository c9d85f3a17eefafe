// Which pixels a face covers, as in face_outline.glsl, for a camera that is beside a face: as near to it as a ten-millionth of
// the mesh's size, or exactly on it. There face_outline.glsl fails: of a face that is seen nearly edge-on and reaches behind
// the camera, a corner moved to the next 1/256 pixel turns the plane to the other side of the camera, and with it half of the
// image. So here
// - the facing is the exact one: on which side of the plane the camera is. Where that is on the plane, as far as double
//   precision can tell, the face covers nothing;
// - corners are snapped only to 2^-24 pixel. That moves nothing that shows, and a corner on a pixel center stays there;
// - an edge with a corner behind the camera has its true direction. It is moved only sideways, to go through the other corner
//   where that was snapped.
// An edge has one line, whichever face asks, so neighbors meet without gaps; a pixel center on a line belongs to the face that
// owns_line tells.
const double SNAP = 65536.0lf;  // of a subpixel

// Value at (u, v): normal.x (u - through.x) + normal.y (v - through.y) + normal.z. Exactly 0 in the corner it goes through.
struct Line {
    dvec3 normal;
    dvec2 through;
};

struct Corner {
    dvec3 position;  // local frame: tells the ends of an edge apart, whichever face asks
    dvec3 offset;    // from the camera center
    dvec3 image;     // homogeneous, subpixels
    bool has_place;
    dvec2 place;     // snapped
};

struct Outline {
    Line ab, bc, ca;  // inside is where all are positive
    bool is_front;
    Box box;
};

Corner corner_of(int vertex) {
    Corner corner;
    corner.position = position_of(vertex);
    corner.offset = corner.position - view.camera_center;
    corner.image = homogeneous(corner.position);
    corner.has_place = place_of(vertex).x != NO_PLACE;
    precise dvec2 place = floor(corner.image.xy / corner.image.z * SNAP + 0.5lf) / SNAP;
    corner.place = corner.has_place ? place : dvec2(0.0lf);
    return corner;
}

bool comes_before(dvec3 a, dvec3 b) {
    return a.x != b.x ? a.x < b.x : a.y != b.y ? a.y < b.y : a.z < b.z;
}

// From a to b, where a comes before b.
Line ordered_line(Corner a, Corner b) {
    Line line;
    precise dvec3 normal;
    if (a.has_place && b.has_place) {
        normal = dvec3(a.place.y - b.place.y, b.place.x - a.place.x, 0.0lf);
    } else {
        normal = dvec3(a.image.y * b.image.z - a.image.z * b.image.y, a.image.z * b.image.x - a.image.x * b.image.z,
                       a.image.x * b.image.y - a.image.y * b.image.x);
        if (a.has_place || b.has_place) normal.z = 0.0lf;
    }
    line.normal = normal;
    line.through = a.has_place ? a.place : b.place;  // (0, 0) if neither has one
    return line;
}

Line line_of(Corner a, Corner b, double inside) {
    bool swapped = comes_before(b.position, a.position);
    Line line;
    if (swapped) line = ordered_line(b, a);
    else line = ordered_line(a, b);
    line.normal *= swapped ? -inside : inside;
    return line;
}

// False if the face covers nothing, being seen edge-on.
bool find_outline(ivec3 corners, out Outline outline) {
    Corner a = corner_of(corners.x), b = corner_of(corners.y), c = corner_of(corners.z);
    precise dvec3 normal = cross(b.offset - a.offset, c.offset - a.offset);
#if PERSPECTIVE
    precise double side = dot(normal, a.offset);
    if (abs(side) <= view.rounding * length(normal)) return false;
#else
    precise double side = dot(normal, view.ray_direction);
    if (side == 0.0lf) return false;
#endif
    outline.is_front = side < 0.0lf;
    double inside = outline.is_front ? -1.0lf : 1.0lf;
    outline.ab = line_of(a, b, inside);
    outline.bc = line_of(b, c, inside);
    outline.ca = line_of(c, a, inside);
    outline.box = a.has_place && b.has_place && c.has_place
        ? box_around(place_of(corners.x), place_of(corners.y), place_of(corners.z))
        : Box(ivec2(0, view.band.x), ivec2(view.image_size.x, view.band.y) - 1);
    return true;
}

bool is_inside(Line line, int row, int column) {
    precise dvec2 from = 256.0lf * dvec2(column, row) + 128.0lf - line.through;
    precise double value = line.normal.x * from.x + line.normal.y * from.y + line.normal.z;
    bool owns_line = line.normal.x > 0.0lf || (line.normal.x == 0.0lf && line.normal.y > 0.0lf);
    return value > 0.0lf || (value == 0.0lf && owns_line);
}

// Narrows the columns, from x to y, to those inside of a line. Along a row its value only rises or only falls.
void narrow(inout ivec2 columns, Line line, int row) {
    if (columns.x > columns.y) return;
    bool first = is_inside(line, row, columns.x), last = is_inside(line, row, columns.y);
    if (first && last) return;
    if (!first && !last) {
        columns.y = columns.x - 1;
        return;
    }
    int inside = first ? columns.x : columns.y, outside = first ? columns.y : columns.x;
    while (abs(inside - outside) > 1) {
        int middle = (inside + outside) / 2;
        if (is_inside(line, row, middle)) inside = middle;
        else outside = middle;
    }
    if (first) columns.y = inside;
    else columns.x = inside;
}

// The first and the last column of a row that it covers, of those given.
ivec2 covered_columns(Outline outline, int row, ivec2 columns) {
    narrow(columns, outline.ab, row);
    narrow(columns, outline.bc, row);
    narrow(columns, outline.ca, row);
    return columns;
}
