#ifndef COMPUTE_PASS_GLSL
#define COMPUTE_PASS_GLSL
// What a pass does with each pixel that a face covers; `add_crossing` does it, and `add_row` for a
// range of columns.
//
// Options: PASS       PASS_SHEETS  depths of the nearest front and the farthest back face, as bits
//                                  of float32: those of positive numbers sort like integers
//                     PASS_FACES   smallest face index at the entry's depth, largest at the exit's
//                     PASS_BOTH    these depths and faces in one; see keep_larger
//                     PASS_COUNT   number of crossings
//                     PASS_STORE   all crossings, in any order, each in its pixel's range of a list
//          SURFACES   SURFACES_ORIENTED  faces count by facing
//                     SURFACES_ANY       every face counts as a front and as a back
//                     SURFACES_MIXED     two-sided faces do so, the others count by facing
//          CROP       1 if only crossings within camera.crop count
//          MASKED     1 if some faces have alpha masks, see alpha_mask.glsl
//          OWNED      1 if each pixel belongs to one invocation: no atomic operations are needed
// Inputs:  two_sided, texture unit 8: a bit per face of the mesh, 32 a texel; SURFACES_MIXED only
//
// In the first two passes the larger number wins. Entries need the smaller one, so all their bits
// are inverted. Then one atomic operation serves both sheets. With an operation for each sheet,
// invocations at fronts and invocations at backs would wait for each other.
#include "compute_face.glsl"
#if MASKED
#include "alpha_mask.glsl"
#endif

#define PASS_SHEETS 0
#define PASS_FACES 1
#define PASS_COUNT 2
#define PASS_STORE 3
#define PASS_BOTH 4

#define SURFACES_ORIENTED 0
#define SURFACES_ANY 1
#define SURFACES_MIXED 2

// All buffers hold the pixels of the band. `depths` and `sheet_faces` hold the entries and then the
// exits of the first camera, then those of the next.
#if PASS == PASS_BOTH && !OWNED
#define SHARED_BY_ALL coherent volatile  // others write between the reads of an invocation
#else
#define SHARED_BY_ALL
#endif
#define HAS_SHEETS (PASS == PASS_SHEETS || PASS == PASS_FACES || PASS == PASS_BOTH)
#if HAS_SHEETS
// Bits of the depths, inverted for entries. A miss loses against every depth.
layout(std430, binding = 3) SHARED_BY_ALL buffer Depths { int depths[]; };
#endif
#if PASS == PASS_FACES || PASS == PASS_BOTH
// For entries the inverted bits of the face index, for exits the index + 1. A miss is 0.
layout(std430, binding = 4) SHARED_BY_ALL buffer SheetFaces { uint sheet_faces[]; };
#endif
#if PASS == PASS_BOTH
// For keep_larger.
const int MAX_OVERTAKEN = 1023;
layout(std430, binding = 5) buffer Doubts {
    uint doubts;           // not 0 if some face may be wrong
    uint overtaken_count;  // may be more than there is room for
    // Index and value in `sheet_faces` of a face that is wrong if it is still there after the pass.
    uvec2 overtaken[MAX_OVERTAKEN];
};
#endif
#if PASS == PASS_COUNT || PASS == PASS_STORE
// PASS_COUNT: number of the pixel's crossings. PASS_STORE: where its next crossing goes.
layout(std430, binding = 3) buffer Cursors { uint cursors[]; };
#endif
#if PASS == PASS_STORE
// face * 2 + (0 for a front, 1 for a back), then the bits of the depth.
layout(std430, binding = 4) writeonly buffer Crossings { uvec2 crossings[]; };
#endif

#if SURFACES == SURFACES_MIXED
layout(binding = 8) uniform isamplerBuffer two_sided;

bool is_two_sided(uint face) {
    return (texelFetch(two_sided, int(face >> 5)).x >> int(face & 31u) & 1) != 0;
}
#endif

#if MASKED
bool exists(ivec2 pixel, uint face) {
    ImageMap image = ImageMap(camera.image_right, camera.image_down, camera.view_direction,
                              camera.image_origin.xy);
    return !is_cut_out(256.0lf * dvec2(pixel) + 128.0lf, image, camera.center, int(face));
}
#endif

// STORE_MAX keeps the larger of both in `target`. INCREMENT returns the value before.
#if OWNED
#define STORE_MAX(target, value) target = max(target, value)
#define INCREMENT(target) target++
#else
#define STORE_MAX(target, value) atomicMax(target, value)
#define INCREMENT(target) atomicAdd(target, 1u)
#endif

#if PASS == PASS_BOTH
bool is_in_doubt = false;
int overtaken_index = -1;
uint overtaken_code = 0u;

// Keeps the larger number at an index of `depths`, and its face; of equal ones the larger face
// code.
#if OWNED
void keep_larger(int index, int number, uint face_code) {
    int before = depths[index];
    uint face_before = sheet_faces[index];
    depths[index] = max(number, before);
    sheet_faces[index] = number > before ? face_code
                       : number < before ? face_before : max(face_code, face_before);
}
#else
// Depth and face cannot be stored at once. Before the face is stored, another invocation may store
// a larger number and its face, which is then lost. But that invocation's number is seen when this
// one looks again, after storing the face: it has been overtaken. Nearly always, the other one's
// face is stored later, and nothing is wrong; so this is decided after the pass. In doubt are
// equal numbers, and a face overtaken twice. Both are rare, and PASS_FACES then finds the faces.
void keep_larger(int index, int number, uint face_code) {
    int before = atomicMax(depths[index], number);
    is_in_doubt = is_in_doubt || before == number;
    // A software rasterizer runs a few invocations in step: of those that have just stored numbers
    // here, only that of the largest goes on.
    if (before < number && depths[index] <= number) {
        sheet_faces[index] = face_code;
        memoryBarrierBuffer();
        int after = atomicMax(depths[index], number);  // not skipped by || below
        if (after != number) {
            is_in_doubt = is_in_doubt || overtaken_index >= 0;
            overtaken_index = index;
            overtaken_code = face_code;
        }
    }
}
#endif
#endif

// To be called after the last crossing of an invocation.
void end_pass() {
#if PASS == PASS_BOTH && !OWNED
    if (is_in_doubt) doubts = 1u;
    if (overtaken_index >= 0) {
        uint entry = atomicAdd(overtaken_count, 1u);
        if (entry < uint(MAX_OVERTAKEN)) overtaken[entry] = uvec2(overtaken_index, overtaken_code);
    }
#endif
}

// Adds a crossing, and returns true. If only its alpha mask can tell whether the crossing changes
// anything, and `tests_mask` is false, it does nothing and returns false. Most crossings of a sheet
// lie behind one that was found before, and need no test of their mask.
bool add_crossing(ivec2 pixel, uint face, FacePlane plane, bool is_front, bool tests_mask) {
    int index = (pixel.y - camera.band.x) * camera.image_size.x + pixel.x;
#if HAS_SHEETS
    int pixels = (camera.band.y - camera.band.x) * camera.image_size.x;
    index += 2 * pixels * camera_index;
    int exit_index = index + pixels;
#endif
#if PASS != PASS_COUNT || CROP || !PERSPECTIVE
    float depth = depth_at(plane, pixel);
#if !PERSPECTIVE
    // Rays start on the plane of depth 0. A crossing on that plane, as far as double precision can
    // tell, does not count.
    float start = BESIDE_A_FACE == 1 ? camera.local_unit * float(camera.rounding_error) : 0.0;
    if (depth <= start) return true;
#endif
#if CROP
    if (depth < camera.crop.x || depth > camera.crop.y) return true;
#endif
    int bits = floatBitsToInt(depth);
#endif
#if MASKED
    int mask = mask_of(int(face));
    if (mask == ALL_CUT_OUT) return true;
    if (mask != NO_MASK) {
#if PASS == PASS_SHEETS
        // The numbers only grow: a crossing that loses now loses in the end.
        if (depths[index] >= ~bits && depths[exit_index] >= bits) return true;
#elif PASS == PASS_BOTH
        if (depths[index] > ~bits && depths[exit_index] > bits) return true;
#elif PASS == PASS_FACES
        if (depths[index] != ~bits && depths[exit_index] != bits) return true;
#endif
        if (!tests_mask) return false;
        if (!exists(pixel, face)) return true;
    }
#endif
#if PASS == PASS_SHEETS
#if SURFACES == SURFACES_ANY
    STORE_MAX(depths[index], ~bits);
    STORE_MAX(depths[exit_index], bits);
#elif SURFACES == SURFACES_MIXED
    bool counts_twice = is_two_sided(face);
    if (is_front || counts_twice) STORE_MAX(depths[index], ~bits);
    if (!is_front || counts_twice) STORE_MAX(depths[exit_index], bits);
#else
    // NVIDIA's compiler fails if the index is a conditional expression.
    int sheet_index = is_front ? index : exit_index;
    STORE_MAX(depths[sheet_index], is_front ? ~bits : bits);
#endif
#elif PASS == PASS_FACES
#if SURFACES == SURFACES_ANY
    if (depths[index] == ~bits) STORE_MAX(sheet_faces[index], ~face);
    if (depths[exit_index] == bits) STORE_MAX(sheet_faces[exit_index], face + 1u);
#elif SURFACES == SURFACES_MIXED
    bool counts_twice = is_two_sided(face);
    if ((is_front || counts_twice) && depths[index] == ~bits)
        STORE_MAX(sheet_faces[index], ~face);
    if ((!is_front || counts_twice) && depths[exit_index] == bits)
        STORE_MAX(sheet_faces[exit_index], face + 1u);
#else
    int sheet_index = is_front ? index : exit_index;
    if (depths[sheet_index] == (is_front ? ~bits : bits))
        STORE_MAX(sheet_faces[sheet_index], is_front ? ~face : face + 1u);
#endif
#elif PASS == PASS_BOTH
#if SURFACES == SURFACES_ANY
    keep_larger(index, ~bits, ~face);
    keep_larger(exit_index, bits, face + 1u);
#elif SURFACES == SURFACES_MIXED
    bool counts_twice = is_two_sided(face);
    if (is_front || counts_twice) keep_larger(index, ~bits, ~face);
    if (!is_front || counts_twice) keep_larger(exit_index, bits, face + 1u);
#else
    int sheet_index = is_front ? index : exit_index;
    keep_larger(sheet_index, is_front ? ~bits : bits, is_front ? ~face : face + 1u);
#endif
#elif PASS == PASS_COUNT
    INCREMENT(cursors[index]);
#else
    crossings[INCREMENT(cursors[index])] = uvec2(face << 1 | uint(!is_front), uint(bits));
#endif
    return true;
}

// Adds the crossings of a face with the first to the last of some columns in a row.
void add_row(int row, ivec2 columns, uint face, FacePlane plane, bool is_front) {
#if MASKED
    // In runs of 32, and first those that need no test of their mask: llvmpipe executes both sides
    // of every branch, but leaves a loop together with the last invocation in it.
    for (; columns.x <= columns.y; columns.x += 32) {
        uint undecided = 0u;
        int count = min(columns.y - columns.x + 1, 32);
        for (int k = 0; k < count; ++k) {
            ivec2 pixel = ivec2(columns.x + k, row);
            undecided |= uint(!add_crossing(pixel, face, plane, is_front, false)) << k;
        }
        for (; undecided != 0u; undecided &= undecided - 1u) {
            ivec2 pixel = ivec2(columns.x + findLSB(undecided), row);
            add_crossing(pixel, face, plane, is_front, true);
        }
    }
#else
    for (int column = columns.x; column <= columns.y; ++column)
        add_crossing(ivec2(column, row), face, plane, is_front, true);
#endif
}
#endif
