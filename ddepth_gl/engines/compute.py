"""Engine `compute`: a rasterizer in compute shaders, one pass over the mesh for both sheets.

Fixed-function hardware is at its worst where triangles are no larger than pixels, which is what dense meshes
are made of, and software rasterizers are no better. Here every vertex is transformed once, and every face is
looked at once: most are found to miss all pixel centres and are gone. Which pixels the others cover is
decided in whole numbers, exactly and the same on every device; the depth is that of the face's plane, as on
`raster`. It goes into the sheets by atomic minimum and maximum. See docs/decisions/0007.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from ..camera import Camera
from ..context import GLContext
from ..scene import Scene
from .attributes import AttributeShader
from .face_passes import FACES, SHEETS, VIEWS, FacePasses
from .finished_sheets import FinishPass
from .image_pool import ImagePool, Pending
from .layer_lists import list_layers
from .pictures import PictureShader, bands_of_samples
from .sheet_buffers import SheetBands
from .sheets import LayerBuffers, SheetBuffers, SheetRequest

__all__ = ["ComputeEngine"]

# The largest images that go out together, pixels each; and the largest meshes.
_PIXELS_TOGETHER_IN_SOFTWARE, _PIXELS_TOGETHER_ON_A_GPU = 1 << 16, 1 << 20
_FACES_TOGETHER = 1 << 17


class ComputeEngine:
    """Renders sheets and layers in compute shaders; needs OpenGL 4.3."""

    name = "compute"

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._attributes = AttributeShader(context)
        self._pictures = PictureShader(context, self._attributes)
        self._finish = FinishPass(context)
        with context:
            self._passes = FacePasses(context)
        self._pool = ImagePool(partial(SheetBands, context))

    def prepare(self, scene: Scene) -> None:
        """Uploads what the engine needs of a scene's mesh.

        Raises:
            DeviceMemoryError: it does not fit.
        """
        self._passes.prepare(scene)
        self._context.check_error(f"uploading {scene.mesh!r}", "the number of faces")

    def views_at_once(self, scene: Scene, camera: Camera) -> int:
        """How many cameras like this one `submit` takes: several of small images of a small mesh.

        Every dispatch takes a while to start, and one small image does not fill a GPU. In software larger
        images are faster one by one, in the cache (measured: docs/performance.md).
        """
        pixels = camera.width * camera.height
        most_pixels = _PIXELS_TOGETHER_IN_SOFTWARE if self._context.is_software else _PIXELS_TOGETHER_ON_A_GPU
        # Eight bytes: of a pixel both sheets, of a vertex its place, of a face two queues.
        largest = 8 * VIEWS * max(pixels, len(scene.mesh.faces), len(scene.mesh.vertices))
        are_small = pixels <= most_pixels and len(scene.mesh.faces) <= _FACES_TOGETHER
        return VIEWS if are_small and largest <= self._context.max_storage_block else 1

    def submit(self, scene: Scene, cameras: tuple[Camera, ...], request: SheetRequest) -> Pending[SheetBands]:
        """Renders both sheets without waiting for the device: all of them, or the first of several bands.

        Args:
            scene: of the mesh.
            cameras: one, or at most `views_at_once` of one size, perspective or orthographic all of them.
            request: for each of them.

        Raises:
            DeviceMemoryError: the images do not fit.
        """
        size = cameras[0].width, cameras[0].height
        bands = self._pool.take(size, request.faces, 1 if len(cameras) == 1 else VIEWS)
        with self._pool.returning_on_error(bands):
            pending = Pending(bands, scene, cameras, request)
            self._render(pending, bands.first)
        return pending

    def _render(self, pending: Pending[SheetBands], band: tuple[int, int]) -> None:
        bands, request = pending.images, pending.request
        bands.clear(band, len(pending.cameras))
        faces = self._passes.transform(pending.scene, pending.cameras, request, band)
        self._passes.run(SHEETS, faces, bands.depths)
        if request.faces:
            self._passes.run(FACES, faces, bands.depths, bands.faces)

    def collect(self, pending: Pending[SheetBands]) -> list[SheetBuffers]:
        """Waits for what was submitted and gives its buffers, which belong to the caller.

        Raises:
            DeviceMemoryError, ContextError: what the driver reports of these images' calls.
        """
        collected = []
        for camera, (entry, exit_, *faces) in zip(pending.cameras, self._read(pending), strict=True):
            attributes = {}
            if faces:
                attributes = self._attributes.of_sheets(
                    pending.scene, camera, pending.request.attributes, faces
                )
            collected.append(SheetBuffers(entry, exit_, attributes))
        return collected

    def keep(self, pending: Pending[SheetBands]) -> list[list[Any]]:
        """Finishes images on the device: buffers of entry and of exit, which belong to the caller.

        Args:
            pending: from `submit`, without attributes.

        Raises:
            ContextError, DeviceMemoryError: see `FinishPass.run`.
        """
        with self._pool.returning(pending.images):
            buffers: list[list[Any]] = []
            try:
                for number, camera in enumerate(pending.cameras):
                    buffers.append(
                        self._finish.run(
                            pending.images.depths, pending.scene, camera, pending.request, number
                        )
                    )
            except BaseException:
                for made in chain(*buffers):
                    made.release()
                raise
        self._context.check_error("finishing the sheets", "the image size")
        return buffers

    def _read(self, pending: Pending[SheetBands]) -> list[list[npt.NDArray[Any]]]:
        """Of each camera entry and exit depth, (H, W) float32, then if wanted their faces, (H, W) int32."""
        bands = pending.images
        with self._pool.returning(bands):
            sheets = [bands.new_arrays() for _ in pending.cameras]
            for band in bands:
                if band != bands.first:
                    self._render(pending, band)
                for view, arrays in enumerate(sheets):
                    bands.read(arrays, band, view)
        self._context.check_error("rendering", "the image size or the number of faces")
        return sheets

    def shade(self, scene: Scene, camera: Camera, request: SheetRequest, samples: int) -> npt.NDArray[Any]:
        """(H, W, 4) uint8: the picture, sRGB, alpha where there are both entry and exit.

        Args:
            scene, camera, request: what to draw; attributes have no effect.
            samples: along each side of a pixel.

        Raises:
            DeviceMemoryError: the images do not fit.
        """
        request = replace(request, attributes=("face",))
        picture = np.empty((camera.height, camera.width, 4), np.uint8)
        gl = self._context.gl
        for rows, band in bands_of_samples(camera, samples):
            ((entry, exit_, face, _),) = self._read(self.submit(scene, (band,), request))
            entry[np.isnan(exit_)] = np.nan
            size = (band.width, band.height)
            made: list[Any] = []
            with self._context.making("a picture", size, made):
                made.append(gl.texture(size, 1, face, dtype="i4"))
                made.append(gl.texture(size, 1, entry, dtype="f4"))
            try:
                picture[rows] = self._pictures.draw(scene, band, made[0], made[1], samples)
            finally:
                for each in reversed(made):
                    each.release()
        if samples > 1:
            self._pool.trim(keep=0)  # larger than what is asked for otherwise
        self._context.check_error("shading", "the image size")
        return picture

    def peel(
        self, scene: Scene, camera: Camera, request: SheetRequest, max_layers: int | None, memory_limit: int
    ) -> LayerBuffers:
        """Every crossing of one image; see `list_layers`.

        Raises:
            DeviceMemoryError: the crossings do not fit into `memory_limit` bytes, or the images not at all.
        """
        layers = list_layers(
            self._context,
            self._passes,
            scene,
            camera,
            replace(request, attributes=()),
            max_layers,
            memory_limit,
            request.bytes_beside_face,
        )
        return self._attributes.added_to(layers, scene, camera, request.beside_face)

    def overlaps(self, scene: Scene, camera: Camera) -> bool:
        """Whether it pays to submit the next image before this one is collected.

        On a GPU always. Mesa's software rasterizer finishes a dispatch before the call returns.
        """
        return not self._context.is_software

    def discard(self, pending: Pending[SheetBands]) -> None:
        """Gives up what was submitted."""
        self._pool.give_back(pending.images)

    def trim(self, keep: int = 1) -> None:
        """Frees idle images beyond the last `keep`."""
        self._pool.trim(keep)

    def release(self) -> None:
        """Frees every GL object of the engine."""
        self.trim(keep=0)
        self._pictures.release()
        self._finish.release()
        self._attributes.release()
        self._passes.release()
