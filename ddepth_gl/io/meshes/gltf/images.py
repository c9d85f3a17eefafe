"""The images of a glTF document: embedded in buffers or URIs, or side files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ....errors import MeshError
from ..textures import NOT_FOUND, EncodedTexture, LostTexture, open_texture
from .accessors import GltfAccessors
from .document import GltfDocument

__all__ = ["GltfImages"]


class GltfImages:
    """Reader of the images of a glTF document. Each is read once, when it is needed.

    Args:
        document: the glTF document.
        accessors: its arrays: an image may be embedded in a buffer.
    """

    def __init__(self, document: GltfDocument, accessors: GltfAccessors) -> None:
        self._document = document
        self._accessors = accessors
        self._images: dict[tuple[int, bool], EncodedTexture | LostTexture] = {}

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
        # A file that is used both ways counts both ways.
        if (index, is_mask) not in self._images:
            self._images[index, is_mask] = self._read(image, index, is_mask)
        return self._images[index, is_mask]

    def _read(self, image: Any, index: int, is_mask: bool) -> EncodedTexture | LostTexture:
        uri = image.get("uri")
        is_file = isinstance(uri, str) and uri[:5].lower() != "data:"
        name = uri if is_file else str(image.get("name") or f"image {index}")
        if "bufferView" in image:
            content = bytes(self._accessors.view(image["bufferView"])[0])
        else:
            try:
                content = self._document.uri_content(image["uri"], is_texture=not is_mask)
            except FileNotFoundError:
                return LostTexture(name, NOT_FOUND)
            except (MeshError, ValueError) as error:  # too large, or no base64
                return LostTexture(name, str(error).partition(";")[0])
        return open_texture(content, name)
