"""What every engine does, and what both do alike: images in flight, attributes, pictures, kept sheets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ..camera.camera import Camera
from ..gl.context import GLContext
from .request import LayerBuffers, SheetBuffers, SheetRequest
from .scene import Scene
from .shared.attribute_pass import AttributePass
from .shared.finishing import FinishPass
from .shared.shading import ShadingPass, sample_bands
from .shared.target_pool import PooledTargets, TargetPool

__all__ = ["Engine", "Pending"]


class _SheetTargets(PooledTargets, Protocol):
    def depths_as_buffer(self) -> AbstractContextManager[Any]: ...


Targets = TypeVar("Targets", bound=_SheetTargets)


@dataclass(frozen=True)
class Pending(Generic[Targets]):
    """What an engine has submitted and not yet collected, and the images it was rendered to."""

    targets: Targets
    scene: Scene
    cameras: tuple[Camera, ...]
    request: SheetRequest


class Engine(ABC, Generic[Targets]):
    """Renders both sheets, layers and pictures of scenes.

    Args:
        context: to render in.
        make_targets: makes what sheets are rendered to, given what becomes its `kind`.

    Attributes:
        name: "raster" or "compute".
        inverts_entries: whether the bits of entry depths are inverted on the device.
    """

    name: ClassVar[str]
    inverts_entries: ClassVar[bool]

    def __init__(self, context: GLContext, make_targets: Callable[..., Targets]) -> None:
        self._context = context
        self._attributes = AttributePass(context)
        self._shading = ShadingPass(context, self._attributes)
        self._finish = FinishPass(context, self.inverts_entries)
        self._pool = TargetPool(make_targets)

    @abstractmethod
    def prepare(self, scene: Scene) -> None:
        """Uploads what the engine needs of a scene's mesh.

        Raises:
            DeviceMemoryError: it does not fit.
        """

    def cameras_at_once(self, scene: Scene, camera: Camera) -> int:
        """How many cameras like this one `submit` takes."""
        return 1

    @abstractmethod
    def submits_ahead(self, scene: Scene, camera: Camera) -> bool:
        """Whether it pays to submit the next image before this one is collected."""

    @abstractmethod
    def submit(
        self, scene: Scene, cameras: tuple[Camera, ...], request: SheetRequest
    ) -> Pending[Targets]:
        """Renders both sheets without waiting for the device, or begins to.

        Args:
            scene: of the mesh.
            cameras: one, or at most `cameras_at_once` of one size, all of them perspective or orthographic.
            request: for each of them.

        Raises:
            DeviceMemoryError: the images do not fit.
        """

    @abstractmethod
    def _read(self, pending: Pending[Targets]) -> list[list[npt.NDArray[Any]]]:
        """Waits for what was submitted and gives its images back to the pool.

        Returns:
            Of each camera entry and exit depth, (H, W) float32, then if wanted their faces, (H, W) int32.

        Raises:
            DeviceMemoryError, ContextError: what the driver reports of these images' calls.
        """

    def collect(self, pending: Pending[Targets]) -> list[SheetBuffers]:
        """Waits for what was submitted and gives its buffers, which belong to the caller.

        Raises:
            DeviceMemoryError, ContextError: what the driver reports of these images' calls.
        """
        collected = []
        for camera, (entry, exit_, *faces) in zip(
            pending.cameras, self._read(pending), strict=True
        ):
            attributes = {}
            if faces:
                names = pending.request.attributes
                attributes = self._attributes.sheet_attributes(pending.scene, camera, names, faces)
            collected.append(SheetBuffers(entry, exit_, attributes))
        return collected

    def collect_on_device(self, pending: Pending[Targets]) -> list[list[Any]]:
        """Finishes images on the device: buffers of entry and of exit, which belong to the caller.

        Args:
            pending: from `submit`, without attributes.

        Raises:
            ContextError, DeviceMemoryError: see `FinishPass.run`.
        """
        kept: list[list[Any]] = []
        try:
            with (
                self._pool.returning(pending.targets),
                pending.targets.depths_as_buffer() as depths,
            ):
                for number, camera in enumerate(pending.cameras):
                    kept.append(
                        self._finish.run(depths, pending.scene, camera, pending.request, number)
                    )
            self._context.check_error("finishing the sheets", "the image size")
        except BaseException:
            for made in chain(*kept):
                made.release()
            raise
        return kept

    def discard(self, pending: Pending[Targets]) -> None:
        """Gives up what was submitted."""
        self._pool.give_back(pending.targets)

    @abstractmethod
    def peel(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        max_layers: int | None,
        memory_limit: int | None,
    ) -> LayerBuffers:
        """Every crossing of one image.

        Raises:
            DeviceMemoryError: the crossings do not fit into `memory_limit` bytes, if None into
                `default_memory_limit`, or the images not at all.
        """

    def shade(
        self, scene: Scene, camera: Camera, request: SheetRequest, samples: int
    ) -> npt.NDArray[Any]:
        """(H, W, 4) uint8: the picture, sRGB, alpha where there are both entry and exit.

        Args:
            scene, camera, request: what to draw; attributes have no effect.
            samples: along each side of a pixel.

        Raises:
            DeviceMemoryError: the images do not fit.
        """
        request = replace(request, attributes=("face",))
        picture = np.empty((camera.height, camera.width, 4), np.uint8)
        for rows, band in sample_bands(camera, samples):
            picture[rows] = self._shade_band(scene, band, request, samples)
        if samples > 1:
            self._pool.trim(max_idle=0)  # larger than what is asked for otherwise
        self._context.check_error("shading", "the image size")
        return picture

    @abstractmethod
    def _shade_band(
        self, scene: Scene, camera: Camera, request: SheetRequest, samples: int
    ) -> npt.NDArray[np.uint8]:
        """The picture of some samples, given the camera that sees these and a request with faces."""

    def trim(self, max_idle: int = 1) -> None:
        """Frees idle images beyond the last `max_idle`."""
        self._pool.trim(max_idle)

    def release(self) -> None:
        """Frees every GL object of the engine."""
        self.trim(max_idle=0)
        self._shading.release()
        self._finish.release()
        self._attributes.release()
