// Cameras in the scene's local frame, and the rows that are being rendered; one block for every compute shader.
// Units of the image are subpixels, 1/256 pixel: the center of pixel i lies at 256 i + 128.
struct View {
    dvec3 camera_center;
    // Rows that take an offset from the camera center to homogeneous image coordinates (u w, v w, w), subpixels.
    dvec3 image_right;
    dvec3 image_down;
    dvec3 view_direction;  // depth of an offset is its dot product with this
    dvec3 image_origin;    // of the camera center, subpixels; orthographic cameras only, whose w is 1
    // Perspective: direction of depth 1 of the ray through pixel (u, v) = u * right + v * down + origin.
    // Orthographic: offset of the start of the ray through pixel (u, v). In pixels, not subpixels.
    dvec3 ray_right;
    dvec3 ray_down;
    dvec3 ray_origin;
    dvec3 ray_direction;   // of depth 1, of all rays; orthographic cameras only
    ivec2 image_size;      // pixels
    ivec2 band;            // first row, and the row after the last
    vec2 crop;             // keep crop.x <= depth <= crop.y, mesh units
    float mesh_units;      // per local unit, a power of two
    int column_bits;       // of the column in a vertex's cell
    double rounding;       // of the camera center and of offsets from it, local units; BESIDE_A_FACE only
};
layout(std140, binding = 0) uniform Views { View views[VIEWS]; };

// Along the first two axes of a dispatch lies the work on one view (the number of groups along one axis is limited),
// along the third axis lie the views.
layout(local_size_x = GROUP) in;

#if VIEWS > 1
#define view_number int(gl_WorkGroupID.z)
#else
#define view_number 0
#endif
#define view views[view_number]

uint invocation() {
    return gl_GlobalInvocationID.x + gl_NumWorkGroups.x * uint(GROUP) * gl_GlobalInvocationID.y;
}

// How many invocations share a row of a large face, so that none of them walks through more than some PIXELS_EACH.
int segments_across() {
    int rows = (view.band.y - view.band.x + LARGE_ROWS_APART - 1) / LARGE_ROWS_APART;
    return (rows * view.image_size.x + PIXELS_EACH - 1) / PIXELS_EACH;
}

uint groups_of_large() {
    return uint(LARGE_ROWS_APART / GROUP * segments_across());
}

uniform uint vertex_count;  // what depends on the view is there for all vertices of the first, then of the next

uint of_view(int vertex) {
    return uint(view_number) * vertex_count + uint(vertex);
}

// Vertices, read as texels: software rasterizers gather texels several times faster than the contents of buffers.
layout(binding = 0) uniform isamplerBuffer positions;  // local frame

// BESIDE_A_FACE: the camera is so near to a face that rounded positions would show.
#if BESIDE_A_FACE
layout(binding = 7) uniform isamplerBuffer remainders;  // what rounding left of the positions, in units of 2^-31

dvec3 position_of(int vertex) {
    precise dvec3 remainder = dvec3(texelFetch(remainders, vertex).xyz) * (1.0lf / 2147483648.0lf);
    precise dvec3 position = dvec3(texelFetch(positions, vertex).xyz) + remainder;
    return position;
}
#else
dvec3 position_of(int vertex) {
    return dvec3(texelFetch(positions, vertex).xyz);
}
#endif

// (u w, v w, w) in subpixels; w is the depth in perspective and 1 otherwise. The same position gives the same bits.
dvec3 homogeneous(dvec3 position) {
    precise dvec3 offset = position - view.camera_center;
    precise dvec3 image = dvec3(dot(offset, view.image_right), dot(offset, view.image_down),
                                dot(offset, view.view_direction));
#if !PERSPECTIVE
    image = dvec3(image.xy + view.image_origin.xy, 1.0lf);
#endif
    return image;
}

// What the vertex shader leaves for each vertex: its place in the image, snapped to whole subpixels; or, where it
// has none within the guard band, NO_PLACE and the bits of OUT_ that say where it lies.
const int NO_PLACE = -0x7fffffff - 1;
const double GUARD_BAND = 8388608.0lf;  // 2^23 subpixels: beyond the largest image, and exact in what follows
const int OUT_BEHIND = 1, OUT_LEFT = 2, OUT_RIGHT = 4, OUT_ABOVE = 8, OUT_BELOW = 16;

// With FINE, all vertices have a place, all faces are small in the image, and a vertex has a cell as well: between which
// pixel centers of the band it lies, row << column_bits | column. Column c holds what is right of the center of pixel
// c - 1 and not right of that of pixel c, the first and the last also what is out of the image; rows likewise. A center
// on the edge of two faces belongs to the one that goes on to the right of it, or down (see compute_small.comp): so a
// face whose corners are all in one column, or in one row, covers nothing.
