"""The images of a glTF document: embedded in buffers or URIs, or side files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ....errors import MeshError
from ..textures import NOT_FOUND, EncodedTexture, LostTexture, open_texture
from .accessors import GltfAccessors
from .document import GltfDocument

__all__ = ["GltfImages"]


class GltfImages:
    """Reader of the images of a glTF document. Each is read once, when it is needed.

    Images of the same content are held once. Those in buffers may not take more bytes than the
    buffers have.

    Args:
        document: the glTF document.
        accessors: its arrays: an image may be embedded in a buffer.
    """

    def __init__(self, document: GltfDocument, accessors: GltfAccessors) -> None:
        self._document = document
        self._accessors = accessors
        self._images: dict[tuple[object, bool], EncodedTexture | LostTexture] = {}
        self._opened: dict[bytes, EncodedTexture | LostTexture] = {}  # by content
        self._bytes_left = accessors.byte_count + accessors.decoded_count

    def first_usable(
        self, indices: Iterable[Any], is_mask: bool
    ) -> EncodedTexture | LostTexture | None:
        """Return the first image that can be used; of none, why the first is lost.

        Args:
            indices: indices of images.
            is_mask: whether it also decides where the surface is.

        Returns:
            The image; None if there are no indices.
        """
        lost = None
        for index in indices:
            image = self._image(index, is_mask)
            if isinstance(image, EncodedTexture):
                return image
            lost = lost or image
        return lost

    def _image(self, index: Any, is_mask: bool) -> EncodedTexture | LostTexture:
        image = self._document.item("images", index)
        kind = "bufferView" if "bufferView" in image else "uri"
        place = kind, image[kind]
        # A file that is used both ways counts both ways.
        if (place, is_mask) not in self._images:
            self._images[place, is_mask] = self._read(image, index, is_mask)
        return self._images[place, is_mask]

    def _read(self, image: Any, index: int, is_mask: bool) -> EncodedTexture | LostTexture:
        uri = image.get("uri")
        is_file = isinstance(uri, str) and uri[:5].lower() != "data:"
        name = uri if is_file else str(image.get("name") or f"image {index}")
        if "bufferView" in image:
            view = self._accessors.view(image["bufferView"])[0]
            content = bytes(view)
            if content not in self._opened:
                self._bytes_left -= len(view)
                if self._bytes_left < 0:
                    raise MeshError(
                        "its images overlap in its buffers and take more bytes than these have; "
                        "export it again"
                    )
        else:
            try:
                content = self._document.uri_content(image["uri"], is_texture=not is_mask)
            except FileNotFoundError:
                return LostTexture(name, NOT_FOUND)
            except (MeshError, ValueError) as error:  # too large, or no base64
                return LostTexture(name, str(error).partition(";")[0])
        opened = self._opened.get(content)
        if opened is None:
            opened = self._opened[content] = open_texture(content, name)
        if isinstance(opened, LostTexture):
            return opened._replace(name=name)
        return replace(opened, name=name)
