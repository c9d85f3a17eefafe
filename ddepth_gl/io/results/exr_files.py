"""OpenEXR files of one quantity each, for readers that take only channels named Y or R, G, B, A."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import OutputError
from ...results.attributes import ATTRIBUTES
from ...results.depth_layers import DepthLayers
from ...results.depth_maps import DepthMaps
from ..file_names import checked_stem
from .arguments import check_result_type, checked_fill, with_fill
from .earlier_files import remove_leftovers
from .exr_file import channels_of, header_of, import_openexr, write_exr_file

__all__ = ["LAYER_ENDING", "SHEET_ENDING", "write_exr_files"]

_NAMES = "|".join(ATTRIBUTES)
# Regular expressions for what follows NAME.
SHEET_ENDING = rf"_(thickness|(entry|exit)(_(distance|{_NAMES}))?)\.exr"
LAYER_ENDING = rf"_layer([0-9]{{2}}|[1-9][0-9]{{2,}})_(depth|distance|front_facing|{_NAMES})\.exr"

_CHANNELS_TEXT = (
    "One quantity: Y, or its components in the order R, G, B, A. Misses hold fill; face, object_id "
    "and front_facing are numbers, -1 for a miss. Colors are multiplied by alpha."
)
_MAX_EXACT = 2**24  # float32 holds all integers up to here


def write_exr_files(
    path: str | os.PathLike[str], result: DepthMaps | DepthLayers, *, fill: float = float("nan")
) -> list[Path]:
    """Write one image as flat EXR files, one for each quantity, lossless float32.

    OpenCV (and imageio's plugin for it) reads only channels of these names: ``Y`` for a single
    number; ``R``, ``G``, ``B`` for a vector, with 0 in B for uv; ``R``, ``G``, ``B``, ``A`` for a
    color. `write_exr` writes one file with named channels instead.

    ``cv2.imread(path, cv2.IMREAD_UNCHANGED)`` returns vectors as B, G, R, and
    ``imageio.v3.imread(path, plugin="opencv", flags=cv2.IMREAD_UNCHANGED)`` as R, G, B. Without the
    flag, both return uint8.

    DepthMaps yield ``NAME_entry.exr`` and ``NAME_exit.exr`` (depth), ``NAME_entry_distance.exr``,
    ``NAME_exit_distance.exr``, ``NAME_thickness.exr``, and two files for each attribute, such as
    ``NAME_entry_normal.exr``.

    DepthLayers yield ``NAME_layer01_depth.exr``, ``NAME_layer01_distance.exr``,
    ``NAME_layer01_face.exr``, ``NAME_layer01_front_facing.exr`` (0 or 1) and one file for each
    attribute; then the same for layer 2 and so on, nearest first, at least one layer.

    Files of the same name with other quantities or a higher layer, left by an earlier call, are
    removed. Colors and the header are as in `write_exr`.

    Args:
        path: ``NAME.exr``, with its folder; what tells the files apart is put before the extension.
            Without the extension, the names are the same.
        result: sheets or layers to write.
        fill: value of misses, except in face, object_id and front_facing, where it is -1.

    Returns:
        The files written.

    Raises:
        RequestError: float32 cannot hold `fill`.
        OutputError: the package OpenEXR is not installed, float32 cannot hold a face index exactly,
            a file cannot be written, or one of an earlier call cannot be removed.
    """
    check_result_type(result, DepthMaps, DepthLayers)
    target = checked_stem(path, ".exr")
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
        planes, ending = _of_layers(result), LAYER_ENDING
    else:
        planes, ending = _of_sheets(result), SHEET_ENDING
    written = []
    for prefix, name, values in planes:
        channels = _channels(name, _as_float32(name, values), miss)
        written.append(target.with_name(f"{target.name}_{prefix}.exr"))
        write_exr_file(written[-1], exr.File(dict(header), channels))
    remove_leftovers(target, ending, written)
    return written


def _of_sheets(maps: DepthMaps) -> Iterator[tuple[str, str, npt.NDArray[Any]]]:
    """Yield (what follows NAME, quantity, values) of each file."""
    yield "entry", "depth", maps.entry
    yield "exit", "depth", maps.exit
    yield "entry_distance", "distance", maps.entry_distance
    yield "exit_distance", "distance", maps.exit_distance
    yield "thickness", "thickness", maps.thickness
    for name, pair in maps.attributes.items():
        yield f"entry_{name}", name, pair.entry
        yield f"exit_{name}", name, pair.exit


def _of_layers(layers: DepthLayers) -> Iterator[tuple[str, str, npt.NDArray[Any]]]:
    """Yield (what follows NAME, quantity, values) of each file."""
    count = max(1, int(layers.count.max(initial=0)))
    names = ("depth", "distance", "face", "front_facing", *layers.attributes)
    stacks = layers.dense_many(names, count)
    for number in range(count):
        for name, stack in stacks.items():
            values = stack[number]
            if values.dtype == np.bool_:  # which has no value for a miss
                values = np.where(layers.count > number, values.astype(np.int64), -1)
            yield f"layer{number + 1:02d}_{name}", name, values


def _as_float32(name: str, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    if values.dtype.kind != "f" and values.max(initial=0) > _MAX_EXACT:
        raise OutputError(
            f"{name} {values.max()} is not exact in float32, which holds integers up to "
            f"{_MAX_EXACT}; use write_exr or write_npz"
        )
    return values.astype(np.float32, copy=False)


def _channels(
    name: str, values: npt.NDArray[np.float32], fill: np.float32
) -> dict[str, npt.NDArray[Any]]:
    """Return the channels of a quantity under the names that OpenCV reads."""
    planes = [with_fill(plane, fill) for plane in channels_of(name, values).values()]
    if len(planes) == 2:
        planes.append(np.zeros_like(planes[0]))
    return dict(zip("Y" if len(planes) == 1 else "RGBA", planes, strict=False))
