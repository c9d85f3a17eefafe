"""ResultBuffers: buffers for results that stay on the device, recycled as CUDA has them.

CUDA must register an OpenGL buffer before it can map it, which takes longer than an image. So the
registration stays with its buffer, and the buffer waits for the next result of the same size.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["LentBuffer", "ResultBuffer", "ResultBuffers"]

# What waits for the next result, at most.
_MAX_IDLE_BYTES, _MAX_IDLE_BUFFERS = 1 << 26, 64


class ResultBuffer:
    """A buffer and its registration.

    Attributes:
        buffer: moderngl buffer.
        registration: None until CUDA registers the buffer; its method `close` ends it.
    """

    def __init__(self, buffer: Any) -> None:
        self.buffer = buffer
        self.registration: Any = None

    def close_registration(self) -> None:
        """End the registration, if there is one."""
        registration, self.registration = self.registration, None
        if registration is not None:
            registration.close()

    def free(self) -> None:
        """Free the buffer, after its registration."""
        self.close_registration()
        self.buffer.release()


class LentBuffer:
    """A result buffer until it is given back.

    Attributes:
        item: the buffer and its registration.
    """

    def __init__(self, pool: ResultBuffers, item: ResultBuffer) -> None:
        self._pool: ResultBuffers | None = pool
        self.item = item

    def release(self) -> None:
        """Give the buffer back. Idempotent."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.give_back(self.item)


class ResultBuffers:
    """All result buffers of one context: lent ones, and those that wait for the next result.

    Args:
        gl: the `moderngl.Context`, current in every call but `give_back`.
        defer: see `GLContext.defer`.
    """

    def __init__(self, gl: Any, defer: Callable[[Callable[[], None]], None]) -> None:
        self._gl, self._defer = gl, defer
        self._idle: list[ResultBuffer] = []  # the one that has waited longest comes first
        self._all: weakref.WeakSet[ResultBuffer] = weakref.WeakSet()

    def take(self, size: int) -> LentBuffer:
        """Return a buffer of `size` bytes; its `release` gives it back."""
        for index in reversed(range(len(self._idle))):
            if self._idle[index].buffer.size == size:
                return LentBuffer(self, self._idle.pop(index))
        item = ResultBuffer(self._gl.buffer(reserve=size))
        self._all.add(item)
        return LentBuffer(self, item)

    def give_back(self, item: ResultBuffer) -> None:
        """Take back a buffer. Those that have waited longest are freed later, if there are many."""
        self._idle.append(item)
        idle_bytes = sum(idle.buffer.size for idle in tuple(self._idle))
        if len(self._idle) > _MAX_IDLE_BUFFERS or idle_bytes > _MAX_IDLE_BYTES:
            self._defer(self._trim_to_limits)

    def _trim_to_limits(self) -> None:
        self.trim(_MAX_IDLE_BYTES, _MAX_IDLE_BUFFERS)

    def trim(self, max_bytes: int = 0, max_buffers: int = 0) -> None:
        """Free waiting buffers until at most so many are left."""
        total = sum(item.buffer.size for item in self._idle)
        while total > max_bytes or len(self._idle) > max_buffers:
            item = self._idle.pop(0)
            total -= item.buffer.size
            item.free()

    def release(self) -> None:
        """End all registrations, and free what is not lent."""
        for item in list(self._all):
            item.close_registration()
        self.trim()
