"""The buffers that images in flight are rendered to by compute shaders, and how they are read back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gl.context import GLContext

__all__ = ["SheetBands"]

# What a pixel holds that no face covers, see shaders/include/compute_pass.glsl. Of depths the bits of NaN,
# inverted for the entry, and with a sign for the exit, which makes it less than every depth.
_NO_DEPTH = (~0x7FC00000 & 0xFFFFFFFF, 0xFFC00000)
_NO_FACE = (0, 0)

Band = tuple[int, int]


class SheetBands:
    """Buffers of both sheets, depth and faces if wanted, of as many rows as fit into them.

    Iterating gives the bands of rows that make up an image: first row, and the row after the last.

    Args:
        context: current.
        size: (width, height) in pixels.
        faces: whether there are faces.
        views: how many images there is room for; more than one must fit as a whole.

    Attributes:
        depths, faces: the buffers of one band, entries and then exits, of each view.
        first: the first band.

    Raises:
        DeviceMemoryError: they do not fit.
    """

    def __init__(self, context: GLContext, size: tuple[int, int], faces: bool, views: int) -> None:
        self.key = size, faces, views
        self.size, self.has_faces = size, faces
        self._functions = context.functions
        width, height = size
        self._rows = min(height, max(1, context.max_storage_block // (8 * width * views)))
        self.first: Band = (0, self._rows)
        self._kinds = [(np.dtype(np.float32), _NO_DEPTH)] + faces * [(np.dtype(np.int32), _NO_FACE)]
        self._buffers: list[Any] = []
        with context.allocating("images", size, self._buffers):
            for _ in self._kinds:
                self._buffers.append(context.gl.buffer(reserve=8 * width * self._rows * views))
        self.depths = self._buffers[0]
        self.faces = self._buffers[-1]

    def __iter__(self) -> Iterator[Band]:
        height = self.size[1]
        for start in range(0, height, self._rows):
            yield start, min(start + self._rows, height)

    def clear(self, band: Band, views: int) -> None:
        """No face covers any pixel of a band, in a number of views."""
        pixels = self.size[0] * (band[1] - band[0])
        for buffer, (_, empty) in zip(self._buffers, self._kinds, strict=True):
            for sheet, value in enumerate(empty * views):
                self._functions.fill_buffer(buffer, value, pixels, sheet * pixels)

    def new_arrays(self) -> list[npt.NDArray[Any]]:
        """Arrays of the whole image: entry and exit, (H, W), of depth, then if there are any of faces."""
        return [np.empty(self.size[::-1], kind) for kind, _ in self._kinds for _ in range(2)]

    def read(self, into: list[npt.NDArray[Any]], band: Band, view: int) -> None:
        """Copies the band that was rendered of a view to its rows of `new_arrays`."""
        pixels = self.size[0] * (band[1] - band[0])
        sheets = [array[slice(*band)].view(np.uint32).reshape(-1) for array in into]
        with self._functions.mapped(self.depths, np.uint32, 2 * pixels, 2 * view * pixels) as bits:
            np.invert(bits[:pixels], out=sheets[0])
            # One NaN for both sheets: without the sign, which no depth has.
            np.bitwise_and(bits[pixels:], np.uint32(0x7FFFFFFF), out=sheets[1])
        if self.has_faces:
            with self._functions.mapped(
                self.faces, np.uint32, 2 * pixels, 2 * view * pixels
            ) as faces:
                np.invert(faces[:pixels], out=sheets[2])
                np.subtract(
                    faces[pixels:], np.uint32(1), out=sheets[3]
                )  # no face becomes -1 in both

    @contextmanager
    def depths_as_buffer(self) -> Iterator[Any]:
        """Within it, `depths`."""
        yield self.depths

    def release(self) -> None:
        """Frees everything."""
        for buffer in self._buffers:
            buffer.release()
        self._buffers.clear()
