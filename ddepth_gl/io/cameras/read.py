"""Camera files of any supported format, recognized by name or content."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from ..._checks import is_integer, one_line, shown
from ..._log import logger
from ...camera.camera import Camera
from ...camera.checks import checked_image_size
from ...errors import CameraError, RequestError
from .bop import bop_cameras
from .colmap import colmap_cameras, is_colmap_file, model_suffix
from .files import SUPPORTED_FILES, locating_errors, read_json, unreadable
from .image_size import Size
from .nerf import nerf_cameras

__all__ = ["load_cameras"]

_log = logger(__name__)

# What is looked for in a folder, in this order: a COLMAP model in the folder itself, these files,
# models of a COLMAP project or of nerfstudio, and a BOP scene with one named sensor.
JSON_NAMES = ("transforms.json", "scene_camera.json", "transforms_train.json")
MODEL_FOLDERS = ("sparse/0", "sparse", "colmap/sparse/0", "0")


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
      Poses are OpenGL world_from_camera. The focal length of an axis is the first of x_fov
      (degrees), fl_x, camera_angle_x (radians), and likewise of y; an axis that has none takes that
      of the other. A frame with a focal length takes none from the file. Its cx, cy, w and h go
      before those of the file. Without cx and cy, the principal point is the image center.
      Comments in the JSON are skipped. The poses of nerfstudio already contain its
      `applied_transform`; apply it to a mesh that is still in the original frame. Options for
      training, such as `orientation_override`, `scale`, `offset` and `n_frames`, are ignored.
      Distortion, panoramas and f-theta lenses are refused, and cameras that move during the
      exposure. With `from_mitsuba`, poses are in Mitsuba's camera frame, as for instant-ngp.
    - **COLMAP**: cameras and images, both ``.bin`` or both ``.txt``, in one folder. `path` is the
      folder, any file of the model, the project's folder, whose model is in ``sparse/0`` or
      ``sparse``, or a folder of models, of which ``0`` is read. In a folder with both formats the
      binary one is read, as by COLMAP; a file decides by its suffix. Cameras are sorted by image
      id. Poses are camera_from_world. The models SIMPLE_PINHOLE and PINHOLE are supported;
      SIMPLE_RADIAL, RADIAL, OPENCV, FULL_OPENCV, FOV, SIMPLE_DIVISION and DIVISION if their
      distortion is zero.
    - **BOP scene_camera.json**: JSON whose keys are image ids. Cameras are sorted by id. Poses are
      camera_from_world; without cam_R_w2c and cam_t_w2c, the identity. BOP's lengths are in
      millimeters, as in BOP's meshes. BOP's K has pixel centers at integers and is shifted by a
      half. The image size is that of the image, if it is a PNG file in its place; else that of
      camera.json beside the file, or in the root of the data set, two folders up; with several
      sensors, of camera_SENSOR.json. A `cam_model`, as in HOT3D, is refused.

    Cameras are named after their images: ``file_path`` of NeRF, NAME of COLMAP, the image id of
    BOP.

    `path` may also be a folder with a transforms.json, scene_camera.json or, as in NeRF's synthetic
    scenes, transforms_train.json; for the cameras of another split, give its file. If the folder
    holds COLMAP files, too, those are loaded.

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
    _log.info("cameras are read from %s", file)
    if is_colmap_file(file):
        return colmap_cameras(file.parent, file.suffix, requested_size, max_file_bytes)
    return _json_cameras(file, requested_size, max_file_bytes)


def _find_file(path: Path) -> Path:
    """Return the file to read: the path itself, or a file in this folder."""
    if not path.is_dir():
        return path
    if suffix := model_suffix(path):
        return path / f"cameras{suffix}"
    for name in JSON_NAMES:
        if (path / name).exists():
            return path / name
    for name in MODEL_FOLDERS:
        if suffix := model_suffix(path / name):
            return path / name / f"cameras{suffix}"
    scenes = sorted(path.glob("scene_camera_*.json"))
    if len(scenes) > 1:
        names = ", ".join(scene.name for scene in scenes[:8])
        raise CameraError(f"this folder holds the cameras of several sensors; pass one of {names}")
    if scenes:
        return scenes[0]
    raise CameraError(
        f"this folder holds none of {', '.join(JSON_NAMES)}, nor a COLMAP model, also not in "
        f"{' or '.join(MODEL_FOLDERS[:2])}; {SUPPORTED_FILES}"
    )


def _json_cameras(path: Path, requested_size: Size | None, max_file_bytes: int) -> list[Camera]:
    document = read_json(path, max_file_bytes)
    # Absurd numbers may overflow. Camera refuses the infinities that result.
    with locating_errors(path, "correct the file"), np.errstate(all="ignore"):
        if "frames" in document:
            return nerf_cameras(document, requested_size)
        if document and all(re.fullmatch("[0-9]{1,18}", key) for key in document):
            return bop_cameras(document, path, requested_size, max_file_bytes)
        raise CameraError(f"has neither 'frames' nor image ids as keys; {SUPPORTED_FILES}")
