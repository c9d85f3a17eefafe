"""The buffers that compute shaders render both sheets to, and how they are read back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gl.context import GLContext
from ...gl.staging import StagingBuffer

__all__ = ["SheetTargets"]

# A pixel that no face covers, in entries and in exits; see shaders/include/compute_pass.glsl. The
# depth is NaN: its bits are inverted for entries, and have a sign for exits, so that they lose
# against every depth.
_NO_DEPTH = (~0x7FC00000 & 0xFFFFFFFF, 0xFFC00000)
_NO_FACE = (0, 0)
# Faces that `doubts` has room for, as in compute_pass.glsl. A few in an image are usual with two
# CPU cores.
_MAX_OVERTAKEN = 1023

Band = tuple[int, int]


class SheetTargets:
    """Buffers of both sheets, for as many rows of the image as fit.

    Args:
        context: current.
        size: (width, height) of an image, pixels.
        faces: whether to hold faces besides depths.
        cameras: number of images to make room for; several must fit as a whole.

    Attributes:
        key: the arguments after `context`.
        depths, faces: buffers of one band, for each camera entries and then exits.
        doubts: buffer of what makes faces doubtful, see compute_pass.glsl.
        first_band: the first rows of the image.
        image_count: number of images that there is room for.

    Raises:
        DeviceMemoryError: the buffers do not fit.
    """

    def __init__(
        self, context: GLContext, size: tuple[int, int], faces: bool, cameras: int
    ) -> None:
        self.key = size, faces, cameras
        self.size, self.has_faces, self.image_count = size, faces, cameras
        self._functions, self._staging = context.functions, context.staging
        self._copies: StagingBuffer | None = None
        self._copied_bytes = 0  # of each buffer
        width, height = size
        self._rows = min(height, max(1, context.max_storage_block // (8 * width * cameras)))
        self.first_band: Band = (0, self._rows)
        self._formats: list[tuple[np.dtype[Any], tuple[int, int]]] = [
            (np.dtype(np.float32), _NO_DEPTH)
        ]
        if faces:
            self._formats.append((np.dtype(np.int32), _NO_FACE))
        self._buffers: list[Any] = []
        with context.allocating("images", size, self._buffers):
            for _ in self._formats:
                self._buffers.append(context.gl.buffer(reserve=8 * width * self._rows * cameras))
            self.doubts = context.gl.buffer(reserve=8 + 8 * _MAX_OVERTAKEN)
        self.depths = self._buffers[0]
        self.faces = self._buffers[-1]

    def bands(self) -> Iterator[Band]:
        """Yield the bands of an image: the first row, and the one after the last."""
        height = self.size[1]
        for start in range(0, height, self._rows):
            yield start, min(start + self._rows, height)

    def clear(self, band: Band, cameras: int) -> None:
        """Set all pixels of a band, for a number of cameras, to those that no face covers."""
        self._clear(self.depths, _NO_DEPTH, band, cameras)
        if self.has_faces:
            self.clear_faces(band, cameras)

    def clear_faces(self, band: Band, cameras: int) -> None:
        """Do what `clear` does, for faces and doubts only."""
        self._clear(self.faces, _NO_FACE, band, cameras)
        self._functions.fill_buffer(self.doubts, 0, 2)

    def _clear(self, buffer: Any, empty: tuple[int, int], band: Band, cameras: int) -> None:
        pixels = self.size[0] * (band[1] - band[0])
        for sheet, value in enumerate(empty * cameras):
            self._functions.fill_buffer(buffer, value, pixels, sheet * pixels)

    def are_faces_in_doubt(self) -> bool:
        """Wait for the device; return whether some of `faces` may be wrong."""
        doubts, count = np.frombuffer(self.doubts.read(8), np.uint32)
        if doubts or count > _MAX_OVERTAKEN:
            return True
        if count == 0:
            return False
        overtaken = np.frombuffer(self.doubts.read(8 * int(count), offset=8), np.uint32)
        with self._functions.mapped(self.faces, np.uint32, self.faces.size // 4) as faces:
            return bool((faces[overtaken[::2]] == overtaken[1::2]).any())

    def new_arrays(self) -> list[npt.NDArray[Any]]:
        """Return arrays for one image, (H, W): depths of entry and exit, then faces if held."""
        return [np.empty(self.size[::-1], dtype) for dtype, _ in self._formats for _ in range(2)]

    def start_reading(self, cameras: int) -> None:
        """On a GPU, start to copy a number of images to the CPU, if a band holds them whole."""
        width, height = self.size
        self._copied_bytes = 0
        if not self._staging.is_used or self._rows < height:
            return
        self._copied_bytes = 8 * width * height * cameras
        if self._copies is None:
            self._copies = self._staging.new_buffer(sum(each.size for each in self._buffers))
        self._copies.start_copying(*((each, 0, self._copied_bytes) for each in self._buffers))

    def read(self, arrays: list[npt.NDArray[Any]], band: Band, camera_index: int) -> None:
        """Copy the band of one camera to its rows in arrays from `new_arrays`."""
        pixels = self.size[0] * (band[1] - band[0])
        first = 2 * camera_index * pixels
        sheets = [array[slice(*band)].view(np.uint32).reshape(-1) for array in arrays]
        with self._reading(0, 2 * pixels, first) as bits:
            np.invert(bits[:pixels], out=sheets[0])
            # The same NaN in both sheets: without the sign, which no depth has.
            np.bitwise_and(bits[pixels:], np.uint32(0x7FFFFFFF), out=sheets[1])
        if self.has_faces:
            with self._reading(1, 2 * pixels, first) as faces:
                # No face becomes -1 in both sheets.
                np.invert(faces[:pixels], out=sheets[2])
                np.subtract(faces[pixels:], np.uint32(1), out=sheets[3])

    @contextmanager
    def _reading(self, index: int, count: int, first: int) -> Iterator[npt.NDArray[np.uint32]]:
        """Wait for the device; provide elements of a buffer, 0 for depths and 1 for faces."""
        if not (self._copies and self._copied_bytes):
            with self._staging.reading(self._buffers[index], np.uint32, count, first) as array:
                yield array
            return
        first += self._copied_bytes // 4 * index
        yield self._copies.wait().view(np.uint32)[first : first + count]

    @contextmanager
    def depths_as_buffer(self) -> Iterator[Any]:
        """Provide `depths` within the block."""
        yield self.depths

    def release(self) -> None:
        """Free the buffers."""
        for buffer in (*self._buffers, self.doubts):
            buffer.release()
        self._buffers.clear()
        if self._copies is not None:
            self._copies.release()
