"""A camera in a scene's local frame, as compute shaders get it, and how large faces can be in its image."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...camera.camera import Camera
from ..request import SheetRequest
from ..scene import Scene
from ..shared.local_camera import local_camera

__all__ = ["VIEW", "largest_face", "packed_view"]

_SUBPIXELS = 256  # of a pixel, along each side
_GUARD_BAND = 2.0**23  # subpixels, as in compute_view.glsl
_ROUNDING = 2.0**-47  # of positions in double precision, after several operations

_DOUBLES = (
    "camera_center", "image_right", "image_down", "view_direction", "image_origin",
    "ray_right", "ray_down", "ray_origin", "ray_direction",
)  # fmt: skip

# The struct View of shaders/include/compute_view.glsl, in the layout std140.
VIEW = np.dtype(
    {
        "names": [*_DOUBLES, "image_size", "band", "crop", "mesh_units", "column_bits", "rounding"],
        "formats": [*["3f8"] * len(_DOUBLES), "2i4", "2i4", "2f4", "f4", "i4", "f8"],
        "offsets": [*range(0, 32 * len(_DOUBLES), 32), 280, 288, 296, 304, 308, 312],
        "itemsize": 320,
    }
)


def packed_view(scene: Scene, camera: Camera, request: SheetRequest, band: tuple[int, int]) -> Any:
    """A VIEW.

    Args:
        scene, camera, request: of the image.
        band: the rows that are rendered, from the first up to, not including, the second.
    """
    local = local_camera(scene, camera)
    view = np.zeros((), VIEW)
    view["camera_center"] = local.center
    view["image_right"], view["image_down"] = _SUBPIXELS * local.image_from_offset
    view["view_direction"] = local.view_direction
    view["image_origin"][:2] = _SUBPIXELS * local.image_origin
    view["ray_right"], view["ray_down"], view["ray_origin"] = local.rays
    view["ray_direction"] = local.ray_direction
    view["image_size"] = camera.width, camera.height
    view["band"] = band
    with np.errstate(
        over="ignore"
    ):  # a crop beyond float32 becomes infinite, which is what it means
        view["crop"] = np.array(request.crop or (0.0, np.inf))
    view["mesh_units"] = scene.step
    view["column_bits"] = camera.width.bit_length()
    if request.beside_a_face:
        # Of the camera's pose, of its center that follows from it, and of offsets from there.
        pose, center = (
            float(np.linalg.norm(v)) for v in (camera.camera_from_world[:3, 3], local.center)
        )
        view["rounding"] = _ROUNDING * max(pose / scene.step, center, scene.radius)
    return view


def largest_face(view: Any, scene: Scene, is_orthographic: bool, longest_edge: float) -> float:
    """A bound on the sides of all faces' boxes in an image, pixels.

    It is infinite, or no number, if a vertex may have no place in the image, being behind the camera or out
    of the guard band. It knows the mesh as a ball only, and is some four times too large for the usual view.

    Args:
        view: of the image.
        scene: of the mesh.
        is_orthographic: whether the camera is.
        longest_edge: of the faces, local units.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # of absurd cameras
        offset = -view[
            "camera_center"
        ]  # of the local origin, the middle of a ball that holds all vertices
        radius = 1.01 * scene.radius
        rows = np.stack((view["image_right"], view["image_down"]))
        middle = rows @ offset
        nearest = 1.0
        # What an edge adds by its going away from the camera, for a point at the ball's rim.
        going_away = 0.0
        if is_orthographic:
            middle += view["image_origin"][:2]
        else:
            depth = float(view["view_direction"] @ offset)
            nearest = depth - radius
            if nearest <= 0.0:
                return np.inf
            middle /= depth
            rows -= middle[:, None] * view["view_direction"]
            going_away = radius / nearest
        slope = float(np.sqrt((rows**2).sum(axis=1).max())) / nearest
        if np.abs(middle).max() + slope * radius > _GUARD_BAND:
            return np.inf
        return slope * longest_edge * (1.0 + going_away) / _SUBPIXELS
