"""COLMAP models: which files of a folder make one, and which format is read.

Formats: https://colmap.github.io/format.html
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...camera.camera import Camera
from .colmap_binary import read_binary_cameras
from .colmap_text import read_text_cameras
from .image_size import Size

__all__ = ["colmap_cameras", "is_colmap_file", "model_suffix"]

# Both formats have the same names. Only cameras and images are read.
_NAMES = ("cameras", "images", "points3D", "frames", "rigs")
_SUFFIXES = (".bin", ".txt")


def is_colmap_file(path: Path) -> bool:
    """Return whether a file is one of a COLMAP model, by its name."""
    return path.stem in _NAMES and path.suffix in _SUFFIXES


def model_suffix(folder: Path) -> str | None:
    """Return the suffix of the COLMAP model in a folder, ".bin" or ".txt"; None without one.

    If both are there, the binary one is read, as COLMAP does. A model of which one file is missing
    counts, so that the error names that file.
    """
    found = {
        suffix: [name for name in ("cameras", "images") if (folder / (name + suffix)).exists()]
        for suffix in _SUFFIXES
    }
    whole = [suffix for suffix in _SUFFIXES if len(found[suffix]) == 2]
    partial = [suffix for suffix in _SUFFIXES if found[suffix]]
    return next(iter(whole + partial), None)


def colmap_cameras(
    folder: Path, suffix: str, requested_size: Size | None, max_file_bytes: int
) -> list[Camera]:
    """Return the cameras of a COLMAP model, sorted by image id, with the names of the images.

    Args:
        folder: holds cameras and images.
        suffix: ".bin" or ".txt".
        requested_size: the image size to scale intrinsics to.
        max_file_bytes: largest size of each file.

    Raises:
        CameraError: a file or an entry cannot be read; the message names both.
    """
    read = read_binary_cameras if suffix == ".bin" else read_text_cameras
    with np.errstate(all="ignore"):
        return read(folder, requested_size, max_file_bytes)
