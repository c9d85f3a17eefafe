"""Writing of cameras as a transforms.json."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..._checks import one_line, shown
from ...camera.camera import Camera, check_camera
from ...errors import CameraError
from ..atomic import atomic_write
from ..file_names import checked_path
from .nerf import nerf_document

__all__ = ["save_cameras", "transforms_json"]


def save_cameras(path: str | os.PathLike[str], cameras: Iterable[Camera]) -> list[Path]:
    """Write cameras as a ``transforms.json``, the format of NeRF and nerfstudio.

    Every frame has its own intrinsics: ``fl_x``, ``fl_y``, ``cx``, ``cy`` in pixels with pixel
    centers at halves, ``w``, ``h``; the pose as ``transform_matrix``, OpenGL world_from_camera; and
    the camera's name as ``file_path``. Poses and lengths stay as they are. `load_cameras` returns
    equal cameras of the same names in the same order: beside ``transform_matrix``, whose inverse
    would be rounded, each frame has ``camera_from_world``, which other programs ignore. It counts
    only as long as both agree within rounding.

    Format: https://docs.nerf.studio/quickstart/data_conventions.html

    Args:
        path: file to write, such as ``transforms.json``; an existing file is replaced.
        cameras: at least one perspective camera without skew. Other programs look for images at
            the names, relative to the file, as do data sets; ``replace(camera, name=...)`` of
            dataclasses gives a camera another name.

    Returns:
        The file written, as a list.

    Raises:
        CameraError: `cameras` holds no camera, or anything else.
        OutputError: a camera is orthographic or has skew, or the file cannot be written. Nothing is
            written then.
    """
    target = checked_path(path)
    content = transforms_json(_checked_cameras(cameras))
    with atomic_write(target) as file:
        file.write(content)
    return [target]


def transforms_json(cameras: Sequence[Camera]) -> bytes:
    """Return the content of a ``transforms.json``, with one frame per line; see `save_cameras`.

    Raises:
        OutputError: a camera is orthographic or has skew.
    """
    document = nerf_document(cameras)
    frames = ",\n".join(json.dumps(frame, allow_nan=False) for frame in document.pop("frames"))
    head = json.dumps(document).removesuffix("}")
    return f'{head}, "frames": [\n{frames}\n]}}\n'.encode("ascii")


def _checked_cameras(cameras: Iterable[Camera]) -> list[Camera]:
    """Return the cameras as a list.

    Raises:
        CameraError: there is no camera, or an element is no Camera.
    """
    if isinstance(cameras, Camera):
        raise CameraError("cameras must be a list of cameras, not a Camera; pass [camera]")
    checked = []
    try:
        for camera in cameras:
            check_camera(camera)
            checked.append(camera)
    except CameraError:
        raise
    except Exception as error:  # a foreign __iter__ may raise anything
        raise CameraError(
            f"cameras must be a list of cameras, not {shown(cameras)} ({one_line(error)})"
        ) from None
    if not checked:
        raise CameraError("cameras is empty; pass at least one camera")
    return checked
