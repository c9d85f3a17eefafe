"""Buffers of OpenGL handed to CUDA: copied on the GPU, by the graphics interoperability of `cuda.core`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InteropError
from .context import GLContext

__all__ = ["CUDA_DEVICE", "CudaCopier"]

CUDA_DEVICE = 2  # kDLCUDA of DLPack

_INSTEAD = "take maps.numpy() instead"


class CudaCopier:
    """Makes copies in CUDA's memory of buffers of one GL context; from `for_context`.

    Attributes:
        ordinal: CUDA's number of the device.
    """

    def __init__(self, core: Any, view: Any, ordinal: int) -> None:
        self._core, self._view, self.ordinal = core, view, ordinal

    @classmethod
    def for_context(cls, context: GLContext) -> CudaCopier:
        """For a context, which must be current.

        Raises:
            InteropError: CUDA does not reach its device.
        """
        ordinal = context.device.cuda_index
        if context.is_software or ordinal is None:
            raise InteropError(
                f"CUDA does not reach {context.renderer}, only NVIDIA GPUs; {_INSTEAD}"
            )
        try:
            from cuda import core
            from cuda.core import utils
        except ImportError as error:
            raise InteropError(
                f"cuda.core cannot be imported ({error}); "
                f'run pip install ".[cuda]" in the source folder of ddepth_gl, or {_INSTEAD}'
            ) from error
        return cls(core, utils.StridedMemoryView, ordinal)

    def copy(self, buffer: Any, shape: tuple[int, int]) -> Any:
        """A `cuda.core.utils.StridedMemoryView` of a copy, complete when this returns.

        Args:
            buffer: moderngl's, float32.
            shape: of the copy.

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
        except Exception as error:  # cuda.core has errors of several kinds
            raise InteropError(
                f"CUDA device {self.ordinal} does not take over a buffer of OpenGL "
                f"({type(error).__name__}: {error}); {_INSTEAD}"
            ) from error
