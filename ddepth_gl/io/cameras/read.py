"""Camera files read into Cameras: NeRF-style transforms.json, COLMAP text, BOP scene_camera.json.

Poses and lengths are taken as they stand in the file: nothing is recentered, rescaled or turned. Sources:

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pyrr import matrix33

from ..._checks import is_integer, one_line, shown
from ...camera.camera import Camera
from ...camera.checks import Float64Array, checked_image_size, checked_numbers
from ...errors import CameraError
from ..opened_files import opened

__all__ = ["load_cameras"]

Size = tuple[int, int]

COLMAP_FILES = ("cameras.txt", "images.txt")
# The models that are a pinhole once their distortion is zero: how many focal lengths, distortion parameters.
COLMAP_MODELS = {
    "SIMPLE_PINHOLE": (1, 0),
    "PINHOLE": (2, 0),
    "SIMPLE_RADIAL": (1, 1),
    "RADIAL": (1, 2),
    "OPENCV": (2, 4),
    "FULL_OPENCV": (2, 8),
}
NERF_MODELS = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV")
NERF_DISTORTION = (
    "k1",
    "k2",
    "k3",
    "k4",
    "k5",
    "k6",
    "p1",
    "p2",
    "is_fisheye",
    "distortion_params",
)
PASS_SIZE = "pass width= and height= (on the command line: --size WxH)"
WANTED = "give a transforms.json, a scene_camera.json, or the folder of COLMAP's cameras.txt and images.txt"


def load_cameras(
    path: str | os.PathLike[str],
    *,
    width: int | None = None,
    height: int | None = None,
    max_file_bytes: int = 1 << 29,
) -> list[Camera]:
    """The cameras of a file, recognized by its content or name.

    - JSON with `frames` (NeRF, nerfstudio, instant-ngp), in the file's order. Poses are OpenGL
      world_from_camera. Intrinsics are those of the frame or else of the file: fl_x, fl_y, cx, cy, w, h, or
      camera_angle_x, camera_angle_y in radians; the principal point is the image center where it is absent.
      nerfstudio's `applied_transform` is already part of the poses and stays in them: a mesh in the frame
      from before it must be moved by it. `orientation_override` is a wish for training and is not followed.
    - COLMAP text: cameras.txt and images.txt of one folder, given as the folder or as either file. Sorted by
      image id. Poses are camera_from_world. Models are SIMPLE_PINHOLE and PINHOLE, and SIMPLE_RADIAL, RADIAL,
      OPENCV and FULL_OPENCV where their distortion is zero.
    - JSON whose keys are image ids (BOP scene_camera.json), sorted by id. Poses are camera_from_world, the
      identity where cam_R_w2c and cam_t_w2c are absent. BOP's lengths are millimeters, as in BOP's meshes. K
      is for pixel centers at integers and is shifted by a half. The image size is that of a camera.json
      in the same folder, if there is one.

    A folder may also hold a transforms.json or scene_camera.json by that name; COLMAP files come first.

    Args:
        path: a file or folder.
        width, height: image size in pixels, both or neither. Where the file says what size its intrinsics
            are for, they are scaled as by resizing the images, each direction by itself; where it does not,
            this is that size.
        max_file_bytes: a larger file is refused before it is read.

    Returns:
        At least one Camera, pixel centers at halves.

    Raises:
        CameraError: the file is missing, is not one of these, lacks a value or holds one that cannot be used,
            such as lens distortion; the message names the file, the frame and what to do.
    """
    if (width is None) != (height is None):
        raise CameraError(
            f"width={shown(width)} and height={shown(height)} go together; give both or neither"
        )
    asked = None if width is None else checked_image_size(width, height)
    if not is_integer(max_file_bytes):
        raise CameraError(f"max_file_bytes must be an integer, not {shown(max_file_bytes)}")
    try:
        given = Path(path)
    except Exception as error:  # whatever an __fspath__ method raises
        raise CameraError(f"{shown(path)} cannot be opened ({one_line(error)}); {WANTED}") from None
    try:
        file = _camera_file(given)
    except OSError as error:
        with _at(given):
            raise _unreadable(error) from None
    if file.name in COLMAP_FILES:
        return _colmap(file.parent, asked, max_file_bytes)
    document = _json(file, max_file_bytes)
    # Absurd numbers may overflow on the way; Camera refuses the infinities that come of it.
    with _at(file, "correct the file"), np.errstate(all="ignore"):
        if "frames" in document:
            return _nerf(document, asked)
        if document and all(re.fullmatch("[0-9]{1,18}", key) for key in document):
            beside = file.with_name("camera.json")
            made_for = (
                _size(_json(beside, max_file_bytes), "width", "height")
                if beside.is_file()
                else None
            )
            return _bop(document, made_for or asked, asked)
        raise CameraError(f"has neither 'frames' nor image ids as keys; {WANTED}")


@contextmanager
def _at(place: object, hint: str = "") -> Iterator[None]:
    """Puts the place before the message of a CameraError, on one line; the hint after one that has none."""
    try:
        yield
    except CameraError as error:
        message = f"{place}: {error}" + (f"; {hint}" if hint and ";" not in str(error) else "")
        raise CameraError(" ".join(message.split())) from None


def _camera_file(path: Path) -> Path:
    """The file to read: the path itself, or what its folder holds."""
    if not path.is_dir():
        return path
    # One of COLMAP's two is enough to say which format is meant; the message is then about the other.
    names = [*COLMAP_FILES, "transforms.json", "scene_camera.json"]
    for name in names:
        if (path / name).exists():
            return path / name
    if (path / "images.bin").exists():
        raise CameraError(
            f"{path}: holds binary COLMAP files; run `colmap model_converter --output_type TXT`"
        )
    raise CameraError(f"{path}: this folder holds none of {', '.join(names)}; {WANTED}")


def _unreadable(error: OSError | ValueError) -> CameraError:
    return CameraError(f"cannot be read ({error.args[-1]}); check the name and its permissions")


def _text(path: Path, limit: int) -> str:
    try:
        with opened(path) as file:
            if not file.is_regular:  # a pipe or device would have no size and perhaps no end
                raise CameraError(f"is not a plain file; {WANTED}")
            if file.size > limit:
                raise CameraError(
                    f"{file.size} bytes are more than the limit of {limit}; raise max_file_bytes"
                )
            data = file.read()
    except CameraError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise _unreadable(error) from None
    if data is None:
        raise CameraError("is being written; load it once it is whole")
    # Only names of images may be other than ASCII; a wrong letter in one does no harm.
    text = data.decode("utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _json(path: Path, limit: int) -> dict[str, Any]:
    with _at(path):
        text = _text(path, limit)
        try:
            document = json.loads(text)
        except (
            RecursionError,
            ValueError,
        ) as error:  # ValueError also for a number of thousands of digits
            raise CameraError(f"is not JSON ({error}); {WANTED}") from None
        if not isinstance(document, dict):
            raise CameraError(f"must be a JSON object, not {reprlib.repr(document)}; {WANTED}")
        return document


def _number(values: dict[str, Any], key: str) -> float:
    return float(checked_numbers(repr(key), values[key], ()))


def _size(values: dict[str, Any], *keys: str) -> Size | None:
    """The image size under these two keys, if it is there; instant-ngp writes it as 1920.0."""
    present = [key for key in keys if key in values]
    if len(present) == 1:
        raise CameraError(f"the image size is {present[0]!r} only; add {' and '.join(keys)}")
    numbers = [_number(values, key) for key in present]
    if any(number != int(number) for number in numbers):
        raise CameraError(f"{' and '.join(keys)} must be integers of pixels, not {numbers}")
    return checked_image_size(*map(int, numbers)) if present else None


def _resized(K: Float64Array, made_for: Size, asked: Size | None) -> tuple[Float64Array, Size]:
    """K (pixel centers at halves) and image size after resizing the image to the size asked for."""
    size = asked or made_for
    scale = np.array([size[0] / made_for[0], size[1] / made_for[1], 1.0])
    return K * scale[:, None], size


def _nerf(document: dict[str, Any], asked: Size | None) -> list[Camera]:
    frames = document["frames"]
    if not isinstance(frames, list) or not frames:
        raise CameraError(
            f"'frames' must be a list of at least one frame, not {reprlib.repr(frames)}"
        )
    cameras = []
    for index, frame in enumerate(frames):
        name = frame.get("file_path") if isinstance(frame, dict) else None
        place = f"frame {index} ({name!r:.80})" if isinstance(name, str) else f"frame {index}"
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
        raise CameraError(
            f"'camera_model' is {reprlib.repr(model)}, no pinhole; undistort the images first"
        )
    for key in NERF_DISTORTION:
        given = values.get(key) or 0.0  # null and false are zero, too
        if any(
            coefficient != 0.0 for coefficient in (given if isinstance(given, list) else [given])
        ):
            raise CameraError(
                f"{key!r} is {reprlib.repr(given)}, a distortion; undistort the images first"
            )
    made_for = _size(values, "w", "h") or asked
    if made_for is None:
        raise CameraError(f"no image size ('w' and 'h') in the file; {PASS_SIZE}")
    # A focal length of the frame, in either form, goes before one of the file.
    focal_x, focal_y = (
        _nerf_focal(frame, axis, pixels) or _nerf_focal(document, axis, pixels)
        for axis, pixels in zip("xy", made_for, strict=True)
    )
    if focal_x is None:
        raise CameraError("no focal length: lacks 'fl_x' and 'camera_angle_x'; add one of them")
    K = np.diag([focal_x, focal_y or focal_x, 1.0])
    for row, key in enumerate(("cx", "cy")):
        K[row, 2] = _number(values, key) if key in values else made_for[row] / 2.0
    return _resized(K, made_for, asked)


def _nerf_focal(values: dict[str, Any], axis: str, pixels: int) -> float | None:
    if (key := f"fl_{axis}") in values:
        focal = _number(values, key)
        if focal <= 0.0:
            raise CameraError(f"{key!r} must be positive, not {focal}")
        return focal
    if (key := f"camera_angle_{axis}") in values:
        angle = _number(values, key)
        if not 1e-9 < angle < math.pi:
            raise CameraError(f"{key!r} must lie between 0 and pi (radians), not {angle}")
        return pixels / 2.0 / math.tan(angle / 2.0)
    return None


def _colmap(folder: Path, asked: Size | None, limit: int) -> list[Camera]:
    intrinsics: dict[int, tuple[Float64Array, Size]] = {}
    cameras: dict[int, Camera] = {}
    path = folder / "cameras.txt"
    with _at(path), np.errstate(all="ignore"):
        for number, line in enumerate(_text(path, limit).split("\n"), start=1):
            if line.strip() and not line.startswith("#"):
                with _at(f"line {number}", "export the model again"):
                    camera_id, K, size = _colmap_intrinsics(line)
                    intrinsics[camera_id] = _resized(K, size, asked)
    path = folder / "images.txt"
    with _at(path), np.errstate(all="ignore"):
        lines = enumerate(_text(path, limit).split("\n"), start=1)
        for number, line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            fields = line.split(maxsplit=9)  # a name may hold spaces
            with _at(f"line {number} ({fields[-1].strip()!r:.80})", "export the model again"):
                image_id, camera_id, pose = _colmap_pose(fields)
                if image_id in cameras:
                    raise CameraError(f"image id {image_id} comes twice")
                if camera_id not in intrinsics:
                    raise CameraError(f"camera id {camera_id} is not in cameras.txt")
                K, size = intrinsics[camera_id]
                cameras[image_id] = Camera.from_intrinsics(K, pose, *size)
                # Without this check, a file that lost its empty lines would give every second image.
                points = next(lines, (0, ""))[1].split()
                if len(points) % 3 or (points and not points[-1].lstrip("-").isdigit()):
                    raise CameraError(
                        "is not followed by its line of image points, which may be empty"
                    )
        if not cameras:
            raise CameraError("holds no image; export a model with registered images")
    return [cameras[image_id] for image_id in sorted(cameras)]


def _colmap_intrinsics(line: str) -> tuple[int, Float64Array, Size]:
    try:
        name, model, *rest = line.split()
        camera_id, width, height, *parameters = int(name), *map(float, rest)
    except ValueError:
        expected = "CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]"
        raise CameraError(f"must be {expected}, not {reprlib.repr(line)}") from None
    if model not in COLMAP_MODELS:
        raise CameraError(
            f"camera model {model!r:.40} is no pinhole; run `colmap image_undistorter`"
        )
    focals, distortions = COLMAP_MODELS[model]
    if len(parameters) != focals + 2 + distortions:
        raise CameraError(
            f"{model} has {focals + 2 + distortions} parameters, not {len(parameters)}"
        )
    if any(parameters[focals + 2 :]):
        given = parameters[focals + 2 :]
        raise CameraError(
            f"camera model {model} has distortion {given}; run `colmap image_undistorter`"
        )
    if (width, height) != (width // 1, height // 1):
        raise CameraError(f"width and height must be integers of pixels, not {width} and {height}")
    K = np.diag([parameters[0], parameters[focals - 1], 1.0])
    K[:2, 2] = parameters[focals : focals + 2]
    return camera_id, K, checked_image_size(int(width), int(height))


def _colmap_pose(fields: list[str]) -> tuple[int, int, Float64Array]:
    try:
        image_id, numbers, camera_id = (
            int(fields[0]),
            [float(field) for field in fields[1:8]],
            int(fields[8]),
        )
    except (IndexError, ValueError):
        raise CameraError("must be IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME") from None
    quaternion = checked_numbers("quaternion", numbers[:4], (4,))
    length = float(np.linalg.norm(quaternion))
    if not 1e-9 < length < math.inf:
        raise CameraError(f"quaternion {quaternion.tolist()} cannot be normalized")
    # pyrr wants (x, y, z, w); unlike its other matrices, this one multiplies column vectors.
    rotation = matrix33.create_from_quaternion(np.roll(quaternion / length, -1), dtype=np.float64)
    return image_id, camera_id, np.column_stack([rotation, numbers[4:]])


def _bop(document: dict[str, Any], made_for: Size | None, asked: Size | None) -> list[Camera]:
    if made_for is None:
        raise CameraError(f"no image size in the file, nor in a camera.json beside it; {PASS_SIZE}")
    cameras = []
    for image_id in sorted(document, key=int):
        values = document[image_id]
        with _at(f"image {image_id}", "correct or remove this image"):
            if not isinstance(values, dict) or "cam_K" not in values:
                raise CameraError("lacks 'cam_K'")
            if ("cam_R_w2c" in values) != ("cam_t_w2c" in values):
                raise CameraError("has one of 'cam_R_w2c' and 'cam_t_w2c' without the other")
            K: Float64Array = checked_numbers("cam_K", values["cam_K"], (9,)).reshape(3, 3)
            K[:2, 2] += 0.5
            pose = np.eye(3, 4)
            if "cam_R_w2c" in values:
                pose[:, :3] = checked_numbers("cam_R_w2c", values["cam_R_w2c"], (9,)).reshape(3, 3)
                pose[:, 3] = checked_numbers("cam_t_w2c", values["cam_t_w2c"], (3,))
            K, size = _resized(K, made_for, asked)
            cameras.append(Camera.from_intrinsics(K, pose, *size))
    return cameras
