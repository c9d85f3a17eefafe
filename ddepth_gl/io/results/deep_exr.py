"""Deep OpenEXR files: one sample for each crossing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._checks import checked_flag
from ...errors import OutputError, RequestError
from ...results.depth_layers import DepthLayers
from ..file_names import checked_path
from .arguments import check_result_type
from .exr_file import channels_of, header_of, import_openexr, write_exr_file

__all__ = ["write_deep_exr"]

_CHANNELS_TEXT = (
    "One sample a crossing, nearest first. Z is its depth, ZBack the depth to which the solid "
    "behind it reaches, equal to Z where there is none. id is object_id. "
    "Colors are multiplied by alpha."
)


def write_deep_exr(
    path: str | os.PathLike[str], layers: DepthLayers, *, volumes: bool = True
) -> list[Path]:
    """Write all crossings as a deep scan line EXR: one sample for each crossing, nearest first.

    The channels follow "Interpreting OpenEXR Deep Pixels" and the reserved names in OpenEXR's
    "Technical Introduction":

    - ``Z`` is the z-depth of the crossing. ``ZBack`` is the depth to which the solid behind it
      reaches. For an entry that is the depth of its exit, or of the next crossing if bodies overlap
      or are nested. For an exit that leaves the solid it equals ``Z``. So an entry is a volume
      sample of the solid up to its exit, and an exit is a point sample. The volumes of a pixel do
      not overlap; together they cover what `solid_length` measures from the first crossing on.
    - ``A`` is 1, or the alpha of the attribute color. ``R``, ``G``, ``B`` are its color, linear,
      multiplied by alpha. ``id`` (uint32) is the attribute object_id.
    - ``distance.V``, ``face.V`` (uint32), ``front_facing.V`` (uint32, 0 or 1) and the other
      attributes are named as in `write_exr`, and so is the header. All channels but integers are
      float32.

    Args:
        path: file to write; an existing file is replaced.
        layers: crossings to write; meant for closed meshes, see `DepthLayers.odd`.
        volumes: False omits ``ZBack``: every sample is then a point sample of a surface.

    Returns:
        The file written, as a list.

    Raises:
        OutputError: the package OpenEXR is not installed; `max_layers`, `near` or `far` cut off
            crossings, so that the solid parts are unknown; a face index does not fit into 32 bits;
            or the file cannot be written.
    """
    check_result_type(layers, DepthLayers)
    checked_path(path)
    exr = import_openexr()
    checked_flag("volumes", volumes)
    columns: dict[str, npt.NDArray[Any]] = {"Z": layers.depth}
    if volumes:
        try:
            columns["ZBack"] = _solid_back(layers)
        except RequestError as error:
            raise OutputError(f"{os.fspath(path)}: {error}, or write without volumes") from error
    columns["A"] = np.ones_like(layers.depth)
    quantities: dict[str, npt.NDArray[Any]] = {
        "distance": layers.distance,
        "face": layers.face,
        "front_facing": layers.front_facing,
        **layers.attributes,
    }
    for name, values in quantities.items():
        channels = channels_of(name, values)
        if name == "color":
            columns |= {channel.rpartition(".")[2]: plane for channel, plane in channels.items()}
            # Rounding in the interpolation may exceed the range.
            columns["A"] = np.clip(columns["A"], 0.0, 1.0)
        elif name == "object_id":
            columns["id"] = channels["object_id.V"]
        else:
            columns |= channels
    header = {
        "compression": exr.ZIPS_COMPRESSION,  # or run lengths: the lossless ones for deep files
        "type": exr.deepscanline,
        "truncated_pixels": int(layers.truncated.sum()),
        **header_of(layers, _CHANNELS_TEXT),
    }
    pixels = np.flatnonzero(layers.count)
    samples = list(map(slice, layers.offsets[pixels].tolist(), layers.offsets[pixels + 1].tolist()))
    shape = layers.camera.height, layers.camera.width
    deep = {name: _deep_channel(values, shape, pixels, samples) for name, values in columns.items()}
    return write_exr_file(path, exr.File(header, deep))


def _solid_back(layers: DepthLayers) -> npt.NDArray[np.float32]:
    """Return (M,) float32: the depth of the next crossing if the ray is then inside the solid.

    For other crossings it is their own depth.
    """
    inside, _ = layers.nesting
    # A ray ends outside every body, so where it is inside, a next crossing exists in the pixel.
    following = np.append(layers.depth[1:], np.float32(0.0))
    return np.where(inside > 0, following, layers.depth)


def _deep_channel(
    values: npt.NDArray[Any],
    shape: tuple[int, int],
    pixels: npt.NDArray[np.intp],
    samples: list[slice],
) -> npt.NDArray[np.object_]:
    """Return a channel as OpenEXR expects it: (H, W) arrays of samples, None for empty pixels.

    Args:
        values: (M,) values of all crossings.
        shape: height and width of the image.
        pixels: (N,) indices of the pixels that have crossings.
        samples: slice of `values` for each of these pixels.
    """
    image = np.full(shape, None)
    # OpenEXR takes the type from the first array, so an image without crossings needs an empty one.
    image.flat[0] = values[:0]
    # Most of the time goes into one array object per pixel and channel, here and in OpenEXR.
    # So there is no Python loop.
    image.flat[pixels] = np.fromiter(map(values.__getitem__, samples), object, len(samples))
    return image
