"""Scene: a mesh on the GPU, in a local frame of integers that loses nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .._checks import checked_array, quiet_math, shown
from ..camera.camera import Camera, check_camera
from ..errors import ContextClosedError, ContextError, RequestError
from ..gl.context import GLContext, NonCopyable
from ..mesh.face_distance import FaceDistance
from ..mesh.mesh import Mesh

__all__ = ["Scene", "coarseness"]

Made = TypeVar("Made")

# Local coordinates lie within +-2**_BITS, in int32; what rounding to integers leaves is stored in units of
# 2**-_MORE_BITS.
_BITS = 30
_MORE_BITS = 31

# A camera is beside a face if that is nearer than this part of the bounding box's diagonal, times what
# `coarseness` says. Rounded vertices then show in the depth of the face, and a corner snapped to 1/256 pixel
# may put its plane on the other side of the camera.
_BESIDE = 2.0**-9


class Scene(NonCopyable):
    """A mesh on the GPU; made by `DepthRenderer.upload`, freed by `release` or with its renderer.

    Vertices are stored as integers in the *local frame*: ``world = origin + step * local``, with the
    origin in the middle of the mesh and the step a power of two, about 1e-9 of the mesh's radius. In the same
    four bytes float32 would be sixty times coarser at the mesh's rim, and a camera close to a surface sees
    that. Cameras are brought into the local frame in float64, so a mesh far from the world's origin, tiny
    or huge, loses nothing.

    What exactly lies on the GPU is the engine's choice; the scene owns it.

    Attributes:
        mesh: the Mesh as it was given.
        origin: (3,) float64, world frame.
        step: mesh units per local unit, a power of two.
        diagonal: of the bounding box, mesh units.
        radius: of a sphere around the local origin that holds every vertex, local units.
    """

    def __init__(self, context: GLContext, mesh: Mesh) -> None:
        if not isinstance(context, GLContext) or not isinstance(mesh, Mesh):
            raise ContextError("a Scene is made by DepthRenderer.upload(mesh); call that")
        self.mesh = mesh
        low, high = mesh.bounds
        self.origin: npt.NDArray[np.float64] = low + (high - low) / 2.0
        half_diagonal = float(np.linalg.norm((high - low) / 2.0))
        self.step = float(2.0 ** (np.ceil(np.log2(half_diagonal)) - _BITS))
        self.diagonal = 2.0 * half_diagonal
        self.radius = half_diagonal / self.step
        self._low, self._high = low.tolist(), high.tolist()
        self._last_inside: Camera | None = None
        self._last_beside = False
        self._context = context
        self._made: dict[object, Any] = {}
        self._objects: list[Any] = []
        self._released = False
        context.release_when_collected(self, self._objects)

    def to_local(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """World points (..., 3) to the local frame, float64."""
        given = checked_array("points", points, "biuf", None, RequestError)
        if given.shape[-1:] != (3,):
            raise RequestError(f"points must have shape (..., 3), not {given.shape}")
        with quiet_math(RequestError, given):
            local = given.astype(np.float64, copy=False) - self.origin
            local /= self.step
            return local

    def depth_range(self, camera: Camera) -> tuple[float, float]:
        """Depths, mesh units, that no point of the mesh is outside of."""
        check_camera(camera)
        center = float(
            camera.camera_from_world[2, :3] @ self.origin + camera.camera_from_world[2, 3]
        )
        radius = 1.01 * self.radius * self.step
        return center - radius, center + radius

    def is_beside_a_face(self, camera: Camera) -> bool:
        """Return whether a face is so near to the camera that rounding would show.

        Of an orthographic camera that is so where the plane that its rays start on cuts the mesh, or nearly.
        """
        check_camera(camera)
        limit = _BESIDE * self.diagonal * coarseness(camera)
        if camera.is_orthographic:
            low, high = self.mesh.bounds
            forward = camera.camera_from_world[2, :3]
            middle = float(forward @ self.origin + camera.camera_from_world[2, 3])
            return abs(middle) <= float(np.abs(forward) @ (high - low)) / 2.0 + limit
        center = camera.center
        corners = zip(self._low, center.tolist(), self._high, strict=True)
        if not all(low - limit <= x <= high + limit for low, x, high in corners):
            return False
        # Sheets, layers and photo of one camera are often asked for one after the other.
        if camera is not self._last_inside:
            self._last_inside, self._last_beside = camera, self._faces.may_be_within(center, limit)
        return self._last_beside

    def distance_to_face(self, camera: Camera) -> float:
        """Return the distance of the camera's center to the nearest face, mesh units."""
        check_camera(camera)
        return self._faces.nearest(camera.center)

    @property
    def _faces(self) -> FaceDistance:
        faces: FaceDistance = self.cached("distance", lambda: FaceDistance(self.mesh))
        return faces

    def local_vertices(self) -> npt.NDArray[np.int32]:
        """(V, 3) int32: the mesh's vertices, rounded to integers of the local frame."""
        local = np.empty(self.mesh.vertices.shape, dtype=np.int32)
        for part, exact in self._local_parts():
            local[part] = np.rint(exact)
        return local

    def local_remainders(self) -> npt.NDArray[np.int32]:
        """(V, 3) int32: what `local_vertices` leaves out, in units of 2**-31 of the local frame's."""
        remainders = np.empty(self.mesh.vertices.shape, dtype=np.int32)
        for part, exact in self._local_parts():
            remainders[part] = np.rint((exact - np.rint(exact)) * 2.0**_MORE_BITS)
        return remainders

    def _local_parts(self) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
        """The vertices in the local frame, float64; in parts, to need no second copy of all."""
        vertices = self.mesh.vertices
        for start in range(0, len(vertices), 1 << 16):
            part = slice(start, start + (1 << 16))
            # Vertices that no face uses may be anywhere.
            yield part, self.to_local(vertices[part]).clip(-(2.0**_BITS), 2.0**_BITS)

    def cached(self, key: object, make: Callable[[], Made]) -> Made:
        """What `make` gives, made on the first call with this key."""
        self.check_usable()
        if not isinstance(key, Hashable) or not callable(make):
            raise RequestError(
                f"cached takes a hashable key and a function, not {shown(key)}, {shown(make)}"
            )
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made

    def adopt(self, gl_object: Any) -> Any:
        """Hands a moderngl object to the scene, which will release it; gives it back."""
        if not callable(getattr(gl_object, "release", None)):
            raise RequestError(f"a scene owns objects that have release(), not {shown(gl_object)}")
        self._objects.append(gl_object)
        return gl_object

    def belongs_to(self, context: GLContext) -> bool:
        """Whether the scene lives in `context`."""
        return self._context is context

    def check_usable(self) -> None:
        """Raises ContextClosedError after `release`."""
        if self._released or self._context.is_closed:
            raise ContextClosedError(
                f"the scene of {self.mesh!r} was released; upload the mesh again"
            )

    @property
    def is_released(self) -> bool:
        """Whether the buffers are gone."""
        return self._released

    def release(self) -> None:
        """Frees what lies on the GPU. Idempotent; from the renderer's thread only."""
        if not (self._released or self._context.is_closed):
            with self._context:
                for gl_object in reversed(self._objects):
                    gl_object.release()
                self._objects.clear()
        self._made.clear()
        self._released = True

    def __repr__(self) -> str:
        state = "released" if self._released else "on the GPU"
        return f"<Scene {state}: {self.mesh!r}>"


def coarseness(camera: Camera) -> float:
    """Return how coarse pixels are: 1, or more if wider than a radian or more than 45 degrees off axis."""
    if camera.is_orthographic:
        return 1.0
    (f_x, skew, c_x), (_, f_y, c_y), _ = camera.K.tolist()
    across, down = (
        max(abs(c_x), abs(camera.width - c_x)),
        max(abs(c_y), abs(camera.height - c_y)) / f_y,
    )
    coarsest: float = max(1.0, 1.0 / f_x, 1.0 / f_y, down, (across + abs(skew) * down) / f_x)
    return coarsest
