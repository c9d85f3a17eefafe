"""The images that one image in flight is drawn to, and how they are read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..attributes import ATTRIBUTES
from ..context import GLContext
from ..errors import DeviceMemoryError
from .attributes import compacted, components_of, empty_image
from .sheets import SheetBuffers

__all__ = ["SheetTargets"]


@dataclass(frozen=True)
class _Plane:
    """One attachment that is read back."""

    name: str
    framebuffer: Any
    attachment: int
    components: int
    dtype: str


class SheetTargets:
    """Textures and framebuffers of both sheets: depth, faces if wanted, and each attribute that is drawn.

    Args:
        context: current.
        size: (width, height) in pixels.
        faces: whether there are images of faces.
        drawn: attributes that have images of their own.

    Attributes:
        sheets: two framebuffers, depth and perhaps face, on one depth buffer.
        attributes: two framebuffers with an attachment for each name, on the same depth buffer; or none.
        depths, faces: the sheets' textures.

    Raises:
        DeviceMemoryError: they do not fit.
    """

    def __init__(
        self, context: GLContext, size: tuple[int, int], faces: bool, drawn: tuple[str, ...] = ()
    ) -> None:
        self.size, self.key = size, (size, faces, drawn)
        self._context = context
        self._objects: list[Any] = []
        self.sheets: list[Any] = []
        self.attributes: list[Any] = []
        self.depths: list[Any] = []
        self.faces: list[Any] = []
        self._planes: list[_Plane] = []
        try:
            self.depth_buffer = self._keep(context.depth_texture(size))
            for _ in range(2):
                self._make_sheet(faces, drawn)
            self._pixel_buffer = None
            if not context.is_software:
                self._pixel_buffer = self._keep(context.gl.buffer(reserve=self._bytes))
            context.check_error("making the images", "the image size")
        except BaseException as error:
            self.release()
            if isinstance(error, DeviceMemoryError) or not isinstance(error, Exception):
                raise
            raise context.no_room("images", size, error) from error

    def _make_sheet(self, faces: bool, drawn: tuple[str, ...]) -> None:
        gl = self._context.gl
        self.depths.append(self._keep(gl.texture(self.size, 1, dtype="f4")))
        attachments = self.depths[-1:]
        if faces:
            self.faces.append(self._keep(gl.texture(self.size, 1, dtype="i4")))
            attachments = [*attachments, self.faces[-1]]
        self.sheets.append(self._keep(gl.framebuffer(attachments, self.depth_buffer)))
        self._planes.append(_Plane("depth", self.sheets[-1], 0, 1, "f4"))
        if faces:
            self._planes.append(_Plane("face", self.sheets[-1], 1, 1, "i4"))
        if drawn:
            formats = [components_of(name) for name in drawn]
            attachments = [self._keep(gl.texture(self.size, *each[:1], dtype=each[1])) for each in formats]
            self.attributes.append(self._keep(gl.framebuffer(attachments, self.depth_buffer)))
            self._planes += [
                _Plane(name, self.attributes[-1], place, *form)
                for place, (name, form) in enumerate(zip(drawn, formats, strict=True))
            ]

    def _keep(self, made: Any) -> Any:
        self._objects.append(made)
        return made

    @property
    def _bytes(self) -> int:
        return sum(4 * plane.components for plane in self._planes) * self.size[0] * self.size[1]

    def start_reading(self) -> None:
        """Has the device copy everything to where `read` need not wait for it; on a GPU only."""
        if self._pixel_buffer is None:
            return
        offset = 0
        for plane in self._planes:
            self._read(plane, self._pixel_buffer, offset)
            offset += 4 * plane.components * self.size[0] * self.size[1]

    def read(self) -> SheetBuffers:
        """Both sheets, in new arrays."""
        width, height = self.size
        images: dict[str, list[npt.NDArray[Any]]] = {}
        offset = 0
        for plane in self._planes:
            image = empty_image(plane.components, plane.dtype, height, width)
            if self._pixel_buffer is None:
                self._read(plane, image, 0)
            else:
                self._pixel_buffer.read_into(image, image.nbytes, offset)
            offset += image.nbytes
            images.setdefault(plane.name, []).append(image)
        entry, exit_ = images.pop("depth")
        missing = (np.isnan(entry), np.isnan(exit_)) if images else ()
        attributes = {}
        for name, pair in images.items():
            attribute = ATTRIBUTES[name]
            sheets = [compacted(attribute, image).astype(attribute.dtype, copy=False) for image in pair]
            if attribute.fill == -1:  # images of whole numbers start with anything
                for sheet, miss in zip(sheets, missing, strict=True):
                    sheet[miss] = -1
            attributes[name] = (sheets[0], sheets[1])
        return SheetBuffers(entry, exit_, attributes)

    def _read(self, plane: _Plane, into: Any, offset: int) -> None:
        plane.framebuffer.read_into(
            into,
            components=plane.components,
            attachment=plane.attachment,
            dtype=plane.dtype,
            write_offset=offset,
        )

    def release(self) -> None:
        """Frees everything."""
        self._context.unbind_framebuffer()
        for made in reversed(self._objects):
            made.release()
        self._objects.clear()
