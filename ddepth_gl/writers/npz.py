"""NumPy archive of one double depth map: every array, the camera, the conventions; loads with numpy alone."""

from __future__ import annotations

import io
import math
import os
from typing import Any

import numpy as np

from ..depth_maps import DepthMaps
from ..errors import OutputError
from ..version import __version__
from .whole_file import whole_file

__all__ = ["write_npz"]

LAYOUT = 1

CONVENTIONS = (
    "Camera frame: OpenCV, x right, y down, z forward. camera_from_world maps world points to it. "
    "Row 0 is the top row; pixel (row r, column c) is sampled at image coordinates (c + 0.5, r + 0.5), "
    "which K is in. entry and exit are depth: the camera-frame z of the first entry and last exit; "
    "entry_distance, exit_distance and thickness are along the ray. Mesh units. "
    "Misses hold `fill`; mask is where both exist."
)


def write_npz(path: str | os.PathLike[str], maps: DepthMaps, *, fill: float = float("nan")) -> None:
    """Writes one double depth map as a compressed ``.npz`` that ``numpy.load`` reads without pickle.

    Arrays: ``entry``, ``exit``, ``entry_distance``, ``exit_distance``, ``thickness`` (H, W) float32;
    ``mask`` (H, W) bool; ``entry_face``, ``exit_face`` (H, W) int64, -1 where none, if the maps have
    them; ``K`` (3, 3), ``camera_from_world`` (4, 4) float64; the scalars ``width``, ``height``, ``layout``
    int64, ``is_orthographic`` bool, ``fill`` float32; ``conventions``, ``version`` text.

    Args:
        path: of the file; replaced as a whole.
        maps: what to write.
        fill: what the float arrays hold where there is no value.

    Raises:
        OutputError: the file cannot be written, or float32 cannot hold `fill`.
    """
    if math.isfinite(fill) and abs(fill) > float(np.finfo(np.float32).max):
        raise OutputError(f"fill must be a number that float32 holds, NaN or infinity, not {fill!r}")
    camera = maps.camera
    floats = {
        "entry": maps.entry,
        "exit": maps.exit,
        "entry_distance": maps.entry_distance,
        "exit_distance": maps.exit_distance,
        "thickness": maps.thickness,
    }
    if not np.isnan(fill):
        floats = {name: np.where(np.isnan(array), np.float32(fill), array) for name, array in floats.items()}
    arrays: dict[str, Any] = {
        **floats,
        "mask": maps.mask,
        "K": camera.K,
        "camera_from_world": camera.camera_from_world,
        "width": camera.width,
        "height": camera.height,
        "is_orthographic": camera.is_orthographic,
        "fill": np.float32(fill),
        "layout": LAYOUT,
        "conventions": CONVENTIONS,
        "version": f"ddepth_gl {__version__}",
    }
    if maps.has_faces:
        arrays |= {"entry_face": maps.entry_face, "exit_face": maps.exit_face}
    # Into memory first: an archive that is interrupted while it is written writes once more when it is
    # collected, and would complain that the file is closed.
    archive = io.BytesIO()
    np.savez_compressed(archive, **arrays)
    with whole_file(path) as file:
        file.write(archive.getbuffer())
