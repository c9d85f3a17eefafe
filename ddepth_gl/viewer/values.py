"""The values of a mode, in NumPy, from the results of the public API.

What is drawn on the device, in a browser or in a notebook is tested against these.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .._checks import checked_choice
from ..errors import RequestError
from ..results.depth_layers import DepthLayers
from ..results.frame import Frame
from .modes import MODES

__all__ = ["layer_depth", "limits_of", "needed_parts", "values_of"]

PartT = TypeVar("PartT")


def needed_parts(mode: str) -> dict[str, Any]:
    """Return the arguments of `DepthRenderer.render` that a mode needs.

    Args:
        mode: name of a mode in `MODES`.
    """
    parts: dict[str, Any] = {"image": False, "maps": False, "layers": False}
    if mode == "photo":
        parts["image"] = True
    elif MODES[mode].needs_layers:
        parts["layers"] = True
    else:
        parts["maps"] = True
        attribute = {"normals": ("normal",), "object_ids": ("object_id",)}.get(mode)
        if attribute is not None:
            parts["attributes"] = attribute
    return parts


def values_of(mode: str, frame: Frame, layer: int = 0) -> npt.NDArray[Any]:
    """Return the values that a mode shows.

    Args:
        mode: name of a mode in `MODES`.
        frame: results of `DepthRenderer.render`, with the parts that the mode needs.
        layer: layer of the mode "layer", counted from 0.

    Returns:
        By `Mode.kind`: "photo" (H, W, 4) uint8, sRGB with straight alpha; "number" (H, W) float32,
        NaN for misses; "count" (H, W) int32, 0 for misses; "label" (H, W) int32, -1 for misses;
        "direction" (H, W, 3) float32, NaN for misses.

    Raises:
        RequestError: there is no such mode, or the frame lacks what it needs.
    """
    checked_choice("mode", mode, MODES)
    if mode == "photo":
        return _part(frame.image, mode, "image")
    if mode == "layer":
        return layer_depth(_part(frame.layers, mode, "layers"), layer)
    if mode == "layer_count":
        return _part(frame.layers, mode, "layers").count
    if mode == "solid_length":
        layers = _part(frame.layers, mode, "layers")
        # A ray that meets nothing is a miss; one that is never inside has a length of 0.
        return np.where(layers.count > 0, layers.solid_length, np.float32(np.nan))
    maps = _part(frame.maps, mode, "maps")
    names = {"normals": "entry_normal", "object_ids": "entry_object_id"}
    values: npt.NDArray[Any] = getattr(maps, names.get(mode, mode))
    return values


def layer_depth(layers: DepthLayers, layer: int) -> npt.NDArray[np.float32]:
    """Return (H, W) float32: the depth of one layer, counted from 0; NaN where it is missing."""
    pixels = np.flatnonzero(layers.count.reshape(-1) > layer)
    depth = np.full(layers.count.size, np.nan, np.float32)
    depth[pixels] = layers.depth[layers.offsets[pixels] + layer]
    return depth.reshape(layers.count.shape)


def limits_of(values: npt.NDArray[Any], mode: str = "entry") -> tuple[float, float]:
    """Return the values at both ends of the color scale of an image; (0, 1) without any value.

    Args:
        values: numbers or counts.
        mode: name of a mode in `MODES`; decides whether the scale starts at 0.
    """
    known = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    if MODES[mode].starts_at_zero:
        low, high = 0.0, high if high > 0.0 else 1.0
    return low, high


def _part(part: PartT | None, mode: str, name: str) -> PartT:
    if part is None:
        raise RequestError(f"the mode {mode} needs {name}, which the frame lacks; render with them")
    return part
