"""PNG files that hold the texts of `metadata`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..atomic import atomic_write

__all__ = ["write_png"]


def write_png(path: Path, image: npt.NDArray[Any], texts: Mapping[str, str]) -> None:
    """Write a PNG file.

    Args:
        path: file to write; an existing file is replaced.
        image: (H, W) uint16, or (H, W, 3) or (H, W, 4) uint8 sRGB.
        texts: keywords and texts to store as tEXt chunks.

    Raises:
        OutputError: the file cannot be written.
    """
    import imageio.v3 as iio  # slow to import, and only needed here
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for keyword, text in texts.items():
        chunks.add_text(keyword, text)
    with atomic_write(path) as file:
        file.write(iio.imwrite("<bytes>", image, extension=".png", pnginfo=chunks))
