"""Cameras of Blender as `Camera`, with the part of the image that Blender crops to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..camera.camera import Camera
from ..errors import CameraError

__all__ = ["blender_camera", "blender_clip"]

_LENS = ("ortho_scale", "sensor_width", "sensor_height", "sensor_fit", "shift_x", "shift_y")
_RENDER = (
    *("resolution_x", "resolution_y", "resolution_percentage"),
    *("pixel_aspect_x", "pixel_aspect_y"),
)


def blender_camera(scene: Any, camera_object: Any) -> Camera:
    """Return the camera whose image Blender renders: lens, shift, pixel aspect, size, crop.

    A render region counts if Blender crops to it; otherwise the whole image is rendered.

    Args:
        scene: a ``bpy.types.Scene``.
        camera_object: object with a camera, evaluated, so that constraints and animation count;
            None if the scene has none.

    Raises:
        CameraError: there is no camera, it is panoramic, mirrors or shears, or nothing is left of
            the image.
    """
    if camera_object is None or camera_object.type != "CAMERA":
        raise CameraError(
            f"scene {scene.name!r} has no camera; add one, or choose it in the Scene properties"
        )
    data, render = camera_object.data, scene.render
    if data.type not in ("PERSP", "ORTHO"):
        raise CameraError(
            f"camera {camera_object.name!r} has a lens of type {data.type}, which bends straight "
            "lines; set the camera's type to Perspective or Orthographic in Blender"
        )
    arguments = {name: getattr(data, name) for name in _LENS}
    arguments |= {name: getattr(render, name) for name in _RENDER}
    arguments |= {"type": data.type, "lens": data.lens if data.type == "PERSP" else None}
    matrix = np.array(camera_object.matrix_world, np.float64)
    try:
        camera = Camera.from_blender(matrix, **arguments)
    except CameraError as error:
        raise CameraError(f"camera {camera_object.name!r}: {error}") from None
    camera = replace(camera, name=camera_object.name)
    if render.use_border and render.use_crop_to_border:
        return _cropped(camera, render)
    return camera


def blender_clip(camera_object: Any) -> tuple[float, float]:
    """Return clip start and end of a camera, for ``near=`` and ``far=``, in mesh units."""
    return float(camera_object.data.clip_start), float(camera_object.data.clip_end)


def _cropped(camera: Camera, render: Any) -> Camera:
    """Return the camera of the render region."""

    # In float32 and cut off, as in Blender (source/blender/render/intern/pipeline.cc).
    def edge(share: float, side: int) -> int:
        return int(np.float32(share) * np.float32(side))

    left, right = (edge(x, camera.width) for x in (render.border_min_x, render.border_max_x))
    bottom, top = (edge(y, camera.height) for y in (render.border_min_y, render.border_max_y))
    if right <= left or top <= bottom:
        raise CameraError(
            f"camera {camera.name!r}: the render region has no pixels; draw a larger one"
        )
    K = camera.K.copy()
    K[:2, 2] -= (left, camera.height - top)
    return replace(camera, K=K, width=right - left, height=top - bottom)
