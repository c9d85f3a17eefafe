"""Engine `compute`: a rasterizer in compute shaders, one pass over the mesh for both sheets.

Fixed-function hardware is at its worst where triangles are no larger than pixels, as in dense
meshes; software rasterizers are no better. Here every vertex is transformed once and every face is
looked at once; most faces turn out to miss all pixel centers and are dropped. The pixels that the
others cover are found in integers, exactly and alike on every device. The depth comes from the
face's plane, as on `raster`, and goes to the sheets by atomic operations. See decision 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...errors import DeviceMemoryError
from ...gl.context import GLContext
from ..base import Engine, Pending
from ..request import LayerBuffers, SheetRequest
from ..scene import Scene
from ..shared.photo_targets import PhotoTargets
from ..shared.shading import SheetTextures
from .layers import LayerBuilder
from .listed_crossings import ListedCrossings
from .mesh_buffers import VERTICES_AT_ONCE
from .passes import BOTH, FACES, MAX_CAMERAS, SHEETS, FacePasses
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
        images are faster one by one (measured: docs/measurements.md); in software, in the cache.
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
            if request.needs_faces and not request.stays_on_device:
                targets.start_reading(len(cameras))
            return self._finish_ahead(pending)

    def _render(self, pending: Pending[SheetTargets], band: tuple[int, int]) -> None:
        targets, request = pending.targets, pending.request
        targets.clear(band, len(pending.cameras))
        faces = self._passes.queue_faces(pending.scene, pending.cameras, request, band)
        if request.needs_faces and self._context.is_software:
            # A GPU's invocations would often overtake each other, see `keep_larger` in
            # shaders/include/compute_pass.glsl.
            self._passes.run(BOTH, faces, targets.depths, targets.faces, targets.doubts)
            if not targets.are_faces_in_doubt():
                return
            targets.clear_faces(band, len(pending.cameras))
        else:
            self._passes.run(SHEETS, faces, targets.depths)
        if request.needs_faces:
            self._passes.run(FACES, faces, targets.depths, targets.faces)

    def _rendered_bands(self, pending: Pending[SheetTargets]) -> Iterator[tuple[int, int]]:
        """Yield each band of submitted images while their targets hold it."""
        for band in pending.targets.bands():
            if band != pending.targets.first_band:
                self._render(pending, band)
            yield band

    def _read(self, pending: Pending[SheetTargets]) -> list[list[npt.NDArray[Any]]]:
        targets = pending.targets
        with self._pool.returning(targets):
            sheets = [targets.new_arrays() for _ in pending.cameras]
            for band in self._rendered_bands(pending):
                for index, arrays in enumerate(sheets):
                    targets.read(arrays, band, index)
        self._context.check_error("rendering", "the image size or the number of faces")
        return sheets

    def _shade_band(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        samples: int,
        targets: PhotoTargets,
    ) -> None:
        pending = self.submit(scene, (camera,), request)
        with self._pool.returning(pending.targets):
            self._shade(pending, samples, self._rendered_bands(pending), targets)

    def _read_shaded(
        self, pending: Pending[SheetTargets]
    ) -> tuple[list[npt.NDArray[Any]], npt.NDArray[np.uint8]]:
        arrays = pending.targets.new_arrays()

        def read_bands() -> Iterator[tuple[int, int]]:
            for band in self._rendered_bands(pending):
                pending.targets.read(arrays, band, 0)
                yield band

        with (
            self._pool.returning(pending.targets),
            self._photo_targets(pending.cameras[0], 1) as targets,
        ):
            self._shade(pending, 1, read_bands(), targets)
            return arrays, self._resolver.photo(targets)

    def _shade(
        self,
        pending: Pending[SheetTargets],
        samples: int,
        bands: Iterable[tuple[int, int]],
        targets: PhotoTargets,
    ) -> None:
        with self._in_textures(pending.targets) as sheets:
            scene, (camera,), request = pending.scene, pending.cameras, pending.request
            self._shading.draw(scene, camera, request, samples, sheets, bands, targets)

    @contextmanager
    def _in_textures(self, rendered: SheetTargets) -> Iterator[SheetTextures]:
        """Provide the buffers of a band as textures."""
        textures: list[Any] = []
        try:
            for buffer in (rendered.depths, rendered.faces):
                textures.append(self._context.functions.buffer_texture(buffer, 1))
            depths, faces = textures
            yield SheetTextures(True, {"sheet_depths": depths, "sheet_faces": faces})
        finally:
            for texture in reversed(textures):
                texture.release()

    @contextmanager
    def sheet_textures(self, pending: Pending[SheetTargets]) -> Iterator[SheetTextures]:
        """Lend both sheets of a submitted image, if one band holds all of it."""
        (camera,) = pending.cameras
        with self._pool.returning(pending.targets):
            if pending.targets.first_band != (0, camera.height):
                raise DeviceMemoryError(
                    f"both sheets of {camera.width}x{camera.height} pixels are larger than the "
                    f"{self._context.max_storage_block:,} bytes of a buffer on "
                    f"{self._context.renderer}; reduce the image size"
                )
            with self._in_textures(pending.targets) as sheets:
                yield sheets

    @contextmanager
    def crossings_on_device(
        self, scene: Scene, camera: Camera, request: SheetRequest
    ) -> Iterator[ListedCrossings]:
        """Lend all crossings of an image, in a list; see `LayerBuilder.list_on_device`."""
        request = replace(request, attributes=())
        with self._layers.list_on_device(
            scene, camera, request, self._fullscreen, self._limits
        ) as crossings:
            yield crossings

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
