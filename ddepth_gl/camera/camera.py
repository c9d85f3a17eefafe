"""Camera: intrinsics, pose and the exact ray of every pixel.

Frames and pixels (docs/conventions.md): the camera frame is OpenCV's (x right, y down, z forward); row 0 is
the top row; pixel (row r, column c) is sampled at its center, image coordinates (c + 0.5, r + 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pyrr import matrix44

from .._checks import (
    checked_array,
    checked_choice,
    checked_flag,
    is_integer,
    one_line,
    quiet_math,
    shown,
    unmasked_array,
)
from .._frozen_arrays import frozen
from ..errors import CameraError

__all__ = ["Camera", "Frame", "check_camera", "checked_field_of_view", "checked_image_size"]

Float64Array = npt.NDArray[np.float64]
Frame = Literal["world", "camera"]

# How far from orthonormal a rotation may be: that of float32 or of five digits passes, a scale does not.
ROTATION_TOLERANCE = 1e-4
_FARTHEST = 1e150  # whose square float64 holds
_MOST_VIEWS = 1 << 24  # of an orbit: more than memory holds
GOLDEN_ANGLE = math.pi * (3.0 - math.sqrt(5.0))

# OpenGL's camera frame (x right, y up, z backward) to and from OpenCV's.
_FLIP_YZ = np.diag([1.0, -1.0, -1.0, 1.0])


class HasBounds(Protocol):
    """Anything with an axis-aligned bounding box, such as a Mesh."""

    @property
    def bounds(self) -> Float64Array:
        """(2, 3): smallest and largest corner, world frame."""


def _numbers(name: str, value: Any, *shapes: tuple[int, ...]) -> Float64Array:
    """A float64 copy of `value`, which must be finite numbers of one of the shapes."""
    try:
        given = unmasked_array(value)
        # Text would be parsed, None would become NaN and the imaginary part would be dropped.
        if given.dtype.kind not in "iuf":
            raise TypeError("not real numbers")
    except (
        Exception
    ) as error:  # whatever an __array__ method raises, as of a torch tensor that requires grad
        wanted = f"numbers of shape {shapes[0]}" if shapes[0] else "a number"
        raise CameraError(
            f"{name} must be {wanted}, not {shown(value)} ({one_line(error)})"
        ) from None
    if given.shape not in shapes:
        wanted = " or ".join(map(str, shapes))
        raise CameraError(f"{name} must have shape {wanted}, not {given.shape}")
    with np.errstate(over="ignore"):
        array = np.array(given, dtype=np.float64)
    if not np.isfinite(array).all():
        raise CameraError(f"{name} holds NaN or infinity: {array.tolist()}")
    return array


def _points(name: str, value: Any) -> Float64Array:
    """`value` as float64 of any shape, NaN and infinity included."""
    given = checked_array(name, value, "biuf", None, CameraError)
    with quiet_math(CameraError, given):
        return given.astype(np.float64, copy=False)


def _pose(name: str, value: Any) -> Float64Array:
    """A (4, 4) float64 copy of a pose given as (4, 4) or (3, 4): rotation and translation only."""
    pose = _numbers(name, value, (4, 4), (3, 4))
    if pose.shape == (4, 4) and (pose[3] != (0.0, 0.0, 0.0, 1.0)).any():
        raise CameraError(
            f"{name} must have last row (0, 0, 0, 1), not {pose[3].tolist()}; "
            "is it transposed, as pyrr's and glm's matrices are?"
        )
    pose = np.vstack([pose[:3], (0.0, 0.0, 0.0, 1.0)])
    rotation = pose[:3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
        determinant = float(np.linalg.det(rotation))
    # Written so that a NaN from overflow does not pass.
    if not (deviation <= ROTATION_TOLERANCE and determinant > 0.0):
        raise CameraError(
            f"{name} must be a rotation and a translation: its 3x3 part is off by "
            f"{deviation:.2g} (determinant {determinant:.3g}); put scales and mirrorings into the mesh"
        )
    return pose


def checked_field_of_view(fov_y_deg: Any) -> float:
    """Return a vertical field of view, degrees, if it can be one; raises CameraError."""
    fov_y = float(_numbers("fov_y_deg", fov_y_deg, ()))
    if not 1e-9 < fov_y < 180.0:  # smaller ones have no tangent left
        raise CameraError(f"fov_y_deg must lie between 0 and 180 degrees, not {fov_y}")
    return fov_y


def checked_image_size(width: Any, height: Any) -> tuple[int, int]:
    """Return the width and height of an image, pixels, if they can be; raises CameraError."""
    sizes = []
    for name, value in (("width", width), ("height", height)):
        # The upper limit keeps absurd sizes from overflowing further on.
        if not is_integer(value) or not 1 <= value < 1 << 31:
            raise CameraError(
                f"{name} must be an integer of pixels, at least 1, not {shown(value)}"
            )
        sizes.append(int(value))
    return sizes[0], sizes[1]


@dataclass(frozen=True, eq=False)
class Camera:
    """A perspective or orthographic camera. Prefer the constructors `look_at`, `from_intrinsics`, ...

    Attributes:
        K: (3, 3) float64. Perspective: image = K (X/Z, Y/Z, 1), focal lengths in pixels. Orthographic:
            image = K (X, Y, 1), K[0, 0] and K[1, 1] in pixels per mesh unit. Upper triangular; image
            coordinates have pixel centers at (column + 0.5, row + 0.5).
        camera_from_world: (4, 4) float64, rotation and translation.
        width, height: image size in pixels.
        is_orthographic: whether rays are parallel, starting on the plane z = 0 of the camera frame.

    Raises:
        CameraError: naming the value that cannot be used.
    """

    K: Float64Array
    camera_from_world: Float64Array
    width: int
    height: int
    is_orthographic: bool = False

    def __post_init__(self) -> None:
        width, height = checked_image_size(self.width, self.height)
        K = _numbers("K", self.K, (3, 3))
        if (K[2] != (0.0, 0.0, 1.0)).any() or K[1, 0] != 0.0:
            raise CameraError(
                f"K must be upper triangular with last row (0, 0, 1), not {K.tolist()}"
            )
        if not (K[0, 0] > 0.0 and K[1, 1] > 0.0):
            raise CameraError(
                f"K is singular or mirrors: focal lengths must be positive, not ({K[0, 0]:g}, {K[1, 1]:g}); "
                "for a camera frame with y up use Camera.from_opengl"
            )
        pose = _pose("camera_from_world", self.camera_from_world)
        parallel = checked_flag("is_orthographic", self.is_orthographic, CameraError)
        for field, value in zip(
            fields(self), (frozen(K), frozen(pose), width, height, parallel), strict=True
        ):
            object.__setattr__(self, field.name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        # Rebuilding through the constructor keeps the arrays of a copied or unpickled camera read-only.
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    # Constructors

    @classmethod
    def look_at(
        cls,
        eye: npt.ArrayLike,
        target: npt.ArrayLike,
        up: npt.ArrayLike = (0.0, 0.0, 1.0),
        fov_y_deg: float = 40.0,
        width: int = 512,
        height: int = 512,
    ) -> Camera:
        """A perspective camera at `eye` that has `target` in the middle of its image.

        Args:
            eye, target, up: (3,) world frame; `up` points to the image's upper edge.
            fov_y_deg: angle between the image's upper and lower edge, in degrees, between 0 and 180.
            width, height: image size in pixels; pixels are square.

        Raises:
            CameraError: eye and target coincide, up is parallel to the view, or a value is not finite.
        """
        width, height = checked_image_size(width, height)
        focal = height / 2.0 / math.tan(math.radians(checked_field_of_view(fov_y_deg)) / 2.0)
        K = [[focal, 0.0, width / 2.0], [0.0, focal, height / 2.0], [0.0, 0.0, 1.0]]
        return cls(np.array(K), _look_at_pose(eye, target, up), width, height)

    @classmethod
    def from_intrinsics(
        cls,
        K: npt.ArrayLike,
        camera_from_world: npt.ArrayLike,
        width: int,
        height: int,
        pixel_center: float = 0.5,
    ) -> Camera:
        """A perspective camera from its intrinsic matrix, skew and off-center principal point included.

        Args:
            K: (3, 3) in pixels.
            camera_from_world: (4, 4) or (3, 4), to the OpenCV camera frame.
            width, height: image size in pixels.
            pixel_center: image coordinate of the first pixel's center in K's own convention: 0.5 for
                COLMAP, nerfstudio and OpenGL, 0.0 for OpenCV, BOP and Open3D.
        """
        first = float(_numbers("pixel_center", pixel_center, ()))
        if first not in (0.0, 0.5):
            raise CameraError(f"pixel_center must be 0.0 or 0.5, not {shown(pixel_center)}")
        shifted = _numbers("K", K, (3, 3))
        shifted[:2, 2] += 0.5 - first
        return cls(shifted, _pose("camera_from_world", camera_from_world), width, height)

    @classmethod
    def orthographic(
        cls, extent: npt.ArrayLike, camera_from_world: npt.ArrayLike, width: int, height: int
    ) -> Camera:
        """A camera with parallel rays, centered on the camera frame's z axis.

        Args:
            extent: (width, height) of the image in mesh units; one number for the width with square pixels.
            camera_from_world: (4, 4) or (3, 4), to the OpenCV camera frame; rays start at its plane z = 0.
            width, height: image size in pixels.
        """
        width, height = checked_image_size(width, height)
        given = _numbers("extent", extent, (2,), ())
        extent_x, extent_y = given if given.shape else (float(given), float(given) * height / width)
        if not (extent_x > 0.0 and extent_y > 0.0):
            raise CameraError(f"extent must be positive mesh units, not {given.tolist()}")
        K = [
            [width / extent_x, 0.0, width / 2.0],
            [0.0, height / extent_y, height / 2.0],
            [0.0, 0.0, 1.0],
        ]
        pose = _pose("camera_from_world", camera_from_world)
        return cls(np.array(K), pose, width, height, is_orthographic=True)

    @classmethod
    def from_opengl(
        cls, intrinsics: npt.ArrayLike, world_from_camera: npt.ArrayLike, width: int, height: int
    ) -> Camera:
        """A camera given as OpenGL and Blender give it: y up, looking down -z.

        Args:
            intrinsics: (3, 3) intrinsic matrix K in pixels with pixel centers at 0.5, or (4, 4) OpenGL
                projection matrix, perspective or orthographic, that multiplies column vectors (pyrr's and
                glm's are its transpose). Its near and far planes are ignored.
            world_from_camera: (4, 4) or (3, 4) pose of the camera (Blender's ``matrix_world``).
            width, height: image size in pixels.
        """
        width, height = checked_image_size(width, height)
        given = _numbers("intrinsics", intrinsics, (3, 3), (4, 4))
        camera_from_world = _inverse(_pose("world_from_camera", world_from_camera) @ _FLIP_YZ)
        if given.shape == (3, 3):
            return cls(given, camera_from_world, width, height)
        K, is_orthographic = _intrinsics_from_projection(given, width, height)
        return cls(K, camera_from_world, width, height, is_orthographic)

    @classmethod
    def orbit(
        cls,
        mesh: HasBounds,
        views: int = 24,
        width: int = 512,
        height: int = 512,
        seed: int = 0,
        fov_y_deg: float = 40.0,
        up: npt.ArrayLike = (0.0, 0.0, 1.0),
    ) -> list[Camera]:
        """Perspective cameras evenly spread over a sphere around the mesh, each with all of it in view.

        The directions are a Fibonacci lattice turned about `up` by an angle drawn from `seed`
        (Swinbank and Purser, "Fibonacci grids", 2006). The same arguments give the same cameras.

        Args:
            mesh: a Mesh; or anything with `bounds`, all of whose box is then kept in view.
            views: how many cameras.
            width, height: image size in pixels.
            seed: of the turn.
            fov_y_deg: vertical field of view in degrees, between 0 and 180.
            up: (3,) what is up in the mesh; (0, 1, 0) for many OBJ and all glTF files.

        Raises:
            CameraError: an argument is not one of those above, or the mesh is a single point.
        """
        if not is_integer(views) or not 1 <= views <= _MOST_VIEWS:
            raise CameraError(
                f"views must be an integer from 1 to {_MOST_VIEWS}, not {shown(views)}"
            )
        if not is_integer(seed) or seed < 0:
            raise CameraError(f"seed must be an integer, at least 0, not {shown(seed)}")
        generator = np.random.default_rng(int(seed))
        low, high = _numbers("mesh.bounds", getattr(mesh, "bounds", None), (2, 3))
        center = (low + high) / 2.0
        # A box around a round mesh reaches a good deal farther than the mesh.
        vertices = getattr(mesh, "vertices", high[None])
        # Vertices that no face uses may be anywhere.
        reach = vertices[((vertices >= low) & (vertices <= high)).all(axis=1)] - center
        radius = math.sqrt(float((reach * reach).sum(axis=-1).max()))
        if radius == 0.0:
            raise CameraError(
                f"mesh is a single point at {low.tolist()}, of which there is no view; give a larger one"
            )
        axes = _axes(up)
        width, height = checked_image_size(width, height)
        half_angle = math.radians(checked_field_of_view(fov_y_deg)) / 2.0
        narrower = min(half_angle, math.atan(math.tan(half_angle) * width / height))
        distance = 1.05 * radius / math.sin(narrower)
        turn = generator.uniform(0.0, 2.0 * math.pi)
        cameras = []
        for view in range(views):
            # A third of a step from the pole: a single view then looks down a little, as a person would.
            z = 1.0 - 2.0 * (view + 0.33) / views
            ring, angle = math.sqrt(1.0 - z * z), turn + view * GOLDEN_ANGLE
            direction = np.array([ring * math.cos(angle), ring * math.sin(angle), z])
            upward = axes[2] if abs(z) < 0.999 else axes[1]
            eye = center + distance * direction @ axes
            cameras.append(cls.look_at(eye, center, upward, fov_y_deg, width, height))
        return cameras

    def rows(self, start: int, stop: int, samples: int = 1) -> Camera:
        """The camera of the rows from `start` up to, not including, `stop`.

        Args:
            start, stop: rows.
            samples: pixels along each side of one of this camera's pixels.

        Raises:
            CameraError: there are no such rows, or `samples` is not an integer, at least 1.
        """
        if not (is_integer(start) and is_integer(stop) and 0 <= start < stop <= self.height):
            raise CameraError(
                f"rows must satisfy 0 <= start < stop <= {self.height}, not {shown(start)}, {shown(stop)}"
            )
        samples, _ = checked_image_size(samples, 1)
        start, stop = int(start), int(stop)  # NumPy's small integers would overflow
        K = self.K.copy()
        K[1, 2] -= start
        K[:2] *= samples
        return replace(self, K=K, width=self.width * samples, height=(stop - start) * samples)

    # Geometry

    @property
    def world_from_camera(self) -> Float64Array:
        """(4, 4) float64: the inverse of `camera_from_world`."""
        return self._world_from_camera.copy()

    @cached_property
    def _world_from_camera(self) -> Float64Array:
        return frozen(_inverse(self.camera_from_world))

    @property
    def center(self) -> Float64Array:
        """(3,) float64, world frame: the origin of the camera frame."""
        return self._world_from_camera[:3, 3].copy()

    @property
    def image_from_camera(self) -> Float64Array:
        """(3, 4) float64: homogeneous camera point to homogeneous image point (u w, v w, w)."""
        matrix = np.zeros((3, 4))
        if self.is_orthographic:
            matrix[:, :2], matrix[:, 3] = self.K[:, :2], self.K[:, 2]
        else:
            matrix[:, :3] = self.K
        return matrix

    def projection(self, depth_row: npt.ArrayLike) -> Float64Array:
        """The whole projection as one matrix: homogeneous camera point to clip space.

        Clip y grows with the image row, so that row 0 of what OpenGL reads back is the top row. This is
        the one place where the image is turned over; it makes counter-clockwise faces clockwise on screen.

        Args:
            depth_row: (4,) what gives clip z; its scale is the engine's choice.

        Returns:
            (4, 4) float64.
        """
        u, v, w = self.image_from_camera
        return np.array(
            [
                2.0 / self.width * u - w,
                2.0 / self.height * v - w,
                _numbers("depth_row", depth_row, (4,)),
                w,
            ]
        )

    def project(
        self, points: npt.ArrayLike, frame: Frame = "world"
    ) -> tuple[Float64Array, Float64Array]:
        """Image coordinates and depth of points.

        Args:
            points: (..., 3) in `frame`.
            frame: "world" or "camera".

        Returns:
            (..., 2) image coordinates (column, row), pixel centers at halves, and (...) depth, both float64.
            For a perspective camera, image coordinates are meaningful where depth > 0.

        Raises:
            CameraError: the shape is another, or there are other things than numbers.
        """
        given = _points("points", points)
        if given.ndim == 0 or given.shape[-1] != 3:
            raise CameraError(f"points must have shape (..., 3), not {given.shape}")
        is_world = _frame(frame) == "world"
        with quiet_math(CameraError, given):
            if is_world:
                given = given @ self.camera_from_world[:3, :3].T + self.camera_from_world[:3, 3]
            image = given @ self.image_from_camera[:, :3].T + self.image_from_camera[:, 3]
            return image[..., :2] / image[..., 2:], given[..., 2]

    def unproject(
        self, pixels: npt.ArrayLike, depth: npt.ArrayLike, frame: Frame = "world"
    ) -> Float64Array:
        """Points at given image coordinates and depths; the inverse of `project`.

        Args:
            pixels: (..., 2) image coordinates (column, row), pixel centers at halves.
            depth: (...) z-depth in mesh units.
            frame: of the result, "world" or "camera".

        Returns:
            (..., 3) float64.

        Raises:
            CameraError: the shapes do not fit, or there are other things than numbers.
        """
        z, image = _points("depth", depth), _points("pixels", pixels)
        if image.ndim == 0 or image.shape[-1] != 2:
            raise CameraError(f"pixels must have shape (..., 2), not {image.shape}")
        try:
            np.broadcast_shapes(image.shape[:-1], z.shape)
        except ValueError:
            raise CameraError(
                f"pixels of shape {image.shape} and depth of {z.shape} do not fit"
            ) from None
        is_world = _frame(frame) == "world"
        with quiet_math(CameraError, image, z):
            y = (image[..., 1] - self.K[1, 2]) / self.K[1, 1]
            x = (image[..., 0] - self.K[0, 2] - self.K[0, 1] * y) / self.K[0, 0]
            scale = np.ones_like(z) if self.is_orthographic else z
            points: Float64Array = np.stack(np.broadcast_arrays(x * scale, y * scale, z), axis=-1)
            if is_world:
                pose = self._world_from_camera
                points = points @ pose[:3, :3].T + pose[:3, 3]
            return points

    def pixel_centers(self) -> Float64Array:
        """(H, W, 2) float64 image coordinates (column + 0.5, row + 0.5) of every pixel center."""
        columns, rows = np.arange(self.width) + 0.5, np.arange(self.height) + 0.5
        return np.stack(np.meshgrid(columns, rows), axis=-1)

    def rays(self, frame: Frame = "world") -> tuple[Float64Array, Float64Array]:
        """The ray of every pixel center.

        Returns:
            (H, W, 3) origins and (H, W, 3) unit directions, float64, in `frame`.
        """
        centers = self.pixel_centers()
        start = np.zeros(centers.shape[:2])
        origins = self.unproject(centers, start, "camera")
        directions = self.unproject(centers, start + 1.0, "camera") - origins
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        if _frame(frame) == "camera":
            return origins, directions
        pose = self._world_from_camera
        return origins @ pose[:3, :3].T + pose[:3, 3], directions @ pose[:3, :3].T

    def pixel_footprint(self, depth: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Width of a pixel (its height, if that is larger) at a depth.

        Args:
            depth: (...) z-depth in mesh units.

        Returns:
            (...) mesh units.
        """
        depth = checked_array("depth", depth, "biuf", None, CameraError)
        focal = min(self.K[0, 0], self.K[1, 1])
        with quiet_math(CameraError, depth):
            return np.full_like(depth, 1.0 / focal) if self.is_orthographic else depth / focal

    def distance_per_depth(self) -> Float64Array:
        """(H, W) float64: what depth is multiplied by to give the distance along the pixel's ray."""
        if self.is_orthographic:
            return np.ones((self.height, self.width))
        y = (np.arange(self.height)[:, None] + 0.5 - self.K[1, 2]) / self.K[1, 1]
        x = (np.arange(self.width) + 0.5 - self.K[0, 2] - self.K[0, 1] * y) / self.K[0, 0]
        # In place: this array is as large as any of the results.
        squares: Float64Array = np.multiply(x, x, out=x)
        squares += y * y + 1.0
        np.sqrt(squares, out=squares)
        return squares


def check_camera(camera: Any) -> None:
    """Raises CameraError unless it is a Camera."""
    if not isinstance(camera, Camera):
        raise CameraError(f"camera must be a Camera, not a {type(camera).__name__}")


def _inverse(pose: Float64Array) -> Float64Array:
    """The inverse of a (4, 4) pose, its last row exactly (0, 0, 0, 1)."""
    inverse = np.asarray(np.linalg.inv(pose), dtype=np.float64)
    inverse[3] = (0.0, 0.0, 0.0, 1.0)
    return inverse


def _frame(frame: str) -> str:
    return checked_choice("frame", frame, ("world", "camera"), CameraError)


def _axes(up: npt.ArrayLike) -> Float64Array:
    """(3, 3) rows of a right-handed frame whose third axis is `up`; the identity for z."""
    z = _numbers("up", up, (3,))
    length = float(np.linalg.norm(z))
    if not length > 0.0:
        raise CameraError(f"up {z.tolist()} has no direction; choose another up")
    z = z / length
    # The world axis least along `up`, of equal ones the first.
    x = np.eye(3)[int(np.argmin(np.abs(z).round(6)))]
    x = x - z * float(z @ x)
    x /= np.linalg.norm(x)
    return np.array([x, np.cross(z, x), z])


def _look_at_pose(eye: npt.ArrayLike, target: npt.ArrayLike, up: npt.ArrayLike) -> Float64Array:
    eye, target, up = (
        _numbers(n, v, (3,)) for n, v in (("eye", eye), ("target", target), ("up", up))
    )
    if max(float(np.abs(eye).max()), float(np.abs(target).max())) > _FARTHEST:
        raise CameraError(
            f"eye {eye.tolist()} and target {target.tolist()} must lie within {_FARTHEST:g} of the origin; "
            "scale the mesh down"
        )
    view = target - eye
    length = float(np.linalg.norm(view))
    if length <= 1e-14 * max(float(np.abs(eye).max()), float(np.abs(target).max())):
        raise CameraError(f"eye and target coincide at {eye.tolist()}; move one of them")
    # The sine of the angle between them; below this, rounding decides which way is up.
    # Scaled in two steps, as the length of very small or large numbers is 0 or infinite.
    upward = up / max(float(np.abs(up).max()), 1e-300)
    upward /= max(float(np.linalg.norm(upward)), 0.5)
    sine = np.linalg.norm(np.cross(view / length, upward))
    if sine < 1e-9:
        raise CameraError(
            f"up {up.tolist()} is zero or parallel to the view from eye to target; choose another up"
        )
    # At the origin: pyrr would add the eye to differences that a far-away eye makes inexact.
    rotation = (
        _FLIP_YZ @ matrix44.create_look_at(np.zeros(3), view / length, upward, dtype=np.float64).T
    )
    pose: Float64Array = rotation.copy()
    pose[:3, 3] = -rotation[:3, :3] @ eye
    return pose


def _intrinsics_from_projection(
    matrix: Float64Array, width: int, height: int
) -> tuple[Float64Array, bool]:
    """K of an OpenGL projection matrix (column vectors), and whether it is orthographic."""
    is_orthographic = matrix[3, 3] != 0.0
    expected = (0.0, 0.0, 0.0, 1.0) if is_orthographic else (0.0, 0.0, -1.0, 0.0)
    offset = 3 if is_orthographic else 2
    off_limits = [(0, 5 - offset), (1, 5 - offset), (1, 0)]
    if (matrix[3] != expected).any() or any(matrix[place] != 0.0 for place in off_limits):
        raise CameraError(
            f"intrinsics is not an OpenGL projection matrix of column vectors: {matrix.tolist()}; "
            "transpose the ones of pyrr and glm"
        )
    # u = (1 + x_ndc) W / 2 and v = (1 - y_ndc) H / 2; OpenGL's y and z are minus ours.
    sign = 1.0 if is_orthographic else -1.0
    K = np.array(
        [
            [
                matrix[0, 0] * width / 2,
                -matrix[0, 1] * width / 2,
                (1 + sign * matrix[0, offset]) * width / 2,
            ],
            [0.0, matrix[1, 1] * height / 2, (1 - sign * matrix[1, offset]) * height / 2],
            [0.0, 0.0, 1.0],
        ]
    )
    return K, bool(is_orthographic)
