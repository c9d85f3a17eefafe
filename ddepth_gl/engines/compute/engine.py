"""Engine `compute`: a rasterizer in compute shaders, one pass over the mesh for both sheets.

Fixed-function hardware is at its worst where triangles are no larger than pixels, which is what dense meshes
are made of, and software rasterizers are no better. Here every vertex is transformed once, and every face is
looked at once: most are found to miss all pixel centers and are gone. Which pixels the others cover is
decided in integers, exactly and the same on every device; the depth is that of the face's plane, as on
`raster`. It goes into the sheets by atomic minimum and maximum. See docs/decisions/0007.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...gl.context import GLContext
from ..base import Engine, Pending
from ..request import LayerBuffers, SheetRequest
from ..scene import Scene
from .layers import LayerLists
from .passes import FACES, SHEETS, VIEWS, FacePasses
from .targets import SheetBands

__all__ = ["ComputeEngine"]

# The largest images that go out together, pixels each; and the largest meshes.
_PIXELS_TOGETHER_IN_SOFTWARE, _PIXELS_TOGETHER_ON_A_GPU = 1 << 16, 1 << 20
_FACES_TOGETHER = 1 << 17


class ComputeEngine(Engine[SheetBands]):
    """Renders sheets and layers in compute shaders; needs OpenGL 4.3."""

    name = "compute"
    inverts_entries = True

    def __init__(self, context: GLContext) -> None:
        super().__init__(context, partial(SheetBands, context))
        with context:
            self._passes = FacePasses(context)
            self._lists = LayerLists(context, self._passes)

    def prepare(self, scene: Scene) -> None:
        """Uploads the faces in parts, see `FaceParts`."""
        self._passes.prepare(scene)
        self._context.check_error(f"uploading {scene.mesh!r}", "the number of faces")

    def cameras_at_once(self, scene: Scene, camera: Camera) -> int:
        """How many cameras like this one `submit` takes: several of small images of a small mesh.

        Every dispatch takes a while to start, and one small image does not fill a GPU. In software larger
        images are faster one by one, in the cache (measured: docs/performance.md).
        """
        pixels = camera.width * camera.height
        most_pixels = (
            _PIXELS_TOGETHER_IN_SOFTWARE if self._context.is_software else _PIXELS_TOGETHER_ON_A_GPU
        )
        faces, vertices = len(scene.mesh.faces), len(scene.mesh.vertices)
        # Eight bytes: of a pixel both sheets, of a vertex its place, of a face two queues.
        fit = (
            8 * VIEWS * max(pixels, faces, vertices) <= self._context.max_storage_block
            and VIEWS * max(2 * faces, vertices) <= self._context.max_texels
        )
        return VIEWS if fit and pixels <= most_pixels and faces <= _FACES_TOGETHER else 1

    def submit(
        self, scene: Scene, cameras: tuple[Camera, ...], request: SheetRequest
    ) -> Pending[SheetBands]:
        """Renders all of both sheets, or the first of several bands."""
        size = cameras[0].width, cameras[0].height
        bands = self._pool.take(size, request.needs_faces, 1 if len(cameras) == 1 else VIEWS)
        with self._pool.returning_on_error(bands):
            pending = Pending(bands, scene, cameras, request)
            self._render(pending, bands.first)
        return pending

    def _render(self, pending: Pending[SheetBands], band: tuple[int, int]) -> None:
        bands, request = pending.targets, pending.request
        bands.clear(band, len(pending.cameras))
        faces = self._passes.transform(pending.scene, pending.cameras, request, band)
        self._passes.run(SHEETS, faces, bands.depths)
        if request.needs_faces:
            self._passes.run(FACES, faces, bands.depths, bands.faces)

    def _read(self, pending: Pending[SheetBands]) -> list[list[npt.NDArray[Any]]]:
        bands = pending.targets
        with self._pool.returning(bands):
            sheets = [bands.new_arrays() for _ in pending.cameras]
            for band in bands:
                if band != bands.first:
                    self._render(pending, band)
                for view, arrays in enumerate(sheets):
                    bands.read(arrays, band, view)
        self._context.check_error("rendering", "the image size or the number of faces")
        return sheets

    def _shade_band(
        self, scene: Scene, camera: Camera, request: SheetRequest, samples: int
    ) -> npt.NDArray[np.uint8]:
        ((entry, exit_, face, _),) = self._read(self.submit(scene, (camera,), request))
        entry[np.isnan(exit_)] = np.nan
        size = (camera.width, camera.height)
        gl = self._context.gl
        made: list[Any] = []
        with self._context.allocating("a picture", size, made):
            made.append(gl.texture(size, 1, face, dtype="i4"))
            made.append(gl.texture(size, 1, entry, dtype="f4"))
        try:
            return self._shading.draw(scene, camera, made[0], made[1], samples)
        finally:
            for each in reversed(made):
                each.release()

    def peel(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        max_layers: int | None,
        memory_limit: int | None,
    ) -> LayerBuffers:
        """Counts, stores and sorts the crossings; see `LayerLists`."""
        layers = self._lists.of(
            scene,
            camera,
            replace(request, attributes=()),
            max_layers,
            memory_limit,
            request.computed_bytes_per_crossing,
        )
        return self._attributes.with_attributes(layers, scene, camera, request.computed_attributes)

    def submits_ahead(self, scene: Scene, camera: Camera) -> bool:
        """On a GPU always. Mesa's software rasterizer finishes a dispatch before the call returns."""
        return not self._context.is_software

    def release(self) -> None:
        """Frees every GL object of the engine."""
        super().release()
        self._lists.release()
        self._passes.release()
