"""Clouds: the two sheets of a view, or all of its layers, as colored points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .._checks import checked_choice
from ..camera.camera import Camera
from .coloring import LABELS, color_table, colored
from .session import Session
from .state import ViewerState

__all__ = ["BACK_COLOR", "COLORINGS", "FRONT_COLOR", "SOLID_COLOR", "Cloud", "clouds_of"]

Coloring = Literal["side", "depth", "object"]
COLORINGS = ("side", "depth", "object")

# Those of the cross-sections of `DepthLayers.plot_section`, lighter for a dark background.
FRONT_COLOR, BACK_COLOR = (86, 156, 235), (240, 140, 50)
SOLID_COLOR = (76, 128, 178)  # between the two, in sections
_DARKEST = 0.35  # light on a face that is seen edge-on


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
    session: Session,
    state: ViewerState,
    width: int,
    height: int,
    by: Coloring = "side",
    is_shaded: bool = False,
) -> list[Cloud]:
    """Return the clouds of a view: entry and exit, or with `mould_layers` one for each layer.

    Args:
        session: renders them.
        state: its rendering camera is that of the image.
        width, height: image size in pixels.
        by: "side", blue where the surface is entered and orange where it is left; "depth", by the
            color map of the state, over one range for all clouds; "object", a color for each.
        is_shaded: colors of sides and objects are darker where the surface is seen edge-on.

    Raises:
        RequestError: `by` is none of these.
        DDepthError: see `DepthRenderer.render`.
    """
    checked_choice("by", by, COLORINGS)
    is_shaded = is_shaded and by != "depth"  # colors of depth are read off a scale
    attributes = (*["object_id"] * (by == "object"), *["normal"] * is_shaded)
    camera = state.camera_for(width, height)
    centers = camera.pixel_centers().reshape(-1, 2)
    # Name, pixels, depth, is_front, object ids, normals.
    parts: list[tuple[str, Any, Any, Any, Any, Any]] = []
    if state.mould_layers:
        layers = session.layers(state, width, height, attributes)
        layer, pixel = layers.layer, layers.pixel
        for number in range(int(layers.count.max(initial=0))):
            own = np.flatnonzero(layer == number)
            ids = layers.object_id[own] if by == "object" else None
            normals = layers.normal[own] if is_shaded else None
            parts.append(
                (
                    f"layer {number + 1}",
                    pixel[own],
                    layers.depth[own],
                    layers.front_facing[own],
                    ids,
                    normals,
                )
            )
    else:
        maps = session.maps(state, width, height, attributes)
        pixel = np.flatnonzero(maps.mask)
        for name in ("entry", "exit"):
            depth = getattr(maps, name)[maps.mask]
            ids = getattr(maps, f"{name}_object_id")[maps.mask] if by == "object" else None
            normals = getattr(maps, f"{name}_normal")[maps.mask] if is_shaded else None
            parts.append((name, pixel, depth, np.full(len(pixel), name == "entry"), ids, normals))
    limits = state.limits if state.mode in ("entry", "exit", "layer") else None
    limits = limits or _range([depth for _, _, depth, *_ in parts])
    clouds = []
    for name, pixels, depth, is_front, ids, normals in parts:
        if by == "side":
            colors = np.where(is_front[:, None], FRONT_COLOR, BACK_COLOR).astype(np.uint8)
        elif by == "object":
            colors = color_table(LABELS)[ids % 256]
        else:
            colors = colored(depth[None], "entry", state.color_map, limits)[0, :, :3]
        points = camera.unproject(centers[pixels], depth)
        if normals is not None:
            colors = _lit(colors, points, normals, camera)
        clouds.append(Cloud(name, points, colors))
    return clouds


def _lit(colors: Any, points: Any, normals: Any, camera: Camera) -> npt.NDArray[np.uint8]:
    """Return colors in the light of the camera; both sides of a face get the same."""
    ahead = camera.camera_from_world[2, :3]
    toward = points - camera.center
    if camera.is_orthographic:
        toward = np.broadcast_to(ahead, points.shape)
    lengths = np.maximum(np.linalg.norm(toward, axis=1), 1e-300)
    cosines = np.abs(np.einsum("ij,ij->i", toward, normals)) / lengths
    light = _DARKEST + (1.0 - _DARKEST) * np.minimum(cosines, 1.0)
    lit: npt.NDArray[np.uint8] = np.rint(colors * light[:, None]).astype(np.uint8)
    return lit


def _range(depths: list[npt.NDArray[np.float32]]) -> tuple[float, float]:
    """Return the smallest and the largest depth of all clouds."""
    ends = [(float(each.min()), float(each.max())) for each in depths if len(each)]
    if not ends:
        return 0.0, 1.0
    return min(low for low, _ in ends), max(high for _, high in ends)
