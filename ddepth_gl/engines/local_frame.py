"""The local frame of a scene, in which vertices are integers of nearly full float64 precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._checks import quiet_math
from ..errors import RequestError

__all__ = ["LocalFrame"]

# Local coordinates lie within +-2**30, in int32. Remainders are in units of 2**-31.
_COORDINATE_BITS = 30
_REMAINDER_BITS = 31

# Vertices transformed at a time, so that no second copy of all is needed.
_VERTICES_AT_A_TIME = 1 << 16

Float64Array = npt.NDArray[np.float64]
Int32Array = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class LocalFrame:
    """A frame with ``world = origin + step * local``, in which a mesh's vertices are integers.

    The origin is the middle of the mesh. The step is about 1e-9 of the mesh's radius. float32 in
    the same four bytes would be sixty times coarser at the mesh's rim, which shows in images of a
    camera close to a surface. Cameras enter the frame in float64, so a mesh far from the world's
    origin, tiny or huge, loses nothing.

    Attributes:
        origin: (3,) float64, world frame.
        step: Mesh units per local unit, a power of two.
        radius: radius of a sphere around the origin that holds every vertex, local units.
    """

    origin: Float64Array
    step: float
    radius: float

    @classmethod
    def around(cls, low: Float64Array, high: Float64Array) -> LocalFrame:
        """Return the frame of a mesh with these bounds, (3,) each, world frame."""
        half_diagonal = float(np.linalg.norm((high - low) / 2.0))
        step = float(2.0 ** (np.ceil(np.log2(half_diagonal)) - _COORDINATE_BITS))
        return cls(low + (high - low) / 2.0, step, half_diagonal / step)

    def to_local(self, points: npt.NDArray[np.generic]) -> Float64Array:
        """Return world points (..., 3) in the local frame, float64.

        Raises:
            RequestError: the memory does not suffice.
        """
        with quiet_math(RequestError, points):
            local = points.astype(np.float64, copy=False) - self.origin
            local /= self.step
            return local

    def rounded(self, vertices: Float64Array) -> Int32Array:
        """Return (V, 3) int32: a mesh's vertices, rounded to integers of the local frame."""
        rounded = np.empty(vertices.shape, dtype=np.int32)
        for block, local in self._blocks(vertices):
            rounded[block] = np.rint(local)
        return rounded

    def remainders(self, vertices: Float64Array) -> Int32Array:
        """Return (V, 3) int32: what `rounded` omits, in units of 2**-31 local units."""
        remainders = np.empty(vertices.shape, dtype=np.int32)
        for block, local in self._blocks(vertices):
            remainders[block] = np.rint((local - np.rint(local)) * 2.0**_REMAINDER_BITS)
        return remainders

    def _blocks(self, vertices: Float64Array) -> Iterator[tuple[slice, Float64Array]]:
        limit = 2.0**_COORDINATE_BITS
        for start in range(0, len(vertices), _VERTICES_AT_A_TIME):
            block = slice(start, start + _VERTICES_AT_A_TIME)
            # Vertices that no face uses may lie outside of the bounds.
            yield block, self.to_local(vertices[block]).clip(-limit, limit)
