"""Textures in KTX 2.0 with Basis Universal: ETC1S and UASTC, as KHR_texture_basisu allows.

The container is read here, within limits. The blocks are decoded by the package opengl-basisu, in a
child process. The format: https://registry.khronos.org/KTX/specs/2.0/ktxspec.v2.html
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..._packages import pip_command
from ...errors import MeshError
from .child import run_in_child

__all__ = ["KTX2_MAGIC", "Ktx2Header", "decode_ktx2", "ktx2_header", "why_ktx2_is_not_read"]

KTX2_MAGIC = b"\xabKTX 20\xbb\r\n\x1a\n"

_HEADER = struct.Struct("<9I4I2Q")  # behind the magic
_SCHEMES = {0, 1, 2}  # of compression over the blocks: none, BasisLZ, Zstandard
_ETC1S, _UASTC = 163, 166  # color models of a data format descriptor
_ALPHA = {_ETC1S: 15, _UASTC: 3}  # channels of such a descriptor that hold alpha


class Ktx2Header(NamedTuple):
    """The header of a KTX 2.0 file with Basis Universal.

    Attributes:
        size: width and height of level 0, in texels.
        level_count: number of levels, each half the size of the one before.
        has_alpha: whether it stores alpha.
    """

    size: tuple[int, int]
    level_count: int
    has_alpha: bool


def ktx2_header(data: bytes) -> Ktx2Header | None:
    """Return the header of a texture; None if it is not one that `decode_ktx2` decodes.

    Args:
        data: content of the file.
    """
    start = len(KTX2_MAGIC)
    if data[:start] != KTX2_MAGIC or len(data) < start + _HEADER.size:
        return None
    fields = _HEADER.unpack_from(data, start)
    vk_format, _, width, height, depth, layers, faces, levels, scheme = fields[:9]
    descriptor, descriptor_size = fields[9:11]
    is_image = vk_format == 0 and depth == 0 and layers <= 1 and faces == 1 and scheme in _SCHEMES
    levels = max(levels, 1)
    if not is_image or not (min(width, height) >= 1 and levels <= max(width, height).bit_length()):
        return None
    if start + _HEADER.size + 24 * levels > len(data):
        return None
    # The total size, then one block: 24 bytes, then 16 for each sample.
    block = data[descriptor + 4 : descriptor + descriptor_size]
    if descriptor + descriptor_size > len(data) or len(block) < 24 + 16:
        return None
    model = block[8]
    if model not in _ALPHA:
        return None
    channels = {block[at + 3] & 15 for at in range(24, len(block) - 15, 16)}
    return Ktx2Header((width, height), levels, _ALPHA[model] in channels)


def why_ktx2_is_not_read() -> str | None:
    """Return why textures cannot be decoded, with the command that helps; None if they can."""
    if find_spec("opengl_basisu") is None:
        return f"KTX2 is read with {pip_command('compressed')}"
    return None


def decode_ktx2(
    images: Sequence[bytes], max_size: int | None = None
) -> list[npt.NDArray[np.uint8]]:
    """Return the texels of textures as (h, w, 4) uint8 each, row 0 on top, sRGB as stored.

    All are decoded in one child process.

    Args:
        images: contents of files that have a `ktx2_header`.
        max_size: width or height in texels that suffices: the smallest level that has at least this
            size is decoded instead of level 0.

    Raises:
        MeshError: a texture is damaged, or the package opengl-basisu is missing.
    """
    levels, shapes = [], []
    for image in images:
        header = ktx2_header(image)
        if header is None:
            raise MeshError("a texture of it is not KTX2 with Basis Universal; convert it to PNG")
        level, (width, height) = 0, header.size
        while (
            max_size is not None
            and level + 1 < header.level_count
            and max(width, height) // 2 >= max_size
        ):
            level, width, height = level + 1, max(width // 2, 1), max(height // 2, 1)
        levels.append(level)
        shapes.append((height, width, 4))
    _, arrays = run_in_child("ktx2", {"levels": levels}, images)
    if [array.shape for array in arrays] != shapes or any(a.dtype != np.uint8 for a in arrays):
        raise MeshError("a texture of it has another size than its header says; convert it to PNG")
    return arrays
