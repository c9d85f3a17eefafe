"""DeviceDepthMaps: the two sheets of one image that stay on the device."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import checked_texts, shown
from ..camera.camera import Camera
from ..errors import ContextClosedError, ContextError
from ..gl.context import GLContext, NonCopyable
from ..gl.cuda import CUDA_DEVICE, CudaCopier
from ..gl.forks import check_not_forked
from .depth_maps import DepthMaps

__all__ = ["DeviceDepthMaps", "DeviceImage"]


class _Buffers:
    """What the images of one DeviceDepthMaps lie in."""

    def __init__(self, context: GLContext, buffers: list[Any]) -> None:
        self._context, self._buffers = context, list(buffers)
        self._released = False
        context.release_when_collected(self, self._buffers)

    def usable(self) -> GLContext:
        """The context, to be entered."""
        if self._released or self._context.is_closed:
            check_not_forked()
            raise ContextClosedError(
                "these maps were released, or their renderer was closed; render again"
            )
        return self._context

    def release(self) -> None:
        if not (self._released or self._context.is_closed):
            with self._context:
                for buffer in self._buffers:
                    buffer.release()
                self._buffers.clear()
        self._released = True

    def __str__(self) -> str:
        is_gone = self._released or self._context.is_closed
        return "released" if is_gone else f"on {self._context.renderer}"


class DeviceImage(NonCopyable):
    """One sheet on the device; ``torch.from_dlpack(image)`` and its like take it over.

    What they get is a copy, made on the GPU: it lives as long as they keep it, whatever becomes of the
    renderer, and may be written to. It is made and freed on CUDA's default stream: who works on a stream that
    does not wait for that one keeps it until the work is done. The device becomes CUDA's current one in this
    thread. `numpy` brings the sheet to the host instead.

    Attributes:
        shape: (H, W).
        dtype: float32.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, owner: _Buffers, buffer: Any, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._owner, self._buffer = owner, buffer

    def numpy(self) -> npt.NDArray[np.float32]:
        """(H, W) float32 depth in mesh units, NaN where there is none; belongs to the caller.

        Raises:
            ContextClosedError: the maps were released or the renderer closed.
        """
        image = np.empty(self.shape, self.dtype)
        with self._owner.usable() as context:
            self._buffer.read_into(image, image.nbytes)
            context.check_error("reading the sheets", "the image size")
        return image

    def __dlpack__(self, *, stream: int | None = None, **options: Any) -> object:
        """A capsule that another library takes over, see https://dmlc.github.io/dlpack/latest/.

        Raises:
            InteropError: not on an NVIDIA GPU, or without the extra ``[cuda]``, or the driver refuses.
            ContextClosedError: the maps were released or the renderer closed.
        """
        with self._owner.usable() as context:
            copy = CudaCopier.for_context(context).copy(self._buffer, self.shape)
        # Copied already: there is nothing for the consumer's stream to wait for.
        return copy.__dlpack__(stream=stream, **options)

    def __dlpack_device__(self) -> tuple[int, int]:
        """Kind and number of the device, as DLPack counts them.

        Raises:
            InteropError, ContextClosedError: as for `__dlpack__`.
        """
        with self._owner.usable() as context:
            return CUDA_DEVICE, CudaCopier.for_context(context).ordinal

    def __repr__(self) -> str:
        return f"<DeviceImage {self.shape[1]}x{self.shape[0]}, {self._owner}>"


class DeviceDepthMaps(NonCopyable):
    """The double depth map of one image, on the device; from ``DepthRenderer.entry_exit(..., output="gpu")``.

    Its two images take 8 bytes a pixel of the device until `release`; or until nobody holds the maps or one
    of their images and the renderer is used again; or until the renderer is closed. Use it in a ``with``
    statement, or call `release`.

    Attributes:
        entry, exit: a `DeviceImage` each, (H, W) float32 depth as in `DepthMaps`.
        camera: the Camera of the image.
        provenance: of the image, as in `DepthMaps`.
    """

    def __init__(
        self, context: GLContext, camera: Camera, buffers: list[Any], provenance: Mapping[str, str]
    ) -> None:
        if not isinstance(context, GLContext) or not isinstance(camera, Camera):
            raise ContextError(
                'DeviceDepthMaps are made by DepthRenderer.entry_exit(..., output="gpu")'
            )
        self.camera = camera
        self.provenance = checked_texts("provenance", provenance)
        if not (
            isinstance(buffers, list)
            and len(buffers) == 2
            and all(callable(getattr(each, "release", None)) for each in buffers)
        ):
            raise ContextError(
                f"DeviceDepthMaps lie in a list of two buffers, not in {shown(buffers)}"
            )
        self._owner = _Buffers(context, buffers)
        shape = (camera.height, camera.width)
        self.entry, self.exit = (DeviceImage(self._owner, buffer, shape) for buffer in buffers)

    def numpy(self) -> DepthMaps:
        """The same on the host: bit for bit what ``entry_exit`` gives without ``output="gpu"``.

        Raises:
            ContextClosedError: the maps were released or the renderer closed.
        """
        return DepthMaps(
            self.entry.numpy(), self.exit.numpy(), self.camera, provenance=self.provenance
        )

    def release(self) -> None:
        """Frees the images on the device. Idempotent."""
        self._owner.release()

    def __enter__(self) -> DeviceDepthMaps:
        self._owner.usable()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<DeviceDepthMaps {self.camera.width}x{self.camera.height}, {self._owner}>"
