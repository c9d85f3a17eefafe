"""PNG files that hold the texts of `metadata`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._checks import checked_array, printable
from ..._packages import import_needed
from ...errors import OutputError
from ..atomic import atomic_write
from ..file_names import checked_path
from .metadata import HasProvenance, file_metadata

__all__ = ["checked_png_path", "import_png_packages", "write_photo", "write_png"]


def write_photo(
    path: str | os.PathLike[str], image: npt.ArrayLike, rendered: HasProvenance | None = None
) -> list[Path]:
    """Write an image of `DepthRenderer.shade`, or one of `DepthLayers.color_images`, as PNG.

    Args:
        path: file to write, such as ``photo.png``; an existing file is replaced.
        image: (H, W, 4) or (H, W, 3) uint8 sRGB, straight alpha, row 0 at the top.
        rendered: DepthMaps or DepthLayers of the same image; texts of the file repeat their
            provenance.

    Returns:
        The file written.

    Raises:
        OutputError: the image has another shape or dtype, the name of the file does not end in
            .png, or the file cannot be written.
    """
    target = checked_png_path(path)
    pixels = checked_array("image", image, "biuf", None, OutputError)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise OutputError(
            f"image must be uint8 of shape (H, W, 4) or (H, W, 3), not {pixels.dtype} of shape "
            f"{pixels.shape}; pass the image of DepthRenderer.shade"
        )
    if 0 in pixels.shape:
        raise OutputError(f"image of shape {pixels.shape} has no pixels; pass a larger one")
    return write_png(target, pixels, file_metadata(rendered))


def checked_png_path(path: object) -> Path:
    """Return the path of a PNG file.

    Raises:
        OutputError: it is not a path, or its name does not end in .png, in letters of any case.
    """
    target = checked_path(path)
    if not target.name.lower().endswith(".png"):
        raise OutputError(
            f"{printable(str(target))}: pictures are PNG files; give a name that ends in .png"
        )
    return target


def import_png_packages() -> tuple[ModuleType, ModuleType]:
    """Return ``imageio.v3`` and ``PIL.PngImagePlugin``, which are slow to import.

    Raises:
        OutputError: one of them is not installed.
    """
    names = ("imageio.v3", "PIL.PngImagePlugin")
    imageio, png_plugin = (import_needed(name, "writing PNG", OutputError) for name in names)
    return imageio, png_plugin


def write_png(path: Path, image: npt.NDArray[Any], texts: Mapping[str, str]) -> list[Path]:
    """Write a PNG file.

    Args:
        path: file to write, whose name ends in .png; an existing file is replaced.
        image: (H, W) uint16, or (H, W, 3) or (H, W, 4) uint8 sRGB.
        texts: keywords and texts to store as tEXt chunks.

    Returns:
        The file written, as a list.

    Raises:
        OutputError: the name does not end in .png, the file cannot be written, or imageio or Pillow
            is not installed.
    """
    path = checked_png_path(path)
    imageio, png_plugin = import_png_packages()
    chunks = png_plugin.PngInfo()
    for keyword, text in texts.items():
        chunks.add_text(keyword, text)
    # Of depth, level 6 saves 7 % and takes twice the time.
    level = 3 if image.ndim == 2 else 6
    options = {"extension": ".png", "pnginfo": chunks, "compress_level": level}
    with atomic_write(path) as file:
        file.write(imageio.imwrite("<bytes>", image, **options))
    return [path]
