"""Copies of OpenGL buffers in CUDA memory, made on the GPU by `cuda.core`'s interoperability."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._log import logger
from .._packages import import_needed
from ..errors import InteropError
from .context import GLContext
from .result_buffers import ResultBuffer

__all__ = ["CUDA_DEVICE", "CudaCopier"]

_log = logger(__name__)

CUDA_DEVICE = 2  # kDLCUDA of DLPack

# Streams in DLPack that are no handles: none is named, the legacy default stream, and that of the
# thread. CUDA keeps these in order with the legacy default stream. For -1, nobody waits.
_DEFAULT_STREAMS, _NO_WAITING = (None, 0, 1, 2), -1

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
        """Return a copier for a context; a context that others own must be current.

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

    def copy(self, item: ResultBuffer, count: int, shape: tuple[int, int]) -> list[Any]:
        """Return copies of the images in a buffer, each a `cuda.core.utils.StridedMemoryView`.

        They are made on CUDA's default stream, without waiting: see `order`. The context must be
        current. CUDA's registration of the buffer stays with it.

        Args:
            item: the buffer, of float32.
            count: number of images in it, one after the other.
            shape: shape of each.

        Raises:
            InteropError: the driver refuses.
        """
        try:
            device = self._core.Device(self.ordinal)
            device.set_current()
            stream = device.default_stream
            if item.registration is None:
                resource = self._core.GraphicsResource.from_gl_buffer(
                    item.buffer.glo, flags="read_only"
                )
                item.registration = _Registration(device, resource)
            size = item.buffer.size // count
            copies = [device.allocate(size, stream=stream) for _ in range(count)]
            # OpenGL's earlier commands are done before the copies, its later ones come after them.
            with item.registration.resource.map(stream=stream) as mapped:
                for index, copy in enumerate(copies):
                    address = int(mapped.handle) + size * index
                    image = self._core.Buffer.from_handle(address, size, owner=mapped)
                    copy.copy_from(image, stream=stream)
                    del image
            return [
                self._view.from_buffer(copy, shape, dtype=np.dtype(np.float32)) for copy in copies
            ]
        except Exception as error:  # cuda.core raises several unrelated types
            raise self._refusal(error) from error

    def order(self, stream: int | None) -> None:
        """Make a consumer's stream wait for all copies that were made before.

        Args:
            stream: as in DLPack: a handle, one of the default streams, or -1 if the consumer does
                not wait; then this does.

        Raises:
            InteropError: the driver refuses.
        """
        if stream in _DEFAULT_STREAMS:
            return
        try:
            device = self._core.Device(self.ordinal)
            device.set_current()
            if stream == _NO_WAITING:
                device.default_stream.sync()
            else:
                self._core.Stream.from_handle(stream).wait(device.default_stream)
        except Exception as error:  # cuda.core raises several unrelated types
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> InteropError:
        return InteropError(
            f"CUDA device {self.ordinal} cannot copy an OpenGL buffer "
            f"({type(error).__name__}: {error}); {_ALTERNATIVE}"
        )


class _Registration:
    """CUDA's registration of a buffer.

    Attributes:
        resource: `cuda.core.GraphicsResource`.
    """

    def __init__(self, device: Any, resource: Any) -> None:
        self._device, self.resource = device, resource

    def close(self) -> None:
        """End the registration, with both contexts current; log a failure, as nothing is lost."""
        try:
            self._device.set_current()
            self.resource.close()
        except Exception as error:  # cuda.core raises several unrelated types
            _log.warning("CUDA cannot unregister an OpenGL buffer: %s", error)


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
