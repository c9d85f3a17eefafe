"""Scene: a mesh on the GPU, in a local frame of whole numbers that loses nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .arguments import checked_array, of_any_size, shown
from .camera import Camera, check_camera
from .context import GLContext
from .device_owner import DeviceOwner
from .errors import ContextClosedError, ContextError, RequestError
from .mesh import Mesh

__all__ = ["Scene"]

Made = TypeVar("Made")

# Local coordinates lie within +-2**_BITS, in int32.
_BITS = 30


class Scene(DeviceOwner):
    """A mesh on the GPU; made by `DepthRenderer.upload`, freed by `release` or with its renderer.

    Vertices are stored as whole numbers in the *local frame*: ``world = origin + step * local``, with the
    origin in the middle of the mesh and the step a power of two, about 1e-9 of the mesh's radius. In the same
    four bytes float32 would be sixty times coarser at the mesh's rim, and a camera close to a surface sees
    that. Cameras are brought into the local frame in float64, so a mesh far from the world's origin, tiny
    or huge, loses nothing.

    What exactly lies on the GPU is the engine's choice; the scene owns it.

    Attributes:
        mesh: the Mesh as it was given.
        origin: (3,) float64, world frame.
        step: mesh units per local unit, a power of two.
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
        self.radius = half_diagonal / self.step
        self._context = context
        self._made: dict[object, Any] = {}
        self._objects: list[Any] = []
        self._released = False
        context.release_with(self, self._objects)

    def to_local(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """World points (..., 3) to the local frame, float64."""
        given = checked_array("points", points, "biuf", None, RequestError)
        if given.shape[-1:] != (3,):
            raise RequestError(f"points must have shape (..., 3), not {given.shape}")
        with of_any_size(RequestError, given):
            local = given.astype(np.float64, copy=False) - self.origin
            local /= self.step
            return local

    def depth_range(self, camera: Camera) -> tuple[float, float]:
        """Depths, mesh units, that no point of the mesh is outside of."""
        check_camera(camera)
        centre = float(camera.camera_from_world[2, :3] @ self.origin + camera.camera_from_world[2, 3])
        radius = 1.01 * self.radius * self.step
        return centre - radius, centre + radius

    def local_vertices(self) -> npt.NDArray[np.int32]:
        """(V, 3) int32: the mesh's vertices, rounded to the local frame's whole numbers."""
        vertices = self.mesh.vertices
        local = np.empty(vertices.shape, dtype=np.int32)
        for start in range(0, len(vertices), 1 << 16):  # in parts, to need no second copy in float64
            part = slice(start, start + (1 << 16))
            # Vertices that no face uses may be anywhere.
            local[part] = np.rint(self.to_local(vertices[part]).clip(-(2.0**_BITS), 2.0**_BITS))
        return local

    def once(self, key: object, make: Callable[[], Made]) -> Made:
        """What `make` gives, made on the first call with this key."""
        self.check_usable()
        if not isinstance(key, Hashable) or not callable(make):
            raise RequestError(f"once takes a hashable key and a function, not {shown(key)}, {shown(make)}")
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made

    def own(self, gl_object: Any) -> Any:
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
            raise ContextClosedError(f"the scene of {self.mesh!r} was released; upload the mesh again")

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
