"""Orbit: a camera that is turned around a point, as a mouse or keys move it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import checked_choice, checked_flag, checked_number, shown
from ..camera.camera import Camera, check_camera
from ..camera.checks import checked_field_of_view, checked_numbers
from ..camera.placement import HasBounds, Viewpoint, axes_of_up
from ..errors import CameraError, RequestError
from .framing import Vector, azimuth_at_pole, level_up, points_of, sphere_of, vector_of

__all__ = ["STANDARD_VIEWS", "Orbit", "Vector"]

# Azimuth and elevation in degrees. From the front, the horizontal axis of the image is x.
STANDARD_VIEWS: dict[str, tuple[float, float]] = {
    "front": (0.0, 0.0),
    "back": (180.0, 0.0),
    "left": (-90.0, 0.0),
    "right": (90.0, 0.0),
    "top": (0.0, 90.0),
    "bottom": (0.0, -90.0),
    "iso": (45.0, math.degrees(math.asin(1.0 / math.sqrt(3.0)))),
}
_HOME = (35.0, 25.0)
_BESIDE_DEG = 40.0
_ZOOM_PER_STEP = 0.9
_NEAREST, _FARTHEST = 1e-4, 1e4  # distances from the target, in radii of the mesh
_MAX_STEPS = 1000.0
# Cameras beyond them cannot be told from one with parallel rays, or from a plane.
_NARROWEST_DEG, _WIDEST_DEG = 2e-9, 179.9999
_MARGIN = 1.1  # around a mesh that is fitted into the image
_SMALLEST_FIT = 0.02  # half of the height that an image shows at least, in radii
# Nearer to the pole, the up direction of the image is not that of the orbit.
_POLE_DEG = 89.9


@dataclass(frozen=True)
class Orbit:
    """A camera at some distance from the point that it looks at; immutable, methods return others.

    It turns like a turntable: `up` stays up in the image.

    Attributes:
        target: point in the center of the image, world frame.
        distance: of the eye from the target, mesh units. Parallel rays show as much of the target's
            surroundings as the rays of a perspective camera at this distance would.
        azimuth_deg: angle around `up`, counter-clockwise seen from above; 0 is the front.
        elevation_deg: angle above the horizon, -90 to 90.
        up: direction that is up, world frame.
        fov_deg: vertical field of view.
        is_orthographic: whether rays are parallel.
        center, radius: sphere that holds the mesh, world frame, mesh units. Parallel rays start in
            front of it. A radius of 0 means that there is none.

    Raises:
        RequestError, CameraError: a value cannot be used; the message names it.
    """

    target: Vector
    distance: float
    azimuth_deg: float
    elevation_deg: float
    up: Vector
    fov_deg: float = 40.0
    is_orthographic: bool = False
    center: Vector = (0.0, 0.0, 0.0)
    radius: float = 0.0

    def __post_init__(self) -> None:
        for name in ("target", "up", "center"):
            vector = checked_numbers(name, getattr(self, name), (3,))
            object.__setattr__(self, name, tuple(vector.tolist()))
        for name in ("distance", "azimuth_deg", "elevation_deg", "radius"):
            number = checked_number(name, getattr(self, name))
            if not math.isfinite(number):
                raise RequestError(f"{name} must be a finite number, not {number}")
            object.__setattr__(self, name, number)
        if not self.distance > 0.0 or self.radius < 0.0:
            raise RequestError(
                f"distance and radius must be positive, not {self.distance:g} and {self.radius:g}"
            )
        axes_of_up("up", self.up)
        object.__setattr__(self, "fov_deg", checked_field_of_view(self.fov_deg))
        is_orthographic = checked_flag("is_orthographic", self.is_orthographic)
        object.__setattr__(self, "is_orthographic", is_orthographic)
        object.__setattr__(self, "azimuth_deg", (self.azimuth_deg + 180.0) % 360.0 - 180.0)
        object.__setattr__(self, "elevation_deg", min(90.0, max(-90.0, self.elevation_deg)))

    # Constructors

    @classmethod
    def framing(
        cls,
        mesh: HasBounds | npt.ArrayLike,
        up: npt.ArrayLike | None = None,
        aspect: float = 1.0,
        fov_deg: float = 40.0,
    ) -> Orbit:
        """Return the orbit that shows a whole mesh from the front, the right and above.

        Args:
            mesh: a Mesh, or (2, 3) bounds.
            up: direction that is up, world frame; None for that of the mesh.
            aspect: width of the image divided by its height.
            fov_deg: vertical field of view.

        Raises:
            CameraError: the mesh is a single point, or `up` has no direction.
        """
        if up is None:
            up = getattr(mesh, "up", (0.0, 0.0, 1.0))
        up_vector = vector_of(axes_of_up("up", up)[2])
        return cls((0.0, 0.0, 0.0), 1.0, *_HOME, up_vector, fov_deg).fitted(mesh, aspect)

    @classmethod
    def from_camera(cls, camera: Camera, mesh: HasBounds | npt.ArrayLike) -> Orbit:
        """Return the orbit that continues from a camera: the same eye, direction and size.

        The target is the point of the optical axis nearest to the center of the mesh. A camera that
        rolls gets an `up` of its own. An orbit has no principal point: an image that is not
        centered on it moves. Its field of view lies between 2e-9 and 179.9999 degrees.

        Args:
            camera: a Camera.
            mesh: a Mesh, or (2, 3) bounds.
        """
        check_camera(camera)
        center, radius = sphere_of(mesh)
        rotation = camera.camera_from_world[:3, :3]
        right, down, ahead = rotation
        depth = float(ahead @ (center - camera.center))
        up = level_up(right, -down, getattr(mesh, "up", (0.0, 0.0, 1.0)))
        tangent = camera.height / 2.0 / float(camera.K[1, 1])
        fov_deg = 40.0
        if camera.is_orthographic:
            distance = tangent / math.tan(math.radians(fov_deg) / 2.0)
        else:
            fov_deg = 2.0 * math.degrees(math.atan(tangent))
            fov_deg = min(_WIDEST_DEG, max(_NARROWEST_DEG, fov_deg))
            distance = depth = depth if depth > 1e-3 * radius else radius
        axes = axes_of_up("up", up)
        x, y, z = (axes @ -ahead).tolist()
        azimuth = math.atan2(x, -y) if math.hypot(x, y) > 1e-9 else azimuth_at_pole(axes @ right)
        return cls(
            vector_of(camera.center + depth * ahead),
            distance,
            math.degrees(azimuth),
            math.degrees(math.asin(min(1.0, max(-1.0, z)))),
            up,
            fov_deg,
            camera.is_orthographic,
            vector_of(center),
            radius,
        )

    @classmethod
    def looking(
        cls,
        eye: npt.ArrayLike,
        target: npt.ArrayLike,
        mesh: HasBounds | npt.ArrayLike,
        up: npt.ArrayLike | None = None,
        fov_deg: float = 40.0,
    ) -> Orbit:
        """Return the orbit with a given eye and target.

        Args:
            eye, target: (3,) world frame.
            mesh: a Mesh, or (2, 3) bounds.
            up: direction that is up, world frame; None for that of the mesh.
            fov_deg: vertical field of view.

        Raises:
            CameraError: see `Camera.look_at`.
        """
        if up is None:
            up = getattr(mesh, "up", (0.0, 0.0, 1.0))
        found = cls.from_camera(Camera.look_at(eye, target, up, fov_deg, 2, 2), mesh)
        start, end = (checked_numbers("eye and target", each, (3,)) for each in (eye, target))
        distance = float(np.linalg.norm(end - start))
        return replace(found, target=vector_of(end), distance=distance)

    # Movements

    def turned(self, right_deg: float, down_deg: float) -> Orbit:
        """Return the orbit after what is in the image was turned to the right and down."""
        return replace(
            self,
            azimuth_deg=self.azimuth_deg - right_deg,
            elevation_deg=self.elevation_deg + down_deg,
        )

    def panned(self, right: float, down: float) -> Orbit:
        """Return the orbit after the image was moved, in fractions of its height."""
        to_right, to_top, _ = self._frame()
        step = -right * to_right + down * to_top
        return replace(self, target=vector_of(np.array(self.target) + self.height * step))

    def zoomed(self, steps: float) -> Orbit:
        """Return the orbit after steps toward the target, each of a tenth of the distance."""
        distance = self.distance * _ZOOM_PER_STEP ** min(_MAX_STEPS, max(-_MAX_STEPS, steps))
        radius = self.radius or self.distance
        # Nearer, the eye would be rounded to the target.
        nearest = max(_NEAREST * radius, 1e-12 * max(map(abs, self.target)))
        distance = max(nearest, min(_FARTHEST * radius, distance))
        return replace(self, distance=distance)

    def seen_from(self, name: str) -> Orbit:
        """Return the orbit that sees the target from a standard side.

        Args:
            name: front, back, left, right, top, bottom or iso.

        Raises:
            RequestError: there is no such side.
        """
        azimuth_deg, elevation_deg = STANDARD_VIEWS[
            checked_choice("the side", name, STANDARD_VIEWS)
        ]
        return replace(self, azimuth_deg=azimuth_deg, elevation_deg=elevation_deg)

    def fitted(self, mesh: HasBounds | npt.ArrayLike, aspect: float = 1.0) -> Orbit:
        """Return the orbit that sees a whole mesh, as large as it fits, from the same side.

        Args:
            mesh: a Mesh, or (2, 3) bounds.
            aspect: width of the image divided by its height.
        """
        center, radius = sphere_of(mesh)
        to_right, to_top, toward_eye = self._frame()
        offsets = points_of(mesh) - center
        tangent = math.tan(math.radians(self.fov_deg) / 2.0)
        sideways = np.maximum(np.abs(offsets @ to_right) / aspect, np.abs(offsets @ to_top))
        behind = _MARGIN * sideways / tangent  # the eye is so far behind each point
        # For what is seen end-on, such as a line.
        nearest = _SMALLEST_FIT * radius / tangent
        if not self.is_orthographic:
            behind += offsets @ toward_eye
            nearest += float((offsets @ toward_eye).max())
        distance = max(float(behind.max()), nearest)
        return replace(
            self,
            target=vector_of(center),
            distance=distance,
            center=vector_of(center),
            radius=radius,
        )

    def with_fov(self, fov_deg: float) -> Orbit:
        """Return the orbit with another field of view; the target keeps its size in the image."""
        fov_deg = checked_field_of_view(fov_deg)
        distance = self.height / 2.0 / math.tan(math.radians(fov_deg) / 2.0)
        return replace(self, fov_deg=fov_deg, distance=distance)

    def beside(self) -> Orbit:
        """Return the orbit that sees from the side what this one sees, for the mould view."""
        return replace(self, azimuth_deg=self.azimuth_deg - _BESIDE_DEG)

    # Cameras

    @property
    def height(self) -> float:
        """Height of the image at the target, mesh units."""
        return 2.0 * self.distance * math.tan(math.radians(self.fov_deg) / 2.0)

    @property
    def viewpoint(self) -> Viewpoint:
        """Eye, target and up direction, as `Camera.look_at` takes them.

        Parallel rays start on the plane through the eye, which lies in front of the mesh.
        """
        _, to_top, toward_eye = self._frame()
        target, distance = np.array(self.target), self.distance
        if self.is_orthographic and self.radius:
            behind = float((np.array(self.center) - target) @ toward_eye)
            # At least a radius from the target, too: eye and target must not coincide.
            distance = max(behind + 1.5 * self.radius, self.radius)
        up = np.array(self.up) if abs(self.elevation_deg) < _POLE_DEG else to_top
        return Viewpoint(target + distance * toward_eye, target, up)

    def camera(self, width: int, height: int) -> Camera:
        """Return the camera of an image of this size.

        Raises:
            CameraError: the size is not positive, or the mesh is too far from the origin.
        """
        camera = Camera.look_at(*self.viewpoint, self.fov_deg, width, height)
        if not self.is_orthographic:
            return camera
        extent = self.extent(width, height)
        return Camera.orthographic(extent, camera.camera_from_world, width, height)

    def extent(self, width: int, height: int) -> tuple[float, float]:
        """Return width and height of the image at the target, mesh units."""
        return self.height * width / height, self.height

    def _frame(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """Return unit vectors: right in the image, up in the image, from the target to the eye."""
        x, y, z = axes_of_up("up", self.up)
        azimuth, elevation = math.radians(self.azimuth_deg), math.radians(self.elevation_deg)
        right = math.cos(azimuth) * x + math.sin(azimuth) * y
        level = math.sin(azimuth) * x - math.cos(azimuth) * y
        toward_eye = math.cos(elevation) * level + math.sin(elevation) * z
        return right, np.cross(toward_eye, right), toward_eye

    # Files

    def as_dict(self) -> dict[str, Any]:
        """Return the values as a plain dict, ready for JSON; `from_dict` takes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Orbit:
        """Return the orbit of a dict from `as_dict`.

        Raises:
            RequestError: an entry is missing, unknown or invalid.
        """
        names = [each.name for each in fields(cls)]
        if not isinstance(entries, Mapping) or not {*names[:5]} <= {*entries} <= {*names}:
            raise RequestError(f"an orbit must have {', '.join(names)}, not {shown(entries)}")
        try:
            return cls(**entries)
        except CameraError as error:
            raise RequestError(f"the orbit cannot be used: {error}") from None
