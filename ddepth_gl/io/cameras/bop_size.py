"""Image sizes of BOP scenes, which scene_camera.json does not hold.

Format: https://github.com/thodan/bop_toolkit/blob/master/docs/bop_datasets_format.md
"""

from __future__ import annotations

import os
import re
import struct
from functools import cached_property
from pathlib import Path

from ...errors import CameraError
from ..opened_files import opened
from .files import locating_errors, read_json
from .image_size import PASS_SIZE, Size, json_size

__all__ = ["BopSizes"]

_MAX_CAMERA_FILES = 32  # of a data set; those of BOP have at most three
_PNG_HEADER = struct.Struct(">8s4x4sII")  # signature, (length), IHDR, width, height
_PNG_MARKS = (b"\x89PNG\r\n\x1a\n", b"IHDR")


class BopSizes:
    """The image sizes of a scene.

    Args:
        scene_file: path of the scene_camera.json.
        max_file_bytes: largest size of a camera.json.
    """

    def __init__(self, scene_file: Path, max_file_bytes: int) -> None:
        # Lexically, so that a linked folder keeps its place in the data set.
        self._folder = Path(os.path.abspath(scene_file)).parent  # noqa: PTH100
        self._max_file_bytes = max_file_bytes
        # scene_camera_SENSOR.json and test_SENSOR name the sensor.
        names = (
            ("scene_camera_(.+)", scene_file.stem),
            ("[a-z]+_(.+)", self._folder.parent.name),
        )
        matches = (re.fullmatch(pattern, name) for pattern, name in names)
        self._sensors = [match[1] for match in matches if match]

    def of_image(self, image_id: str) -> Size | None:
        """Return the size in the header of an image; None without a PNG file.

        It decides: the training images of T-LESS are smaller than its camera files say.
        """
        for folder in self._image_folders:
            if size := _png_size(folder / f"{int(image_id):06d}.png"):
                return size
        return None

    @cached_property
    def of_sensor(self) -> Size | None:
        """The size in camera.json or, with several sensors, in camera_SENSOR.json.

        The files are beside the scene's file or in the root of the data set, two folders up. If no
        name tells the sensor, all must have the same size. None if no file has a size.

        Raises:
            CameraError: a file is unusable, or the sensors differ.
        """
        root = self._folder.parent.parent
        for place in (self._folder, root):
            for name in (*(f"camera_{sensor}.json" for sensor in self._sensors), "camera.json"):
                if size := self._size_in(place / name):
                    return size
        sizes: dict[Size, str] = {}
        for path in _listed(root, "camera_*.json")[:_MAX_CAMERA_FILES]:
            if size := self._size_in(path):
                sizes.setdefault(size, path.name)
        if len(sizes) > 1:
            found = ", ".join(f"{name} ({w}x{h})" for (w, h), name in sizes.items())
            raise CameraError(f"the sensors of the data set differ in size: {found}; {PASS_SIZE}")
        return next(iter(sizes), None)

    @cached_property
    def _image_folders(self) -> list[Path]:
        of_sensors = [
            name
            for sensor in self._sensors
            for name in (f"rgb_{sensor}", f"gray_{sensor}", f"depth_{sensor}", sensor)
        ]
        folders = [self._folder / name for name in (*of_sensors, "rgb", "gray", "depth")]
        return [folder for folder in folders if folder.is_dir()]

    def _size_in(self, path: Path) -> Size | None:
        if not path.is_file():
            return None
        document = read_json(path, self._max_file_bytes)
        with locating_errors(path):
            return json_size(document, "width", "height")


def _png_size(path: Path) -> Size | None:
    """Return the image size in the header of a PNG file, or None."""
    try:
        with opened(path) as file:
            header = os.read(file.descriptor, _PNG_HEADER.size) if file.is_regular else b""
    except OSError:
        return None
    if len(header) < _PNG_HEADER.size:
        return None
    *marks, width, height = _PNG_HEADER.unpack(header)
    return (width, height) if tuple(marks) == _PNG_MARKS and width and height else None


def _listed(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:  # a folder that may not be listed
        return []
