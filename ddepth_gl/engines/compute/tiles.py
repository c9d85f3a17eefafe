"""Tiles of an image, and the faces in each, so that on software rasterizers every pixel has one owner."""

from __future__ import annotations

from typing import Any, Final

from ...gl.context import GLContext
from ...gl.functions import BufferTexture

__all__ = ["TILE_OPTIONS", "TILE_ROWS_APART", "FaceTiles"]

# Pixels. The height is a multiple of the next: how many invocations own the rows of a tile, in turn.
_WIDTH, _HEIGHT = 256, 64
TILE_ROWS_APART = 8
# How many faces a tile can have, and how often these can make the loops of an invocation go round: Mesa's
# software rasterizer ends them after 2^16 times silently.
_FACES, _ROUNDS = 1000, 60_000

# Of the programs, see shaders/include/tiles.glsl.
TILE_OPTIONS: Final = {
    "TILE_WIDTH": _WIDTH,
    "TILE_HEIGHT": _HEIGHT,
    "TILE_ROWS_APART": TILE_ROWS_APART,
    "TILE_FACES": _FACES,
    "TILE_ROUNDS": _ROUNDS,
}


class FaceTiles:
    """The tiles of one image at a time.

    Args:
        context: current whenever it is used.

    Attributes:
        count: of tiles.
    """

    count = 0

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._buffer: Any = None
        self._texels: BufferTexture | None = None

    def clear(self, width: int, rows: int) -> None:
        """Empties as many tiles as cover some rows of an image, and binds them to be filled.

        Raises:
            DeviceMemoryError: they do not fit.
        """
        self.count = -(-width // _WIDTH) * -(-rows // _HEIGHT)
        size = 4 * (1 + self.count * (1 + _FACES))
        if self._buffer is None or self._buffer.size < size:
            self.release()
            made: list[Any] = []
            with self._context.allocating("tiles", (width, rows), made):
                made.append(self._context.gl.buffer(reserve=size))
                self._texels = self._context.functions.buffer_texture(made[0], 1)
            self._buffer = made[0]
        self._context.functions.fill_buffer(self._buffer, 0, 1 + self.count)
        self._buffer.bind_to_storage_buffer(7)

    def had_room(self) -> bool:
        """Whether they had room for all faces; waits for the device."""
        return bool(self._buffer.read(4) == bytes(4))

    def use(self) -> None:
        """Binds them to be read."""
        if self._texels is not None:
            self._texels.use(6)

    def release(self) -> None:
        """Frees them."""
        for made in (self._texels, self._buffer):
            if made is not None:
                made.release()
        self._texels = self._buffer = None
