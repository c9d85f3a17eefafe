"""The base colors of glTF materials: factors, textures and transforms of texture coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .gltf_accessors import GltfAccessors
from .gltf_document import GltfDocument
from .textures import open_texture

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["BaseColor", "GltfMaterials"]


class BaseColor(NamedTuple):
    """The base color of a material.

    Attributes:
        factor: (4,) linear RGBA.
        texture: the image, not decoded yet; None if there is none or it is missing.
        uv_name: name of the vertex attribute with the texture coordinates.
        uv_matrix: (2, 3) affine transform of the texture coordinates.
    """

    factor: npt.NDArray[np.float64]
    texture: Image.Image | None
    uv_name: str
    uv_matrix: npt.NDArray[np.float64]


class GltfMaterials:
    """Reader of the materials of a glTF document. Each image is opened once.

    Args:
        document: the glTF document.
        accessors: its arrays: a texture may be embedded in a buffer.
        leave_out: called with a text for each texture that cannot be used.
    """

    def __init__(
        self,
        document: GltfDocument,
        accessors: GltfAccessors,
        leave_out: Callable[[str], None],
    ) -> None:
        self._document = document
        self._accessors = accessors
        self._leave_out = leave_out
        self._images: dict[int, Image.Image | None] = {}

    def base_color(self, index: Any) -> BaseColor:
        """Return the base color of a material; white without a texture if the index is None."""
        material = {} if index is None else self._document.item("materials", index)
        pbr = material.get("pbrMetallicRoughness", {})
        factor = np.array(pbr.get("baseColorFactor", (1.0, 1.0, 1.0, 1.0)), np.float64).reshape(4)
        info = pbr.get("baseColorTexture")
        if info is None:
            return BaseColor(factor, None, "TEXCOORD_0", np.eye(2, 3))
        texture = self._document.item("textures", info["index"])
        webp = texture.get("extensions", {}).get("EXT_texture_webp", {})
        source = webp.get("source", texture.get("source"))
        image = None if source is None else self._image(source)
        transform = info.get("extensions", {}).get("KHR_texture_transform", {})
        angle = transform.get("rotation", 0.0)
        offset_u, offset_v = transform.get("offset", (0, 0))
        scale_u, scale_v = transform.get("scale", (1, 1))
        c, s = np.cos(angle), np.sin(angle)
        matrix = np.array(
            ((c * scale_u, s * scale_v, offset_u), (-s * scale_u, c * scale_v, offset_v)),
            np.float64,
        )
        uv_set = transform.get("texCoord", info.get("texCoord", 0))
        return BaseColor(factor, image, f"TEXCOORD_{uv_set}", matrix)

    def _image(self, index: Any) -> Image.Image | None:
        image = self._document.item("images", index)
        if index not in self._images:
            name = str(image.get("name", index))
            try:
                if "bufferView" in image:
                    content = bytes(self._accessors.view(image["bufferView"])[0])
                else:
                    content = self._document.uri_content(image["uri"])
            except FileNotFoundError:  # the geometry is still useful
                self._images[index] = None
            else:
                self._images[index] = open_texture(content, name)
            if self._images[index] is None:
                self._leave_out(f"texture {name!r}, which is not in the folder or cannot be used")
        return self._images[index]
