"""Camera: intrinsics, pose and the exact ray of every pixel.

Frames, pixels and units are those of docs/conventions.md. The camera frame is OpenCV's: x right,
y down, z forward. Row 0 is the top row. Pixel (row r, column c) is sampled at its center, image
coordinates (c + 0.5, r + 0.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .._checks import (
    checked_array,
    checked_choice,
    checked_count,
    checked_flag,
    checked_rows,
    quiet_math,
    shortened,
    shown,
)
from .._frozen_arrays import frozen
from ..errors import CameraError
from .blender import (
    blender_image_size,
    blender_intrinsics,
    blender_is_orthographic,
    blender_pose,
)
from .checks import (
    MAX_IMAGE_SIDE,
    Float64Array,
    checked_entries,
    checked_image_size,
    checked_name,
    checked_numbers,
    checked_points,
    checked_pose,
)
from .intrinsics import (
    intrinsics_from_extent,
    intrinsics_from_field_of_view,
    intrinsics_from_projection,
)
from .placement import (
    HasBounds,
    inverse_pose,
    look_at_pose,
    orbit_viewpoints,
    pose_from_opengl,
)

__all__ = ["Camera", "CoordinateFrame", "check_camera"]

CoordinateFrame = Literal["world", "camera"]


@dataclass(frozen=True, eq=False)
class Camera:
    """A perspective or orthographic camera: intrinsics, pose and image size.

    Immutable, arrays included. Build one with `look_at`, `from_intrinsics`, `orthographic`,
    `from_opengl`, `from_blender` or `orbit`, or read files with `load_cameras`. To give one a name,
    use ``dataclasses.replace(camera, name="left")``.

    Cameras are equal if they have the same rays: K, pose, size and projection are equal. The name
    does not count.

    Attributes:
        K: (3, 3) float64, upper triangular with last row (0, 0, 1). Pixel centers are at
            (column + 0.5, row + 0.5). Perspective: image = K (X/Z, Y/Z, 1), focal lengths in
            pixels. Orthographic: image = K (X, Y, 1), K[0, 0] and K[1, 1] in pixels per mesh unit.
        camera_from_world: (4, 4) float64, rotation and translation from the world frame to the
            OpenCV camera frame.
        width, height: image size in pixels.
        is_orthographic: whether rays are parallel and start on the plane z = 0 of the camera frame.
        name: of the camera or its image, such as a file name; empty if it has none.

    Raises:
        CameraError: a value is invalid; the message names it.
    """

    K: Float64Array
    camera_from_world: Float64Array
    width: int
    height: int
    is_orthographic: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        width, height = checked_image_size(self.width, self.height)
        K = checked_numbers("K", self.K, (3, 3))
        if (K[2] != (0.0, 0.0, 1.0)).any() or K[1, 0] != 0.0:
            raise CameraError(
                f"K must be upper triangular with last row (0, 0, 1), not {K.tolist()}"
            )
        if not (K[0, 0] > 0.0 and K[1, 1] > 0.0):
            raise CameraError(
                "K is singular or mirrors the image: focal lengths must be positive, not "
                f"({K[0, 0]:g}, {K[1, 1]:g}); for a camera frame with y up use Camera.from_opengl"
            )
        pose = checked_pose("camera_from_world", self.camera_from_world)
        is_orthographic = checked_flag("is_orthographic", self.is_orthographic, CameraError)
        name = checked_name(self.name)
        values = (frozen(K), frozen(pose), width, height, is_orthographic, name)
        for field, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, field.name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        # The constructor makes the arrays of copied and unpickled cameras read-only again.
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Camera) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        """Everything that decides the rays; equal cameras have equal keys."""
        numbers = (*self.K.ravel().tolist(), *self.camera_from_world.ravel().tolist())
        return numbers, self.width, self.height, self.is_orthographic

    def __repr__(self) -> str:
        focal_x, focal_y = self.K[0, 0], self.K[1, 1]
        center = self.center
        center[np.abs(center) <= 1e-12 * np.abs(center).max()] = 0.0  # rounding of the inverse
        unit = "pixels per unit" if self.is_orthographic else "pixels"
        parts = [
            f"Camera {self.width}x{self.height}",
            "orthographic" if self.is_orthographic else "perspective",
            f"focal lengths ({focal_x:.6g}, {focal_y:.6g}) {unit}",
            f"at ({', '.join(f'{each:.6g}' for each in center)})",
        ]
        if self.name:
            parts.append(shortened(repr(self.name), 80))
        return f"<{', '.join(parts)}>"

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
        """Return a perspective camera at `eye` with `target` in the center of its image.

        Args:
            eye, target: (3,) camera position and the point to look at, world frame.
            up: (3,) direction toward the upper edge of the image, world frame.
            fov_y_deg: vertical field of view in degrees, between 0 and 180. Pixels are square.
            width, height: image size in pixels.

        Raises:
            CameraError: eye and target coincide, `up` is parallel to the view direction, or a
                value is not finite.
        """
        width, height = checked_image_size(width, height)
        K = intrinsics_from_field_of_view(fov_y_deg, width, height)
        return cls(K, look_at_pose(eye, target, up), width, height)

    @classmethod
    def from_intrinsics(
        cls,
        K: npt.ArrayLike,
        camera_from_world: npt.ArrayLike,
        width: int,
        height: int,
        pixel_center: float = 0.5,
    ) -> Camera:
        """Return a perspective camera with a given intrinsic matrix.

        Args:
            K: (3, 3) in pixels, upper triangular; may have skew and an off-center principal point.
            camera_from_world: (4, 4) or (3, 4) pose, to the OpenCV camera frame.
            width, height: image size in pixels.
            pixel_center: coordinate of the first pixel's center in the convention of `K`: 0.5 for
                COLMAP, nerfstudio, OpenGL and the pinhole rays of Open3D; 0.0 for OpenCV, BOP and
                depth images in Open3D.

        Raises:
            CameraError: a value is invalid; the message names it.
        """
        center = float(checked_numbers("pixel_center", pixel_center, ()))
        if center not in (0.0, 0.5):
            raise CameraError(
                f"pixel_center must be 0.0 or 0.5, not {shown(pixel_center)}; the arguments are K, "
                "camera_from_world (R and t in one matrix), width, height, pixel_center"
            )
        shifted = checked_numbers("K", K, (3, 3))
        shifted[:2, 2] += 0.5 - center
        return cls(shifted, checked_pose("camera_from_world", camera_from_world), width, height)

    @classmethod
    def orthographic(
        cls, extent: npt.ArrayLike, camera_from_world: npt.ArrayLike, width: int, height: int
    ) -> Camera:
        """Return a camera with parallel rays, centered on the z axis of its camera frame.

        Args:
            extent: (2,) width and height of the image in mesh units, or the width alone for
                square pixels.
            camera_from_world: (4, 4) or (3, 4) pose, to the OpenCV camera frame. Rays start on its
                plane z = 0.
            width, height: image size in pixels.

        Raises:
            CameraError: a value is invalid; the message names it.
        """
        width, height = checked_image_size(width, height)
        K = intrinsics_from_extent(extent, width, height)
        pose = checked_pose("camera_from_world", camera_from_world)
        return cls(K, pose, width, height, is_orthographic=True)

    @classmethod
    def from_opengl(
        cls, intrinsics: npt.ArrayLike, world_from_camera: npt.ArrayLike, width: int, height: int
    ) -> Camera:
        """Return a camera given in the convention of OpenGL: y up, looking down -z.

        `from_blender` takes the settings of a camera in Blender instead of a matrix.

        Args:
            intrinsics: (3, 3) intrinsic matrix K in pixels, with pixel centers at 0.5; or (4, 4)
                OpenGL projection matrix, perspective or orthographic, that multiplies column
                vectors. Transpose matrices of pyrr and glm. Near and far planes are ignored.
            world_from_camera: (4, 4) or (3, 4) pose of the camera (Blender's ``matrix_world``).
            width, height: image size in pixels.

        Raises:
            CameraError: a value is invalid; the message names it.
        """
        width, height = checked_image_size(width, height)
        matrix = checked_numbers("intrinsics", intrinsics, (3, 3), (4, 4))
        camera_from_world = pose_from_opengl(world_from_camera)
        if matrix.shape == (3, 3):
            return cls(matrix, camera_from_world, width, height)
        K, is_orthographic = intrinsics_from_projection(matrix, width, height)
        return cls(K, camera_from_world, width, height, is_orthographic)

    @classmethod
    def from_blender(
        cls,
        matrix_world: npt.ArrayLike,
        *,
        resolution_x: int,
        resolution_y: int,
        resolution_percentage: int = 100,
        type: str = "PERSP",
        lens: float | None = None,
        angle_deg: float | None = None,
        ortho_scale: float | None = None,
        sensor_width: float = 36.0,
        sensor_height: float = 24.0,
        sensor_fit: str = "AUTO",
        shift_x: float = 0.0,
        shift_y: float = 0.0,
        pixel_aspect_x: float = 1.0,
        pixel_aspect_y: float = 1.0,
        axes: str = "blender",
    ) -> Camera:
        """Return the camera of a Blender scene, with the image that Blender renders.

        Names, units and defaults are those of Blender's Python API. This prints the arguments of
        the active camera, in the Python console of Blender or in a script::

            import bpy, json

            scene = bpy.context.scene
            bpy.context.view_layer.update()  # matrix_world follows what a script has set
            arguments = {"matrix_world": [list(row) for row in scene.camera.matrix_world]}
            for name in ("type lens ortho_scale sensor_width sensor_height sensor_fit "
                         "shift_x shift_y").split():
                arguments[name] = getattr(scene.camera.data, name)
            for name in ("resolution_x resolution_y resolution_percentage "
                         "pixel_aspect_x pixel_aspect_y").split():
                arguments[name] = getattr(scene.render, name)
            print(json.dumps(arguments))

        Then ``Camera.from_blender(**json.loads(text), axes="y_up")`` is the camera for a mesh
        exported as glTF. For a frame of an animation, call ``scene.frame_set(frame)`` first.

        Lengths are Blender units, as in files that are exported with a scale of 1. Clipping, depth
        of field and the render region do not count.

        Args:
            matrix_world: (4, 4) or (3, 4) ``camera.matrix_world``. As in Blender, its scale is
                dropped.
            resolution_x, resolution_y: image size in pixels, before the percentage.
            resolution_percentage: integer; fractions of a pixel are cut off.
            type: "PERSP" or "ORTHO".
            lens: focal length in millimeters; for "PERSP" only. Blender has it in either lens unit.
            angle_deg: field of view in degrees, instead of `lens`: ``math.degrees(camera.angle)``.
                It spans the image side that `sensor_fit` names.
            ortho_scale: size of that image side in mesh units; for "ORTHO" only.
            sensor_width, sensor_height: sensor size in millimeters.
            sensor_fit: "HORIZONTAL" fits the sensor's width to the width of the image, "VERTICAL"
                its height to the height; "AUTO" fits its width to the longer side of the image.
            shift_x, shift_y: shift of the image to the right and up, as a fraction of the image
                side that `sensor_fit` names.
            pixel_aspect_x, pixel_aspect_y: width and height of a pixel, in any unit.
            axes: world frame of the mesh. "blender": as in Blender, z up, for exported PLY and STL
                files or arrays from ``bpy``. "y_up": (x, y, z) of Blender is (x, z, -y) in the
                mesh, for glTF files and for OBJ and other files exported with forward -Z and up Y.

        Raises:
            CameraError: a value is invalid, `type` is "PANO" or "CUSTOM", or `matrix_world` mirrors
                or shears.
        """
        is_orthographic = blender_is_orthographic(type)
        width, height = blender_image_size(resolution_x, resolution_y, resolution_percentage)
        K = blender_intrinsics(
            width,
            height,
            is_orthographic=is_orthographic,
            lens=lens,
            angle_deg=angle_deg,
            ortho_scale=ortho_scale,
            sensor_width=sensor_width,
            sensor_height=sensor_height,
            sensor_fit=sensor_fit,
            shift_x=shift_x,
            shift_y=shift_y,
            pixel_aspect_x=pixel_aspect_x,
            pixel_aspect_y=pixel_aspect_y,
        )
        return cls(K, blender_pose(matrix_world, axes), width, height, is_orthographic)

    @classmethod
    def orbit(
        cls,
        mesh: HasBounds,
        views: int = 24,
        width: int = 512,
        height: int = 512,
        seed: int = 0,
        fov_y_deg: float = 40.0,
        up: npt.ArrayLike | None = None,
    ) -> list[Camera]:
        """Return perspective cameras spread evenly over a sphere around a mesh.

        Every image shows the whole mesh. The directions form a Fibonacci lattice (Swinbank and
        Purser, "Fibonacci grids", 2006), rotated about `up` by a random angle. The same arguments
        return the same cameras.

        Args:
            mesh: a Mesh, or any object with `bounds`, whose whole bounding box is then in view. It
                may have `up`, as a Mesh does.
            views: number of cameras.
            width, height: image size in pixels.
            seed: seed of the random angle.
            fov_y_deg: vertical field of view in degrees, between 0 and 180.
            up: (3,) up direction, world frame. None takes ``mesh.up``: y for meshes from glTF
                files; z for others, although y is up in many OBJ files.

        Raises:
            CameraError: an argument is invalid, or the mesh is a single point.
        """
        width, height = checked_image_size(width, height)
        return [
            cls.look_at(*viewpoint, fov_y_deg, width, height)
            for viewpoint in orbit_viewpoints(mesh, views, width, height, seed, fov_y_deg, up)
        ]

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Camera:
        """Return the camera of a dict from `to_dict`.

        Args:
            entries: ``K``, ``camera_from_world``, ``width``, ``height`` and, if they are not False
                and empty, ``is_orthographic`` and ``name``; as in `Camera`.

        Raises:
            CameraError: an entry is missing, unknown or invalid; the message names it.
        """
        required = [each.name for each in fields(cls) if each.default is MISSING]
        optional = [each.name for each in fields(cls) if each.default is not MISSING]
        return cls(**checked_entries(entries, required, optional))

    def to_dict(self) -> dict[str, Any]:
        """Return the camera as a dict of lists, numbers, a bool and a str, which JSON can hold.

        `from_dict` returns an equal camera of the same name, also after a round trip through JSON.

        Returns:
            The attributes of `Camera` by name; matrices are lists of rows.
        """
        return {
            "K": self.K.tolist(),
            "camera_from_world": self.camera_from_world.tolist(),
            "width": self.width,
            "height": self.height,
            "is_orthographic": self.is_orthographic,
            "name": self.name,
        }

    def rows(self, start: int, stop: int, samples: int = 1) -> Camera:
        """Return the camera of a band of this camera's rows.

        Args:
            start: first row of the band.
            stop: end of the band; this row is not part of it.
            samples: the new camera has this many pixels along each side of an old pixel.

        Raises:
            CameraError: the image has no such rows, or `samples` is not an integer, at least 1.
        """
        start, stop = checked_rows(start, stop, self.height, CameraError)
        samples = checked_count("samples", samples, MAX_IMAGE_SIDE, CameraError)
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
        return frozen(inverse_pose(self.camera_from_world))

    @property
    def center(self) -> Float64Array:
        """(3,) float64, world frame: the camera center, origin of the camera frame."""
        return self._world_from_camera[:3, 3].copy()

    @property
    def image_from_camera(self) -> Float64Array:
        """(3, 4) float64: maps homogeneous camera points to image points (u w, v w, w)."""
        matrix = np.zeros((3, 4))
        if self.is_orthographic:
            matrix[:, :2], matrix[:, 3] = self.K[:, :2], self.K[:, 2]
        else:
            matrix[:, :3] = self.K
        return matrix

    def projection(self, depth_row: npt.ArrayLike) -> Float64Array:
        """Return the matrix that maps homogeneous camera points to clip space.

        Clip y grows with the image row, so row 0 of an image that OpenGL reads back is the top row.
        Nothing else flips the image. The flip makes counter-clockwise faces clockwise on screen.

        Args:
            depth_row: (4,) row of the matrix that computes clip z; the caller chooses its scale.

        Returns:
            (4, 4) float64.

        Raises:
            CameraError: `depth_row` is not four finite numbers.
        """
        u, v, w = self.image_from_camera
        return np.array(
            [
                2.0 / self.width * u - w,
                2.0 / self.height * v - w,
                checked_numbers("depth_row", depth_row, (4,)),
                w,
            ]
        )

    def project(
        self, points: npt.ArrayLike, frame: CoordinateFrame = "world"
    ) -> tuple[Float64Array, Float64Array]:
        """Project points to the image.

        Args:
            points: (..., 3) in `frame`, mesh units.
            frame: frame of the points, "world" or "camera".

        Returns:
            (..., 2) float64 image coordinates (column, row) with pixel centers at halves, and (...)
            float64 depth in mesh units. The image coordinates of a perspective camera mean nothing
            where depth <= 0.

        Raises:
            CameraError: the points are not numeric or have another shape.
        """
        array = checked_points("points", points)
        if array.ndim == 0 or array.shape[-1] != 3:
            raise CameraError(f"points must have shape (..., 3), not {array.shape}")
        is_world = _checked_frame(frame) == "world"
        with quiet_math(CameraError, array):
            if is_world:
                array = array @ self.camera_from_world[:3, :3].T + self.camera_from_world[:3, 3]
            image = array @ self.image_from_camera[:, :3].T + self.image_from_camera[:, 3]
            return image[..., :2] / image[..., 2:], array[..., 2]

    def unproject(
        self, pixels: npt.ArrayLike, depth: npt.ArrayLike, frame: CoordinateFrame = "world"
    ) -> Float64Array:
        """Return the points at given image coordinates and depths; the inverse of `project`.

        Args:
            pixels: (..., 2) image coordinates (column, row) with pixel centers at halves.
            depth: (...) depth in mesh units; broadcasts with `pixels`.
            frame: frame of the result, "world" or "camera".

        Returns:
            (..., 3) float64 points, mesh units.

        Raises:
            CameraError: an array is not numeric, or the shapes do not broadcast.
        """
        z, image = checked_points("depth", depth), checked_points("pixels", pixels)
        if image.ndim == 0 or image.shape[-1] != 2:
            raise CameraError(f"pixels must have shape (..., 2), not {image.shape}")
        try:
            np.broadcast_shapes(image.shape[:-1], z.shape)
        except ValueError:
            raise CameraError(
                f"pixels of shape {image.shape} and depth of shape {z.shape} do not broadcast"
            ) from None
        is_world = _checked_frame(frame) == "world"
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
        """Return (H, W, 2) float64: the image coordinates (column + 0.5, row + 0.5) of pixels."""
        columns, rows = np.arange(self.width) + 0.5, np.arange(self.height) + 0.5
        return np.stack(np.meshgrid(columns, rows), axis=-1)

    def rays(self, frame: CoordinateFrame = "world") -> tuple[Float64Array, Float64Array]:
        """Return the ray through every pixel center.

        Args:
            frame: frame of the rays, "world" or "camera".

        Returns:
            (H, W, 3) float64 origins in mesh units, and (H, W, 3) float64 unit directions.

        Raises:
            CameraError: `frame` is neither "world" nor "camera".
        """
        is_world = _checked_frame(frame) == "world"
        centers = self.pixel_centers()
        start_depth = np.zeros(centers.shape[:2])
        origins = self.unproject(centers, start_depth, "camera")
        directions = self.unproject(centers, start_depth + 1.0, "camera") - origins
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        if not is_world:
            return origins, directions
        pose = self._world_from_camera
        return origins @ pose[:3, :3].T + pose[:3, 3], directions @ pose[:3, :3].T

    def pixel_footprint(self, depth: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the size of a pixel at some depth: its width or height, whichever is larger.

        Args:
            depth: (...) depth in mesh units.

        Returns:
            (...) size in mesh units.

        Raises:
            CameraError: `depth` is not numeric.
        """
        depth = checked_array("depth", depth, "biuf", None, CameraError)
        focal = min(self.K[0, 0], self.K[1, 1])
        with quiet_math(CameraError, depth):
            return np.full_like(depth, 1.0 / focal) if self.is_orthographic else depth / focal

    def distance_per_depth(self) -> Float64Array:
        """Return (H, W) float64: the ratio of distance to depth along the ray of each pixel."""
        if self.is_orthographic:
            return np.ones((self.height, self.width))
        y = (np.arange(self.height)[:, None] + 0.5 - self.K[1, 2]) / self.K[1, 1]
        x = (np.arange(self.width) + 0.5 - self.K[0, 2] - self.K[0, 1] * y) / self.K[0, 0]
        # Computed in place, because the array is as large as a result of rendering.
        squares: Float64Array = np.multiply(x, x, out=x)
        squares += y * y + 1.0
        np.sqrt(squares, out=squares)
        return squares


def check_camera(camera: Any) -> None:
    """Raise CameraError unless `camera` is a Camera."""
    if not isinstance(camera, Camera):
        raise CameraError(f"camera must be a Camera, not {type(camera).__name__}")


def _checked_frame(frame: str) -> str:
    return checked_choice("frame", frame, ("world", "camera"), CameraError)
