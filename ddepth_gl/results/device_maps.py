"""DeviceDepthMaps: the double depth map of one image, kept on the GPU."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import checked_texts, shown
from ..camera.camera import Camera
from ..errors import ContextClosedError, ContextError
from ..gl.context import GLContext
from ..gl.cuda import CUDA_DEVICE, CudaCopier
from ..gl.forks import check_not_forked
from ..gl.non_copyable import NonCopyable
from .depth_maps import DepthMaps
from .mesh_facts import DecidedSurfaces

__all__ = ["DeviceDepthMaps", "DeviceImage"]


class _ImageBuffers:
    """The OpenGL buffers of one DeviceDepthMaps, shared by its two images.

    Freed by `release` or, once nothing refers to this object, by the context.
    """

    def __init__(self, context: GLContext, buffers: list[Any]) -> None:
        self._context, self._buffers = context, list(buffers)
        self._released = False
        context.release_when_collected(self, self._buffers)

    @property
    def is_released(self) -> bool:
        return self._released or self._context.is_closed

    def usable_context(self) -> GLContext:
        """Return the context, for a ``with`` statement.

        Raises:
            ContextClosedError: the buffers were released or the renderer was closed.
        """
        if self.is_released:
            check_not_forked()
            raise ContextClosedError(
                "these maps were released, or their renderer was closed; render again"
            )
        return self._context

    def release(self) -> None:
        if not self.is_released:
            with self._context:
                for buffer in self._buffers:
                    buffer.release()
                self._buffers.clear()
        self._released = True

    def __str__(self) -> str:
        return "released" if self.is_released else f"on {self._context.renderer}"


class DeviceImage(NonCopyable):
    """One sheet on the GPU, for ``torch.from_dlpack(image)`` and other DLPack consumers.

    A consumer gets a copy on the GPU, without a detour through the CPU. The copy may be written to
    and outlives the renderer. It is allocated and freed on CUDA's default stream: code on a stream
    that does not wait for that one must keep the copy until its work is done. The device becomes
    CUDA's current device in this thread. `numpy` copies the sheet to the CPU instead.

    Attributes:
        shape: (H, W).
        dtype: float32.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, image_buffers: _ImageBuffers, buffer: Any, shape: tuple[int, int]) -> None:
        if not isinstance(image_buffers, _ImageBuffers):
            raise ContextError(
                "DeviceImage cannot be constructed directly; "
                'call DepthRenderer.entry_exit(..., output="gpu")'
            )
        self.shape = shape
        self._image_buffers, self._buffer = image_buffers, buffer

    def numpy(self) -> npt.NDArray[np.float32]:
        """Return a new (H, W) float32 array of depths, mesh units; NaN is a miss.

        Raises:
            ContextClosedError: the maps were released or the renderer was closed.
        """
        image = np.empty(self.shape, self.dtype)
        with self._image_buffers.usable_context() as context:
            self._buffer.read_into(image, image.nbytes)
            context.check_error("reading the sheets", "the image size")
        return image

    def __dlpack__(self, *, stream: int | None = None, **options: Any) -> object:
        """Return a DLPack capsule of a copy, see https://dmlc.github.io/dlpack/latest/.

        Raises:
            InteropError: the image is not on an NVIDIA GPU, the extra ``[cuda]`` is not installed,
                or the driver refuses.
            ContextClosedError: the maps were released or the renderer was closed.
        """
        with self._image_buffers.usable_context() as context:
            copy = CudaCopier.for_context(context).copy(self._buffer, self.shape)
        # The copy is complete, so the consumer's stream has nothing to wait for.
        return copy.__dlpack__(stream=stream, **options)

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return DLPack's device type and device number.

        Raises:
            InteropError, ContextClosedError: as for `__dlpack__`.
        """
        with self._image_buffers.usable_context() as context:
            return CUDA_DEVICE, CudaCopier.for_context(context).ordinal

    def __repr__(self) -> str:
        return f"<DeviceImage {self.shape[1]}x{self.shape[0]}, {self._image_buffers}>"


class DeviceDepthMaps(NonCopyable):
    """The double depth map of one image, kept on the GPU.

    ``DepthRenderer.entry_exit(..., output="gpu")`` returns it. Its two images take 8 bytes per
    pixel of GPU memory. They are freed by `release`, at the end of a ``with`` statement, or when
    the renderer closes. If all references to the maps and their images are dropped, the renderer
    frees them the next time it is used.

    Attributes:
        entry: DeviceImage, (H, W) float32 depth of the first entry, as in `DepthMaps`.
        exit: DeviceImage, (H, W) float32 depth of the last exit.
        camera: the Camera of the image.
        provenance, surfaces: as in `DepthMaps`.
    """

    def __init__(
        self,
        context: GLContext,
        camera: Camera,
        buffers: list[Any],
        provenance: Mapping[str, str],
        surfaces: DecidedSurfaces | None = None,
    ) -> None:
        if not isinstance(context, GLContext) or not isinstance(camera, Camera):
            raise ContextError(
                "DeviceDepthMaps cannot be constructed directly; "
                'call DepthRenderer.entry_exit(..., output="gpu")'
            )
        self.camera, self.surfaces = camera, surfaces
        self.provenance = checked_texts("provenance", provenance)
        if not (
            isinstance(buffers, list)
            and len(buffers) == 2
            and all(callable(getattr(buffer, "release", None)) for buffer in buffers)
        ):
            raise ContextError(
                f"buffers must be a list of two OpenGL buffers, not {shown(buffers)}"
            )
        self._image_buffers = _ImageBuffers(context, buffers)
        shape = (camera.height, camera.width)
        self.entry, self.exit = (
            DeviceImage(self._image_buffers, buffer, shape) for buffer in buffers
        )

    def numpy(self) -> DepthMaps:
        """Return DepthMaps, bit for bit equal to those of ``entry_exit`` with ``output="numpy"``.

        Raises:
            ContextClosedError: the maps were released or the renderer was closed.
        """
        return DepthMaps(
            self.entry.numpy(),
            self.exit.numpy(),
            self.camera,
            provenance=self.provenance,
            surfaces=self.surfaces,
        )

    def release(self) -> None:
        """Free the images on the GPU. Idempotent."""
        self._image_buffers.release()

    def __enter__(self) -> DeviceDepthMaps:
        self._image_buffers.usable_context()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<DeviceDepthMaps {self.camera.width}x{self.camera.height}, {self._image_buffers}>"
