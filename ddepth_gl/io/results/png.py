"""PNG files that say where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from .atomic import whole_file

__all__ = ["write_png"]


def write_png(path: Path, picture: npt.NDArray[Any], texts: Mapping[str, str]) -> None:
    """Write a PNG, whole or not at all.

    Args:
        path: of the file; replaced as a whole.
        picture: (h, w) uint16, or (h, w, 3) or (h, w, 4) uint8 sRGB.
        texts: keywords and texts that the file holds besides, as tEXt chunks.

    Raises:
        OutputError: the file cannot be written.
    """
    import imageio.v3 as iio  # slow to import, and only needed here
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for keyword, text in texts.items():
        chunks.add_text(keyword, text)
    with whole_file(path) as file:
        file.write(iio.imwrite("<bytes>", picture, extension=".png", pnginfo=chunks))
