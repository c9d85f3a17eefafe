"""COLMAP binary models: cameras.bin and images.bin.

Format: https://colmap.github.io/format.html#binary-file-format and
src/colmap/scene/reconstruction_io_binary.cc. All numbers are little endian. Since version 3.12,
rigs.bin and frames.bin hold the poses of rigs; images.bin still holds the pose of every image.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from ..._text import counted
from ...camera.camera import Camera
from ...errors import CameraError
from .colmap_model import (
    CAMERA_MODELS,
    ColmapCamera,
    ColmapImage,
    Intrinsics,
    add_camera,
    add_image,
    sorted_cameras,
)
from .files import locating_errors, read_bytes
from .image_size import Size

__all__ = ["read_binary_cameras"]

_COUNT = struct.Struct("<Q")
_CAMERA = struct.Struct("<IiQQ")  # camera id, model id, width, height; then the parameters
_IMAGE = struct.Struct("<I7dI")  # image id, quaternion, translation, camera id; then the name
_POINT_BYTES = 24  # x, y, id of the 3D point
# Bytes of the smallest camera (of two parameters) and image (without a name and points).
_LEAST_CAMERA_BYTES = _CAMERA.size + 16
_LEAST_IMAGE_BYTES = _IMAGE.size + 1 + _COUNT.size
_DAMAGED = "the file is damaged or cut short; export the model again"


def read_binary_cameras(
    folder: Path, requested_size: Size | None, max_file_bytes: int
) -> list[Camera]:
    """Return the cameras of a binary model, sorted by image id; see `colmap_cameras`."""
    intrinsics: Intrinsics = {}
    path = folder / "cameras.bin"
    with locating_errors(path):
        reader = _Reader(read_bytes(path, max_file_bytes))
        number = reader.count("camera", _LEAST_CAMERA_BYTES)
        for index in range(number):
            with locating_errors(f"camera {index + 1} of {number}", "export the model again"):
                add_camera(intrinsics, _next_camera(reader), folder, requested_size)
        reader.check_end(counted(number, "camera"))
    cameras: dict[int, Camera] = {}
    path = folder / "images.bin"
    with locating_errors(path):
        reader = _Reader(read_bytes(path, max_file_bytes))
        number = reader.count("image", _LEAST_IMAGE_BYTES)
        for index in range(number):
            with locating_errors(f"image {index + 1} of {number}", "export the model again"):
                image = _next_image(reader)
                with locating_errors(f"{image.name!r:.80}"):
                    add_image(cameras, image, intrinsics, "cameras.bin")
        reader.check_end(counted(number, "image"))
        return sorted_cameras(cameras)


class _Reader:
    """The bytes of a file, read in order. Nothing is allocated by a number in the file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def remaining(self) -> int:
        """Number of bytes that are still to be read."""
        return len(self._data) - self._position

    def read(self, layout: struct.Struct) -> tuple[Any, ...]:
        """Return the next numbers of the file."""
        self._check(layout.size)
        values = layout.unpack_from(self._data, self._position)
        self._position += layout.size
        return values

    def count(self, noun: str, least_bytes: int) -> int:
        """Return the next number, which counts entries that follow.

        Args:
            noun: name of an entry.
            least_bytes: bytes of the smallest entry.
        """
        number = int(self.read(_COUNT)[0])
        if number * least_bytes > self.remaining:
            raise CameraError(
                f"{counted(number, noun)} cannot be in {counted(self.remaining, 'byte')}; "
                f"{_DAMAGED}"
            )
        return number

    def text(self) -> str:
        """Return the text up to the next null byte."""
        end = self._data.find(b"\0", self._position)
        if end < 0:
            raise CameraError(f"the name of the image has no end; {_DAMAGED}")
        text = self._data[self._position : end].decode("utf-8", errors="replace")
        self._position = end + 1
        return text

    def skip(self, size: int) -> None:
        """Leave out some bytes."""
        self._check(size)
        self._position += size

    def check_end(self, entries: str) -> None:
        """Raise CameraError unless the whole file is read: a wrong count would lose entries."""
        if self.remaining:
            raise CameraError(
                f"has {counted(self.remaining, 'byte')} behind its {entries}; {_DAMAGED}"
            )

    def _check(self, size: int) -> None:
        if size > self.remaining:
            raise CameraError(f"ends too early; {_DAMAGED}")


def _next_camera(reader: _Reader) -> ColmapCamera:
    camera_id, model_id, width, height = reader.read(_CAMERA)
    models = list(CAMERA_MODELS)
    if not 0 <= model_id < len(models):
        raise CameraError(
            f"camera model {model_id} is unknown; export the model as text: "
            "`colmap model_converter --input_path IN --output_path OUT --output_type TXT`"
        )
    model = models[model_id]
    parameters = reader.read(struct.Struct(f"<{CAMERA_MODELS[model]}d"))
    return ColmapCamera(camera_id, model, width, height, list(parameters))


def _next_image(reader: _Reader) -> ColmapImage:
    image_id, *pose, camera_id = reader.read(_IMAGE)
    name = reader.text()
    reader.skip(_POINT_BYTES * reader.count("point", _POINT_BYTES))
    return ColmapImage(image_id, pose[:4], pose[4:], camera_id, name)
