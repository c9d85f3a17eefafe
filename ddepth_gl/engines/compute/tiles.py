"""Tiles of an image and the faces in each: on software rasterizers, one owner for every pixel."""

from __future__ import annotations

from typing import Any, Final

from ...gl.context import GLContext
from ...gl.functions import BufferTexture

__all__ = ["TILE_OPTIONS", "TILE_ROW_STRIDE", "FaceTiles"]

_WIDTH, _HEIGHT = 256, 64  # pixels; the height is a multiple of TILE_ROW_STRIDE
TILE_ROW_STRIDE = 8
# The second limit makes loops end, see decision 7.
_MAX_FACES, _MAX_ITERATIONS = 1000, 60_000

# Options of the programs, see shaders/include/tiles.glsl.
TILE_OPTIONS: Final = {
    "TILE_WIDTH": _WIDTH,
    "TILE_HEIGHT": _HEIGHT,
    "TILE_ROW_STRIDE": TILE_ROW_STRIDE,
    "TILE_MAX_FACES": _MAX_FACES,
    "TILE_MAX_ITERATIONS": _MAX_ITERATIONS,
}


class FaceTiles:
    """The tiles of one image at a time.

    Args:
        context: current whenever a method is called.

    Attributes:
        count: number of tiles.
    """

    count = 0

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._buffer: Any = None
        self._texels: BufferTexture | None = None

    def clear(self, width: int, rows: int) -> None:
        """Empty the tiles that cover some rows of an image, and bind them for writing.

        Args:
            width: of the image, pixels.
            rows: number of rows.

        Raises:
            DeviceMemoryError: the tiles do not fit.
        """
        self.count = -(-width // _WIDTH) * -(-rows // _HEIGHT)
        size = 4 * (1 + self.count * (1 + _MAX_FACES))
        if self._buffer is None or self._buffer.size < size:
            self.release()
            created: list[Any] = []
            with self._context.allocating("tiles", (width, rows), created):
                created.append(self._context.gl.buffer(reserve=size))
                self._texels = self._context.functions.buffer_texture(created[0], 1)
            self._buffer = created[0]
        self._context.functions.fill_buffer(self._buffer, 0, 1 + self.count)
        self._buffer.bind_to_storage_buffer(7)

    def have_overflowed(self) -> bool:
        """Wait for the device; return whether a tile lacked room for its faces."""
        return bool(self._buffer.read(4) != bytes(4))

    def use(self) -> None:
        """Bind the tiles for reading."""
        if self._texels is not None:
            self._texels.use(6)

    def release(self) -> None:
        """Free the buffer of tiles."""
        for gl_object in (self._texels, self._buffer):
            if gl_object is not None:
                gl_object.release()
        self._texels = self._buffer = None
