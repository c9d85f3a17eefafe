"""NumPy archive of one image: every array, the camera, the conventions; loads with numpy alone."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...results.depth_layers import DepthLayers
from ...results.depth_maps import DepthMaps
from .atomic import whole_file
from .contents import FRAMES, check_is, checked_fill, filled, provenance

__all__ = ["write_archive", "write_npz"]

LAYOUT = 1

_MAPS = (
    "entry and exit are depth, of the first entry and the last exit; entry_distance, exit_distance and "
    "thickness are along the ray. Misses hold `fill`, those of integers -1; mask is where both exist."
)
_LAYERS = (
    "All crossings of each ray with the mesh, compressed by rows: those of pixel i = row * width + column "
    "are [offsets[i], offsets[i + 1]), sorted by (depth, face). front_facing is where the ray comes from the "
    "counter-clockwise side. truncated marks pixels that have more crossings than were asked for."
)


def write_npz(
    path: str | os.PathLike[str], result: DepthMaps | DepthLayers, *, fill: float = float("nan")
) -> None:
    """Writes one image as a compressed ``.npz`` that ``numpy.load`` reads without pickle.

    In both kinds: ``K`` (3, 3), ``camera_from_world`` (4, 4) float64; the scalars ``width``, ``height``,
    ``layout`` int64, ``is_orthographic`` bool; ``conventions``, ``version`` text, and of a rendered image
    ``renderer``, ``gl_version``, ``engine`` text; of one whose mesh was read from a file ``mesh_path``,
    ``mesh_sha256`` text, and ``mesh_side_files_sha256`` if other files were read for it.

    Of DepthMaps: ``entry``, ``exit``, ``entry_distance``, ``exit_distance``, ``thickness`` (H, W) float32;
    ``mask`` (H, W) bool; ``entry_NAME``, ``exit_NAME`` for each attribute that the maps have, (H, W) or
    (H, W, channels), such as ``entry_face``; the scalar ``fill`` float32.

    Of DepthLayers, which an array ``offsets`` tells apart: ``offsets`` (H * W + 1,) int64; ``depth``,
    ``distance`` (M,) float32; ``face`` (M,) int64; ``front_facing`` (M,) bool; ``NAME`` (M,) or
    (M, channels) for each attribute that the layers have; ``count`` (H, W) int32; ``truncated`` (H, W) bool.

    Args:
        path: of the file; replaced as a whole.
        result: what to write.
        fill: what the float arrays of DepthMaps hold where there is no value. Layers hold crossings only,
            so there is nothing to fill.

    Raises:
        OutputError: the file cannot be written, or float32 cannot hold `fill`.
    """
    check_is(result, DepthMaps, DepthLayers)
    miss = checked_fill(fill)
    arrays = _of_layers(result) if isinstance(result, DepthLayers) else _of_maps(result, miss)
    camera = result.camera
    write_archive(
        path,
        {
            **provenance(result),
            **arrays,
            "K": camera.K,
            "camera_from_world": camera.camera_from_world,
            "width": camera.width,
            "height": camera.height,
            "is_orthographic": camera.is_orthographic,
            "layout": LAYOUT,
        },
    )


def _of_maps(maps: DepthMaps, fill: np.float32) -> dict[str, Any]:
    arrays = {
        "entry": maps.entry,
        "exit": maps.exit,
        "entry_distance": maps.entry_distance,
        "exit_distance": maps.exit_distance,
        "thickness": maps.thickness,
    }
    for name, pair in maps.attributes.items():
        arrays |= {f"entry_{name}": pair.entry, f"exit_{name}": pair.exit}
    return {
        **{name: filled(array, fill) for name, array in arrays.items()},
        "mask": maps.mask,
        "fill": fill,
        "conventions": FRAMES + _MAPS,
    }


def _of_layers(layers: DepthLayers) -> dict[str, Any]:
    return {
        **layers.attributes,
        "offsets": layers.offsets,
        "depth": layers.depth,
        "distance": layers.distance,
        "face": layers.face,
        "front_facing": layers.front_facing,
        "count": layers.count,
        "truncated": layers.truncated,
        "conventions": FRAMES + _LAYERS,
    }


def write_archive(path: str | os.PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Writes arrays as a compressed ``.npz``, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    # Into memory first: an archive that is interrupted while it is written writes once more when it is
    # collected, and would complain that the file is closed.
    archive = io.BytesIO()
    np.savez_compressed(archive, **arrays)
    with whole_file(path) as file:
        file.write(archive.getbuffer())
