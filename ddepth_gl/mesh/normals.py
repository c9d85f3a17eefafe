"""Corner normals that are smooth over the mesh but keep its creases."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .mesh import Mesh, position_keys

__all__ = ["CREASE_DEG", "smooth_normals"]

# Faces that meet at a larger angle do not smooth each other: a sphere of few faces is round, a box is not.
CREASE_DEG = 45.0

_PAIRS_AT_A_TIME = 1 << 21

# In stars of more faces than this, normals in one cell of a grid count as one: comparing each with
# each would take seconds.
_LARGE_STAR = 8192
_CELLS = 64  # of the grid, from -1 to 1 along each axis


def smooth_normals(mesh: Mesh) -> npt.NDArray[np.float32]:
    """The normal of every face at each of its corners.

    The mean of the normals of the faces around the vertex, each weighted by its angle there (Thürmer and
    Wüthrich, "Computing vertex normals from polygonal facets", 1998), of those whose own normal is within
    `CREASE_DEG` of this face's. Vertices at one position count as one; faces without area do not count.

    Returns:
        (F, 3, 3) float32 unit vectors, world frame, by face and corner; zeros for faces without area.
    """
    normals = (
        mesh.face_normals()
    )  # zeros for faces without area, which are within no angle of any other
    weights = _angles(mesh.vertices[mesh.faces])
    # Corners sorted by position: those around a vertex form a run, its star.
    _, vertex = np.unique(position_keys(mesh.vertices), return_inverse=True)
    star_of_corner = vertex[mesh.faces].reshape(-1)
    order = np.argsort(star_of_corner, kind="stable")
    starts = np.flatnonzero(np.diff(star_of_corner[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    face, weight = order // 3, weights.reshape(-1)[order]
    smooth = np.zeros((len(order), 3), dtype=np.float32)
    cosine = (
        np.cos(np.radians(CREASE_DEG)) - 1e-9
    )  # at exactly that angle, rounding must not choose
    for start in starts[sizes > _LARGE_STAR]:
        star = slice(start, start + int(sizes[starts == start][0]))
        smooth[order[star]] = _by_cells(normals[face[star]], weight[star], cosine)
    for size in np.unique(sizes[sizes <= _LARGE_STAR]):  # stars of one size make one array
        of_size = starts[sizes == size]
        step = max(1, _PAIRS_AT_A_TIME // int(size) ** 2)
        for first in range(0, len(of_size), step):
            star = of_size[first : first + step, None] + np.arange(size)
            n = normals[face[star]]
            # In parts again: a single vertex may have any number of faces.
            for part in np.array_split(np.arange(size), max(1, int(size) ** 2 // _PAIRS_AT_A_TIME)):
                near = np.einsum("vic,vjc->vij", n[:, part], n) >= cosine
                smooth[order[star[:, part]]] = np.einsum("vij,vj,vjc->vic", near, weight[star], n)
    length = np.linalg.norm(smooth, axis=1, keepdims=True)
    np.divide(smooth, length, out=smooth, where=length > 0.0)
    return smooth.reshape(-1, 3, 3)


def _by_cells(
    normals: npt.NDArray[np.float64], weight: npt.NDArray[np.float64], cosine: float
) -> npt.NDArray[np.float64]:
    """(n, 3) sums of weighted normals around a vertex, cells of similar normals compared as wholes."""
    cell = np.floor((normals + 1.0) * (_CELLS / 2.0)).astype(np.int64) @ (
        1,
        2 * _CELLS,
        4 * _CELLS**2,
    )
    _, cell = np.unique(cell, return_inverse=True)
    weighted = normals * weight[:, None]
    sums = np.stack([np.bincount(cell, weighted[:, axis]) for axis in range(3)], axis=1)
    means = np.stack([np.bincount(cell, normals[:, axis]) for axis in range(3)], axis=1)
    length = np.linalg.norm(means, axis=1, keepdims=True)
    np.divide(means, length, out=means, where=length > 0.0)
    near = means @ means.T >= cosine
    of_cells: npt.NDArray[np.float64] = near.astype(np.float64) @ sums
    return of_cells[cell]


def _angles(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(F, 3) angle of each face at each corner, in radians; 0 where an edge has no length."""
    angles = np.empty(corners.shape[:2])
    for i in range(3):
        a = corners[:, (i + 1) % 3] - corners[:, i]
        b = corners[:, (i + 2) % 3] - corners[:, i]
        across = np.linalg.norm(np.cross(a, b), axis=1)
        angles[:, i] = np.arctan2(across, np.einsum("ij,ij->i", a, b))
    return angles
