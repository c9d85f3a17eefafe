"""16-bit PNG of each sheet, with its scale written beside it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._checks import checked_number
from ...camera.camera import Camera
from ...errors import OutputError
from ...results.depth_maps import DepthMaps
from .atomic import file_path, whole_file
from .contents import check_is, provenance
from .png import write_png

__all__ = [
    "LARGEST",
    "check_positive",
    "checked_scale",
    "common_scale",
    "scale_for",
    "write_about",
    "write_png16",
    "write_steps",
]

LARGEST = 2**16 - 1


def scale_for(largest_depth: float) -> float:
    """The smallest scale of the form 1, 2 or 5 times a power of ten that holds `largest_depth`.

    Args:
        largest_depth: mesh units.

    Returns:
        Mesh units per step.
    """
    if not largest_depth > 0.0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest_depth / LARGEST))
    return next(
        step * power
        for step in (1.0, 2.0, 5.0, 10.0, 20.0)
        if step * power * LARGEST >= largest_depth
    )


def common_scale(bounds: npt.NDArray[np.float64], cameras: Iterable[Camera]) -> float:
    """One scale for all images of a mesh: it holds the farthest depth that any of `cameras` can see.

    Args:
        bounds: (2, 3) of the mesh, world frame.
        cameras: of the images.
    """
    corners = np.array(
        [[bounds[i, 0], bounds[j, 1], bounds[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    )
    return scale_for(max(float(camera.project(corners)[1].max()) for camera in cameras))


def write_png16(
    path: str | os.PathLike[str], maps: DepthMaps, scale: float | None = None
) -> list[Path]:
    """Writes ``NAME_entry.png``, ``NAME_exit.png`` and ``NAME_png16.json``.

    Depth is pixel value times scale; 0 is a miss. The JSON file holds ``scale``, ``miss`` and the camera.

    Args:
        path: ``NAME`` with its folder, without an ending.
        maps: what to write.
        scale: mesh units per step; None takes the smallest round one that holds this image. Give one where
            several images are to share it.

    Returns:
        The files written.

    Raises:
        OutputError: a depth does not fit into 16 bits at this scale, or is rounded to 0, which means a
            miss; the message names the scale that fits. Or a file cannot be written.
    """
    check_is(maps, DepthMaps)
    target = file_path(path)
    sheets = {"entry": maps.entry.astype(np.float64), "exit": maps.exit.astype(np.float64)}
    scale = checked_scale(
        target, np.concatenate([sheet[~np.isnan(sheet)] for sheet in sheets.values()]), scale
    )
    # The scale first: a picture without it would be worthless, it without a picture harms nobody.
    written = [target.with_name(f"{target.name}_png16.json")]
    texts = provenance(maps)
    write_about(written[0], maps.camera, scale, texts)
    for name, sheet in sheets.items():
        written.append(target.with_name(f"{target.name}_{name}.png"))
        write_steps(written[-1], sheet, scale, texts)
    return written


def checked_scale(target: Path, depths: npt.NDArray[np.float64], scale: float | None) -> float:
    """The scale to write `depths` with: `scale`, or for None the smallest round one that holds them.

    Args:
        target: named in messages.
        depths: (N,) all of one image, no misses.
        scale: mesh units per step, or None.

    Raises:
        OutputError: the scale is not positive; or a depth does not fit into 16 bits at this scale, or is
            rounded to 0, which means a miss: the message names the scale that fits.
    """
    smallest, largest = (float(depths.min()), float(depths.max())) if len(depths) else (1.0, 1.0)
    best = scale_for(largest)
    if scale is None:
        scale = best
    scale = check_positive(scale)
    if not len(depths):
        return scale
    advice = f"scale {best:g} fits this image"
    if round(smallest / best) < 1:
        advice = f"no scale holds both {smallest:g} and {largest:g}, use npz"
    if largest / scale >= LARGEST + 0.5:
        raise OutputError(
            f"{target}: depth {largest:g} needs {largest / scale:.0f} steps of {scale:g}, more than the "
            f"{LARGEST} of a 16-bit PNG; {advice}"
        )
    if smallest / scale <= 0.5:
        raise OutputError(
            f"{target}: depth {smallest:g} is less than half a step of {scale:g} and would read as a miss; "
            f"{advice}"
        )
    return scale


def check_positive(scale: Any) -> float:
    """Return `scale`, mesh units per step.

    Raises:
        OutputError: it is no positive number.
    """
    number = checked_number(
        "the scale of a 16-bit PNG, positive mesh units per step,", scale, OutputError
    )
    if not (math.isfinite(number) and number > 0.0):
        raise OutputError(
            f"the scale of a 16-bit PNG must be positive mesh units per step, not {number}"
        )
    return number


def write_about(
    path: Path, camera: Camera, scale: float, texts: Mapping[str, str], **more: int
) -> None:
    """Writes the JSON file that stands beside the pictures; `texts` are those of `contents.provenance`.

    Raises:
        OutputError: the file cannot be written.
    """
    about = {
        "scale": scale,
        "miss": 0,
        "depth": "pixel value * scale, z-depth in mesh units",
        **more,
        "K": camera.K.tolist(),
        "camera_from_world": camera.camera_from_world.tolist(),
        "width": camera.width,
        "height": camera.height,
        "is_orthographic": camera.is_orthographic,
        **texts,
    }
    with whole_file(path) as file:
        file.write((json.dumps(about, indent=2) + "\n").encode())


def write_steps(
    path: Path, sheet: npt.NDArray[np.float64], scale: float, texts: Mapping[str, str]
) -> None:
    """Writes one 16-bit picture of (H, W) depths, NaN where none, that `checked_scale` has passed.

    Raises:
        OutputError: the file cannot be written.
    """
    write_png(path, np.nan_to_num(np.rint(sheet / scale), nan=0.0).astype(np.uint16), texts)
