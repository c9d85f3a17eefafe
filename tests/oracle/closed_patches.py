"""Closed patches: faces that together cover a pixel center, however their corners move."""

from __future__ import annotations

import numpy as np

from .geometry import Floats, project
from .projected_faces import edge_distance
from .sheets import Reference, Sheet

Corner = tuple[float, float, float]


def closed_patch_bound(reference: Reference, sheet: Sheet, row: int, column: int) -> float:
    """Return the largest key that closed patches allow at a pixel; inf if there is none.

    Take the faces with the right facing within the margin of the center. Reverse those seen from
    behind, so that all run the same way round in the image. An edge is interior if one face runs
    along it and another against it, for then they lie on either side of it. Faces joined by
    interior edges within the margin form a patch.

    Say that all edges of a patch within the margin are interior, and that the center is inside one
    of its faces. Then the patch's rim stays clear of the center however its corners move. The patch
    winds around the center as often as before, at least once, so it covers the center.

    The result is only ever too lenient. The patch counts as open if an edge has more faces on one
    side than on the other, or if a face that is degenerate or turned away closes the gap between
    two others.
    """
    c, view = reference.candidates, reference.view
    here = reference.candidates_at(row, column)
    near = sheet.selects(c)[here] & c.in_crop[here] & (c.clearance[here] >= -reference.margin)
    here = here[near]
    points: Floats = reference.vertices[reference.faces[c.face[here]]]  # (N, 3 corners, 3)
    points[~c.front[here]] = points[~c.front[here]][:, ::-1]
    _, image = project(points.reshape(-1, 3), view)
    X, Y, w = (component.reshape(-1, 3).T for component in image)
    x, y = X - (column + 0.5) * w, Y - (row + 0.5) * w

    # The faces along each edge within the margin. An edge is named by the positions of its ends,
    # since a mesh may hold one position under several indices.
    close = np.array([edge_distance(x, y, w, j) <= reference.margin for j in range(3)])
    corners: list[list[Corner]] = [[(x, y, z) for x, y, z in face] for face in points.tolist()]
    along: dict[tuple[Corner, Corner], list[int]] = {}
    for j, i in np.argwhere(close):
        along.setdefault((corners[i][j], corners[i][(j + 1) % 3]), []).append(int(i))

    # Join faces into patches, and collect the faces at an edge that is not interior.
    patch = list(range(len(here)))
    at_rim = set()
    for (a, b), members in along.items():
        against = along.get((b, a), [])
        if len(against) == len(members):
            joined = {patch[i] for i in (*members, *against)}
            patch = [min(joined) if p in joined else p for p in patch]
        else:
            at_rim.update(members)

    _, _, high = sheet.keys(c)
    bound = np.inf
    for p in set(patch):
        members = [i for i in range(len(here)) if patch[i] == p]
        if not at_rim.intersection(members) and c.hit[here[members]].any():
            bound = min(bound, high[here[members]].max())
    return float(bound)
