"""An order of a mesh's faces and vertices in which neighbors in space are neighbors in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["face_order", "is_scattered", "vertex_order"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

# Two faces are far apart in memory if this many vertices lie between them: more than a cache holds.
_FAR = 1 << 12
# Pairs of consecutive faces that `is_scattered` looks at, spread over the mesh.
_SAMPLES = 1 << 12

# A Morton code interleaves so many bits of each coordinate.
_BITS = 10
_COORDINATE_BITS = 31  # local coordinates lie within +-2**30


def is_scattered(faces: Int32Array) -> bool:
    """Return whether most faces are far from the face before them in memory.

    Args:
        faces: (F, 3) vertices.
    """
    step = max(1, len(faces) // _SAMPLES)
    jumps = np.abs(faces[1::step, 0] - faces[:-1:step, 0])
    return 2 * int(np.count_nonzero(jumps > _FAR)) > len(jumps)


def face_order(faces: Int32Array, vertices: Int32Array) -> Int64Array:
    """Return (F,) numbers of the faces, by the Morton codes of their first corners.

    Args:
        faces: (F, 3) vertices.
        vertices: (V, 3) local frame.
    """
    table = np.zeros(1 << _BITS, np.int32)  # a number's bits, two places apart
    for bit in range(_BITS):
        table |= (np.arange(len(table), dtype=np.int32) >> bit & 1) << 3 * bit
    codes = np.zeros(len(vertices), np.int32)
    for axis in range(3):
        cells = (vertices[:, axis] >> _COORDINATE_BITS - _BITS) + (1 << _BITS - 1)
        codes |= table[cells.clip(0, len(table) - 1)] << axis
    # One sort of codes and numbers together takes half as long as argsort.
    bits = len(faces).bit_length()
    both = codes[faces[:, 0]].astype(np.int64) << bits
    both |= np.arange(len(faces))
    both.sort()
    both &= (1 << bits) - 1
    return both


def vertex_order(faces: Int32Array, vertex_count: int) -> npt.NDArray[np.integer[Any]]:
    """Return (V,) numbers of the vertices, by their first use; unused ones come last.

    Args:
        faces: (F, 3) vertices.
        vertex_count: V.
    """
    corners = faces.reshape(-1)
    first = np.full(vertex_count, len(corners), np.int32 if len(corners) < 2**31 else np.int64)
    # Of several values for the same element, NumPy stores the last one.
    first[corners[::-1]] = np.arange(len(corners) - 1, -1, -1, dtype=first.dtype)
    used = corners[first[corners] == np.arange(len(corners), dtype=first.dtype)]
    return np.concatenate((used, np.flatnonzero(first == len(corners))))
