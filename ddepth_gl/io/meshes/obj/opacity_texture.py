"""Textures whose alpha is another image, as `map_d` of MTL files names it."""

from __future__ import annotations

import io

import numpy as np

from ...._packages import import_needed
from ....errors import MeshError
from ..textures import LostTexture, open_texture

__all__ = ["with_opacity"]

_MAX_PIXELS = 2**25
# For other formats (EPS), Pillow starts programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TGA", "TIFF", "GIF", "DDS")


def with_opacity(color: bytes | None, opacity: bytes, name: str) -> bytes | None:
    """Return a PNG with the color of one image and the opacity of another.

    Opacity is the luminance of its image, or the alpha if that is not opaque everywhere. It gets
    the size of the color image.

    Args:
        color: content of an image file; None for white.
        opacity: content of another.
        name: name of the opacity texture in messages.

    Returns:
        Content of a PNG file; None if an image is damaged, too large or in a format not read.

    Raises:
        MeshError: Pillow is not installed.
    """
    pillow = import_needed("PIL.Image", "reading textures", MeshError)
    images = []
    for data in (opacity, color):
        if data is None:
            continue
        if isinstance(open_texture(data, name), LostTexture):
            return None
        try:
            image = pillow.open(io.BytesIO(data), formats=_FORMATS)
            if image.width * image.height > _MAX_PIXELS:
                return None
            images.append(image.convert("RGBA"))
        except Exception:  # a decoder of damaged data may raise anything
            return None
    alpha = images[0].getchannel("A")
    if alpha.getextrema()[0] == 255:
        alpha = images[0].convert("L")
    result = images[-1] if color is not None else pillow.new("RGBA", alpha.size, (255,) * 4)
    if alpha.size != result.size:
        alpha = alpha.resize(result.size)
    # The color image's own alpha does not count.
    result = pillow.fromarray(np.dstack((np.asarray(result)[..., :3], np.asarray(alpha))))
    content = io.BytesIO()
    result.save(content, "PNG", compress_level=1)
    return content.getvalue()
