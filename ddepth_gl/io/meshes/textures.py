"""Textures of mesh files: checked when a file is loaded, decoded when they are first used."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ..._checks import one_line, printable, shortened
from ..._packages import import_needed
from ...errors import MeshError
from ...mesh.lazy_texture import LazyTexture
from ...mesh.sampler import Sampler
from .ktx2 import KTX2_MAGIC, decode_ktx2, ktx2_header, why_ktx2_is_not_read
from .texture_checks import is_cut_short, seems_whole

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "NOT_FOUND",
    "EncodedTexture",
    "LostTexture",
    "TextureOfPart",
    "distinct_textures",
    "open_texture",
]

_MAX_PIXELS = 2**27
_MAX_TOTAL_PIXELS = 4 * _MAX_PIXELS  # of all textures of a mesh
# Up to this many pixels in all, alpha masks are decoded with their colors, at once. Beyond, these
# would take too much memory where nobody needs them.
_MAX_SHARED_PIXELS = 2**26
# Whether a file is damaged may be found by decoding at once only so many pixels per byte of it.
_CHECKED_PIXELS_PER_BYTE = 64
_STRIP_PIXELS = 2**20  # converted at a time
# Formats that Pillow decodes itself. For others (EPS) it starts programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TGA", "TIFF", "GIF", "DDS")
_BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff")
# Why textures are lost. "file not found" also says what to do about files in other folders.
NOT_FOUND = "file not found in the mesh's folder or texture_roots"
_NOT_READ = "format not read"


class LostTexture(NamedTuple):
    """A texture that the file names and that cannot be used: `load_mesh` tells which faces lost it.

    Attributes:
        name: its name or path as the file has it.
        reason: why, in a few words.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class EncodedTexture:
    """The content of an image file. Its header was read, its pixels were not decoded.

    Attributes:
        data: content of the file.
        name: name or path as the mesh file has it, for messages.
        size: width and height in texels.
        has_alpha: whether it may hold texels that are not opaque. If False, decoding makes them
            opaque.
    """

    data: bytes = field(repr=False)
    name: str
    size: tuple[int, int]
    has_alpha: bool

    def opaque(self) -> EncodedTexture:
        """Return the texture without its alpha."""
        return replace(self, has_alpha=False) if self.has_alpha else self


TextureOfPart: TypeAlias = "EncodedTexture | LostTexture | None"
_Bands: TypeAlias = Literal["RGBA", "A"]


def open_texture(data: bytes, name: str) -> EncodedTexture | LostTexture:
    """Return a texture that is not decoded yet, or why it is lost.

    Damage of PNG, JPEG and WEBP is noticed here, unless it lies in compressed data, and DDS files
    that were cut short. That of other formats is noticed when the texture is first used.

    Args:
        data: content of the image file.
        name: name of the texture in messages.

    Raises:
        MeshError: Pillow is not installed.
    """
    if data.startswith(KTX2_MAGIC):
        return _open_ktx2(data, name)
    pillow = import_needed("PIL.Image", "reading textures", MeshError)
    try:
        # Only above half of its own limit, which is larger than ours, does Pillow warn.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pillow.DecompressionBombWarning)
            image: Image.Image = pillow.open(io.BytesIO(data), formats=_FORMATS)
    except pillow.DecompressionBombError:
        return LostTexture(name, "it has too many pixels")
    except (OSError, ValueError, SyntaxError, TypeError, EOFError):  # what decoders raise
        is_known = data.startswith(_BEGINNINGS) or data[8:12] == b"WEBP"
        return LostTexture(name, "damaged (its header)" if is_known else _NOT_READ)
    if image.width * image.height > _MAX_PIXELS:
        return _too_large(name, image.size)
    if is_cut_short(data, image.format or ""):
        return LostTexture(name, "damaged (it was cut short)")
    texture = EncodedTexture(data, name, image.size, image.has_transparency_data)
    is_cheap = image.width * image.height <= _CHECKED_PIXELS_PER_BYTE * len(data)
    if is_cheap and seems_whole(data, image.format or "") is False:
        try:
            _texels(texture, None, "RGBA")
        except Exception as error:  # a decoder of damaged data may raise anything
            return LostTexture(name, f"damaged ({one_line(error, 60)})")
    return texture


def _open_ktx2(data: bytes, name: str) -> EncodedTexture | LostTexture:
    header = ktx2_header(data)
    if header is None:
        return LostTexture(name, _NOT_READ)
    if header.size[0] * header.size[1] > _MAX_PIXELS:
        return _too_large(name, header.size)
    reason = why_ktx2_is_not_read()
    if reason is not None:
        return LostTexture(name, f"{_NOT_READ}; {reason}")
    return EncodedTexture(data, name, header.size, header.has_alpha)


def _too_large(name: str, size: tuple[int, int]) -> LostTexture:
    return LostTexture(name, f"{size[0]} x {size[1]} pixels, more than {_MAX_PIXELS:,}")


def distinct_textures(
    textures: Sequence[tuple[TextureOfPart, Sampler]],
    max_size: int | None = None,
    path: str = "",
) -> tuple[list[LazyTexture], list[Sampler], list[int]]:
    """Return each texture once, with nothing decoded. Textures with different samplers differ.

    Args:
        textures: the texture and the sampler of each part.
        max_size: largest width and height in texels: larger textures are reduced when they are
            decoded.
        path: path of the mesh file, for errors of decoding.

    Returns:
        The distinct textures, their samplers, and the index of each part's texture, -1 for none.
        Those that differ in their sampler alone are the same object.

    Raises:
        MeshError: all together have too many pixels.
    """
    of_image = _lazy_textures([texture for texture, _ in textures], max_size, path)
    indices: dict[tuple[int, Sampler], int] = {}
    found: list[LazyTexture] = []
    ids = []
    for texture, sampler in textures:
        if texture is None or isinstance(texture, LostTexture):
            ids.append(-1)
            continue
        chosen = of_image[id(texture)]
        index = indices.setdefault((id(chosen), sampler), len(found))
        if index == len(found):
            found.append(chosen)
        ids.append(index)
    return found, [sampler for _, sampler in indices], ids


def _lazy_textures(
    textures: Sequence[TextureOfPart], max_size: int | None, path: str
) -> dict[int, LazyTexture]:
    """Return each texture by its identity; those of equal content are the same."""
    distinct: dict[tuple[bytes, bool], EncodedTexture] = {}
    keys: dict[int, tuple[bytes, bool]] = {}
    for texture in textures:
        if isinstance(texture, EncodedTexture) and id(texture) not in keys:
            keys[id(texture)] = texture.data, texture.has_alpha
            distinct.setdefault(keys[id(texture)], texture)
    sizes = {key: _reduced(texture.size, max_size) for key, texture in distinct.items()}
    pixels = sum(width * height for width, height in sizes.values())
    if pixels > _MAX_TOTAL_PIXELS:
        raise MeshError(
            f"its textures have more than {_MAX_TOTAL_PIXELS:,} pixels; "
            "pass max_texture_size to reduce them"
        )
    lazy = {
        key: LazyTexture(
            sizes[key],
            partial(_decoded, texture, max_size, path, "RGBA"),
            may_have_alpha=texture.has_alpha,
            decode_alpha=(
                partial(_decoded, texture, max_size, path, "A")
                if pixels > _MAX_SHARED_PIXELS and texture.has_alpha
                else None
            ),
        )
        for key, texture in distinct.items()
    }
    return {identity: lazy[key] for identity, key in keys.items()}


def _reduced(size: tuple[int, int], max_size: int | None) -> tuple[int, int]:
    """Return the width and height of a texture that is reduced to `max_size`."""
    largest = max(size)
    if max_size is None or largest <= max_size:
        return size
    # Rounded with integers: the same size is computed before and after decoding.
    width, height = (max(1, (2 * n * max_size + largest) // (2 * largest)) for n in size)
    return width, height


def _decoded(
    texture: EncodedTexture, max_size: int | None, path: str, bands: _Bands
) -> npt.NDArray[np.uint8]:
    """Return the texels of a texture when they are first used, or their alpha."""
    try:
        return _texels(texture, max_size, bands)
    except MemoryError:
        raise
    except Exception as error:  # a decoder of damaged data may raise anything
        file = shortened(printable(path), 4096)
        raise MeshError(
            f"{file}: its texture {texture.name!r:.200} is damaged ({one_line(error, 80)}); "
            "repair it, or load the mesh with appearance=False"
        ) from error


def _texels(texture: EncodedTexture, max_size: int | None, bands: _Bands) -> npt.NDArray[np.uint8]:
    """Return (h, w, 4) uint8 texels, reduced; for "A", (h, w), their alpha."""
    pillow = import_needed("PIL.Image", "reading textures", MeshError)
    size = _reduced(texture.size, max_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image: Image.Image
        if texture.data.startswith(KTX2_MAGIC):
            image = pillow.fromarray(decode_ktx2([texture.data], max_size)[0])
        else:
            image = pillow.open(io.BytesIO(texture.data), formats=_FORMATS)
        if size != image.size:
            # JPEG is decoded at 1/2, 1/4 or 1/8 of its size, which is five times as fast. Images
            # of other formats stay as they are.
            image.draft(None, size)
        if size != image.size:
            image = _smaller(_eight_bits(image), size, texture.has_alpha)
        return _array(image, bands, texture.has_alpha)


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit gray, which Pillow clips instead of scaling
        gray = np.clip(np.asarray(image) // 257, 0, 255).astype(np.uint8)
        pillow = import_needed("PIL.Image", "reading textures", MeshError)
        eight_bits: Image.Image = pillow.fromarray(gray)
        return eight_bits
    return image


def _smaller(image: Image.Image, size: tuple[int, int], has_alpha: bool) -> Image.Image:
    """Return an image of this size: each texel is the mean of the sRGB texels that it covers."""
    # Pillow weights colors by alpha.
    pillow = import_needed("PIL.Image", "reading textures", MeshError)
    mode = "RGBA" if has_alpha and image.has_transparency_data else "RGB"
    reduced: Image.Image = image.convert(mode).resize(size, pillow.Resampling.BOX)
    return reduced


def _array(image: Image.Image, bands: _Bands, has_alpha: bool) -> npt.NDArray[np.uint8]:
    """Return the texels of an image, or their alpha.

    They are converted strip by strip, so that there are no copies of the whole.
    """
    width, height = image.size
    shape = (height, width, 4) if bands == "RGBA" else (height, width)
    texels = np.full(shape, 255, np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for start in range(0, height, rows):
        stop = min(height, start + rows)
        strip = _eight_bits(image.crop((0, start, width, stop)))
        if not has_alpha:
            texels[start:stop, :, :3] = np.asarray(strip.convert("RGB"))
        elif bands == "RGBA":
            texels[start:stop] = np.asarray(strip.convert("RGBA"))
        else:
            texels[start:stop] = np.asarray(strip.convert("RGBA"))[..., 3]
    return texels
