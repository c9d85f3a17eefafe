"""Clouds: the two sheets of a view, or all of its layers, as colored points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .._checks import checked_choice
from .coloring import LABELS, color_table, colored
from .session import Session
from .state import ViewerState

__all__ = ["BACK_COLOR", "COLORINGS", "FRONT_COLOR", "Cloud", "clouds_of"]

Coloring = Literal["side", "depth", "object"]
COLORINGS = ("side", "depth", "object")

# Those of the cross-sections of `DepthLayers.plot_section`, lighter for a dark background.
FRONT_COLOR, BACK_COLOR = (86, 156, 235), (240, 140, 50)


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points with colors.

    Attributes:
        name: "entry", "exit", or "layer 1" and so on.
        points: (N, 3) float64, world frame, mesh units.
        colors: (N, 3) uint8 sRGB.
    """

    name: str
    points: npt.NDArray[np.float64]
    colors: npt.NDArray[np.uint8]


def clouds_of(
    session: Session, state: ViewerState, width: int, height: int, by: Coloring = "side"
) -> list[Cloud]:
    """Return the clouds of a view: entry and exit, or with `mould_layers` one for each layer.

    Args:
        session: renders them.
        state: its rendering camera is that of the image.
        width, height: image size in pixels.
        by: "side", blue where the surface is entered and orange where it is left; "depth", by the
            color map of the state, over one range for all clouds; "object", a color for each.

    Raises:
        RequestError: `by` is none of these.
        DDepthError: see `DepthRenderer.render`.
    """
    checked_choice("by", by, COLORINGS)
    attributes = ("object_id",) if by == "object" else ()
    camera = state.camera_for(width, height)
    centers = camera.pixel_centers().reshape(-1, 2)
    parts: list[tuple[str, Any, Any, Any, Any]] = []  # name, pixels, depth, is_front, object ids
    if state.mould_layers:
        layers = session.layers(state, width, height, attributes)
        layer, pixel = layers.layer, layers.pixel
        for number in range(int(layers.count.max(initial=0))):
            own = np.flatnonzero(layer == number)
            ids = layers.object_id[own] if attributes else None
            parts.append(
                (
                    f"layer {number + 1}",
                    pixel[own],
                    layers.depth[own],
                    layers.front_facing[own],
                    ids,
                )
            )
    else:
        maps = session.maps(state, width, height, attributes)
        pixel = np.flatnonzero(maps.mask)
        for name in ("entry", "exit"):
            depth = getattr(maps, name)[maps.mask]
            ids = getattr(maps, f"{name}_object_id")[maps.mask] if attributes else None
            parts.append((name, pixel, depth, np.full(len(pixel), name == "entry"), ids))
    limits = state.limits if state.mode in ("entry", "exit", "layer") else None
    limits = limits or _range([depth for _, _, depth, _, _ in parts])
    clouds = []
    for name, pixels, depth, is_front, ids in parts:
        if by == "side":
            colors = np.where(is_front[:, None], FRONT_COLOR, BACK_COLOR).astype(np.uint8)
        elif by == "object":
            colors = color_table(LABELS)[ids % 256]
        else:
            colors = colored(depth[None], "entry", state.color_map, limits)[0, :, :3]
        clouds.append(Cloud(name, camera.unproject(centers[pixels], depth), colors))
    return clouds


def _range(depths: list[npt.NDArray[np.float32]]) -> tuple[float, float]:
    """Return the smallest and the largest depth of all clouds."""
    ends = [(float(each.min()), float(each.max())) for each in depths if len(each)]
    if not ends:
        return 0.0, 1.0
    return min(low for low, _ in ends), max(high for _, high in ends)
