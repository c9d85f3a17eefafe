// What a pass does with a pixel that a face covers: meet(pixel, face, corners' plane, whether its front is seen).
//   SHEETS: the nearest front and the farthest back, as bits of float32: of positive numbers they sort like integers
//   FACES:  the smallest face at the depth of the entry, the largest at that of the exit
//   COUNT:  how many faces cover the pixel
//   STORE:  all of them, in any order, each in its pixel's own stretch of the list
// With ANY, fronts and backs count as both.
// In SHEETS and FACES the larger number wins; where it is the smaller that is wanted, all bits are inverted. So there is one atomic
// operation, not one for each sheet, of which an invocation waits for the other.
const int SHEETS = 0, FACES = 1, COUNT = 2, STORE = 3;

#if PASS == 0 || PASS == 1
// Of the pixels of the band: entries, inverted, then exits, of each view. Empty: numbers that lose against every depth.
layout(std430, binding = 3) buffer Depths { int depths[]; };
#endif
#if PASS == 1
// Likewise: of entries the face, inverted; of exits one more than the face. Empty: 0.
layout(std430, binding = 4) buffer SheetFaces { uint sheet_faces[]; };
#endif
#if PASS == 2 || PASS == 3
// Of the pixels of the band: how many crossings; or where the next one goes.
layout(std430, binding = 3) buffer Cursors { uint cursors[]; };
#endif
#if PASS == 3
// face * 2 + (0 for a front, 1 for a back), and the bits of the depth.
layout(std430, binding = 4) writeonly buffer Stored { uvec2 stored[]; };
#endif

// With OWNED a pixel belongs to one invocation.
#if OWNED
#define RAISE(number, value) number = max(number, value)
#define NEXT(number) number++
#else
#define RAISE(number, value) atomicMax(number, value)
#define NEXT(number) atomicAdd(number, 1u)
#endif

void meet(ivec2 pixel, uint face, FacePlane plane, bool is_front) {
    int place = (pixel.y - view.band.x) * view.image_size.x + pixel.x;
#if PASS == 0 || PASS == 1
    int pixels = (view.band.y - view.band.x) * view.image_size.x;
    place += 2 * pixels * view_number;
    int exit_place = place + pixels;
#endif
#if PASS != 2 || CROP || !PERSPECTIVE
    float depth = depth_at(plane, pixel);
#if !PERSPECTIVE
    // Rays start on the plane of depth 0; what is on it, as far as double precision can tell, does not count.
    if (depth <= (BESIDE_A_FACE == 1 ? view.mesh_units * float(view.rounding) : 0.0)) return;
#endif
#if CROP
    if (depth < view.crop.x || depth > view.crop.y) return;
#endif
    int bits = floatBitsToInt(depth);
#endif
#if PASS == 0
#if ANY
    RAISE(depths[place], ~bits);
    RAISE(depths[exit_place], bits);
#else
    int here = is_front ? place : exit_place;  // NVIDIA's compiler gives up on a choice within the brackets
    RAISE(depths[here], is_front ? ~bits : bits);
#endif
#elif PASS == 1
#if ANY
    if (depths[place] == ~bits) RAISE(sheet_faces[place], ~face);
    if (depths[exit_place] == bits) RAISE(sheet_faces[exit_place], face + 1u);
#else
    int here = is_front ? place : exit_place;
    if (depths[here] == (is_front ? ~bits : bits)) RAISE(sheet_faces[here], is_front ? ~face : face + 1u);
#endif
#elif PASS == 2
    NEXT(cursors[place]);
#else
    stored[NEXT(cursors[place])] = uvec2(face << 1 | uint(!is_front), uint(bits));
#endif
}
