"""COLMAP text models: cameras.txt and images.txt.

Format: https://colmap.github.io/format.html#text-format
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from pathlib import Path

from ...camera.camera import Camera
from ...errors import CameraError
from .colmap_model import (
    ColmapCamera,
    ColmapImage,
    Intrinsics,
    add_camera,
    add_image,
    sorted_cameras,
)
from .files import locating_errors, read_text
from .image_size import Size

__all__ = ["read_text_cameras"]


def read_text_cameras(
    folder: Path, requested_size: Size | None, max_file_bytes: int
) -> list[Camera]:
    """Return the cameras of a text model, sorted by image id; see `colmap_cameras`."""
    intrinsics = _read_intrinsics(folder, requested_size, max_file_bytes)
    return _read_images(folder / "images.txt", intrinsics, max_file_bytes)


def _read_intrinsics(folder: Path, requested_size: Size | None, max_bytes: int) -> Intrinsics:
    intrinsics: Intrinsics = {}
    path = folder / "cameras.txt"
    with locating_errors(path):
        for number, line in _lines(path, max_bytes):
            if line and not line.startswith("#"):
                with locating_errors(f"line {number}", "export the model again"):
                    add_camera(intrinsics, _parse_camera(line), folder, requested_size)
    return intrinsics


def _read_images(path: Path, intrinsics: Intrinsics, max_bytes: int) -> list[Camera]:
    cameras: dict[int, Camera] = {}
    with locating_errors(path):
        lines = _lines(path, max_bytes)
        for number, line in lines:
            if not line or line.startswith("#"):
                continue
            fields = line.split(maxsplit=9)  # the name, which is last, may hold spaces
            with locating_errors(f"line {number} ({fields[-1]!r:.80})", "export the model again"):
                add_image(cameras, _parse_image(fields), intrinsics, "cameras.txt")
                # Otherwise every second image of a file without its empty lines would be skipped.
                points = next(lines, (0, ""))[1].split()
                if len(points) % 3 or (points and not points[-1].lstrip("-").isdigit()):
                    raise CameraError(
                        "is not followed by its line of image points, which may be empty"
                    )
        return sorted_cameras(cameras)


def _lines(path: Path, max_bytes: int) -> Iterator[tuple[int, str]]:
    """Yield the number and text of every line, without blanks around it, as COLMAP reads it."""
    for number, line in enumerate(read_text(path, max_bytes).split("\n"), start=1):
        yield number, line.strip()


def _parse_camera(line: str) -> ColmapCamera:
    """Return the camera in a line of cameras.txt."""
    try:
        name, model, *rest = line.split()
        camera_id, width, height, *parameters = int(name), *map(float, rest)
    except ValueError:
        expected = "CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]"
        raise CameraError(f"must be {expected}, not {reprlib.repr(line)}") from None
    return ColmapCamera(camera_id, model, width, height, parameters)


def _parse_image(fields: list[str]) -> ColmapImage:
    """Return the image in a line of images.txt."""
    try:
        image_id, camera_id = int(fields[0]), int(fields[8])
        numbers = [float(field) for field in fields[1:8]]
    except (IndexError, ValueError):
        raise CameraError("must be IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME") from None
    name = fields[9] if len(fields) > 9 else ""
    return ColmapImage(image_id, numbers[:4], numbers[4:], camera_id, name)
