"""DeviceDepthMaps: the double depth map of one image, kept on the GPU."""

from __future__ import annotations

from collections.abc import Mapping
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
from ..gl.result_buffers import LentBuffer
from .depth_maps import DepthMaps
from .mesh_facts import DecidedSurfaces

__all__ = ["DeviceDepthMaps", "DeviceImage"]


class _Sheets:
    """Both sheets of one DeviceDepthMaps: a buffer of entry depths, then exit depths.

    The buffer is given back by `release` or, once nothing refers to this object, by the context.
    """

    def __init__(self, context: GLContext, lent: LentBuffer, shape: tuple[int, int]) -> None:
        self._context, self._lent, self._shape = context, lent, shape
        self._released = False
        # Copies that were made together with that of the other sheet, for which a consumer asked.
        self._ready: dict[int, Any] = {}
        context.release_when_collected(self, [lent])

    @property
    def is_released(self) -> bool:
        return self._released or self._context.is_closed

    def usable_context(self) -> GLContext:
        """Return the context, for a ``with`` statement.

        Raises:
            ContextClosedError: the buffer was released or the renderer was closed.
        """
        if self.is_released:
            check_not_forked()
            raise ContextClosedError(
                "these maps were released, or their renderer was closed; render again"
            )
        return self._context

    def read(self, sheet: int) -> npt.NDArray[np.float32]:
        """Return a copy of one sheet, (H, W)."""
        count = self._shape[0] * self._shape[1]
        with self.usable_context() as context:
            buffer = self._lent.item.buffer
            with context.staging.reading(buffer, np.float32, count, sheet * count) as depths:
                image: npt.NDArray[np.float32] = np.array(depths.reshape(self._shape))
            context.check_error("reading the sheets", "the image size")
        return image

    def copier(self) -> CudaCopier:
        """Return a copier to CUDA memory."""
        context = self.usable_context()
        context.check_usable()
        if context.device is None:  # only OpenGL knows the device
            with context:
                return CudaCopier.for_context(context)
        return CudaCopier.for_context(context)

    def cuda_copy(self, sheet: int, stream: int | None) -> Any:
        """Return a copy of one sheet in CUDA memory, for a consumer's stream."""
        copier = self.copier()
        copy = self._ready.pop(sheet, None)
        if copy is None:
            with self.usable_context():
                copies = copier.copy(self._lent.item, 2, self._shape)
            copy, self._ready[1 - sheet] = copies[sheet], copies[1 - sheet]
        copier.order(stream)
        return copy

    def release(self) -> None:
        self._ready.clear()
        if not self.is_released:
            self._context.check_usable()
            self._lent.release()  # calls no OpenGL
        self._released = True

    def __str__(self) -> str:
        return "released" if self.is_released else f"on {self._context.renderer}"


class DeviceImage(NonCopyable):
    """One sheet on the GPU, for ``torch.from_dlpack(image)`` and other DLPack consumers.

    A consumer gets a copy on the GPU, without a detour through the CPU. The copy may be written to
    and outlives the renderer. The CPU does not wait for it: the consumer's stream does. It is
    allocated and freed on CUDA's default stream: code on a stream that does not wait for that one
    must keep the copy until its work is done. Both sheets of an image are copied with the first;
    the other copy is kept until it is asked for, or the maps are released. The device becomes
    CUDA's current device in this thread. `numpy` copies the sheet to the CPU instead.

    Attributes:
        shape: (H, W).
        dtype: float32.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, sheets: _Sheets, sheet: int, shape: tuple[int, int]) -> None:
        if not isinstance(sheets, _Sheets):
            raise ContextError(
                "DeviceImage cannot be constructed directly; "
                'call DepthRenderer.entry_exit(..., output="gpu")'
            )
        self.shape = shape
        self._sheets, self._sheet = sheets, sheet

    def numpy(self) -> npt.NDArray[np.float32]:
        """Return a new (H, W) float32 array of depths, mesh units; NaN is a miss.

        Raises:
            ContextClosedError: the maps were released or the renderer was closed.
        """
        return self._sheets.read(self._sheet)

    def __dlpack__(self, *, stream: int | None = None, **options: Any) -> object:
        """Return a DLPack capsule of a copy, see https://dmlc.github.io/dlpack/latest/.

        Raises:
            InteropError: the image is not on an NVIDIA GPU, the extra ``[cuda]`` is not installed,
                or the driver refuses.
            ContextClosedError: the maps were released or the renderer was closed.
        """
        # cuda.core ignores the stream, which waits for the copy already.
        copy = self._sheets.cuda_copy(self._sheet, stream)
        return copy.__dlpack__(stream=stream, **options)

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return DLPack's device type and device number.

        Raises:
            InteropError, ContextClosedError: as for `__dlpack__`.
        """
        return CUDA_DEVICE, self._sheets.copier().ordinal

    def __repr__(self) -> str:
        return f"<DeviceImage {self.shape[1]}x{self.shape[0]}, {self._sheets}>"


class DeviceDepthMaps(NonCopyable):
    """The double depth map of one image, kept on the GPU.

    ``DepthRenderer.entry_exit(..., output="gpu")`` returns it. Its two images take 8 bytes per
    pixel of GPU memory. They are freed by `release`, at the end of a ``with`` statement, or when
    the renderer closes. If all references to the maps and their images are dropped, the renderer
    frees them the next time it is used. Up to 64 MB of freed images stay for the next ones.

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
        buffer: LentBuffer,
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
        if not isinstance(buffer, LentBuffer):
            raise ContextError(f"buffer must be a LentBuffer, not {shown(buffer)}")
        shape = (camera.height, camera.width)
        self._sheets = _Sheets(context, buffer, shape)
        self.entry, self.exit = (DeviceImage(self._sheets, sheet, shape) for sheet in range(2))

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
        self._sheets.release()

    def __enter__(self) -> DeviceDepthMaps:
        self._sheets.usable_context()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<DeviceDepthMaps {self.camera.width}x{self.camera.height}, {self._sheets}>"
