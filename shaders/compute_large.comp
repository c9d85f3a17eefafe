#version 430 core
// Medium faces, or the large ones and those with a corner that has no place, each split over many invocations: of ROWS_APART of
// them, side by side, the k-th takes every ROWS_APART-th row from the k-th on; of large faces, where images are large, only a
// segment of it. (Mesa's software rasterizer silently ends all loops of an invocation after 65,535 rounds.) BESIDE_A_FACE, small
// faces as well, one to an invocation.
#define LARGE (QUEUE == 2)
#define ROWS_APART (QUEUE == 0 ? 1 : QUEUE == 1 ? MEDIUM_ROWS_APART : LARGE_ROWS_APART)
#include "compute_face.glsl"
#include "compute_pass.glsl"
#include "compute_queue.glsl"
#if BESIDE_A_FACE
#include "outline_beside.glsl"
#else
#define PLACED !LARGE
#include "face_outline.glsl"
#endif

void main() {
#if LARGE
    uint group = gl_WorkGroupID.x + gl_NumWorkGroups.x * gl_WorkGroupID.y, number = group / groups_of_large();
    int part = int(group % groups_of_large()) * GROUP + int(gl_LocalInvocationID.x);
#else
    uint number = invocation() / uint(ROWS_APART);
    int part = int(invocation() % uint(ROWS_APART));
#endif
    if (number >= faces_in_queue()) return;
    uint face = face_at(QUEUE == 0 ? number : QUEUE == 1 ? face_count + number : face_count - 1u - number);
    ivec3 corners = corners_of(face);
    Outline outline;
    if (!find_outline(corners, outline)) return;
    ivec2 columns = ivec2(outline.box.first.x, outline.box.last.x);
#if LARGE
    int segment = (view.image_size.x + segments_across() - 1) / segments_across();
    columns.x = max(columns.x, part / ROWS_APART * segment);
    columns.y = min(columns.y, (part / ROWS_APART + 1) * segment - 1);
#endif
    FacePlane plane = face_plane(corners);
    for (int row = outline.box.first.y + part % ROWS_APART; row <= outline.box.last.y; row += ROWS_APART) {
        ivec2 covered = covered_columns(outline, row, columns);
        for (int column = covered.x; column <= covered.y; ++column)
            meet(ivec2(column, row), first_face + face, plane, outline.is_front);
    }
}
