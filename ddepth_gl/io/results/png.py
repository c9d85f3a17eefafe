"""PNG files that hold the texts of `metadata`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy.typing as npt

from ..._packages import import_needed
from ...errors import OutputError
from ..atomic import atomic_write

__all__ = ["import_png_packages", "write_png"]


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
        path: file to write; an existing file is replaced.
        image: (H, W) uint16, or (H, W, 3) or (H, W, 4) uint8 sRGB.
        texts: keywords and texts to store as tEXt chunks.

    Returns:
        The file written, as a list.

    Raises:
        OutputError: the file cannot be written, or imageio or Pillow is not installed.
    """
    imageio, png_plugin = import_png_packages()
    chunks = png_plugin.PngInfo()
    for keyword, text in texts.items():
        chunks.add_text(keyword, text)
    with atomic_write(path) as file:
        file.write(imageio.imwrite("<bytes>", image, extension=".png", pnginfo=chunks))
    return [path]
