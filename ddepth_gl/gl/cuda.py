"""Copies of OpenGL buffers in CUDA memory, made on the GPU by `cuda.core`'s interoperability."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._packages import import_needed
from ..errors import InteropError
from .context import GLContext

__all__ = ["CUDA_DEVICE", "CudaCopier"]

CUDA_DEVICE = 2  # kDLCUDA of DLPack

_ALTERNATIVE = "use maps.numpy() instead"


class CudaCopier:
    """Copies buffers of one OpenGL context to CUDA memory; created by `for_context`.

    Attributes:
        ordinal: CUDA's index of the device.
    """

    def __init__(self, core: Any, view: Any, ordinal: int) -> None:
        self._core, self._view, self.ordinal = core, view, ordinal

    @classmethod
    def for_context(cls, context: GLContext) -> CudaCopier:
        """Return a copier for a context.

        Raises:
            InteropError: CUDA does not reach the context's device, or `cuda.core` is missing.
        """
        device = context.device
        if context.is_software or (device is not None and device.cuda_index is None):
            raise InteropError(
                f"CUDA does not reach {context.renderer}, only NVIDIA GPUs; {_ALTERNATIVE}"
            )
        core, utils = (
            import_needed(
                module, "a copy in CUDA memory", InteropError, "cuda", f", or {_ALTERNATIVE}"
            )
            for module in ("cuda.core", "cuda.core.utils")
        )
        # Nobody said which device a context of others is on.
        ordinal = _ordinal_of(context) if device is None else device.cuda_index
        return cls(core, utils.StridedMemoryView, int(ordinal or 0))

    def copy(self, buffer: Any, shape: tuple[int, int]) -> Any:
        """Return a finished copy as a `cuda.core.utils.StridedMemoryView`. Needs a current context.

        Args:
            buffer: moderngl buffer of float32.
            shape: shape of the copy.

        Raises:
            InteropError: the driver refuses.
        """
        try:
            device = self._core.Device(self.ordinal)
            device.set_current()
            stream = device.default_stream
            with self._core.GraphicsResource.from_gl_buffer(
                buffer.glo, flags="read_only"
            ) as resource:
                copy = device.allocate(buffer.size, stream=stream)
                with resource.map(stream=stream) as mapped:
                    copy.copy_from(mapped, stream=stream)
                stream.sync()
            return self._view.from_buffer(copy, shape, dtype=np.dtype(np.float32))
        except Exception as error:  # cuda.core raises several unrelated types
            raise InteropError(
                f"CUDA device {self.ordinal} cannot copy an OpenGL buffer "
                f"({type(error).__name__}: {error}); {_ALTERNATIVE}"
            ) from error


def _ordinal_of(context: GLContext) -> int:
    """Return CUDA's index of the device of the current OpenGL context.

    Raises:
        InteropError: CUDA does not reach it.
    """
    try:
        from cuda.bindings import driver

        driver.cuInit(0)
        status, count, devices = driver.cuGLGetDevices(
            1, driver.CUGLDeviceList.CU_GL_DEVICE_LIST_ALL
        )
        if status == driver.CUresult.CUDA_SUCCESS and count:
            return int(devices[0])
        reason = status.name
    except (ImportError, RuntimeError) as error:
        reason = str(error)
    raise InteropError(f"CUDA does not reach {context.renderer} ({reason}); {_ALTERNATIVE}")
