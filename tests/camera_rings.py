"""Properties of cameras around a mesh: offsets, distances, elevations, fields of view."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

import ddepth_gl as dd

Floats = npt.NDArray[np.float64]


def offsets_of(cameras: Sequence[dd.Camera], center: npt.ArrayLike = (0, 0, 0)) -> Floats:
    """Return (N, 3): from the center to each camera."""
    offsets: Floats = np.array([camera.center for camera in cameras]) - np.asarray(center)
    return offsets


def distances_of(cameras: Sequence[dd.Camera], center: npt.ArrayLike = (0, 0, 0)) -> Floats:
    """Return (N,): distance of each camera from the center."""
    distances: Floats = np.linalg.norm(offsets_of(cameras, center), axis=1)
    return distances


def elevations_deg(
    cameras: Sequence[dd.Camera], center: npt.ArrayLike = (0, 0, 0), up: npt.ArrayLike = (0, 0, 1)
) -> Floats:
    """Return (N,): elevation of each camera above the horizon, degrees."""
    sines = offsets_of(cameras, center) @ np.asarray(up) / distances_of(cameras, center)
    elevations: Floats = np.degrees(np.arcsin(np.clip(sines, -1.0, 1.0)))
    return elevations


def fields_of_view_deg(cameras: Sequence[dd.Camera]) -> Floats:
    """Return (N,): vertical field of view of each camera, degrees."""
    return np.array(
        [2 * math.degrees(math.atan(each.height / 2 / each.K[1, 1])) for each in cameras]
    )
