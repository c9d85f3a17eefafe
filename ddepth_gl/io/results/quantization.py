"""Depth as 16-bit integers: the scale, in mesh units per step, and the conversion."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._checks import checked_number
from ...camera.camera import Camera
from ...errors import OutputError, RequestError

__all__ = [
    "MAX_STEPS",
    "checked_scale",
    "fitting_scale",
    "quantized",
    "scale_for_cameras",
    "smallest_scale",
]

MAX_STEPS = 2**16 - 1


def smallest_scale(max_depth: float) -> float:
    """Return the smallest scale of the form 1, 2 or 5 times a power of ten that holds `max_depth`.

    Args:
        max_depth: largest depth, mesh units.

    Returns:
        Mesh units per step.
    """
    if not max_depth > 0.0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(max_depth / MAX_STEPS))
    return next(
        step * power
        for step in (1.0, 2.0, 5.0, 10.0, 20.0)
        if step * power * MAX_STEPS >= max_depth
    )


def scale_for_cameras(bounds: npt.NDArray[np.float64], cameras: Iterable[Camera]) -> float:
    """Return one scale for all images of a mesh; it holds the farthest depth in any of them.

    Args:
        bounds: (2, 3) bounding box of the mesh, world frame.
        cameras: cameras of the images.
    """
    corners = np.array(
        [[bounds[i, 0], bounds[j, 1], bounds[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    )
    return smallest_scale(max(float(camera.project(corners)[1].max()) for camera in cameras))


def fitting_scale(target: Path, depths: npt.NDArray[np.float64], scale: float | None) -> float:
    """Return the scale to write `depths` with.

    Args:
        target: file to write, for messages.
        depths: (N,) all depths of one image, without misses.
        scale: mesh units per step; None takes the smallest round scale that holds the depths.

    Raises:
        RequestError: the scale is not positive.
        OutputError: a depth exceeds 16 bits at this scale, or a depth
            is rounded to 0, which means a miss. The message names a scale that fits.
    """
    smallest, largest = (float(depths.min()), float(depths.max())) if len(depths) else (1.0, 1.0)
    best = smallest_scale(largest)
    if scale is None:
        scale = best
    scale = checked_scale(scale)
    if not len(depths):
        return scale
    advice = f"scale {best:g} fits this image"
    if round(smallest / best) < 1:
        advice = f"no scale holds both {smallest:g} and {largest:g}, use npz"
    if largest / scale >= MAX_STEPS + 0.5:
        raise OutputError(
            f"{target}: depth {largest:g} needs {largest / scale:.0f} steps of {scale:g}, "
            f"more than the {MAX_STEPS} of a 16-bit PNG; {advice}"
        )
    if smallest / scale <= 0.5:
        raise OutputError(
            f"{target}: depth {smallest:g} is less than half a step of {scale:g} "
            f"and would read as a miss; {advice}"
        )
    return scale


def checked_scale(scale: Any, name: str = "the scale of a 16-bit PNG") -> float:
    """Return `scale` as a float.

    Args:
        scale: mesh units per step.
        name: what an error calls it.

    Raises:
        RequestError: it is not a positive number.
    """
    number = checked_number(f"{name}, positive mesh units per step,", scale)
    if not (math.isfinite(number) and number > 0.0):
        raise RequestError(f"{name} must be positive mesh units per step, not {number:g}")
    return number


def quantized(depth: npt.NDArray[np.float64], scale: float) -> npt.NDArray[np.uint16]:
    """Return depths as integer steps, with 0 in place of NaN.

    Args:
        depth: depths, mesh units; they fit `scale`, see `fitting_scale`.
        scale: mesh units per step.
    """
    return np.nan_to_num(np.rint(depth / scale), nan=0.0).astype(np.uint16)
