"""Smooth normals at the corners of faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .geometry import Booleans, Floats, cross, mesh_arrays

# Between these, relative to the product of two edges, rounding decides whether a face has area.
NO_AREA, SOME_AREA = 1e-13, 1e-9

# Radians: rounding decides whether an angle this close to the limit is smooth.
ANGLE_DOUBT = 1e-5


@dataclass(frozen=True)
class _Shape:
    """A face's unit normal, None without area; its three angles; whether `normal` is certain."""

    normal: Floats | None
    angles: tuple[float, ...]
    certain: bool


def corner_normals(
    vertices: npt.ArrayLike,
    faces: npt.ArrayLike,
    wanted: npt.ArrayLike,
    smooth_deg: float = 45.0,
) -> tuple[Floats, Booleans]:
    """Return unit normals at the three corners of each wanted face.

    The normal at a corner is the mean of the normals of the faces around that position, weighted by
    their angles there and scaled to unit length. Only faces with area whose normal is within
    `smooth_deg` of the wanted face's normal count. The code is a plain loop on purpose.

    Args:
        vertices: (V, 3) in the world frame.
        faces: (F, 3) indices of vertices.
        wanted: (N,) indices of faces.
        smooth_deg: largest angle between normals that are averaged, in degrees.

    Returns:
        (N, 3, 3) normals, and (N,) whether they are certain: rounding decides neither whether a
        neighbor has area nor whether it is within the angle.
    """
    vertices, faces = mesh_arrays(vertices, faces)
    wanted = np.asarray(wanted, np.int64)
    # Number the positions; adding 0.0 turns -0.0 into 0.0.
    numbers = np.unique(vertices + 0.0, axis=0, return_inverse=True)[1].reshape(-1)
    position = numbers[faces]
    around: dict[int, list[tuple[int, int]]] = {int(p): [] for p in np.unique(position[wanted])}
    for f, k in np.argwhere(np.isin(position, position[wanted])).tolist():
        around[int(position[f, k])].append((f, k))

    shapes: dict[int, _Shape] = {}
    normals = np.full((len(wanted), 3, 3), np.nan)
    certain = np.ones(len(wanted), bool)
    limit = np.radians(smooth_deg)
    for i, f in enumerate(wanted.tolist()):
        shape = shapes.setdefault(f, _shape(vertices[faces[f]]))
        if shape.normal is None or not shape.certain:
            certain[i] = False
            continue
        for k in range(3):
            total = np.zeros(3)
            for other, corner in around[int(position[f, k])]:
                if other not in shapes:
                    shapes[other] = _shape(vertices[faces[other]])
                neighbor = shapes[other]
                certain[i] &= neighbor.certain
                if neighbor.normal is None:
                    continue
                between = _angle(shape.normal, neighbor.normal)
                certain[i] &= abs(between - limit) > ANGLE_DOUBT
                if between <= limit:
                    total += neighbor.angles[corner] * neighbor.normal
            normals[i, k] = total / np.linalg.norm(total)
    return normals, certain


def _angle(a: Floats, b: Floats) -> float:
    """Return the angle between two vectors, in radians."""
    return float(np.arctan2(np.linalg.norm(np.array(cross(list(a), list(b)))), a @ b))


def _shape(corners: Floats) -> _Shape:
    edges = [corners[(k + 1) % 3] - corners[k] for k in range(3)]
    size = max(float(np.abs(edge).max()) for edge in edges)
    if size == 0:
        return _Shape(None, (), certain=True)
    edges = [edge / size for edge in edges]
    normal = np.array(cross(list(edges[0]), list(edges[1])))
    length = float(np.linalg.norm(normal))
    lengths = sorted(float(np.linalg.norm(edge)) for edge in edges)
    if length <= NO_AREA * lengths[1] * lengths[2]:
        return _Shape(None, (), certain=length == 0)
    angles = tuple(_angle(edges[k], -edges[k - 1]) for k in range(3))
    return _Shape(normal / length, angles, certain=length >= SOME_AREA * lengths[1] * lengths[2])
