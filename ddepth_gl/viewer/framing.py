"""Geometry of orbits: what a camera must hold, and which way is up for it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..camera.checks import checked_numbers
from ..camera.placement import HasBounds, axes_of_up, bounding_sphere

__all__ = ["Vector", "azimuth_at_pole", "level_up", "points_of", "sphere_of", "vector_of"]

Vector = tuple[float, float, float]

_ROLL_DEG = 0.5  # less is a horizon that was meant to be level


class _Bounds:
    """A bounding box, in place of a mesh."""

    def __init__(self, bounds: npt.ArrayLike) -> None:
        self.bounds = checked_numbers("bounds", bounds, (2, 3))


def sphere_of(mesh: HasBounds | npt.ArrayLike) -> tuple[npt.NDArray[np.float64], float]:
    """Return center and radius of the sphere around a mesh or bounds."""
    has_bounds: Any = mesh if hasattr(mesh, "bounds") else _Bounds(mesh)
    return bounding_sphere(has_bounds)


def points_of(mesh: HasBounds | npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return (N, 3) points whose hull holds a mesh: its vertices, or the corners of its bounds."""
    low, high = np.asarray(getattr(mesh, "bounds", mesh), np.float64)
    vertices: npt.NDArray[np.float64] | None = getattr(mesh, "vertices", None)
    if vertices is None:
        corners = np.stack(np.meshgrid(*np.stack([low, high], axis=1)), axis=-1)
        return corners.reshape(-1, 3)
    # The bounds leave out vertices that no face uses.
    used: npt.NDArray[np.float64] = vertices[((vertices >= low) & (vertices <= high)).all(axis=1)]
    return used


def level_up(right: npt.NDArray[Any], upward: npt.NDArray[Any], up: npt.ArrayLike) -> Vector:
    """Return `up`, or the direction nearest to it that is up in an image that rolls."""
    direction = axes_of_up("up", up)[2]
    sine = float(direction @ right)
    if abs(sine) < math.sin(math.radians(_ROLL_DEG)) and float(direction @ upward) > -1e-9:
        return vector_of(direction)
    level = direction - sine * right
    if float(level @ upward) < 0.0 or np.linalg.norm(level) < 1e-3:  # upside down, or on its side
        level = upward
    return vector_of(level / np.linalg.norm(level))


def azimuth_at_pole(right: npt.NDArray[Any]) -> float:
    """Return the azimuth of a camera at the pole, radians, from its right in the orbit's axes."""
    return math.atan2(right[1], right[0])


def vector_of(values: npt.NDArray[Any]) -> Vector:
    """Return (3,) as a tuple."""
    x, y, z = values.tolist()
    return x, y, z
