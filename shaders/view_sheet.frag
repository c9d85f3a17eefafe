#version 410 core
// What the viewer shows of both sheets, finished as by compute_finish.comp: with the same rule for
// silhouettes.
//
// Inputs:  both sheets, see sheet_textures.glsl
//          face_values: of each face, after that of a miss; NORMAL and OBJECT only
//          focal_x, focal_y: see distance_per_depth.glsl; THICKNESS only
// Outputs: number, direction or label, one per pixel
// Options: SHOWS            what to show: SHOWS_ENTRY and so on, see below
//          BOTH             1 if pixels without one of the sheets are misses, too
//          FIX_SILHOUETTES  0 to leave silhouettes, 1 to mark the pixels that the rule applies to,
//                           2 to apply it
//          EXCHANGE         1 to exchange entry and exit where they are swapped otherwise
//          IN_BUFFERS, PERSPECTIVE: see the included files
#include "swapped_pixels.glsl"
#include "sheet_textures.glsl"

#define SHOWS_ENTRY 0
#define SHOWS_EXIT 1
#define SHOWS_THICKNESS 2
#define SHOWS_NORMAL 3
#define SHOWS_OBJECT 4

#if SHOWS == SHOWS_OBJECT
layout(location = 0) out int label;
#elif SHOWS == SHOWS_NORMAL
layout(location = 0) out vec4 direction;
#else
layout(location = 0) out float number;
#endif

#if SHOWS == SHOWS_THICKNESS
#include "distance_per_depth.glsl"
#elif SHOWS == SHOWS_NORMAL || SHOWS == SHOWS_OBJECT
uniform isamplerBuffer face_values;  // bits
#endif

const int MISS = 0x7fc00000;

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    int entry = depth_bits(ENTRY, pixel), exit_ = depth_bits(EXIT, pixel);
    int sheet_of_entry = ENTRY;
    if (is_miss(entry)) entry = MISS;
    if (is_miss(exit_)) exit_ = MISS;
#if BOTH
    if (entry == MISS || exit_ == MISS) entry = exit_ = MISS;
#endif
#if FIX_SILHOUETTES == 1
    gl_FragDepth = intBitsToFloat(entry) > intBitsToFloat(exit_) ? 0.0 : 0.5;
#elif FIX_SILHOUETTES == 2
    if (entry != MISS && exit_ != MISS && is_swapped(pixel)) {
        if (!is_inside_out(pixel)) {
            precise float mean = (intBitsToFloat(exit_) + intBitsToFloat(entry)) / 2.0;
            entry = exit_ = floatBitsToInt(mean);
        }
#if EXCHANGE
        else {
            int nearer = exit_;
            exit_ = entry;
            entry = nearer;
            sheet_of_entry = EXIT;
        }
#endif
    }
#endif
#if SHOWS == SHOWS_ENTRY
    number = intBitsToFloat(entry);
#elif SHOWS == SHOWS_EXIT
    number = intBitsToFloat(exit_);
#elif SHOWS == SHOWS_THICKNESS
    precise float difference = intBitsToFloat(exit_) - intBitsToFloat(entry);
    number = entry == MISS ? intBitsToFloat(MISS) : along_ray(double(difference), pixel);
#else
    int row = entry == MISS ? 0 : face_at(sheet_of_entry, pixel) + 1;
#if SHOWS == SHOWS_NORMAL
    direction = vec4(intBitsToFloat(texelFetch(face_values, row).xyz), 1.0);
#else
    label = texelFetch(face_values, row).x;
#endif
#endif
}
