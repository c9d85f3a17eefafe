"""Closedness and winding of each object of a mesh, judged by its own faces alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .topology import closed_and_balanced, signed_volume

__all__ = ["oriented_objects"]


def oriented_objects(
    vertices: npt.NDArray[np.float64],
    faces: npt.NDArray[np.int32],
    object_id: npt.NDArray[np.int32],
) -> frozenset[int]:
    """Return the ids of objects whose own faces are closed and wound outward.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        object_id: (F,).
    """
    order = np.argsort(object_id, kind="stable")
    ids, starts = np.unique(object_id[order], return_index=True)
    oriented = set()
    for each, members in zip(ids.tolist(), np.split(order, starts[1:]), strict=True):
        used, index = np.unique(faces[members], return_inverse=True)
        own_vertices = vertices[used]
        own_faces: npt.NDArray[np.int32] = index.reshape(-1, 3).astype(np.int32)
        closed, balanced = closed_and_balanced(own_vertices, own_faces)
        origin = own_vertices.mean(axis=0)
        if closed and balanced and signed_volume(own_vertices, own_faces, origin) > 0.0:
            oriented.add(each)
    return frozenset(oriented)
