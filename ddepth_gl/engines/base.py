"""Engine: the interface of all engines, and the parts that they share."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ..camera.camera import Camera
from ..gl.context import GLContext
from ..gl.result_buffers import LentBuffer
from ..results.silhouettes import has_inside_out
from .request import LayerBuffers, SheetBuffers, SheetRequest
from .scene import Scene
from .shared.attribute_pass import AttributePass
from .shared.device_crossings import DeviceCrossings
from .shared.finished_sheets import FinishedSheets
from .shared.finishing import FinishPass
from .shared.freed_memory import keep_freed_memory
from .shared.image_limits import ImageLimits
from .shared.image_targets import FullscreenPasses
from .shared.photo import PhotoPass, Viewport
from .shared.photo_targets import PhotoTargets, Resolver, sample_bands
from .shared.shading import ShadingPass, SheetTextures
from .shared.target_pool import PooledTargets, TargetPool

__all__ = ["Engine", "Pending"]


class _SheetTargets(PooledTargets, Protocol):
    image_count: int

    def depths_as_buffer(self) -> AbstractContextManager[Any]: ...


Targets = TypeVar("Targets", bound=_SheetTargets)

# Sides of the image that tells whether a body is inside out, pixels.
_MAX_INSIDE_OUT_SIZE = 256


@dataclass(frozen=True)
class Pending(Generic[Targets]):
    """Images that were submitted and are not collected yet.

    Attributes:
        targets: the targets that the images are rendered to.
        scene: Scene of all images.
        cameras: one camera per image.
        request: request for each image.
        finished: where the device finishes the images and copies them from; None if it does not.
    """

    targets: Targets
    scene: Scene
    cameras: tuple[Camera, ...]
    request: SheetRequest
    finished: FinishedSheets | None = None


class Engine(ABC, Generic[Targets]):
    """A renderer of sheets, layers and shaded images.

    Args:
        context: current in every call.
        make_targets: allocates targets of sheets; its arguments are their `key`.

    Attributes:
        name: "raster" or "compute".
        inverts_entries: the GPU stores the bits of entry depths inverted.
        snaps_vertices: screen positions are those of compute_vertices.comp.
    """

    name: ClassVar[str]
    inverts_entries: ClassVar[bool]
    snaps_vertices: ClassVar[bool]

    def __init__(self, context: GLContext, make_targets: Callable[..., Targets]) -> None:
        keep_freed_memory()
        self._context = context
        self._attributes = AttributePass(context)
        self._resolver = Resolver(context)
        self._shading = ShadingPass(context)
        self._photo = PhotoPass(context, self.snaps_vertices)
        self._photo_pool = TargetPool(partial(PhotoTargets, context))
        self._fullscreen = FullscreenPasses(context)
        self._limits = ImageLimits(context, self._fullscreen)
        self._finish = FinishPass(context, self.inverts_entries)
        self._pool = TargetPool(make_targets)
        self._finished_pool = TargetPool(partial(FinishedSheets, context))
        # The last answer of `_is_inside_out`, and what it was about.
        self._last_inside_out: tuple[Callable[[], Scene | None], Camera | None, bool] = (
            lambda: None,
            None,
            False,
        )

    @abstractmethod
    def prepare(self, scene: Scene) -> None:
        """Upload what the engine needs of a scene's mesh.

        Raises:
            DeviceMemoryError: the mesh does not fit into the device's memory.
        """

    def cameras_at_once(self, scene: Scene, camera: Camera) -> int:
        """Return the number of cameras like this one that `submit` takes at once."""
        return 1

    @abstractmethod
    def submits_ahead(self, scene: Scene, camera: Camera) -> bool:
        """Return whether submitting the next image before collecting this one saves time."""

    @abstractmethod
    def submit(
        self, scene: Scene, cameras: tuple[Camera, ...], request: SheetRequest
    ) -> Pending[Targets]:
        """Submit both sheets of some images, or a part of them, without waiting for the GPU.

        Args:
            scene: Scene to render.
            cameras: one camera, or up to `cameras_at_once`; these must all have the same size, and
                be all perspective or all orthographic.
            request: request for each of them.

        Raises:
            DeviceMemoryError: the images do not fit into the device's memory.
        """

    def _finish_ahead(self, pending: Pending[Targets]) -> Pending[Targets]:
        """Return submitted images, told to finish on the device and to come to the CPU.

        Only on a GPU, if one buffer holds them, and without faces: those follow their depths.
        """
        context, request, count = self._context, pending.request, len(pending.cameras)
        width, height = pending.cameras[0].width, pending.cameras[0].height
        if (
            request.needs_faces
            or request.stays_on_device
            or not (context.staging.is_used and context.has_compute)
            or 8 * width * height * count > context.max_storage_block
        ):
            return pending
        finished = self._finished_pool.take((width, height), pending.targets.image_count)
        with self._finished_pool.returning_on_error(finished):
            with pending.targets.depths_as_buffer() as depths:
                self._finish.run(
                    depths, pending.scene, pending.cameras, request, finished.results[:count]
                )
            finished.start_copying(count)
        return replace(pending, finished=finished)

    @abstractmethod
    def _read(self, pending: Pending[Targets]) -> list[list[npt.NDArray[Any]]]:
        """Wait for submitted images, read them, and give their targets back to the pool.

        Returns:
            For each camera: entry and exit depth, (H, W) float32, and if the request needs faces,
            entry and exit faces, (H, W) int32.

        Raises:
            DeviceMemoryError, ContextError: the driver reports an error of these images' calls.
        """

    def collect(self, pending: Pending[Targets]) -> list[SheetBuffers]:
        """Wait for submitted images and return the sheets of each camera.

        Raises:
            DeviceMemoryError, ContextError: the driver reports an error of these images' calls.
        """
        if pending.finished is not None:
            with (
                self._pool.returning(pending.targets),
                self._finished_pool.returning(pending.finished),
            ):
                images = pending.finished.read(len(pending.cameras))
            self._context.check_error("rendering", "the image size or the number of faces")
            return images
        return [
            self._sheet_buffers(pending, camera, arrays)
            for camera, arrays in zip(pending.cameras, self._read(pending), strict=True)
        ]

    def collect_shaded(self, pending: Pending[Targets]) -> tuple[SheetBuffers, npt.NDArray[Any]]:
        """Wait for one submitted image; return its sheets and its shaded image, as `shade` does.

        Args:
            pending: of one camera, with a request that is `shaded`.

        Raises:
            DeviceMemoryError, ContextError: see `collect`.
        """
        arrays, image = self._read_shaded(pending)
        self._context.check_error("shading", "the image size")
        return self._sheet_buffers(pending, pending.cameras[0], arrays), image

    @abstractmethod
    def _read_shaded(
        self, pending: Pending[Targets]
    ) -> tuple[list[npt.NDArray[Any]], npt.NDArray[np.uint8]]:
        """Return the arrays of `_read` for one camera, and the shaded image of its entries."""

    def _sheet_buffers(
        self, pending: Pending[Targets], camera: Camera, arrays: list[npt.NDArray[Any]]
    ) -> SheetBuffers:
        entry, exit_, *faces = arrays
        names = pending.request.attributes
        attributes = {}
        if names:
            attributes = self._attributes.sheet_attributes(pending.scene, camera, names, faces)
        return SheetBuffers(entry, exit_, attributes)

    def collect_on_device(self, pending: Pending[Targets]) -> list[LentBuffer]:
        """Finish submitted images on the device, without reading them.

        Args:
            pending: from `submit`, with a request that `stays_on_device`.

        Returns:
            For each camera: a buffer of entry depths, then exit depths, lent to the caller.

        Raises:
            ContextError, DeviceMemoryError: see `FinishPass.run`.
        """
        camera = pending.cameras[0]
        size = camera.width, camera.height
        buffers: list[Any] = []
        try:
            with (
                self._pool.returning(pending.targets),
                pending.targets.depths_as_buffer() as depths,
            ):
                with self._context.allocating("sheets", size, buffers):
                    for _ in pending.cameras:
                        buffers.append(self._context.result_buffers.take(8 * size[0] * size[1]))
                results = [(each.item.buffer, 0) for each in buffers]
                self._finish.run(depths, pending.scene, pending.cameras, pending.request, results)
            self._context.check_error("finishing the sheets", "the image size")
        except BaseException:
            for buffer in buffers:
                buffer.release()
            raise
        return buffers

    @abstractmethod
    def sheet_textures(self, pending: Pending[Targets]) -> AbstractContextManager[SheetTextures]:
        """Return a context that lends both sheets of one submitted image, not finished.

        Args:
            pending: of one camera, with a request that `stays_on_device`.

        Raises:
            DeviceMemoryError: on entering; the image is larger than one buffer.
        """

    @abstractmethod
    def crossings_on_device(
        self, scene: Scene, camera: Camera, request: SheetRequest
    ) -> AbstractContextManager[DeviceCrossings]:
        """Return a context that lends all crossings of one image, without reading them.

        Args:
            scene: Scene to render.
            camera: Camera to render.
            request: which crossings count; its attributes have no effect.

        Raises:
            DeviceMemoryError: on entering; the images do not fit into the device's memory.
        """

    def discard(self, pending: Pending[Targets]) -> None:
        """Give up submitted images."""
        self._pool.give_back(pending.targets)
        if pending.finished is not None:
            self._finished_pool.give_back(pending.finished)

    @abstractmethod
    def peel(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        max_layers: int | None,
        memory_limit: int | None,
    ) -> LayerBuffers:
        """Return every crossing of one image.

        Args:
            scene: Scene to render.
            camera: Camera to render.
            request: which crossings count, and their attributes.
            max_layers: number of crossings to return per pixel, the first ones; None for all.
            memory_limit: bytes that the crossings may take; None for `default_memory_limit`.

        Raises:
            DeviceMemoryError: the crossings do not fit into `memory_limit`, or the images do not
                fit into the device's memory.
        """

    def shade(
        self, scene: Scene, camera: Camera, request: SheetRequest, samples: int
    ) -> npt.NDArray[Any]:
        """Return the shaded image: (H, W, 4) uint8, sRGB and alpha.

        Args:
            scene: Scene to render.
            camera: Camera to render.
            request: which crossings count; its attributes have no effect.
            samples: samples along each side of a pixel. They are opaque where there are both entry
                and exit.

        Raises:
            DeviceMemoryError: the images do not fit into the device's memory.
        """
        bands = [
            self._resolver.read(targets)
            for _, targets in self.photo_bands(scene, camera, request, samples)
        ]
        return bands[0] if len(bands) == 1 else np.concatenate(bands)

    def photo_bands(
        self, scene: Scene, camera: Camera, request: SheetRequest, samples: int
    ) -> Iterator[tuple[slice, PhotoTargets]]:
        """Yield each band of the shaded image: its rows, and the targets whose `pixels` hold it.

        The targets are lent until the next band. For the arguments see `shade`.
        """
        request = replace(request, attributes=("face",), stays_on_device=True)
        viewport = self.photo_viewport(scene, camera, request, samples)
        for rows, band_camera in sample_bands(camera, samples, len(scene.mesh.faces)):
            with self._photo_targets(band_camera, samples) as targets:
                if viewport is None:
                    self._shade_band(scene, band_camera, request, samples, targets)
                else:
                    left, top, *size = viewport
                    moved = (left, top - samples * rows.start, *size)
                    self._photo.draw(scene, band_camera, request, samples, moved, targets)
                self._resolver.resolve(targets)
                yield rows, targets
        if samples > 1:
            # These targets are larger than what sheets need.
            self._pool.trim(max_idle=0)
            self._photo_pool.trim(max_idle=0)
        self._context.check_error("shading", "the image size")

    def photo_viewport(
        self, scene: Scene, camera: Camera, request: SheetRequest, samples: int
    ) -> Viewport | None:
        """Return the viewport if `PhotoPass` renders the shaded image, without sheets; else None.

        It cannot where a body that overlaps itself is inside out, see `fix_silhouettes`: there the
        photo shows the exits. Whether there are such pixels is found in an image of at most
        `_MAX_INSIDE_OUT_SIZE` pixels along each side.
        """
        viewport = self._photo.viewport(scene, camera, request, samples)
        if viewport is not None and request.may_exchange and self._is_inside_out(scene, camera):
            return None
        return viewport

    def _is_inside_out(self, scene: Scene, camera: Camera) -> bool:
        """Return whether the camera sees a body that is inside out; bodies decide on surfaces."""
        # A frame asks twice about one image.
        last_scene, last_camera, answer = self._last_inside_out
        if last_camera is not camera or last_scene() is not scene:
            small = _reduced(camera, _MAX_INSIDE_OUT_SIZE)
            request = SheetRequest(by_geometry=True, keeps_silhouettes=True).decided(scene.mesh)
            (sheets,) = self.collect(self.submit(scene, (small,), request))
            answer = has_inside_out(small, sheets.entry, sheets.exit)
            self._last_inside_out = weakref.ref(scene), camera, answer
        return answer

    @contextmanager
    def _photo_targets(self, camera: Camera, samples: int) -> Iterator[PhotoTargets]:
        """Return a context that lends targets for a camera with one pixel per sample."""
        targets = self._photo_pool.take((camera.width, camera.height), samples)
        with self._photo_pool.returning(targets):
            yield targets

    @abstractmethod
    def _shade_band(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        samples: int,
        targets: PhotoTargets,
    ) -> None:
        """Render the sheets of a band of the shaded image, and shade its samples.

        Args:
            scene: Scene to render.
            camera: Camera with one pixel per sample of the band.
            request: request with faces.
            samples: samples along each side of a pixel.
            targets: to draw to.
        """

    def trim(self, max_idle: int = 1) -> None:
        """Free all idle targets but the last `max_idle`."""
        for pool in (self._pool, self._finished_pool, self._photo_pool):
            pool.trim(max_idle)

    def release(self) -> None:
        """Free every GL object of the engine."""
        self.trim(max_idle=0)
        self._shading.release()
        self._photo.release()
        self._resolver.release()
        self._finish.release()
        self._limits.release()
        self._fullscreen.release()
        self._attributes.release()


def _reduced(camera: Camera, max_size: int) -> Camera:
    """Return a camera of the same view with at most so many pixels along each side."""
    size = max(camera.width, camera.height)
    if size <= max_size:
        return camera
    width, height = (
        max(1, round(side * max_size / size)) for side in (camera.width, camera.height)
    )
    K = camera.K.copy()
    K[0] *= width / camera.width
    K[1] *= height / camera.height
    return replace(camera, K=K, width=width, height=height)
