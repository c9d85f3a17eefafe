"""Closedness, orientation and volume of a triangle mesh.

Vertices at exactly the same position count as one vertex, so UV seams do not open a mesh.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .chunks import face_chunks

__all__ = ["closed_and_balanced", "position_keys", "signed_volume"]


def closed_and_balanced(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]
) -> tuple[bool, bool]:
    """Return whether the mesh is closed, and whether its winding is balanced.

    Closed: every edge belongs to an even number of faces. Balanced: faces traverse every edge
    equally often in both directions. Faces that use a position twice do not count.

    Edges are hashed instead of sorted, which is several times faster. The 64-bit hash of an edge
    depends only on the positions of its ends. If all edges are used an even number of times, the
    exclusive or of the hashes is 0. If the directions balance, the sum of the hashes, negative in
    one direction, is 0. The probability of a wrong answer is 2**-64.
    """
    keys = position_keys(vertices)
    parity = balance = 0
    any_proper = False
    for chunk in face_chunks(faces):
        corners = [keys[chunk[:, corner]] for corner in range(3)]
        proper = (
            (corners[0] != corners[1]) & (corners[1] != corners[2]) & (corners[2] != corners[0])
        )
        any_proper |= bool(proper.any())
        for corner in range(3):
            start, end = corners[corner][proper], corners[(corner + 1) % 3][proper]
            forward = start < end
            edge = _scrambled(_scrambled(np.minimum(start, end)) + np.maximum(start, end))
            parity ^= int(np.bitwise_xor.reduce(edge))
            balance += int(edge[forward].sum()) - int(edge[~forward].sum())
    if not any_proper:
        return False, False
    return parity == 0, balance % 2**64 == 0


def position_keys(vertices: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    """Return (V,) uint64: equal for equal positions, different for others.

    Two different positions get the same key with a probability of 2**-64.
    """
    bits = (vertices + 0.0).view(np.uint64)  # the addition turns -0.0 into 0.0
    return _scrambled(_scrambled(_scrambled(bits[:, 0]) + bits[:, 1]) + bits[:, 2])


def signed_volume(
    vertices: npt.NDArray[np.float64],
    faces: npt.NDArray[np.int32],
    origin: npt.NDArray[np.float64],
) -> float:
    """Return the volume of a closed mesh: positive if its faces are wound outward.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        origin: (3,) common apex of the tetrahedra that are summed; close to the mesh, it keeps
            rounding errors small.
    """
    points = vertices - origin
    total = 0.0
    for chunk in face_chunks(faces):
        a, b, c = (points[chunk[:, corner]] for corner in range(3))
        total += float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)
    return total


def _scrambled(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scramble 64-bit numbers one to one: the finalizer of SplitMix64 (Steele et al., 2014)."""
    mixed: npt.NDArray[np.uint64] = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed
