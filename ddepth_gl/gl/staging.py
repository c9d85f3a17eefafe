"""Staging: how contents of buffers come to the CPU, mapped or copied to memory that stays mapped.

A software rasterizer has its buffers in the CPU's memory, so mapping one costs nothing. The driver
of a GPU copies what is mapped, on every occasion, into memory that it finds for it; and it may
leave a buffer that was mapped for writing in the CPU's memory, where every later pass is slow. So
there, buffers of the GPU are never mapped. They are copied to a staging buffer in the CPU's memory,
which is mapped once. The copy is a command among others: the CPU only waits for its fence.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ContextError, DeviceMemoryError
from .functions import GLFunctions
from .loader import Loader

__all__ = ["Staging", "StagingBuffer"]

# Larger contents than this are copied to an ordinary array, so that the memory is freed.
_MAX_SHARED_BYTES, _FIRST_SHARED_BYTES = 1 << 26, 1 << 20

_COPY_READ_BUFFER, _COPY_WRITE_BUFFER = 0x8F36, 0x8F37
# GL_MAP_READ_BIT, GL_MAP_PERSISTENT_BIT, GL_MAP_COHERENT_BIT; and GL_CLIENT_STORAGE_BIT.
_MAP_FLAGS, _CLIENT_STORAGE = 0x01 | 0x40 | 0x80, 0x200
_COMMANDS_COMPLETE, _FLUSH_COMMANDS = 0x9117, 0x01
_SIGNALED, _TIMEOUT_EXPIRED, _WAIT_FAILED = 0x911A, 0x911B, 0x911D
_WAIT_NANOSECONDS = 10**9  # Python handles signals between two waits

_UINT, _SIZE, _POINTER = ctypes.c_uint, ctypes.c_ssize_t, ctypes.c_void_p
# Name, return type and argument types.
_FUNCTIONS: tuple[tuple[Any, ...], ...] = (
    ("glBindBuffer", None, _UINT, _UINT),
    ("glBufferStorage", None, _UINT, _SIZE, _POINTER, _UINT),
    ("glMapBufferRange", _POINTER, _UINT, _SIZE, _SIZE, _UINT),
    ("glCopyBufferSubData", None, _UINT, _UINT, _SIZE, _SIZE, _SIZE),
    ("glFenceSync", _POINTER, _UINT, _UINT),
    ("glClientWaitSync", _UINT, _POINTER, _UINT, ctypes.c_uint64),
    ("glDeleteSync", None, _POINTER),
)


class Staging:
    """The way in which contents of one context's buffers come to the CPU.

    Args:
        gl: the `moderngl.Context`, current in every call.
        loader: looks up functions.
        functions: of the context.
        on_gpu: whether to use staging buffers, if the driver has them.

    Attributes:
        is_used: True if staging buffers are used, False if buffers are mapped. It may be set to
            True if `is_possible`.
        is_possible: the driver has staging buffers: OpenGL 4.4 or GL_ARB_buffer_storage.
    """

    def __init__(self, gl: Any, loader: Loader, functions: GLFunctions, on_gpu: bool) -> None:
        self._gl, self._functions = gl, functions
        self.is_possible = gl.version_code >= 440 or "GL_ARB_buffer_storage" in gl.extensions
        self.is_used = on_gpu and self.is_possible
        self._staging_functions: dict[str, Any] = {}
        if self.is_possible:
            self._staging_functions = {each[0]: loader.function(*each) for each in _FUNCTIONS}
        self._shared: StagingBuffer | None = None
        if self.is_used:
            self._shared = self.new_buffer(_FIRST_SHARED_BYTES)

    def new_buffer(self, size: int) -> StagingBuffer:
        """Return a staging buffer of `size` bytes, which the caller owns.

        Raises:
            DeviceMemoryError: there is no memory for it.
        """
        return StagingBuffer(self._gl, self._staging_functions, size)

    @contextmanager
    def reading(
        self, buffer: Any, dtype: npt.DTypeLike, count: int, first: int = 0
    ) -> Iterator[npt.NDArray[Any]]:
        """Wait for the device; provide elements of a buffer as an array, during a block.

        Args:
            buffer: moderngl buffer. Nothing may use it during the block, nor read another one.
            dtype: type of the elements.
            count: number of elements.
            first: index of the first element.

        Raises:
            DeviceMemoryError, ContextError: see `GLFunctions.mapped` and `StagingBuffer.wait`.
        """
        if not self.is_used or count == 0:
            with self._functions.mapped(buffer, dtype, count, first) as array:
                yield array
            return
        item = np.dtype(dtype).itemsize
        size = item * count
        if size > _MAX_SHARED_BYTES:
            array = np.empty(count, dtype)
            self._functions.copy_from_buffer(buffer, item * first, array)
            yield array
            return
        if self._shared is None or self._shared.size < size:
            if self._shared is not None:
                self._shared.release()
                self._shared = None
            self._shared = self.new_buffer(max(_FIRST_SHARED_BYTES, 1 << (size - 1).bit_length()))
        self._shared.start_copying((buffer, item * first, size))
        yield self._shared.wait()[:size].view(dtype)

    @contextmanager
    def writing(self, buffer: Any, dtype: npt.DTypeLike, count: int) -> Iterator[npt.NDArray[Any]]:
        """Provide an array during a block, which fills it; it becomes the start of a buffer."""
        if not self.is_used:
            with self._functions.mapped(buffer, dtype, count, access="write") as array:
                yield array
            return
        array = np.empty(count, dtype)
        yield array
        buffer.write(array)

    @contextmanager
    def updating(
        self, buffer: Any, dtype: npt.DTypeLike, count: int
    ) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """Provide the elements at the start of a buffer, and an array of their new values.

        Both may be the same memory: the block must fill the second, and read no element after it
        has written it.
        """
        if not self.is_used:
            with self._functions.mapped(buffer, dtype, count, access="update") as array:
                yield array, array
            return
        with (
            self.reading(buffer, dtype, count) as array,
            self.writing(buffer, dtype, count) as changed,
        ):
            yield array, changed


class StagingBuffer:
    """A buffer in the CPU's memory that stays mapped; created by `Staging.new_buffer`.

    Attributes:
        size: bytes.
    """

    def __init__(self, gl: Any, functions: dict[str, Any], size: int) -> None:
        self.size = size
        self._gl, self._call = gl, functions
        self._fence: int | None = None
        # moderngl has no such storage. This gives the buffer another one in place of its own.
        self._buffer = gl.buffer(reserve=4)
        self._call["glBindBuffer"](_COPY_WRITE_BUFFER, self._buffer.glo)
        flags = _MAP_FLAGS | _CLIENT_STORAGE
        self._call["glBufferStorage"](_COPY_WRITE_BUFFER, size, None, flags)
        address = self._call["glMapBufferRange"](_COPY_WRITE_BUFFER, 0, size, _MAP_FLAGS)
        if not address:
            self._buffer.release()
            gl.error  # noqa: B018  reading it clears it
            raise DeviceMemoryError(
                f"the driver finds no {size:,} bytes of memory to read results in; "
                "reduce the image size"
            )
        memory = (ctypes.c_char * size).from_address(address)
        self._bytes: npt.NDArray[np.uint8] = np.frombuffer(memoryview(memory), np.uint8)
        self._bytes.flags.writeable = False

    def start_copying(self, *parts: tuple[Any, int, int]) -> None:
        """Tell the device to copy parts of buffers here, one after the other; do not wait.

        Args:
            parts: a moderngl buffer, the first byte to copy, and the number of bytes.
        """
        self._delete_fence()
        self._call["glBindBuffer"](_COPY_WRITE_BUFFER, self._buffer.glo)
        end = 0
        for buffer, first, count in parts:
            self._call["glBindBuffer"](_COPY_READ_BUFFER, buffer.glo)
            self._call["glCopyBufferSubData"](
                _COPY_READ_BUFFER, _COPY_WRITE_BUFFER, first, end, count
            )
            end += count
        self._fence = self._call["glFenceSync"](_COMMANDS_COMPLETE, 0)

    def wait(self) -> npt.NDArray[np.uint8]:
        """Wait until everything is copied; return all bytes of the buffer.

        The array is valid until this is released or told to copy something else.

        Raises:
            ContextError: the driver cannot wait.
        """
        result = _TIMEOUT_EXPIRED if self._fence is not None else _SIGNALED
        while result == _TIMEOUT_EXPIRED:
            result = self._call["glClientWaitSync"](self._fence, _FLUSH_COMMANDS, _WAIT_NANOSECONDS)
        if result == _WAIT_FAILED:
            raise ContextError(
                f"the driver cannot wait for its results ({self._gl.error}); render the image again"
            )
        self._delete_fence()
        return self._bytes

    def _delete_fence(self) -> None:
        if self._fence is not None:
            self._call["glDeleteSync"](self._fence)
            self._fence = None

    def release(self) -> None:
        """Free the buffer, which ends its mapping. Idempotent."""
        self._delete_fence()
        self._buffer.release()
