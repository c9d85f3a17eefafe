"""Camera files of any supported format, recognized by name or content."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from ..._checks import is_integer, one_line, shown
from ...camera.camera import Camera
from ...camera.checks import checked_image_size
from ...errors import CameraError, RequestError
from .bop import bop_cameras
from .colmap import COLMAP_FILES, colmap_cameras
from .files import SUPPORTED_FILES, locating_errors, read_json, unreadable
from .image_size import Size, json_size
from .nerf import nerf_cameras

__all__ = ["load_cameras"]

# A folder with one of COLMAP's two files counts as COLMAP; if the other is missing, the error
# names it.
RECOGNIZED_NAMES = (*COLMAP_FILES, "transforms.json", "scene_camera.json")


def load_cameras(
    path: str | os.PathLike[str],
    *,
    width: int | None = None,
    height: int | None = None,
    max_file_bytes: int = 1 << 29,
) -> list[Camera]:
    """Load the cameras of a NeRF, COLMAP or BOP file.

    Poses and lengths stay as the file has them: nothing is recentered, rescaled or rotated. The
    format is recognized by name or content:

    - **NeRF, nerfstudio, instant-ngp**: JSON with `frames`. Cameras are in the order of the frames.
      Poses are OpenGL world_from_camera. The intrinsics of a frame go before those of the file:
      fl_x, fl_y, cx, cy, w, h, or camera_angle_x and camera_angle_y in radians. Without cx and cy
      the principal point is the image center. The poses of nerfstudio already contain its
      `applied_transform`; apply it to a mesh that is still in the original frame.
      `orientation_override` is an option for training and is ignored.
    - **COLMAP text**: cameras.txt and images.txt in one folder; `path` is the folder or either
      file. Cameras are sorted by image id. Poses are camera_from_world. The models SIMPLE_PINHOLE
      and PINHOLE are supported; SIMPLE_RADIAL, RADIAL, OPENCV and FULL_OPENCV if their distortion
      is zero.
    - **BOP scene_camera.json**: JSON whose keys are image ids. Cameras are sorted by id. Poses are
      camera_from_world; without cam_R_w2c and cam_t_w2c, the identity. BOP's lengths are in
      millimeters, as in BOP's meshes. BOP's K has pixel centers at integers and is shifted by a
      half. The image size is that of a camera.json in the same folder, if there is one.

    Cameras are named after their images: ``file_path`` of NeRF, NAME of COLMAP, the image id of
    BOP.

    `path` may also be a folder with a transforms.json or scene_camera.json. If the folder holds
    COLMAP files, too, those are loaded.

    Args:
        path: a file or folder.
        width, height: image size in pixels; pass both or neither. If the file has an image size,
            the intrinsics are scaled to this one, as if the images were resized, each axis on its
            own. If it has none, this is the size that the intrinsics are for.
        max_file_bytes: maximum file size in bytes. A larger file is refused without reading it.

    Returns:
        At least one Camera, with pixel centers at halves.

    Raises:
        CameraError: the file is missing, is in no supported format, or has a missing or invalid
            value, such as lens distortion. The message names the file, the frame and what to do.
        RequestError: `max_file_bytes` is not an integer.
    """
    if (width is None) != (height is None):
        raise CameraError(
            f"width={shown(width)} and height={shown(height)} go together; pass both or neither"
        )
    requested_size = None if width is None else checked_image_size(width, height)
    if not is_integer(max_file_bytes):
        raise RequestError(f"max_file_bytes must be an integer, not {shown(max_file_bytes)}")
    try:
        given_path = Path(path)
    except Exception as error:  # an __fspath__ method may raise anything
        raise CameraError(
            f"{shown(path)} cannot be opened ({one_line(error)}); {SUPPORTED_FILES}"
        ) from None
    with locating_errors(given_path):
        try:
            file = _find_file(given_path)
        except OSError as error:
            raise unreadable(error) from None
    if file.name in COLMAP_FILES:
        return colmap_cameras(file.parent, requested_size, max_file_bytes)
    return _json_cameras(file, requested_size, max_file_bytes)


def _find_file(path: Path) -> Path:
    """Return the file to read: the path itself, or a file in this folder."""
    if not path.is_dir():
        return path
    for name in RECOGNIZED_NAMES:
        if (path / name).exists():
            return path / name
    if (path / "images.bin").exists():
        raise CameraError(
            "holds binary COLMAP files; run `colmap model_converter --output_type TXT`"
        )
    raise CameraError(f"this folder holds none of {', '.join(RECOGNIZED_NAMES)}; {SUPPORTED_FILES}")


def _json_cameras(path: Path, requested_size: Size | None, max_file_bytes: int) -> list[Camera]:
    document = read_json(path, max_file_bytes)
    # Absurd numbers may overflow. Camera refuses the infinities that result.
    with locating_errors(path, "correct the file"), np.errstate(all="ignore"):
        if "frames" in document:
            return nerf_cameras(document, requested_size)
        if document and all(re.fullmatch("[0-9]{1,18}", key) for key in document):
            bop_camera = path.with_name("camera.json")
            size = None
            if bop_camera.is_file():
                size = json_size(read_json(bop_camera, max_file_bytes), "width", "height")
            return bop_cameras(document, size, requested_size)
        raise CameraError(f"has neither 'frames' nor image ids as keys; {SUPPORTED_FILES}")
