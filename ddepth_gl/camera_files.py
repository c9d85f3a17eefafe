"""Camera files read into Cameras: NeRF-style transforms.json, COLMAP text, BOP scene_camera.json.

Poses and lengths are taken as they stand in the file: nothing is recentred, rescaled or turned. Sources:

- NeRF, nerfstudio and instant-ngp: https://docs.nerf.studio/quickstart/data_conventions.html and
  https://github.com/NVlabs/instant-ngp/blob/master/docs/nerf_dataset_tips.md
- COLMAP: https://colmap.github.io/format.html and https://colmap.github.io/cameras.html
- BOP: https://github.com/thodan/bop_toolkit/blob/master/docs/bop_datasets_format.md
"""

from __future__ import annotations

import json
import math
import os
import re
import reprlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from pyrr import matrix33

from .camera import Camera, Float64Array, _image_size
from .errors import CameraError

__all__ = ["load_cameras"]

Size = tuple[int, int]

COLMAP_FILES = ("cameras.txt", "images.txt")
# Parameters of the models that are a pinhole once their distortion is zero: focal lengths, principal point, rest.
COLMAP_MODELS = {
    "SIMPLE_PINHOLE": (1, 2, 0),
    "PINHOLE": (2, 2, 0),
    "SIMPLE_RADIAL": (1, 2, 1),
    "RADIAL": (1, 2, 2),
    "OPENCV": (2, 2, 4),
    "FULL_OPENCV": (2, 2, 8),
}
NERF_MODELS = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV")
NERF_DISTORTION = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2", "is_fisheye", "distortion_params")
PASS_SIZE = "pass width= and height= (on the command line: --size WxH)"
WANTED = "give a transforms.json, a scene_camera.json, or the folder of COLMAP's cameras.txt and images.txt"


def load_cameras(
    path: str | os.PathLike[str],
    *,
    width: int | None = None,
    height: int | None = None,
    max_file_bytes: int = 1 << 29,
) -> list[Camera]:
    """The cameras of a file, recognised by its content or name.

    - JSON with `frames` (NeRF, nerfstudio, instant-ngp), in the file's order. Poses are OpenGL
      world_from_camera. Intrinsics are those of the frame or else of the file: fl_x, fl_y, cx, cy, w, h, or
      camera_angle_x, camera_angle_y in radians; the principal point is the image centre where it is absent.
      nerfstudio's `applied_transform` is already part of the poses and stays in them: a mesh in the frame
      from before it must be moved by it. `orientation_override` is a wish for training and is not followed.
    - COLMAP text: cameras.txt and images.txt of one folder, given as the folder or as either file. Sorted by
      image id. Poses are camera_from_world.
    - JSON whose keys are image ids (BOP scene_camera.json), sorted by id. Poses are camera_from_world, the
      identity where cam_R_w2c and cam_t_w2c are absent. BOP's lengths are millimetres, as in BOP's meshes. K
      is for pixel centres at whole numbers and is shifted by a half. The image size is that of a camera.json
      in the same folder, if there is one.

    A folder may also hold a transforms.json or scene_camera.json by that name; COLMAP files come first.

    Args:
        path: a file or folder.
        width, height: image size in pixels, both or neither. Where the file says what size its intrinsics
            are for, they are scaled as by resizing the images, each direction by itself; where it does not,
            this is that size.
        max_file_bytes: a larger file is refused before it is read.

    Returns:
        At least one Camera, pixel centres at halves.

    Raises:
        CameraError: the file is missing, is not one of these, lacks a value or holds one that cannot be used,
            such as lens distortion; the message names the file, the frame and what to do.
    """
    if (width is None) != (height is None):
        raise CameraError(f"width and height go together, not width={width!r} with height={height!r}; give both")
    asked = None if width is None else _image_size(width, height)
    try:
        given = Path(path)
    except TypeError:
        raise CameraError(f"path must name a file or folder, not {reprlib.repr(path)}") from None
    try:
        # Absurd numbers may overflow on the way; Camera refuses the infinities that come of it.
        with np.errstate(all="ignore"):
            return _load(given, asked, max_file_bytes)
    except RecursionError:
        raise CameraError(f"{given}: is nested too deeply; {WANTED}") from None


def _load(path: Path, asked: Size | None, limit: int) -> list[Camera]:
    with _at(path):
        if (found := _status(path)) and stat.S_ISDIR(found.st_mode):
            # One of the two is enough to say which format is meant; the message is then about the other.
            names = [*COLMAP_FILES, "transforms.json", "scene_camera.json"]
            present = [name for name in names if _status(path / name)]
            if not present and _status(path / "images.bin"):
                raise CameraError("holds binary COLMAP files; run `colmap model_converter --output_type TXT`")
            if not present:
                raise CameraError(f"no camera file in this folder (such as {', '.join(names)}); {WANTED}")
            path /= present[0]
    if path.name in COLMAP_FILES:
        return _colmap(path.parent, asked, limit)
    document = _json(path, limit)
    with _at(path):
        if isinstance(document, dict) and "frames" in document:
            return _nerf(document, asked)
        if isinstance(document, dict) and document and all(re.fullmatch("[0-9]{1,18}", key) for key in document):
            return _bop(document, asked or _bop_size(path.parent / "camera.json", limit), asked)
        raise CameraError(f"has neither 'frames' nor image ids as keys; {WANTED}")


@contextmanager
def _at(place: object, hint: str = "") -> Iterator[None]:
    """Puts the place before the message of a CameraError, on one line; the hint after one that has none."""
    try:
        yield
    except CameraError as error:
        message = f"{place}: {error}" + (f"; {hint}" if hint and ";" not in str(error) else "")
        raise CameraError(" ".join(message.split())) from None


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise CameraError(f"cannot be looked at ({error}); check the name and its permissions") from None


def _readable(path: Path, limit: int) -> Path:
    """The path, if it is a file that is there and not too large."""
    found = _status(path)
    if found is None:
        raise CameraError(f"no such file; {WANTED}")
    # A pipe or device would have no size and perhaps no end.
    if not stat.S_ISREG(found.st_mode):
        raise CameraError(f"is not a plain file; {WANTED}")
    if found.st_size > limit:
        raise CameraError(f"{found.st_size} bytes are more than the limit {limit}; raise max_file_bytes")
    return path


def _json(path: Path, limit: int) -> Any:
    with _at(path):
        try:
            return json.loads(_readable(path, limit).read_text("utf-8-sig"))
        except OSError as error:
            raise CameraError(f"cannot be read ({error.strerror}); check its permissions") from None
        except ValueError as error:  # not UTF-8, not JSON, or a number of more than 4300 digits
            raise CameraError(f"is not JSON ({error}); {WANTED}") from None


def _lines(path: Path, limit: int) -> Iterator[str]:
    """The lines of a text file, read as they are asked for: a big images.txt is mostly image points."""
    try:
        # Only image names may be other than ASCII; a wrong letter in one does no harm.
        with _readable(path, limit).open(encoding="utf-8-sig", errors="replace") as file:
            yield from map(str.strip, file)
    except OSError as error:
        raise CameraError(f"cannot be read ({error.strerror}); check its permissions") from None


# Values of a file


def _number(values: dict[str, Any], key: str) -> float:
    value = values[key]
    try:
        number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise CameraError(f"{key!r} must be a finite number, not {reprlib.repr(value)}")
    return number


def _size(values: dict[str, Any], *keys: str) -> Size | None:
    """The image size under these two keys, if it is there; instant-ngp writes it as 1920.0."""
    present = [key for key in keys if key in values]
    if not present:
        return None
    if len(present) == 1:
        raise CameraError(f"the image size has {present[0]!r} only; add {' and '.join(map(repr, keys))}")
    numbers = [_number(values, key) for key in keys]
    if any(number < 1 or number != int(number) for number in numbers):
        raise CameraError(f"{' and '.join(map(repr, keys))} must be whole pixels, at least 1, not {numbers}")
    return int(numbers[0]), int(numbers[1])


def _resized(K: Float64Array, made_for: Size, asked: Size | None) -> tuple[Float64Array, Size]:
    """K (pixel centres at halves) and image size after resizing the image to the size asked for."""
    size = asked or made_for
    scale = np.array([size[0] / made_for[0], size[1] / made_for[1], 1.0])
    return K * scale[:, None], size


# Formats


def _nerf(document: dict[str, Any], asked: Size | None) -> list[Camera]:
    frames = document["frames"]
    if not isinstance(frames, list) or not frames:
        raise CameraError(f"'frames' must be a list of at least one frame, not {reprlib.repr(frames)}")
    cameras = []
    for index, frame in enumerate(frames):
        name = frame.get("file_path") if isinstance(frame, dict) else None
        place = f"frame {index}" if name is None else f"frame {index} ({name!r:.80})"
        with _at(place, "correct or remove this frame"):
            if not isinstance(frame, dict) or "transform_matrix" not in frame:
                raise CameraError("lacks 'transform_matrix'")
            K, size = _nerf_intrinsics(frame, document, asked)
            with _at("transform_matrix"):
                cameras.append(Camera.from_opengl(K, frame["transform_matrix"], *size))
    return cameras


def _nerf_intrinsics(
    frame: dict[str, Any], document: dict[str, Any], asked: Size | None
) -> tuple[Float64Array, Size]:
    values = {**document, **frame}
    model = values.get("camera_model", "PINHOLE")
    if model not in NERF_MODELS:
        raise CameraError(f"'camera_model' {reprlib.repr(model)} is not a pinhole; undistort the images first")
    for key in NERF_DISTORTION:
        # Lists and booleans: distortion_params and is_fisheye.
        if np.any(values[key]) if key in NERF_DISTORTION[-2:] and key in values else _number({key: 0, **values}, key):
            raise CameraError(f"{key!r} = {reprlib.repr(values[key])} is lens distortion; undistort the images first")
    made_for = _size(values, "w", "h") or asked
    if made_for is None:
        raise CameraError(f"no image size ('w' and 'h') in the file; {PASS_SIZE}")
    # A focal length of the frame, in either form, goes before one of the file.
    source = frame if {"fl_x", "camera_angle_x"} & frame.keys() else document
    focal_x = _nerf_focal(source, "x", made_for[0])
    if focal_x is None:
        raise CameraError("no focal length: lacks 'fl_x' and 'camera_angle_x'; add one of them")
    focal_y = _nerf_focal(source, "y", made_for[1]) or focal_x
    values = {"cx": made_for[0] / 2, "cy": made_for[1] / 2, **values}
    K = [[focal_x, 0.0, _number(values, "cx")], [0.0, focal_y, _number(values, "cy")], [0.0, 0.0, 1.0]]
    return _resized(np.array(K), made_for, asked)


def _nerf_focal(values: dict[str, Any], axis: str, pixels: int) -> float | None:
    if (key := f"fl_{axis}") in values:
        focal = _number(values, key)
        if focal <= 0.0:
            raise CameraError(f"{key!r} must be positive, not {focal}")
        return focal
    if (key := f"camera_angle_{axis}") in values:
        angle = _number(values, key)
        if not 0.0 < angle < math.pi:
            raise CameraError(f"{key!r} must lie between 0 and pi (radians), not {angle}")
        return pixels / 2.0 / math.tan(angle / 2.0)
    return None
