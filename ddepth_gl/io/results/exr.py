"""Flat OpenEXR files: both sheets in one part, or one part for each layer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...results.depth_layers import DepthLayers
from ...results.depth_maps import DepthMaps
from ..file_names import checked_path
from .arguments import check_result_type, checked_fill, with_fill
from .exr_file import NO_VALUE, channels_of, header_of, import_openexr, write_exr_file

__all__ = ["write_exr"]

_CHANNELS_TEXT = (
    "Channels are SHEET.QUANTITY.CHANNEL, or QUANTITY.CHANNEL in a part per layer, "
    "nearest crossings first. Misses hold fill, or 4294967295 in channels of integers. "
    "Colors are multiplied by alpha."
)


def write_exr(
    path: str | os.PathLike[str], result: DepthMaps | DepthLayers, *, fill: float = float("nan")
) -> list[Path]:
    """Write one image as a flat EXR, lossless: float32 channels, and uint32 for integers.

    DepthMaps yield one part with channels named ``SHEET.QUANTITY.CHANNEL``, and ``thickness.V``.
    Sheets are ``entry`` and ``exit``. Quantities are ``depth`` (channel Z), ``distance`` (V) and
    the attributes of the maps: normal, smooth_normal, barycentric, position (X, Y, Z), uv (U, V),
    color (R, G, B, A), face, object_id (V). Blender shows a layer for each sheet with a pass for
    each quantity; programs that follow OpenEXR's rule show a layer for each quantity.

    DepthLayers yield one part for each layer, nearest first, and at least one. Parts are named
    ``layer01``, ``layer02``, ... Their channels are ``QUANTITY.CHANNEL`` with the same quantities,
    always with ``face.V`` and ``front_facing.V``, 0 or 1. Blender puts the name of the part before
    the names of its channels.

    Colors are linear and, as EXR requires, multiplied by alpha. Each part's header holds ``K``
    (m33d) and ``camera_from_world`` (m44d), both laid out as in mathematics; ``is_orthographic``
    (int), ``fill`` (float), ``conventions`` and ``software`` (string); for a rendered image
    ``renderer``, ``gl_version``, ``engine`` and, for a mesh from a file, ``mesh_path``,
    ``mesh_sha256``, ``mesh_side_files_sha256``, ``mesh_textures_sha256`` and ``mesh_left_out``
    (string); for layers ``truncated_pixels`` (int),
    the number of pixels that `max_layers` cut short; and OpenEXR's ``worldToCamera`` (m44f:
    left-handed, y up, for row vectors).

    Args:
        path: file to write; an existing file is replaced.
        result: sheets or layers to write.
        fill: value of misses in float channels. Integer channels hold 4294967295, -1 in 32 bits.

    Returns:
        The file written, as a list.

    Raises:
        RequestError: float32 cannot hold `fill`.
        OutputError: the package OpenEXR is not installed, a face index does not fit into 32 bits,
            or the file cannot be written.
    """
    check_result_type(result, DepthMaps, DepthLayers)
    checked_path(path)
    exr = import_openexr()
    miss = checked_fill(fill)
    header = {
        "compression": exr.ZIP_COMPRESSION,
        "type": exr.scanlineimage,
        "fill": float(miss),
        **header_of(result, _CHANNELS_TEXT),
    }
    if isinstance(result, DepthLayers):
        header["truncated_pixels"] = int(result.truncated.sum())
        parts = [
            exr.Part(dict(header), channels, name=f"layer{number:02d}")
            for number, channels in enumerate(_layer_channels(result, miss), start=1)
        ]
        return write_exr_file(path, exr.File(parts))
    return write_exr_file(path, exr.File(header, _sheet_channels(result, miss)))


def _sheet_channels(maps: DepthMaps, fill: np.float32) -> dict[str, npt.NDArray[Any]]:
    sheets: dict[str, dict[str, npt.NDArray[Any]]] = {
        "entry": {"depth": maps.entry, "distance": maps.entry_distance},
        "exit": {"depth": maps.exit, "distance": maps.exit_distance},
    }
    for name, pair in maps.attributes.items():
        sheets["entry"][name], sheets["exit"][name] = pair
    channels = channels_of("thickness", with_fill(maps.thickness, fill))
    for sheet, quantities in sheets.items():
        for name, values in quantities.items():
            channels |= {
                f"{sheet}.{channel}": with_fill(plane, fill)
                for channel, plane in channels_of(name, values).items()
            }
    return channels


def _layer_channels(layers: DepthLayers, fill: np.float32) -> list[dict[str, npt.NDArray[Any]]]:
    """Return the channels of each part."""
    count = max(1, int(layers.count.max(initial=0)))
    parts: list[dict[str, npt.NDArray[Any]]] = [{} for _ in range(count)]
    for name in ("depth", "distance", "face", "front_facing", *layers.attributes):
        for part, values in zip(parts, layers.dense(name, count), strict=True):
            part |= {
                channel: with_fill(plane, fill)
                for channel, plane in channels_of(name, values).items()
            }
    for number, part in enumerate(parts):
        # Booleans have no value for a miss.
        part["front_facing.V"][layers.count <= number] = NO_VALUE
    return parts
