"""Tests of whether an image file is whole, much faster than decoding it."""

from __future__ import annotations

import struct
import zlib

__all__ = ["is_cut_short", "seems_whole"]

# DDS: bytes per block of 4x4 texels, by the name of the format; flags of formats without blocks.
_BLOCK_BYTES = {b"DXT1": 8, b"ATI1": 8, b"BC4U": 8, b"DXT3": 16, b"DXT5": 16, b"ATI2": 16}
_UNCOMPRESSED = 0x40 | 0x20000  # RGB, luminance


def seems_whole(data: bytes, format_name: str) -> bool | None:
    """Return whether a file is surely not cut short, as far as its structure says.

    False means only that decoding must decide; None, that the format has no such structure.

    Args:
        data: content of the file.
        format_name: name of its format in Pillow.
    """
    check = {"PNG": _png_is_whole, "JPEG": _jpeg_is_whole, "WEBP": _webp_is_whole}.get(format_name)
    return None if check is None else check(data)


def is_cut_short(data: bytes, format_name: str) -> bool:
    """Return whether a DDS file surely lacks a part of its image; False for other formats.

    Pillow before version 13 shows what is missing as black.

    Args:
        data: content of the file.
        format_name: name of its format in Pillow.
    """
    if format_name != "DDS" or len(data) < 128:
        return format_name == "DDS"
    height, width = struct.unpack_from("<2I", data, 12)
    flags, name, bits = struct.unpack_from("<I4sI", data, 80)
    size = 0  # of other formats, it is not known here
    if name in _BLOCK_BYTES:
        size = _BLOCK_BYTES[name] * (-(-width // 4)) * (-(-height // 4))
    elif flags & _UNCOMPRESSED and bits <= 32:
        size = width * height * bits // 8
    return len(data) < 128 + size


def _png_is_whole(data: bytes) -> bool:
    """Return whether all chunks up to IEND are there and match their checksums."""
    start = 8
    while start + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, start)
        end = start + 12 + length
        if end > len(data):
            return False
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(memoryview(data)[start + 4 : end - 4]) != checksum:
            return False
        if data[start + 4 : start + 8] == b"IEND":
            return True
        start = end
    return False


def _jpeg_is_whole(data: bytes) -> bool:
    """Return whether an end of image follows the first scan.

    The segments before it may hold a thumbnail, with an end of its own. Compressed data holds none.
    """
    start = 2
    while start + 4 <= len(data) and data[start] == 0xFF:
        marker = data[start + 1]
        if marker == 0xFF:  # padding
            start += 1
            continue
        start += 2 + struct.unpack_from(">H", data, start + 2)[0]
        if marker == 0xDA:
            return data.rfind(b"\xff\xd9", start) >= 0  # mostly the last bytes
    return False


def _webp_is_whole(data: bytes) -> bool:
    """Return whether there are as many bytes as the header declares."""
    return len(data) >= 12 and 8 + struct.unpack_from("<I", data, 4)[0] <= len(data)
