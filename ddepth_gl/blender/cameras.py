"""Cameras of Blender as `Camera`, with the part of the image that Blender crops to; and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..camera.camera import Camera
from ..errors import CameraError

__all__ = ["blender_camera", "blender_clip", "set_blender_camera", "use_camera"]

_OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
_SENSOR = 36.0  # millimeters
_CLOSE = 1e-5  # of the largest number of K; Blender has lens and shift in float32
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


def use_camera(scene: Any, camera_object: Any) -> None:
    """Make a camera that of the scene at all frames; markers of its timeline name none then."""
    for marker in scene.timeline_markers:
        marker.camera = None  # it would become the camera of the frames behind it
    scene.camera = camera_object


def set_blender_camera(
    scene: Any, camera_object: Any, camera: Camera, near_far: tuple[float, float]
) -> None:
    """Make the image of a scene that of a camera: size, lens and pose; nothing is cropped.

    It is the inverse of `blender_camera`, to the precision of float32.

    Args:
        scene: a ``bpy.types.Scene``; markers of its timeline name no cameras afterwards.
        camera_object: the ``bpy.types.Object`` of the scene's camera.
        camera: the camera.
        near_far: its clip start and end, along its z.

    Raises:
        CameraError: the camera has skew, or what Blender does not allow, such as fewer than 4 rows.
    """
    import mathutils

    K, render, data = camera.K, scene.render, camera_object.data
    if K[0, 1]:
        raise CameraError(
            f"K has skew ({K[0, 1]:g}), which cameras of Blender lack; give cameras without"
        )
    use_camera(scene, camera_object)
    render.resolution_x, render.resolution_y = camera.width, camera.height
    render.resolution_percentage, render.use_border = 100, False
    aspect = K[0, 0] / K[1, 1]  # height of a pixel over its width
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, 1.0 / aspect), max(1.0, aspect)
    data.type = "ORTHO" if camera.is_orthographic else "PERSP"
    data.sensor_fit, data.sensor_width = "HORIZONTAL", _SENSOR
    if camera.is_orthographic:
        data.ortho_scale = camera.width / K[0, 0]
    else:
        data.lens = K[0, 0] * _SENSOR / camera.width
    data.shift_x = (camera.width / 2.0 - K[0, 2]) / camera.width
    data.shift_y = (K[1, 2] - camera.height / 2.0) * aspect / camera.width
    data.clip_start, data.clip_end = near_far
    pose = np.linalg.inv(camera.camera_from_world) @ _OPENCV_FROM_OPENGL
    camera_object.matrix_world = mathutils.Matrix(pose.tolist())
    there = blender_camera(scene, camera_object)
    is_sized = (there.width, there.height) == (camera.width, camera.height)
    if not is_sized or np.abs(there.K - K).max() > _CLOSE * np.abs(K).max():
        raise CameraError(
            f"Blender has no such camera: of {camera!r} it makes {there!r}; check size and lens"
        )


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
