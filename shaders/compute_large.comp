#version 430 core
// Rasterizes one queue of faces in double precision, each face split over several invocations: of
// ROW_STRIDE invocations side by side, the k-th takes every ROW_STRIDE-th row, starting with the
// k-th. In large images, each row of a large face is split into segments as well.
//
// Inputs:  a queue, see compute_queue.glsl; faces, see compute_face.glsl
// Outputs: those of the pass, see compute_pass.glsl
// Options: QUEUE  0 small faces (only with BESIDE_A_FACE), 1 medium faces, 2 large faces and faces
//                 with a corner that has no screen position
//          MEDIUM_ROW_STRIDE, LARGE_ROW_STRIDE  ROW_STRIDE for these queues; small faces have 1
#define LARGE (QUEUE == 2)
#define ROW_STRIDE (QUEUE == 0 ? 1 : QUEUE == 1 ? MEDIUM_ROW_STRIDE : LARGE_ROW_STRIDE)
#include "compute_face.glsl"
#include "compute_pass.glsl"
#include "compute_queue.glsl"
#include "large_faces.glsl"
#if BESIDE_A_FACE
#include "outline_beside.glsl"
#else
#define ALL_CORNERS_SNAPPED !LARGE
#include "face_outline.glsl"
#endif

void main() {
#if LARGE
    uint group = gl_WorkGroupID.x + gl_NumWorkGroups.x * gl_WorkGroupID.y;
    uint index = group / groups_per_large_face();
    int part = int(group % groups_per_large_face()) * GROUP_SIZE + int(gl_LocalInvocationID.x);
#else
    uint index = invocation_index() / uint(ROW_STRIDE);
    int part = int(invocation_index() % uint(ROW_STRIDE));
#endif
    if (index >= faces_in_queue()) return;
    uint entry = QUEUE == 0 ? index : QUEUE == 1 ? face_count + index : face_count - 1u - index;
    uint face = queued_face(entry);
    ivec3 corners = corners_of(face);
    Outline outline;
    if (!find_outline(corners, outline)) return;
    Box box = outline.box;
    ivec2 segment = ivec2(box.first.x, box.last.x);
#if LARGE
    int segment_size = (camera.image_size.x + segments_per_row() - 1) / segments_per_row();
    segment.x = max(segment.x, part / ROW_STRIDE * segment_size);
    segment.y = min(segment.y, (part / ROW_STRIDE + 1) * segment_size - 1);
#endif
    uint number = number_of(face);
    FacePlane plane = face_plane(corners);
    for (int row = box.first.y + part % ROW_STRIDE; row <= box.last.y; row += ROW_STRIDE) {
        ivec2 columns = covered_columns(outline, row, segment);
        add_row(row, columns, number, plane, outline.is_front);
    }
    end_pass();
}
