"""Placement of cameras: poses that look at a target, and viewpoints around a mesh."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from pyrr import matrix44

from .._checks import is_integer, shown
from ..errors import CameraError
from .checks import Float64Array, checked_field_of_view, checked_numbers, checked_pose

__all__ = [
    "HasBounds",
    "Viewpoint",
    "axes_of_up",
    "bounding_sphere",
    "inverse_pose",
    "look_at_pose",
    "opengl_from_pose",
    "orbit_viewpoints",
    "pose_from_opengl",
]

_DEFAULT_UP = (0.0, 0.0, 1.0)  # as in Mesh
GOLDEN_ANGLE = math.pi * (3.0 - math.sqrt(5.0))
_MAX_COORDINATE = 1e150  # float64 holds its square
_MAX_VIEWS = 1 << 24  # no computer has the memory for more

# Converts between the camera frames of OpenGL (x right, y up, z backward) and OpenCV.
_FLIP_YZ = np.diag([1.0, -1.0, -1.0, 1.0])


class HasBounds(Protocol):
    """Anything with an axis-aligned bounding box, such as a Mesh."""

    @property
    def bounds(self) -> Float64Array:
        """(2, 3) float64, world frame: the smallest and the largest corner."""


class Viewpoint(NamedTuple):
    """The position and orientation of a camera, in the arguments of `look_at_pose`."""

    eye: Float64Array
    target: Float64Array
    up: Float64Array


def inverse_pose(pose: Float64Array) -> Float64Array:
    """Return the inverse of a (4, 4) pose; its last row is exactly (0, 0, 0, 1)."""
    inverse = np.asarray(np.linalg.inv(pose), dtype=np.float64)
    inverse[3] = (0.0, 0.0, 0.0, 1.0)
    return inverse


def pose_from_opengl(world_from_camera: npt.ArrayLike) -> Float64Array:
    """Return the (4, 4) camera_from_world of a camera given in OpenGL's camera frame.

    Args:
        world_from_camera: (4, 4) or (3, 4), from the frame x right, y up, z backward.

    Raises:
        CameraError: the matrix is not a rigid pose.
    """
    return inverse_pose(checked_pose("world_from_camera", world_from_camera) @ _FLIP_YZ)


def opengl_from_pose(camera_from_world: Float64Array) -> Float64Array:
    """Return the (4, 4) world_from_camera in OpenGL's camera frame; inverts `pose_from_opengl`."""
    pose: Float64Array = inverse_pose(camera_from_world) @ _FLIP_YZ
    return pose


def look_at_pose(eye: npt.ArrayLike, target: npt.ArrayLike, up: npt.ArrayLike) -> Float64Array:
    """Return the (4, 4) camera_from_world of a camera at `eye` that looks at `target`.

    Args:
        eye, target, up: (3,) world frame; `up` points to the upper edge of the image.

    Raises:
        CameraError: eye and target coincide, `up` is parallel to the view direction, or a value is
            not finite.
    """
    eye, target, up = (
        checked_numbers(name, value, (3,))
        for name, value in (("eye", eye), ("target", target), ("up", up))
    )
    largest = max(float(np.abs(eye).max()), float(np.abs(target).max()))
    if largest > _MAX_COORDINATE:
        raise CameraError(
            f"eye {eye.tolist()} and target {target.tolist()} must lie within "
            f"{_MAX_COORDINATE:g} of the origin; scale the mesh down"
        )
    view = target - eye
    length = float(np.linalg.norm(view))
    if length <= 1e-14 * largest:
        raise CameraError(f"eye and target coincide at {eye.tolist()}; move one of them")
    # Normalized in two steps: the length of very small or large vectors would be 0 or infinite.
    upward = up / max(float(np.abs(up).max()), 1e-300)
    upward /= max(float(np.linalg.norm(upward)), 0.5)
    # The sine of the angle between view and up. Below the limit, rounding decides which way is up.
    sine = np.linalg.norm(np.cross(view / length, upward))
    if sine < 1e-9:
        raise CameraError(
            f"up {up.tolist()} is zero or parallel to the view from eye to target; "
            "choose another up"
        )
    # At the origin: pyrr would add the eye to the differences, and a distant eye rounds them.
    rotation = (
        _FLIP_YZ @ matrix44.create_look_at(np.zeros(3), view / length, upward, dtype=np.float64).T
    )
    pose: Float64Array = rotation.copy()
    pose[:3, 3] = -rotation[:3, :3] @ eye
    return pose


def orbit_viewpoints(
    mesh: HasBounds,
    views: int,
    width: int,
    height: int,
    seed: int,
    fov_y_deg: float,
    up: npt.ArrayLike | None,
) -> list[Viewpoint]:
    """Return viewpoints spread evenly over a sphere around a mesh; see `Camera.orbit`."""
    if not is_integer(views) or not 1 <= views <= _MAX_VIEWS:
        raise CameraError(f"views must be an integer from 1 to {_MAX_VIEWS}, not {shown(views)}")
    if not is_integer(seed) or seed < 0:
        raise CameraError(f"seed must be an integer, at least 0, not {shown(seed)}")
    center, radius = bounding_sphere(mesh)
    axes = (
        axes_of_up("up", up)
        if up is not None
        else axes_of_up("mesh.up", getattr(mesh, "up", _DEFAULT_UP))
    )
    half_angle = math.radians(checked_field_of_view(fov_y_deg)) / 2.0
    narrower = min(half_angle, math.atan(math.tan(half_angle) * width / height))
    distance = 1.05 * radius / math.sin(narrower)
    start_angle = np.random.default_rng(int(seed)).uniform(0.0, 2.0 * math.pi)
    viewpoints = []
    for view in range(views):
        # The offset of 0.33 makes a single view look down a little, as a person would.
        z = 1.0 - 2.0 * (view + 0.33) / views
        ring_radius = math.sqrt(1.0 - z * z)
        angle = start_angle + view * GOLDEN_ANGLE
        direction = np.array([ring_radius * math.cos(angle), ring_radius * math.sin(angle), z])
        upward = axes[2] if abs(z) < 0.999 else axes[1]
        viewpoints.append(Viewpoint(center + distance * direction @ axes, center, upward))
    return viewpoints


def bounding_sphere(mesh: HasBounds) -> tuple[Float64Array, float]:
    """Return the center of a mesh's bounding box, and a radius around it that holds the mesh."""
    if not hasattr(mesh, "bounds"):
        raise CameraError(
            f"mesh must be a Mesh, or an object with bounds, not {shown(mesh)}; "
            "load_mesh reads one from a file"
        )
    low, high = checked_numbers("mesh.bounds", mesh.bounds, (2, 3))
    center = (low + high) / 2.0
    # The vertices fit closer than the box: the box of a round mesh has distant corners.
    vertices = getattr(mesh, "vertices", high[None])
    # The bounds leave out vertices that no face uses.
    offsets = vertices[((vertices >= low) & (vertices <= high)).all(axis=1)] - center
    radius = math.sqrt(float((offsets * offsets).sum(axis=-1).max()))
    if radius == 0.0:
        raise CameraError(
            f"mesh is a single point at {low.tolist()}, which no camera can frame; "
            "pass a larger mesh"
        )
    return center, radius


def axes_of_up(name: str, up: npt.ArrayLike) -> Float64Array:
    """Return (3, 3) rows of a right-handed frame with `up` as third axis; the identity for z."""
    z = checked_numbers(name, up, (3,))
    # Sums instead of BLAS, whose last bit depends on the CPU.
    length = math.sqrt(float((z * z).sum()))
    if not length > 0.0:
        raise CameraError(f"{name} {z.tolist()} has no direction; choose another up")
    z = z / length
    # The world axis that is farthest from parallel to `up`; ties go to the first.
    x = np.eye(3)[int(np.argmin(np.abs(z).round(6)))]
    x = x - z * float((z * x).sum())
    x /= math.sqrt(float((x * x).sum()))
    return np.array([x, np.cross(z, x), z])
