"""The 3-D part of the page: the image with its depth, points, the mesh, the camera, a ray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...mesh.mesh import Mesh
from ..clouds import BACK_COLOR, FRONT_COLOR, Cloud
from ..coloring import BACKGROUND
from ..probe import Probe
from .page_world import PageWorld

__all__ = ["MAX_FACES", "PageScene"]

MAX_FACES = 1_000_000  # more are not sent to browsers
_CAMERA_DEPTH = 0.5  # in radii of the mesh
_MESH_COLOR = (168, 176, 190)
_CAMERA_COLOR = (255, 196, 84)
_RAY_COLOR = (235, 235, 240)
_INSIDE_COLOR = (255, 70, 90)
_PHOTO_QUALITY, _MOVING_QUALITY = 92, 80


class PageScene:
    """The 3-D scene of one client; any thread may call it.

    Args:
        client: client of viser.
        world: coordinates of the page.
        mesh: the mesh of the viewer, if it has one.
    """

    def __init__(self, client: Any, world: PageWorld, mesh: Mesh | None = None) -> None:
        self._client = client
        self._world = world
        self._mesh = mesh
        self._handles: dict[str, Any] = {}
        self._shows_image = True  # the page starts with a color of its own

    def show_image(
        self,
        colors: npt.NDArray[np.uint8],
        depth: npt.NDArray[np.float32] | None,
        is_exact: bool,
        is_photo: bool,
    ) -> None:
        """Show an image behind, or between, what else the scene has.

        Args:
            colors: (H, W, 3) uint8.
            depth: (H, W) float32 along the optical axis, mesh units; None puts it behind all.
            is_exact: the view stands still. Colors of numbers are then sent without loss.
            is_photo: JPEG is good enough at any time.
        """
        self._shows_image = True
        format_: Literal["png", "jpeg"] = "png" if is_exact and not is_photo else "jpeg"
        quality = _PHOTO_QUALITY if is_exact else _MOVING_QUALITY
        self._client.scene.set_background_image(
            np.ascontiguousarray(colors),
            format_,
            jpeg_quality=quality,
            depth=None if depth is None else self._world.length(depth),
        )

    def hide_image(self) -> None:
        """Show the color of the background only."""
        if not self._shows_image:
            return
        self._shows_image = False
        self._client.scene.set_background_image(np.full((2, 2, 3), BACKGROUND, np.uint8), "png")

    def show_points(
        self,
        name: str,
        points: npt.NDArray[np.float64],
        colors: npt.NDArray[np.uint8],
        size: float,
        shape: str = "square",
    ) -> None:
        """Show points, in place of those of the same name.

        Args:
            name: of the node.
            points: (N, 3), world frame.
            colors: (N, 3) uint8.
            size: of a point, mesh units.
            shape: of a point, see viser.
        """
        if not len(points):
            self.hide(name)
            return
        self._handles[name] = self._client.scene.add_point_cloud(
            f"/{name}",
            self._world.points(points).astype(np.float32),
            colors,
            point_size=float(self._world.length(size)),
            point_shape=shape,
            point_shading="flat",
            precision="float32",
        )

    def show_clouds(self, clouds: Sequence[Cloud], size: float) -> None:
        """Show clouds, in place of those before.

        Args:
            clouds: in the world frame.
            size: of a point, mesh units.
        """
        points = [each.points for each in clouds] or [np.zeros((0, 3))]
        colors = [each.colors for each in clouds] or [np.zeros((0, 3), np.uint8)]
        self.show_points("clouds", np.concatenate(points), np.concatenate(colors), size)

    def show_mesh(self, opacity: float) -> None:
        """Show the mesh, drawn by the browser."""
        handle = self._handles.get("mesh")
        if handle is not None:
            handle.opacity = opacity
        if handle is not None or self._mesh is None:
            return
        self._handles["mesh"] = self._client.scene.add_mesh_simple(
            "/mesh",
            self._world.points(self._mesh.vertices).astype(np.float32),
            self._mesh.faces.astype(np.uint32),
            color=_MESH_COLOR,
            opacity=opacity,
            side="double",
            flat_shading=True,
            cast_shadow=False,
            receive_shadow=False,
        )

    def show_camera(self, camera: Camera) -> None:
        """Show a camera by the lines around what it sees, up to some depth."""
        width, height = float(camera.width), float(camera.height)
        corners = np.array([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])
        depth = _CAMERA_DEPTH * self._world.radius
        far = camera.unproject(corners, np.full(4, depth))
        near = far - depth * camera.camera_from_world[2, :3]
        if not camera.is_orthographic:
            near[:] = camera.center
        following = np.roll(far, -1, axis=0)
        top = camera.unproject(np.array([(width / 2.0, -0.12 * height)]), np.array([depth]))[0]
        ends = [*zip(near, far, strict=True), *zip(far, following, strict=True)]
        # The upper edge has a peak.
        ends += [(far[0], top), (top, far[1])]
        self._lines("camera", ends, 2.0, _CAMERA_COLOR)

    def show_ray(self, probe: Probe) -> None:
        """Show the ray of a probe: thick inside the solid, with a point at each crossing."""
        origin, direction = np.asarray(probe.origin), np.asarray(probe.direction)
        crossings = probe.crossings
        reach = max([crossing.distance for crossing in crossings], default=0.0)
        end = max(1.08 * reach, float(np.linalg.norm(origin - self._world.center)))
        self._lines("ray", [(origin, origin + (end + self._world.radius) * direction)], 1.5)
        inside = [
            (origin + start * direction, origin + stop * direction) for start, stop in probe.inside
        ]
        self._lines("inside", inside, 6.0, _INSIDE_COLOR)
        colors = [FRONT_COLOR if each.is_front else BACK_COLOR for each in crossings]
        self.show_points(
            "crossings",
            np.array([each.point for each in crossings], np.float64).reshape(-1, 3),
            np.array(colors, np.uint8).reshape(-1, 3),
            0.02 * self._world.radius,
            "circle",
        )

    def hide_ray(self) -> None:
        """Show no ray."""
        for name in ("ray", "inside", "crossings"):
            self.hide(name)

    def hide(self, name: str) -> None:
        """Remove what has this name."""
        handle = self._handles.pop(name, None)
        if handle is not None:
            handle.remove()

    def close(self) -> None:
        """Drop everything; the client is gone."""
        self._handles.clear()

    def _lines(self, name: str, ends: list[Any], thickness: float, color: Any = _RAY_COLOR) -> None:
        if not ends:
            self.hide(name)
            return
        self._handles[name] = self._client.scene.add_line_segments(
            f"/{name}",
            self._world.points(np.array(ends, np.float64)).astype(np.float32),
            color,
            thickness=thickness,
            thickness_units="screen",
        )
