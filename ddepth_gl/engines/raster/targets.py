"""The images that one image in flight is drawn to, and how they are read back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gl.context import GLContext

__all__ = ["SheetTargets"]


class SheetTargets:
    """Textures and framebuffers of both sheets: depth, and faces if wanted.

    Args:
        context: current.
        size: (width, height) in pixels.
        faces: whether there are images of faces.

    Attributes:
        sheets: two framebuffers, depth and perhaps face, on one depth buffer.
        depths, faces: the sheets' textures.

    Raises:
        DeviceMemoryError: they do not fit.
    """

    def __init__(self, context: GLContext, size: tuple[int, int], faces: bool) -> None:
        self.key = size, faces
        self.size, self.has_faces = size, faces
        self._context = context
        self._objects: list[Any] = []
        self.depths: list[Any] = []
        self.faces: list[Any] = []
        gl = context.gl
        with context.allocating("images", size, self._objects):
            self.depth_buffer = self._keep(context.functions.depth_texture(size))
            self.depths = [self._keep(gl.texture(size, 1, dtype="f4")) for _ in range(2)]
            self.faces = [self._keep(gl.texture(size, 1, dtype="i4")) for _ in range(2 * faces)]
            kinds = (self.depths, self.faces) if faces else (self.depths,)
            self.sheets = [
                self._keep(gl.framebuffer(list(textures), self.depth_buffer))
                for textures in zip(*kinds, strict=True)
            ]
            self._pixel_buffer = None
            if not context.is_software:
                self._pixel_buffer = self._keep(gl.buffer(reserve=self._bytes * 2 * len(kinds)))

    def _keep(self, made: Any) -> Any:
        self._objects.append(made)
        return made

    @property
    def _bytes(self) -> int:
        """Of one image."""
        return 4 * self.size[0] * self.size[1]

    def start_reading(self) -> None:
        """Has the device copy everything to where `read` need not wait for it; on a GPU only."""
        if self._pixel_buffer is not None:
            self._read([self._pixel_buffer] * 2 * (1 + self.has_faces), self._bytes)

    def read(self) -> list[npt.NDArray[Any]]:
        """Entry and exit depth, (H, W) float32, then if there are any their faces, (H, W) int32."""
        kinds = (np.float32, np.int32) if self.has_faces else (np.float32,)
        images: list[npt.NDArray[Any]] = [
            np.empty(self.size[::-1], kind) for kind in kinds for _ in range(2)
        ]
        if self._pixel_buffer is None:
            self._read(images, 0)
        else:
            for index, image in enumerate(images):
                self._pixel_buffer.read_into(image, image.nbytes, index * image.nbytes)
        return images

    @contextmanager
    def depths_as_buffer(self) -> Iterator[Any]:
        """Within it, a buffer of the depths that were drawn: entries, then exits."""
        if self._pixel_buffer is not None:
            yield self._pixel_buffer
            return
        made: list[Any] = []
        with self._context.allocating("sheets", self.size, made):
            made.append(self._context.gl.buffer(reserve=2 * self._bytes))
        buffer = made[0]
        try:
            self._read([buffer] * 2, self._bytes)
            yield buffer
        finally:
            buffer.release()

    def _read(self, into: list[Any], step: int) -> None:
        for index, place in enumerate(into):
            attachment, sheet = divmod(index, 2)
            self.sheets[sheet].read_into(
                place,
                components=1,
                attachment=attachment,
                dtype=("f4", "i4")[attachment],
                write_offset=index * step,
            )

    def release(self) -> None:
        """Frees everything."""
        self._context.unbind_framebuffer()
        for made in reversed(self._objects):
            made.release()
        self._objects.clear()
