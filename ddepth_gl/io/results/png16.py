"""16-bit PNG files of depth, and the JSON file with their scale."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...results.depth_maps import DepthMaps
from ..atomic import atomic_write
from ..file_names import checked_stem
from .arguments import check_result_type
from .metadata import file_metadata
from .png import import_png_packages, write_png
from .quantization import fitting_scale, quantized

__all__ = ["write_depth_png", "write_png16", "write_scale_file"]


def write_png16(
    path: str | os.PathLike[str], maps: DepthMaps, scale: float | None = None
) -> list[Path]:
    """Write ``NAME_entry.png``, ``NAME_exit.png`` and ``NAME_png16.json`` for ``NAME.png``.

    Depth is pixel value times scale; 0 is a miss. The JSON file holds ``scale``, ``miss`` and the
    camera.

    Args:
        path: name that the files share, such as ``NAME.png``; what tells them apart stands before
            its extension. Without the extension, the names are the same.
        maps: sheets to write.
        scale: mesh units per step; None takes the smallest round scale that holds this image.
            Give a scale if several images must share one.

    Returns:
        The files written: the JSON file, entry, exit.

    Raises:
        RequestError: the scale is not positive.
        OutputError: a depth exceeds 16 bits at this scale, or is rounded to 0, which means a miss;
            the message names a scale that fits. Or a file cannot be written.
    """
    check_result_type(maps, DepthMaps)
    target = checked_stem(path, ".png")
    import_png_packages()  # before the JSON file is written
    sheets = {"entry": maps.entry.astype(np.float64), "exit": maps.exit.astype(np.float64)}
    depths = np.concatenate([sheet[~np.isnan(sheet)] for sheet in sheets.values()])
    scale = fitting_scale(target, depths, scale)
    # The scale first: an image without its scale is worthless, the scale alone does no harm.
    written = [target.with_name(f"{target.name}_png16.json")]
    texts = file_metadata(maps)
    write_scale_file(written[0], maps.camera, scale, texts)
    for name, sheet in sheets.items():
        written.append(target.with_name(f"{target.name}_{name}.png"))
        write_depth_png(written[-1], sheet, scale, texts)
    return written


def write_scale_file(
    path: Path, camera: Camera, scale: float, texts: Mapping[str, str], **more: int
) -> None:
    """Write the JSON file beside the images.

    Args:
        path: file to write.
        camera: camera of the images.
        scale: mesh units per step.
        texts: see `file_metadata`.
        more: further entries.

    Raises:
        OutputError: the file cannot be written.
    """
    entries = {
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
    with atomic_write(path) as file:
        file.write((json.dumps(entries, indent=2) + "\n").encode())


def write_depth_png(
    path: Path, depth: npt.NDArray[np.float64], scale: float, texts: Mapping[str, str]
) -> None:
    """Write one 16-bit image.

    Args:
        path: file to write.
        depth: (H, W) depths, NaN for misses; they fit `scale`, see `fitting_scale`.
        scale: mesh units per step.
        texts: see `file_metadata`.

    Raises:
        OutputError: the file cannot be written.
    """
    write_png(path, quantized(depth, scale), texts)
