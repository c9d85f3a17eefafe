"""Scene: a mesh on the GPU, what engines cache for it, and its distance to cameras."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .._checks import checked_array, shown
from ..camera.camera import Camera, check_camera
from ..errors import ContextClosedError, ContextError, RequestError
from ..gl.context import GLContext
from ..gl.non_copyable import NonCopyable
from ..mesh.face_distance import FaceDistance
from ..mesh.mesh import Mesh
from .local_frame import LocalFrame

__all__ = ["Scene", "coarseness", "is_inside"]

Value = TypeVar("Value")

# A camera is beside a face if the face is nearer than this fraction of the bounding box's diagonal,
# times `coarseness`. So near, the rounding of vertices shows in the face's depth, and snapping a
# corner to 1/256 pixel may move the face's plane to the other side of the camera. See decision 9.
_BESIDE_A_FACE = 2.0**-9


# Pixels from the border of the image; far more than the rounding of clip coordinates in float32.
_CLIP_MARGIN = 1.0 / 16.0
# Vertices that are projected at once, so that they stay in the cache.
_BLOCK_SIZE = 1 << 14


class Scene(NonCopyable):
    """A mesh on the GPU, created by `DepthRenderer.upload`.

    Its GPU memory is freed by `release`, with its renderer, or after the last reference to it is
    dropped.

    Vertices are stored as integers in a local frame, ``world = origin + step * local``; see
    `LocalFrame`. Each engine chooses what to store on the GPU; the scene owns it.

    Attributes:
        mesh: the Mesh that was uploaded.
        origin: (3,) float64, origin of the local frame, world frame.
        step: mesh units per local unit, a power of two.
        diagonal: diagonal of the bounding box, mesh units.
        radius: radius of a sphere around the local origin that holds every vertex, local units.
    """

    def __init__(self, context: GLContext, mesh: Mesh) -> None:
        if not isinstance(context, GLContext) or not isinstance(mesh, Mesh):
            raise ContextError(
                "a Scene cannot be created directly; call DepthRenderer.upload(mesh)"
            )
        self.mesh = mesh
        low, high = mesh.bounds
        self._frame = frame = LocalFrame.around(low, high)
        self.origin, self.step, self.radius = frame.origin, frame.step, frame.radius
        self.diagonal = 2.0 * self.radius * self.step  # exact, as the step is a power of two
        # Lists, because Python compares three numbers faster than NumPy does.
        self._low, self._high = low.tolist(), high.tolist()
        self._last_camera_inside: Camera | None = None
        self._last_is_beside = False
        self._context = context
        self._cache: dict[object, Any] = {}
        self._gl_objects: list[Any] = []
        self._released = False
        context.release_when_collected(self, self._gl_objects)

    def to_local(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return world points (..., 3) in the local frame, float64.

        Raises:
            RequestError: `points` is not an array of numbers of that shape, or memory runs out.
        """
        checked = checked_array("points", points, "biuf", None, RequestError)
        if checked.shape[-1:] != (3,):
            raise RequestError(f"points must have shape (..., 3), not {checked.shape}")
        return self._frame.to_local(checked)

    def local_vertices(self) -> npt.NDArray[np.int32]:
        """Return (V, 3) int32: the mesh's vertices, rounded to integers of the local frame."""
        return self._frame.rounded(self.mesh.vertices)

    def local_remainders(self) -> npt.NDArray[np.int32]:
        """Return (V, 3) int32: what `local_vertices` omits, in units of 2**-31 local units."""
        return self._frame.remainders(self.mesh.vertices)

    def depth_range(self, camera: Camera) -> tuple[float, float]:
        """Return two depths, mesh units, between which every point of the mesh lies."""
        check_camera(camera)
        center = float(
            camera.camera_from_world[2, :3] @ self.origin + camera.camera_from_world[2, 3]
        )
        radius = 1.01 * self.radius * self.step
        return center - radius, center + radius

    def extent_in_image(self, camera: Camera) -> npt.NDArray[np.float64] | None:
        """Return (2, 2): smallest and largest image coordinates of the mesh's bounding box, pixels.

        None if the box is not wholly in front of the camera.
        """
        check_camera(camera)
        low, high = self.mesh.bounds
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(-1, 3)
        image, depth = camera.project(corners)
        return np.array([image.min(axis=0), image.max(axis=0)]) if depth.min() > 0.0 else None

    def is_inside_image(self, camera: Camera) -> bool:
        """Return whether all of the mesh surely lies inside the image, so that nothing is clipped.

        llvmpipe clips all faces of a batch if one of them leaves the image, and then takes the side
        of the thinnest faces from other numbers. So what is drawn beside a face may change it,
        unless nothing is clipped.
        """
        box = self.extent_in_image(camera)
        if box is None:
            return False
        return is_inside(box, camera) or is_inside(self._extent_of_vertices(camera), camera)

    def _extent_of_vertices(self, camera: Camera) -> npt.NDArray[np.float64]:
        linear = camera.image_from_camera[:, :3] @ camera.camera_from_world[:3, :3]
        constant = camera.image_from_camera[:, 3:]
        low, high = np.full(2, np.inf), np.full(2, -np.inf)
        for start in range(0, len(self.mesh.vertices), _BLOCK_SIZE):
            block = self.mesh.vertices[start : start + _BLOCK_SIZE]
            homogeneous = linear @ (block - camera.center).T
            homogeneous += constant
            homogeneous[:2] /= homogeneous[2]
            np.minimum(low, homogeneous[:2].min(axis=1), out=low)
            np.maximum(high, homogeneous[:2].max(axis=1), out=high)
        return np.array([low, high])

    def is_beside_a_face(self, camera: Camera) -> bool:
        """Return whether a face is so close to the camera that rounding would show.

        For an orthographic camera, return whether the plane on which its rays start cuts the mesh,
        or nearly does.
        """
        check_camera(camera)
        limit = _BESIDE_A_FACE * self.diagonal * coarseness(camera)
        if camera.is_orthographic:
            low, high = self.mesh.bounds
            forward = camera.camera_from_world[2, :3]
            middle = float(forward @ self.origin + camera.camera_from_world[2, 3])
            return abs(middle) <= float(np.abs(forward) @ (high - low)) / 2.0 + limit
        center = camera.center
        axes = zip(self._low, center.tolist(), self._high, strict=True)
        if not all(low - limit <= x <= high + limit for low, x, high in axes):
            return False
        # Sheets, layers and shaded image of one camera are often requested in turn, so the last
        # answer is kept.
        if camera is not self._last_camera_inside:
            self._last_camera_inside = camera
            self._last_is_beside = self._face_distance.may_be_within(center, limit)
        return self._last_is_beside

    def distance_to_face(self, camera: Camera) -> float:
        """Return the distance from the camera's center to the nearest face, mesh units."""
        check_camera(camera)
        return self._face_distance.nearest(camera.center)

    @property
    def _face_distance(self) -> FaceDistance:
        face_distance: FaceDistance = self.cached("distance", lambda: FaceDistance(self.mesh))
        return face_distance

    def cached(self, key: object, make: Callable[[], Value]) -> Value:
        """Return what `make` returned on the first call with this key.

        Raises:
            ContextClosedError: the scene was released.
            RequestError: the key is not hashable, or `make` is not callable.
        """
        self.check_usable()
        if not isinstance(key, Hashable) or not callable(make):
            raise RequestError(
                f"cached takes a hashable key and a function, not {shown(key)}, {shown(make)}"
            )
        if key not in self._cache:
            self._cache[key] = make()
        value: Value = self._cache[key]
        return value

    def adopt(self, gl_object: Any) -> Any:
        """Take ownership of a moderngl object, to release it with the scene; return the object.

        Raises:
            RequestError: the object has no method `release`.
        """
        if not callable(getattr(gl_object, "release", None)):
            raise RequestError(
                f"adopt takes an object with a method release(), not {shown(gl_object)}"
            )
        self._gl_objects.append(gl_object)
        return gl_object

    def belongs_to(self, context: GLContext) -> bool:
        """Return whether the scene was uploaded to `context`."""
        return self._context is context

    def check_usable(self) -> None:
        """Raise ContextClosedError if the scene was released."""
        if self._released or self._context.is_closed:
            raise ContextClosedError(
                f"the scene of {self.mesh!r} was released; upload the mesh again"
            )

    @property
    def is_released(self) -> bool:
        """True if the scene was released."""
        return self._released

    def release(self) -> None:
        """Free the scene's memory on the GPU. Idempotent; for the renderer's thread only."""
        if not (self._released or self._context.is_closed):
            with self._context:
                for gl_object in reversed(self._gl_objects):
                    gl_object.release()
                self._gl_objects.clear()
        self._cache.clear()
        self._released = True

    def __repr__(self) -> str:
        state = "released" if self._released else "on the GPU"
        return f"<Scene {state}: {self.mesh!r}>"


def is_inside(extent: npt.NDArray[np.float64], camera: Camera) -> bool:
    """Return whether image coordinates, (2, 2) smallest and largest, lie inside the image."""
    low, high = extent
    size = np.array((camera.width, camera.height))
    return bool((low >= _CLIP_MARGIN).all() and (high <= size - _CLIP_MARGIN).all())


def coarseness(camera: Camera) -> float:
    """Return how much coarser a camera's pixels are than those of an ordinary one, at least 1.

    It is above 1 if pixels are wider than a radian, or rays more than 45 degrees off the axis. The
    distance at which snapping to 1/256 pixel can move a face across the camera grows in proportion.
    """
    if camera.is_orthographic:
        return 1.0
    (f_x, skew, c_x), (_, f_y, c_y), _ = camera.K.tolist()
    across = max(abs(c_x), abs(camera.width - c_x))
    down = max(abs(c_y), abs(camera.height - c_y)) / f_y
    coarsest: float = max(1.0, 1.0 / f_x, 1.0 / f_y, down, (across + abs(skew) * down) / f_x)
    return coarsest
