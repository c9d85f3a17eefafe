"""Coordinates of the page: the mesh at the origin, of radius 1, and cameras in them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...camera.placement import axes_of_up
from ..orbit import Orbit, Vector

__all__ = ["BrowserCamera", "PageWorld", "beside"]

# Nearer to the pole, the controls of the page would choose an azimuth of their own.
_MAX_ELEVATION_DEG = 89.999
_LEVEL = 1e-6  # sine of the angle between two directions that are the same


class BrowserCamera(NamedTuple):
    """The camera of a page: eye, point it looks at, upward direction, vertical angle in radians.

    Positions are in the world of the page.
    """

    position: Vector
    look_at: Vector
    up: Vector
    fov: float


@dataclass(frozen=True)
class PageWorld:
    """A world in which the mesh has its center at the origin and a radius of 1.

    viser sends depth as steps of 1e-5 up to 168, has a near plane at 0.01, and sends points as
    float32: all fit this world, whatever the units of the mesh are.

    Attributes:
        center: of the sphere around the mesh, world frame.
        radius: of the sphere, mesh units.
    """

    center: Vector
    radius: float

    @classmethod
    def around(cls, orbit: Orbit) -> PageWorld:
        """Return the world of the mesh that an orbit was made for."""
        return cls(orbit.center, orbit.radius or orbit.distance)

    def points(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return points of the world frame, (..., 3), in the world of the page."""
        return (np.asarray(points, np.float64) - self.center) / self.radius

    def length(self, length: Any) -> Any:
        """Return lengths or depths in mesh units as lengths in the world of the page."""
        return length / self.radius

    def camera_of(self, orbit: Orbit) -> BrowserCamera:
        """Return the camera of the page that sees what a perspective orbit sees."""
        limit = _MAX_ELEVATION_DEG
        level = replace(
            orbit,
            elevation_deg=min(limit, max(-limit, orbit.elevation_deg)),
            is_orthographic=False,
        )
        eye, target, _ = level.viewpoint
        return BrowserCamera(
            _vector(self.points(eye)),
            _vector(self.points(target)),
            level.up,
            math.radians(level.fov_deg),
        )

    def orbit_of(self, camera: Any, like: Orbit) -> Orbit:
        """Return the orbit whose camera is that of the page.

        Args:
            camera: a BrowserCamera, or a camera handle of viser.
            like: orbit before; gives all but target, distance, direction and field of view.
        """
        offset = np.subtract(camera.position, camera.look_at)
        distance = float(np.linalg.norm(offset))
        up = like.up
        right = np.cross(-offset, _upward(camera, up))
        up_axis = axes_of_up("up", up)[2]
        if abs(float(right @ up_axis)) > _LEVEL * np.linalg.norm(right):  # the page rolls
            up = _vector(_upward(camera, up))
        axes = axes_of_up("up", up)
        x, y, z = axes @ (offset / distance)
        if math.hypot(x, y) > 1e-12:
            azimuth = math.atan2(x, -y)
        else:
            across = axes @ right
            azimuth = math.atan2(across[1], across[0])
        target = np.asarray(camera.look_at, np.float64) * self.radius + self.center
        return replace(
            like,
            target=_vector(target),
            distance=distance * self.radius,
            azimuth_deg=math.degrees(azimuth),
            elevation_deg=math.degrees(math.atan2(z, math.hypot(x, y))),
            up=up,
            fov_deg=math.degrees(camera.fov),
        )


def beside(orbit: Orbit) -> Orbit:
    """Return an orbit that sees the mesh from beside a camera, and the camera, too."""
    return replace(orbit.turned(-40.0, 15.0).zoomed(-8.0), is_orthographic=False)


def _upward(camera: Any, up: Vector) -> npt.NDArray[np.float64]:
    """Return the upward direction of a BrowserCamera, or of a camera handle of viser."""
    direction = getattr(camera, "up", None)
    if direction is None:
        direction = camera.up_direction
    upward = np.asarray(direction, np.float64)
    return upward if np.linalg.norm(upward) > 0.0 else np.asarray(up, np.float64)


def _vector(values: Any) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
