"""Textures of mesh files: opened within limits, decoded to RGBA and stored once each."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..._packages import import_needed
from ...errors import MeshError
from ...mesh.sampler import Sampler

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["distinct_textures", "open_texture"]

_MAX_PIXELS = 2**27
_MAX_TOTAL_PIXELS = 4 * _MAX_PIXELS  # of all textures of a mesh
# Formats that Pillow decodes itself. For others (EPS) it starts programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TGA", "TIFF", "GIF", "DDS")


def open_texture(data: bytes, name: str) -> Image.Image | None:
    """Return an image whose pixels are not decoded yet; None if its format is not supported.

    Args:
        data: content of the image file.
        name: name of the texture in messages.

    Raises:
        MeshError: the header declares too many pixels, or Pillow is not installed.
    """
    pillow = import_needed("PIL.Image", "reading textures", MeshError)
    try:
        image: Image.Image = pillow.open(io.BytesIO(data), formats=_FORMATS)
    except pillow.DecompressionBombError as error:
        raise MeshError(f"texture {name!r} is too large ({error}); shrink it") from error
    except (OSError, ValueError, SyntaxError, TypeError, EOFError):  # what decoders raise
        return None
    if image.width * image.height > _MAX_PIXELS:
        raise MeshError(
            f"texture {name!r} has {image.width} x {image.height} pixels, more than "
            f"{_MAX_PIXELS}; shrink it"
        )
    return image


def distinct_textures(
    images: Sequence[tuple[Image.Image | None, Sampler]],
) -> tuple[list[npt.NDArray[np.uint8]], list[Sampler], list[int]]:
    """Decode images, each only once, and drop those with equal pixels and samplers.

    Returns:
        The distinct textures as (h, w, 4) uint8, their samplers, and the texture index of each
        image: -1 for None and for formats that are not supported.

    Raises:
        MeshError: an image is damaged, or all together have too many pixels.
    """
    textures: list[npt.NDArray[np.uint8]] = []
    samplers: list[Sampler] = []
    index_of_content: dict[tuple[bytes, Sampler], int] = {}
    index_of_image: dict[tuple[int, Sampler], int] = {}
    pixels = 0
    ids = []
    for image, sampler in images:
        if image is None or (image.format or "") not in _FORMATS:
            ids.append(-1)
            continue
        if (id(image), sampler) not in index_of_image:
            pixels += image.width * image.height
            if pixels > _MAX_TOTAL_PIXELS:
                raise MeshError(
                    f"its textures have more than {_MAX_TOTAL_PIXELS} pixels; shrink them"
                )
            texture = _rgba(image)
            content = hashlib.sha256(repr(texture.shape).encode() + texture.tobytes()).digest()
            if (content, sampler) not in index_of_content:
                index_of_content[content, sampler] = len(textures)
                textures.append(texture)
                samplers.append(sampler)
            index_of_image[id(image), sampler] = index_of_content[content, sampler]
        ids.append(index_of_image[id(image), sampler])
    return textures, samplers, ids


def _rgba(image: Image.Image) -> npt.NDArray[np.uint8]:
    try:
        if image.mode.startswith("I"):  # 16-bit gray, which Pillow clips instead of scaling
            gray = np.clip(np.asarray(image) // 257, 0, 255).astype(np.uint8)
            image = import_needed("PIL.Image", "reading textures", MeshError).fromarray(gray)
        return np.array(image.convert("RGBA"))
    except Exception as error:  # a decoder of damaged data may raise anything
        raise MeshError(f"a texture is damaged ({error}); repair or remove it") from error
