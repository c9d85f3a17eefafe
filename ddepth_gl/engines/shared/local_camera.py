"""LocalCamera: a camera in a scene's local frame, in double precision, for all shaders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ..scene import Scene

__all__ = ["LocalCamera", "local_camera", "local_cameras"]

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LocalCamera:
    """The relation between points of the local frame, pixels and rays.

    Offsets are from the camera center, in local units. Image coordinates (u, v) are in pixels.

    Attributes:
        center: (3,) camera center.
        view_direction: (3,); its dot product with an offset is the offset's depth, local units.
        image_from_offset: (2, 3) matrix from an offset to (u w, v w) - image_origin. w is the depth
            of the offset, or 1 for an orthographic camera.
        image_origin: (2,) image of an orthographic camera's center; (0, 0) in perspective.
        rays: (3, 3) rows ray_right, ray_down, ray_origin. In perspective,
            ``u * ray_right + v * ray_down + ray_origin`` is the direction of the ray through
            (u, v), of depth 1. For an orthographic camera it is the offset of the ray's start.
        ray_direction: (3,) direction of all rays of an orthographic camera, of depth 1.
    """

    center: Float64Array
    view_direction: Float64Array
    image_from_offset: Float64Array
    image_origin: Float64Array
    rays: Float64Array
    ray_direction: Float64Array


def local_camera(scene: Scene, camera: Camera) -> LocalCamera:
    """Return the camera in the scene's local frame."""
    cameras = local_cameras(scene, [camera])
    return LocalCamera(**{each.name: getattr(cameras, each.name)[0] for each in fields(cameras)})


def local_cameras(scene: Scene, cameras: Sequence[Camera]) -> LocalCamera:
    """Return cameras in the scene's local frame; every array has them along its first axis.

    NumPy takes as long for one of them as for several.

    Args:
        scene: defines the local frame.
        cameras: all perspective or all orthographic.
    """
    K = np.array([camera.K for camera in cameras])
    camera_from_local = np.array([camera.camera_from_world[:3, :3] for camera in cameras])
    is_orthographic = cameras[0].is_orthographic
    image_from_camera, image_origin = K[:, :2].copy(), np.zeros((len(cameras), 2))
    if is_orthographic:
        image_origin[:], image_from_camera[..., 2] = K[:, :2, 2], 0.0
    image_from_offset = image_from_camera @ camera_from_local
    # Not the transpose of the rotation: rounded to a few digits, it is only nearly orthonormal.
    rays, local_from_camera = np.linalg.inv(np.array((K, camera_from_local)))
    if is_orthographic:
        # K is per mesh unit; in perspective the unit cancels. Rays start on the plane of depth 0.
        image_from_offset *= scene.step
        with np.errstate(over="ignore"):  # extremely short lenses
            rays[:, :2] /= scene.step
        rays[:, 2] = 0.0
    with np.errstate(invalid="ignore"):
        local_rays = local_from_camera @ rays
    return LocalCamera(
        center=scene.to_local(np.array([camera.center for camera in cameras])),
        view_direction=camera_from_local[:, 2],
        image_from_offset=image_from_offset,
        image_origin=image_origin,
        rays=local_rays.swapaxes(1, 2),
        ray_direction=local_from_camera[..., 2],
    )
