"""Engine `compute`: a rasterizer in compute shaders, one pass over the mesh for both sheets.

Fixed-function hardware is at its worst where triangles are no larger than pixels, as in dense
meshes; software rasterizers are no better. Here every vertex is transformed once and every face is
looked at once; most faces turn out to miss all pixel centers and are dropped. The pixels that the
others cover are found in integers, exactly and alike on every device. The depth comes from the
face's plane, as on `raster`, and goes to the sheets by atomic operations. See decision 7.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...gl.context import GLContext
from ...results.silhouettes import inside_out
from ..base import Engine, Pending
from ..request import LayerBuffers, SheetRequest
from ..scene import Scene
from .layers import LayerBuilder
from .mesh_buffers import VERTICES_AT_ONCE
from .passes import FACES, MAX_CAMERAS, SHEETS, FacePasses
from .programs import ComputePrograms
from .targets import SheetTargets

__all__ = ["ComputeEngine"]

# The largest images that share a dispatch, pixels each; and the largest meshes.
_MAX_SHARED_PIXELS_IN_SOFTWARE, _MAX_SHARED_PIXELS_ON_A_GPU = 1 << 16, 1 << 18
_MAX_SHARED_FACES = 1 << 17


class ComputeEngine(Engine[SheetTargets]):
    """The engine that renders sheets and layers in compute shaders; needs OpenGL 4.3."""

    name = "compute"
    inverts_entries = True
    snaps_vertices = True

    def __init__(self, context: GLContext) -> None:
        super().__init__(context, partial(SheetTargets, context))
        with context:
            self._programs = ComputePrograms(context)
            self._passes = FacePasses(context, self._programs)
            self._layers = LayerBuilder(context, self._passes, self._programs)

    def prepare(self, scene: Scene) -> None:
        """Upload the mesh, see `MeshBuffers`."""
        self._passes.mesh_buffers(scene)
        self._context.check_error(f"uploading {scene.mesh!r}", "the number of faces")

    def cameras_at_once(self, scene: Scene, camera: Camera) -> int:
        """Return how many such cameras `submit` takes: several for small images of a small mesh.

        Every dispatch takes a while to start, and one small image does not fill a GPU. Larger
        images are faster one by one (measured: docs/performance.md); in software, in the cache.
        """
        pixels = camera.width * camera.height
        max_pixels = (
            _MAX_SHARED_PIXELS_IN_SOFTWARE
            if self._context.is_software
            else _MAX_SHARED_PIXELS_ON_A_GPU
        )
        faces = len(scene.mesh.faces)
        vertices = len(scene.mesh.vertices) + VERTICES_AT_ONCE
        # Eight bytes each: both sheets of a pixel, a vertex's screen position, two queues per face.
        fit = (
            8 * MAX_CAMERAS * max(pixels, faces, vertices) <= self._context.max_storage_block
            and MAX_CAMERAS * max(2 * faces, vertices) <= self._context.max_texels
        )
        return MAX_CAMERAS if fit and pixels <= max_pixels and faces <= _MAX_SHARED_FACES else 1

    def submit(
        self, scene: Scene, cameras: tuple[Camera, ...], request: SheetRequest
    ) -> Pending[SheetTargets]:
        """Render both sheets, or the first of several bands."""
        size = cameras[0].width, cameras[0].height
        targets = self._pool.take(
            size, request.needs_faces, 1 if len(cameras) == 1 else MAX_CAMERAS
        )
        with self._pool.returning_on_error(targets):
            pending = Pending(targets, scene, cameras, request)
            self._render(pending, targets.first_band)
        return pending

    def _render(self, pending: Pending[SheetTargets], band: tuple[int, int]) -> None:
        targets, request = pending.targets, pending.request
        targets.clear(band, len(pending.cameras))
        faces = self._passes.queue_faces(pending.scene, pending.cameras, request, band)
        self._passes.run(SHEETS, faces, targets.depths)
        if request.needs_faces:
            self._passes.run(FACES, faces, targets.depths, targets.faces)

    def _read(self, pending: Pending[SheetTargets]) -> list[list[npt.NDArray[Any]]]:
        targets = pending.targets
        with self._pool.returning(targets):
            sheets = [targets.new_arrays() for _ in pending.cameras]
            for band in targets.bands():
                if band != targets.first_band:
                    self._render(pending, band)
                for index, arrays in enumerate(sheets):
                    targets.read(arrays, band, index)
        self._context.check_error("rendering", "the image size or the number of faces")
        return sheets

    def _shade_band(
        self, scene: Scene, camera: Camera, request: SheetRequest, samples: int
    ) -> npt.NDArray[np.uint8]:
        (arrays,) = self._read(self.submit(scene, (camera,), request))
        return self._shade_arrays(scene, camera, request, arrays, samples)

    def _read_shaded(
        self, pending: Pending[SheetTargets]
    ) -> tuple[list[npt.NDArray[Any]], npt.NDArray[np.uint8]]:
        (arrays,) = self._read(pending)
        (camera,) = pending.cameras
        image = self._shade_arrays(pending.scene, camera, pending.request, arrays, samples=1)
        return arrays, image

    def _shade_arrays(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        arrays: list[npt.NDArray[Any]],
        samples: int,
    ) -> npt.NDArray[np.uint8]:
        entry, exit_, face, exit_face = arrays
        entry = np.where(np.isnan(exit_), np.float32(np.nan), entry)
        if request.may_exchange:
            swapped = np.flatnonzero(entry > exit_)
            near, far = exit_.reshape(-1)[swapped], entry.reshape(-1)[swapped]
            exchanged = swapped[inside_out(camera, swapped, near, far)]
            if len(exchanged):
                face = face.copy()
                face.reshape(-1)[exchanged] = exit_face.reshape(-1)[exchanged]
        size = (camera.width, camera.height)
        gl = self._context.gl
        textures: list[Any] = []
        with self._context.allocating("a shaded image", size, textures):
            textures.append(gl.texture(size, 1, face, dtype="i4"))
            textures.append(gl.texture(size, 1, entry, dtype="f4"))
        try:
            return self._shading.draw(scene, camera, textures[0], textures[1], samples)
        finally:
            for texture in reversed(textures):
                texture.release()

    def peel(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        max_layers: int | None,
        memory_limit: int | None,
    ) -> LayerBuffers:
        """Count, store and sort the crossings; see `LayerBuilder`."""
        layers = self._layers.build(
            scene,
            camera,
            replace(request, attributes=()),
            max_layers,
            memory_limit,
            request.computed_bytes_per_crossing,
        )
        return self._attributes.with_attributes(layers, scene, camera, request.computed_attributes)

    def submits_ahead(self, scene: Scene, camera: Camera) -> bool:
        """Return True on a GPU; in software, a dispatch ends before its call returns."""
        return not self._context.is_software

    def release(self) -> None:
        """Free every GL object of the engine."""
        super().release()
        self._layers.release()
        self._passes.release()
        self._programs.release()
