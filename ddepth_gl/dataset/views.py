"""Cameras of each mesh of a data set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..camera.camera import Camera
from ..camera.placement import axes_of_up, bounding_sphere
from ..errors import CameraError
from .axes import Axis, direction_of
from .directions import (
    Direction,
    Elevations,
    fibonacci_directions,
    hammersley_directions,
    orbit_directions,
    random_direction,
    turntable_directions,
)
from .draws import draw, sin_deg, tan_deg, within
from .entry_paths import cameras_of_entry
from .similar_cameras import camera_of_similar
from .worlds import placement_in_world

if TYPE_CHECKING:
    from ..mesh.mesh import Mesh
    from .config import ViewsConfig
    from .entries import MeshEntry
    from .normalization import Placement

__all__ = ["cameras_for"]

FIT_MARGIN = 1.05  # as in Camera.orbit
_NEAR_THE_POLE = 0.999  # sine of the elevation above which `up` is taken from the frame's y axis

Range = tuple[float, float]


def cameras_for(
    config: ViewsConfig,
    mesh: Mesh,
    entry: MeshEntry,
    placement: Placement | None = None,
    loaded: Mesh | None = None,
) -> list[Camera]:
    """Return the cameras of a mesh; they depend on the arguments alone.

    All cameras look at the center of the bounding box, with the mesh's up direction toward the
    upper edge of their images. The kinds differ in directions:

    - "orbit": those of `Camera.orbit`, with the same seed for all meshes.
    - "fibonacci", "hemisphere": a Fibonacci lattice, of all elevations or those above the horizon,
      turned by a random angle of each mesh.
    - "hammersley": a Hammersley set with random offsets of each mesh.
    - "turntable": a circle; of elevation 30 degrees by default.
    - "random": directions of their own for each view of each mesh.
    - "file": the cameras of a file, see `load_cameras`. Its poses are in `config.world`, see
      `placement_in_world`, and its image size goes before `config.size`.

    `elevation_deg`, an angle or a range, limits them to that band. Fields of view and distances are
    numbers or ranges; values of a range are random for each view. Random numbers follow from
    (seed, id, view), the same on every machine: see `draw`. More views of a "random" kind keep the
    earlier ones.

    A distance is from the center, in units of the radius around the mesh (``distance_in:
    radii``), of the longest side of its bounding box (``sides``) or of the mesh (``units``).
    Without one, each camera is where the whole mesh is in its image: the sphere around the mesh
    fits with a margin of 5 %; with ``sides``, the sphere around a cube of that side fits exactly.

    The rays of an orthographic camera start at its distance, and its image shows what a perspective
    one would show in the plane through the center; without a distance, the whole mesh.

    Args:
        config: settings of the views.
        mesh: the mesh as it is rendered, after `normalized`.
        entry: the mesh's entry. Its own camera file, if it has one, goes before all settings.
        placement: how the mesh was normalized; None if it was not.
        loaded: the mesh as its file has it, before it was normalized; None if it was not. The
            world of camera files follows from it.

    Raises:
        CameraError: the mesh is a single point, a camera file cannot be read, or its cameras are
            unusable.
        DatasetError: no direction of ``density: cube`` has such an elevation.
    """
    if entry.cameras is not None or config.kind == "file":
        up = direction_of("views.up", config.up)
        similarity = placement_in_world(config.world, loaded or mesh, placement, entry, up)
        return [camera_of_similar(each, similarity) for each in cameras_of_entry(config, entry)]
    frame = _Frame(config, mesh)
    return [
        frame.camera(direction, *_lens(config, entry.id, view), view, entry.id)
        for view, direction in enumerate(_directions(config, entry.id))
    ]


def _directions(config: ViewsConfig, id: str) -> list[Direction]:
    count, seed = config.count, config.seed
    elevations = _elevations(config)
    if config.kind == "random":
        return [
            random_direction(seed, id, view, elevations, config.density) for view in range(count)
        ]
    if config.kind == "turntable":
        return turntable_directions(count, config.azimuth_deg, elevations)
    if config.kind == "orbit":
        # The start of Camera.orbit.
        turns = float(np.random.default_rng(seed).uniform(0.0, 2.0 * math.pi)) / (2.0 * math.pi)
        return orbit_directions(count, 360.0 * turns, elevations)
    turns = draw(seed, id, "azimuth")
    if config.kind == "hammersley":
        offsets = (draw(seed, id, "elevation"), turns)
        return hammersley_directions(count, offsets, elevations, config.upper_share)
    return fibonacci_directions(count, 360.0 * turns, elevations)


def _elevations(config: ViewsConfig) -> Elevations:
    if config.elevation_deg is not None:
        return _as_range(config.elevation_deg)
    if config.kind == "hemisphere":
        return 0.0, 90.0
    return (30.0, 30.0) if config.kind == "turntable" else (-90.0, 90.0)


def _lens(config: ViewsConfig, id: str, view: int) -> tuple[float, float | None]:
    """Return the tangent of half the vertical field of view, and the distance or None."""
    low, high = _as_range(config.fov_deg)
    fraction = draw(config.seed, id, view, "fov")
    if config.fov_spacing == "inverse_square" and low != high:
        square = within(sin_deg(low / 2.0) ** 2, sin_deg(high / 2.0) ** 2, fraction)
        tangent = math.sqrt(square / (1.0 - square))
    else:
        tangent = tan_deg(within(low, high, fraction) / 2.0)
    if config.distance is None:
        return tangent, None
    return tangent, within(*_as_range(config.distance), draw(config.seed, id, view, "distance"))


class _Frame:
    """The center, the size and the axes that the cameras of a mesh are placed by."""

    def __init__(self, config: ViewsConfig, mesh: Mesh) -> None:
        self._config = config
        self._center, radius = bounding_sphere(mesh)
        self._unit, self._radius = 1.0, FIT_MARGIN * radius
        if config.distance_in == "radii":
            self._unit = radius
        elif config.distance_in == "sides":
            self._unit = float((mesh.bounds[1] - mesh.bounds[0]).max())
            self._radius = math.sqrt(0.75) * self._unit
        up = direction_of("views.up", config.up) or mesh.up
        x, y, z = axes_of_up("views.up", up).tolist()
        self._axes: tuple[Axis, Axis, Axis] = (tuple(x), tuple(y), tuple(z))

    def camera(
        self, direction: Direction, tangent: float, distance: float | None, view: int, id: str
    ) -> Camera:
        """Return one camera.

        Args:
            direction: from the center to the camera, in the frame x, y, up.
            tangent: of half the vertical field of view.
            distance: in the unit of the settings; None shows the whole mesh.
            view, id: number of the view and id of the mesh, for errors.
        """
        width, height = self._config.size
        narrower = tangent * min(1.0, width / height)
        if distance is None:
            length = self._radius * math.sqrt(1.0 + narrower * narrower) / narrower
            # Parallel rays show the sphere itself, not its tangents.
            half_height = self._radius * tangent / narrower
        else:
            length = distance * self._unit
            half_height = length * tangent
        if not (math.isfinite(length) and length > 0.0):
            raise CameraError(f"{id}, view {view}: the distance is {length:g}; give another one")
        focal = height / 2.0 / (half_height if self._config.orthographic else tangent)
        K = [[focal, 0.0, width / 2.0], [0.0, focal, height / 2.0], [0.0, 0.0, 1.0]]
        x, y, z = (
            sum(part * axis[i] for part, axis in zip(direction, self._axes, strict=True))
            for i in range(3)
        )
        upward = self._axes[2 if abs(direction[2]) < _NEAR_THE_POLE else 1]
        pose = _pose((x, y, z), length, upward, self._center.tolist())
        return Camera(np.array(K), pose, width, height, self._config.orthographic)


def _pose(away: Direction, distance: float, upward: Axis, center: list[float]) -> np.ndarray:
    """Return the (4, 4) camera_from_world of `look_at_pose`, without BLAS.

    Args:
        away: unit vector from the center to the camera, world frame.
        distance: of the camera from the center.
        upward: direction toward the upper edge of the image, world frame.
        center: point that the camera looks at.
    """
    forward = (-away[0], -away[1], -away[2])
    right = _cross(forward, upward)
    length = math.sqrt(sum(part * part for part in right))
    right = (right[0] / length, right[1] / length, right[2] / length)
    pose = np.eye(4)
    for row, axis in enumerate((right, _cross(forward, right), forward)):
        pose[row, :3] = axis
        pose[row, 3] = 0.0 - sum(a * c for a, c in zip(axis, center, strict=True))
    pose[2, 3] += distance
    return pose


def _cross(a: Axis, b: Axis) -> Axis:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def _as_range(value: float | Range) -> Range:
    return value if isinstance(value, tuple) else (value, value)
