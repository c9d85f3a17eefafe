"""A camera in a scene's local frame, in double precision, as all shaders start from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ..scene import Scene

__all__ = ["LocalCamera", "local_camera"]

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LocalCamera:
    """What relates points of the local frame, pixels and rays. Image coordinates are in pixels.

    Attributes:
        center: (3,) of the camera.
        view_direction: (3,) depth of an offset from the center, local units, is its dot product with this.
        image_from_offset: (2, 3) rows that take an offset to (u w, v w) less image_origin; w is its depth, or
            1 if the camera is orthographic.
        image_origin: (2,) where an orthographic camera sees its center; (0, 0) in perspective.
        rays: (3, 3) rows r, d, o. Perspective: u r + v d + o is the direction of depth 1 of the ray through
            (u, v). Orthographic: it is the offset of the ray's start.
        ray_direction: (3,) of depth 1, of all rays of an orthographic camera.
    """

    center: Float64Array
    view_direction: Float64Array
    image_from_offset: Float64Array
    image_origin: Float64Array
    rays: Float64Array
    ray_direction: Float64Array


def local_camera(scene: Scene, camera: Camera) -> LocalCamera:
    """A camera in the local frame of a scene."""
    to_camera = camera.camera_from_world[:3, :3]
    image_from_offset = camera.image_from_camera[:2, :3] @ to_camera
    rays = np.linalg.inv(camera.K)
    if camera.is_orthographic:
        # K is per mesh unit; in perspective the unit cancels. The rays start on the plane of depth 0.
        image_from_offset *= scene.step
        with np.errstate(over="ignore"):  # of absurdly short lenses
            rays[:2] /= scene.step
        rays[2] = 0.0
    # Not the transpose: rotations that were rounded to a few digits are only nearly orthonormal.
    from_camera = np.asarray(np.linalg.inv(to_camera), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        local_rays = from_camera @ rays
    return LocalCamera(
        center=scene.to_local(camera.center),
        view_direction=to_camera[2],
        image_from_offset=image_from_offset,
        image_origin=camera.image_from_camera[:2, 3],
        rays=local_rays.T,
        ray_direction=from_camera[:, 2],
    )
