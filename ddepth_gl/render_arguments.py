"""Arguments of `DepthRenderer`: checked, and turned into requests to the engines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ._checks import (
    MAX_SAMPLES,
    checked_choice,
    checked_count,
    checked_flag,
    checked_min_gap,
    checked_number,
    shown,
)
from .camera.camera import Camera
from .engines.request import SheetRequest
from .engines.scene import Scene
from .errors import CameraError, RequestError
from .frames import FrameRequest
from .results.attributes import checked_names
from .results.mesh_facts import Surfaces

__all__ = ["check_limits", "checked_cameras", "checked_pairs", "frame_request", "sheet_request"]


def checked_cameras(cameras: Iterable[Camera]) -> Iterator[Camera]:
    """Return an iterator of cameras; raise CameraError if they are not iterable."""
    try:
        return iter(cameras)
    except Exception:  # an __iter__ method may raise anything
        raise CameraError(
            f"cameras must be an iterable of Cameras, not {type(cameras).__name__}; pass a list"
        ) from None


def checked_pairs(pairs: Any) -> Iterator[Any]:
    """Return an iterator of pairs; raise RequestError if they are not iterable."""
    if isinstance(pairs, Scene):
        raise RequestError("render_many needs the cameras of the scene; pass a list of Cameras")
    try:
        return iter(pairs)
    except Exception:  # an __iter__ method may raise anything
        raise RequestError(
            "without cameras, render_many takes an iterable of pairs (Mesh or Scene, Camera), "
            f"not {type(pairs).__name__}; pass pairs, or a scene and cameras"
        ) from None


def check_limits(max_layers: int | None, memory_limit: int | None) -> None:
    """Raise RequestError unless both are None or integers of at least 1."""
    if max_layers is not None:
        checked_count("max_layers", max_layers)
    if memory_limit is not None:
        checked_count("memory_limit", memory_limit)


def frame_request(
    *,
    image: bool,
    maps: bool,
    layers: bool,
    attributes: Iterable[str],
    layer_attributes: Iterable[str],
    samples: int,
    max_layers: int | None,
    surfaces: Surfaces,
    near: float | None,
    far: float | None,
    memory_limit: int | None,
    min_gap: float,
) -> FrameRequest:
    """Return the request for a user's arguments; raise RequestError if one is invalid."""
    wanted = {
        name: checked_flag(name, value)
        for name, value in (("image", image), ("maps", maps), ("layers", layers))
    }
    if not any(wanted.values()):
        raise RequestError("nothing is requested; pass image=True, maps=True or layers=True")
    samples = checked_count("samples", samples, MAX_SAMPLES)
    check_limits(max_layers, memory_limit)
    min_gap = checked_min_gap(min_gap)
    sheets = sheet_request(surfaces, near, far, attributes)
    crossings = sheet_request("any", near, far, layer_attributes)
    for name, is_given, part in (
        ("attributes", sheets.attributes, "maps"),
        ("layer_attributes", crossings.attributes, "layers"),
        ("samples", samples > 1, "image"),
        ("max_layers", max_layers is not None, "layers"),
        ("memory_limit", memory_limit is not None, "layers"),
        ("min_gap", min_gap > 0.0, "layers"),
    ):
        if is_given and not wanted[part]:
            raise RequestError(f"{name}= has no effect without {part}=True; pass both or neither")
    return FrameRequest(
        **wanted,
        sheets=sheets,
        crossings=crossings,
        samples=samples,
        max_layers=max_layers,
        memory_limit=memory_limit,
        min_gap=min_gap,
    )


def sheet_request(
    surfaces: Surfaces,
    near: float | None,
    far: float | None,
    attributes: Iterable[str],
    output: str = "numpy",
) -> SheetRequest:
    """Return the engine's request for a user's arguments; raise RequestError if one is invalid."""
    checked_choice("surfaces", surfaces, ("auto", "oriented", "any"))
    names = checked_names(attributes)
    checked_choice("output", output, ("numpy", "gpu"))
    if output == "gpu" and names:
        raise RequestError(
            f'attributes={names} exist only as NumPy arrays; drop attributes= or output="gpu"'
        )
    crop = None
    if near is not None or far is not None:
        crop = (
            0.0 if near is None else checked_number("near", near),
            np.inf if far is None else checked_number("far", far),
        )
        if not 0.0 <= crop[0] < crop[1]:
            raise RequestError(
                "near and far must satisfy 0 <= near < far, "
                f"not near={shown(near)}, far={shown(far)}"
            )
    by_geometry = surfaces == "auto"
    return SheetRequest(
        "any" if surfaces == "auto" else surfaces,
        by_geometry,
        names,
        crop,
        stays_on_device=output == "gpu",
    )
