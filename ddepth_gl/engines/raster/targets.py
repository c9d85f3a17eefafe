"""SheetTargets: the textures that both sheets are rendered to, and their transfer to the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gl.context import GLContext

__all__ = ["SheetTargets"]


class SheetTargets:
    """Textures and framebuffers of both sheets: depth, and on request faces.

    Args:
        context: current in every call.
        size: (width, height) in pixels.
        has_faces: allocate textures of faces.

    Attributes:
        sheets: framebuffers of entry and exit, which share a depth buffer.
        depths: textures of entry and exit depth.
        faces: textures of entry and exit faces, if any.
        image_count: number of images.

    Raises:
        DeviceMemoryError: they do not fit into the device's memory.
    """

    def __init__(self, context: GLContext, size: tuple[int, int], has_faces: bool) -> None:
        self.key = size, has_faces
        self.size, self.has_faces, self.image_count = size, has_faces, 1
        self._context = context
        self._gl_objects: list[Any] = []
        self.depths: list[Any] = []
        self.faces: list[Any] = []
        gl, add = context.gl, self._add
        with context.allocating("images", size, self._gl_objects):
            self.depth_buffer = add(context.functions.depth_texture(size))
            self.depths = [add(gl.texture(size, 1, dtype="f4")) for _ in range(2)]
            self.faces = [add(gl.texture(size, 1, dtype="i4")) for _ in range(2 * has_faces)]
            kinds = (self.depths, self.faces) if has_faces else (self.depths,)
            self.sheets = [
                add(gl.framebuffer(list(textures), self.depth_buffer))
                for textures in zip(*kinds, strict=True)
            ]
            self._pixel_buffer = None
            if not context.is_software:
                self._pixel_buffer = add(gl.buffer(reserve=self._image_bytes * 2 * len(kinds)))

    def _add(self, gl_object: Any) -> Any:
        self._gl_objects.append(gl_object)
        return gl_object

    @property
    def _image_bytes(self) -> int:
        return 4 * self.size[0] * self.size[1]

    def start_reading(self) -> None:
        """Start the transfer, so that `read` waits less. On a GPU only."""
        if self._pixel_buffer is not None:
            self._copy([self._pixel_buffer] * 2 * (1 + self.has_faces), self._image_bytes)

    def read(self) -> list[npt.NDArray[Any]]:
        """Return entry and exit depth, (H, W) float32, then any faces of both, (H, W) int32."""
        dtypes = (np.float32, np.int32) if self.has_faces else (np.float32,)
        images: list[npt.NDArray[Any]] = [
            np.empty(self.size[::-1], dtype) for dtype in dtypes for _ in range(2)
        ]
        if self._pixel_buffer is None:
            self._copy(images, 0)
        else:
            reading = self._context.staging.reading
            with reading(self._pixel_buffer, np.uint8, self._pixel_buffer.size) as pixels:
                for image, its_bytes in zip(images, np.split(pixels, len(images)), strict=True):
                    image.reshape(-1)[:] = its_bytes.view(image.dtype)
        return images

    @contextmanager
    def depths_as_buffer(self) -> Iterator[Any]:
        """Return a context that provides a buffer of the depths: entries, then exits."""
        if self._pixel_buffer is not None:
            yield self._pixel_buffer
            return
        gl_objects: list[Any] = []
        with self._context.allocating("sheets", self.size, gl_objects):
            gl_objects.append(self._context.gl.buffer(reserve=2 * self._image_bytes))
        (buffer,) = gl_objects
        try:
            self._copy([buffer] * 2, self._image_bytes)
            yield buffer
        finally:
            buffer.release()

    def _copy(self, destinations: list[Any], step: int) -> None:
        """Copy depths and faces to arrays or buffers, the i-th image at offset i * step."""
        for index, destination in enumerate(destinations):
            attachment, sheet = divmod(index, 2)
            self.sheets[sheet].read_into(
                destination,
                components=1,
                attachment=attachment,
                dtype=("f4", "i4")[attachment],
                write_offset=index * step,
            )

    def release(self) -> None:
        """Free all textures, framebuffers and buffers."""
        self._context.release_all(self._gl_objects)
