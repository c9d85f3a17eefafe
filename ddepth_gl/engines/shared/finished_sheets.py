"""Sheets that the device finishes and copies to the CPU, while it goes on with the next image."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...gl.context import GLContext
from ..request import SheetBuffers

__all__ = ["FinishedSheets"]


class FinishedSheets:
    """Buffers for the finished sheets of some images: one on the device, one in the CPU's memory.

    Args:
        context: current; its staging is possible.
        size: (width, height) of an image, pixels.
        count: number of images.

    Attributes:
        key: the arguments after `context`.
        results: where `FinishPass.run` writes each image.

    Raises:
        DeviceMemoryError: they do not fit into memory.
    """

    def __init__(self, context: GLContext, size: tuple[int, int], count: int) -> None:
        self.key = size, count
        self._shape = size[::-1]
        self._words_per_image = 2 * size[0] * size[1]
        objects: list[Any] = []
        with context.allocating("images", size, objects):
            objects.append(context.gl.buffer(reserve=4 * self._words_per_image * count))
            objects.append(context.staging.new_buffer(objects[0].size))
        self._buffer, self._staging = objects
        self.results = [(self._buffer, self._words_per_image * index) for index in range(count)]

    def start_copying(self, count: int) -> None:
        """Tell the device to copy the first images to the CPU; do not wait."""
        self._staging.start_copying((self._buffer, 0, 4 * self._words_per_image * count))

    def read(self, count: int) -> list[SheetBuffers]:
        """Wait for the device; return the sheets of the first images.

        Raises:
            ContextError: see `StagingBuffer.wait`.
        """
        depths = self._staging.wait().view(np.float32)
        images: list[SheetBuffers] = []
        for index in range(count):
            first = self._words_per_image * index
            entry, exit_ = depths[first : first + self._words_per_image].reshape(2, *self._shape)
            # These copies are new arrays, which the caller may keep and change.
            images.append(SheetBuffers(np.array(entry), np.array(exit_), is_finished=True))
        return images

    def release(self) -> None:
        """Free the buffers."""
        self._staging.release()
        self._buffer.release()
