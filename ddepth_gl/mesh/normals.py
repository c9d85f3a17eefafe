"""Normals of faces, and smooth normals of their corners that keep creases."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .chunks import face_chunks
from .topology import position_keys

__all__ = ["CREASE_DEG", "face_normals", "smooth_normals", "unit_normals"]

# Faces that meet at a larger angle do not smooth each other. At 45 degrees a coarse sphere looks
# round and a box keeps its edges.
CREASE_DEG = 45.0

# Bounds the memory for comparing the faces around vertices pair by pair.
_PAIRS_PER_CHUNK = 1 << 21

# A vertex with more faces than this compares cells of similar normals instead of single normals:
# all pairs would take seconds.
_LARGE_STAR = 8192
_CELLS = 64  # along each axis of a grid from -1 to 1


def face_normals(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Return (F, 3) float64 unit normals on the counter-clockwise side; zeros if there is no area.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
    """
    return np.concatenate([unit_normals(vertices, chunk) for chunk in face_chunks(faces)])


def unit_normals(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Return the normals of `face_normals` without splitting the faces into chunks."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    edges = np.stack((b - a, c - a))
    # Scaling each face to about 1 keeps the products of very short or very long edges in range.
    scale = np.abs(edges).max(axis=(0, 2))[:, None]
    edges = np.divide(edges, scale, out=np.zeros_like(edges), where=scale > 0.0)
    normals: npt.NDArray[np.float64] = np.cross(edges[0], edges[1])
    length = np.linalg.norm(normals, axis=1)[:, None]
    np.divide(normals, length, out=normals, where=length > 0.0)  # normals of length 0 stay zeros
    return normals


def smooth_normals(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]
) -> npt.NDArray[np.float32]:
    """Return the normal of every face at each of its corners, smoothed over the adjacent faces.

    The normal at a corner is a mean over the faces around the vertex whose own normals are within
    `CREASE_DEG` of this face's. Each face is weighted by its angle at the vertex (Thürmer and
    Wüthrich, "Computing vertex normals from polygonal facets", 1998). Vertices at the same position
    count as one vertex. Faces without area do not count.

    Args:
        vertices: (V, 3) world frame.
        faces: (F, 3).

    Returns:
        (F, 3, 3) float32 unit vectors by face and corner, world frame; zeros for faces that have
        no area.
    """
    # The zero normals of faces without area are within no angle of any other normal.
    normals = face_normals(vertices, faces)
    weights = _corner_angles(vertices[faces])
    # Sorted by position, the corners around a vertex are consecutive: its star.
    _, vertex = np.unique(position_keys(vertices), return_inverse=True)
    vertex_of_corner = vertex[faces].reshape(-1)
    order = np.argsort(vertex_of_corner, kind="stable")
    starts = np.flatnonzero(np.diff(vertex_of_corner[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    face, weight = order // 3, weights.reshape(-1)[order]
    smooth = np.zeros((len(order), 3), dtype=np.float32)
    # Rounding must not decide about faces that meet at exactly the crease angle.
    min_cosine = np.cos(np.radians(CREASE_DEG)) - 1e-9
    for start in starts[sizes > _LARGE_STAR]:
        star = slice(start, start + int(sizes[starts == start][0]))
        smooth[order[star]] = _smoothed_by_cells(normals[face[star]], weight[star], min_cosine)
    for size in np.unique(sizes[sizes <= _LARGE_STAR]):  # stars of one size form one array
        starts_of_size = starts[sizes == size]
        step = max(1, _PAIRS_PER_CHUNK // int(size) ** 2)
        for first in range(0, len(starts_of_size), step):
            star = starts_of_size[first : first + step, None] + np.arange(size)
            n = normals[face[star]]
            # A single star may exceed the limit, so its corners are split as well.
            for part in np.array_split(np.arange(size), max(1, int(size) ** 2 // _PAIRS_PER_CHUNK)):
                near = np.einsum("vic,vjc->vij", n[:, part], n) >= min_cosine
                smooth[order[star[:, part]]] = np.einsum("vij,vj,vjc->vic", near, weight[star], n)
    length = np.linalg.norm(smooth, axis=1, keepdims=True)
    np.divide(smooth, length, out=smooth, where=length > 0.0)
    return smooth.reshape(-1, 3, 3)


def _smoothed_by_cells(
    normals: npt.NDArray[np.float64], weight: npt.NDArray[np.float64], min_cosine: float
) -> npt.NDArray[np.float64]:
    """Return (n, 3) smoothed normals around one vertex, not yet of length 1.

    Normals in the same cell of a grid are compared with others by their mean.
    """
    strides = (1, 2 * _CELLS, 4 * _CELLS**2)
    cell = np.floor((normals + 1.0) * (_CELLS / 2.0)).astype(np.int64) @ strides
    _, cell = np.unique(cell, return_inverse=True)
    weighted = normals * weight[:, None]
    sums = np.stack([np.bincount(cell, weighted[:, axis]) for axis in range(3)], axis=1)
    means = np.stack([np.bincount(cell, normals[:, axis]) for axis in range(3)], axis=1)
    length = np.linalg.norm(means, axis=1, keepdims=True)
    np.divide(means, length, out=means, where=length > 0.0)
    near = means @ means.T >= min_cosine
    cell_sums: npt.NDArray[np.float64] = near.astype(np.float64) @ sums
    return cell_sums[cell]


def _corner_angles(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (F, 3) angles at the corners, in radians; 0 at the ends of an edge of length 0."""
    angles = np.empty(corners.shape[:2])
    for i in range(3):
        a = corners[:, (i + 1) % 3] - corners[:, i]
        b = corners[:, (i + 2) % 3] - corners[:, i]
        sine = np.linalg.norm(np.cross(a, b), axis=1)
        angles[:, i] = np.arctan2(sine, np.einsum("ij,ij->i", a, b))
    return angles
