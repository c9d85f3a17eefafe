"""Checks that files of results are whole: their sizes, the tables in them, PNG's checksums.

Thousands of files can be checked in a minute. So arrays are not unpacked, and damage within them is
not noticed: readers compare the checksums of npz, EXR has few and PLY none.
"""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO

from ...errors import OutputError
from .exr_chunks import check_chunks

__all__ = ["check_whole"]

_PLY_BYTES = {"float": 4, "double": 8, "uchar": 1}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def check_whole(stream: BinaryIO, suffix: str) -> None:
    """Raise any exception if a file is cut short, or its structure or a PNG chunk is damaged.

    Args:
        stream: content of the file, at its start.
        suffix: suffix of a format of this package.
    """
    _CHECKS[suffix](stream)


def _check_npz(stream: BinaryIO) -> None:
    with zipfile.ZipFile(stream):  # reads the directory near the end
        stream.seek(-22, os.SEEK_END)
        if stream.read(4) != b"PK\5\6":  # where it is without a comment
            raise OutputError("the file does not end where it must")


def _check_json(stream: BinaryIO) -> None:
    json.load(stream)


def _check_png(stream: BinaryIO) -> None:
    """Compare the checksum of each chunk; Pillow reads files whose end is missing or damaged."""
    end = os.fstat(stream.fileno()).st_size
    if stream.read(8) != _PNG_SIGNATURE:
        raise OutputError("the file does not begin as a PNG")
    kind = b""
    while kind != b"IEND":
        (length,) = struct.unpack(">I", stream.read(4))
        if stream.tell() + length + 8 > end:
            raise OutputError("a chunk is cut short")
        content = stream.read(4 + length)
        kind = content[:4]
        if struct.unpack(">I", stream.read(4)) != (zlib.crc32(content),):
            raise OutputError("a checksum differs")
    if stream.tell() != end:
        raise OutputError("the file does not end where it must")


def _check_ply(stream: BinaryIO) -> None:
    """Compare the size with the header; PLY has no checksum. Faces are triangles."""
    size, count, is_face = 0, 0, False
    for line in stream:
        words = line.split()
        if words[0] == b"end_header":
            break
        if words[0] == b"element":
            count, is_face = int(words[2]), words[1] == b"face"
            size += count * 13 * is_face  # the number 3, and three int indices
        elif words[0] == b"property" and not is_face:
            size += count * _PLY_BYTES[words[1].decode("ascii")]
    else:
        raise OutputError("the header has no end")
    if stream.tell() + size != os.fstat(stream.fileno()).st_size:
        raise OutputError("the size differs from the header")


def _check_exr(stream: BinaryIO) -> None:
    check_chunks(stream)


_CHECKS: dict[str, Callable[[BinaryIO], None]] = {
    ".npz": _check_npz,
    ".json": _check_json,
    ".png": _check_png,
    ".ply": _check_ply,
    ".exr": _check_exr,
}
