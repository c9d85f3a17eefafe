"""The cameras of a file on a page: which one it shows, and the steps to others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...camera.camera import Camera
from ...camera.placement import HasBounds
from ...errors import CameraError, DDepthError
from ..orbit import Orbit
from .page_world import PageWorld

__all__ = ["PageCameras", "is_same_view"]

_SAME = 1e-6


class PageCameras:
    """The cameras that a page steps through; each is shown until the page is turned.

    Args:
        cameras: of the file; may be none.
        first: the camera of the first view, and its orbit; None if that is no camera of a file.
        world: coordinates of the page.
        mesh: the mesh of the viewer.

    Attributes:
        number: index of the camera that was shown last.
    """

    def __init__(
        self,
        cameras: Sequence[Camera],
        first: tuple[Camera, Orbit] | None,
        world: PageWorld,
        mesh: HasBounds,
    ) -> None:
        self._cameras, self._world, self._mesh = list(cameras), world, mesh
        self.number = 0
        if first is not None and first[0] in self._cameras:
            self.number = self._cameras.index(first[0])
        self._first = self._last = None if first is None else (self.number, *first)

    def step(self, step: int) -> tuple[Camera, Orbit, str]:
        """Return a camera some steps from the last one, and the orbit of the page that sees it.

        Those that no orbit can show are left out; the text says why, if there are any.

        Raises:
            CameraError: there is none that can be shown.
        """
        reason = ""
        number = self.number
        for _ in self._cameras:
            number = (number + step) % len(self._cameras)
            camera = self._cameras[number]
            try:
                orbit = Orbit.from_camera(camera, self._mesh)
                orbit.camera(2, 2)
            except DDepthError as error:
                reason = reason or f"{_name_of(camera, number)} is left out: {error}"
                step = step or 1
                continue
            self.number, self._last = number, (number, camera, orbit)
            return camera, orbit, reason
        raise CameraError(reason or "there are no cameras to step through; give --cameras FILE")

    def at(self, orbit: Orbit) -> Camera | None:
        """Return the camera that is shown where the page looks from; None for an orbit.

        It is the one stepped to last, or that of the first view.
        """
        for shown in (self._last, self._first):
            if shown is None:
                continue
            number, camera, view = shown
            # The page keeps off the poles.
            returned = self._world.orbit_of(self._world.camera_of(view), view)
            if is_same_view(orbit, view) or is_same_view(orbit, returned):
                self.number, self._last = number, shown
                return camera
        return None

    def text(self, camera: Camera | None) -> str:
        """Return which camera is shown, or how many there are; empty if there are none."""
        if not self._cameras:
            return ""
        if camera is None:
            return f"{len(self._cameras)} cameras"
        name = _name_of(camera, self.number)
        size = f"{camera.width} x {camera.height} in the file"
        return f"{self.number + 1} of {len(self._cameras)}: {name}, {size}"


def is_same_view(orbit: Orbit, other: Orbit) -> bool:
    """Return whether two orbits differ by rounding alone."""
    pose, other_pose = (each.camera(2, 2).camera_from_world for each in (orbit, other))
    step = np.linalg.inv(pose) @ other_pose - np.eye(4)
    limit = _SAME * orbit.distance
    return (
        bool(np.abs(step[:3, :3]).max() < _SAME)
        and bool(np.abs(np.subtract(orbit.target, other.target)).max() < limit)
        and abs(orbit.distance - other.distance) < limit
        and abs(orbit.fov_deg - other.fov_deg) < 1e-4
        and orbit.is_orthographic == other.is_orthographic
    )


def _name_of(camera: Camera, number: int) -> str:
    return camera.name or f"camera {number + 1}"
