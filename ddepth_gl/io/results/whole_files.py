"""Checks that files of results are whole: neither cut short nor damaged."""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO

from .exr_chunks import check_chunks

__all__ = ["check_whole"]

_PLY_BYTES = {"float": 4, "double": 8, "uchar": 1}


def check_whole(stream: BinaryIO, suffix: str) -> None:
    """Raise any exception if a file is cut short, or damaged as far as its format tells.

    Args:
        stream: content of the file, at its start.
        suffix: suffix of a format of this package.
    """
    _CHECKS[suffix](stream)


def _check_npz(stream: BinaryIO) -> None:
    with zipfile.ZipFile(stream) as archive:
        damaged = archive.testzip()  # compares the checksum of every array
    if damaged is not None:
        raise ValueError(f"{damaged} is damaged")


def _check_json(stream: BinaryIO) -> None:
    json.load(stream)


def _check_png(stream: BinaryIO) -> None:
    """Compare the checksum of every chunk; Pillow reads files whose end is missing."""
    data = stream.read()
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 4 : at + 8 + length]
        if struct.unpack_from(">I", data, at + 8 + length)[0] != zlib.crc32(content):
            raise ValueError("a chunk is damaged")
        at += 12 + length
    if at != len(data):
        raise ValueError("there is more after the end")


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
        raise ValueError("the header has no end")
    if stream.tell() + size != os.fstat(stream.fileno()).st_size:
        raise ValueError("the size differs from the header")


def _check_exr(stream: BinaryIO) -> None:
    check_chunks(stream.read())


_CHECKS: dict[str, Callable[[BinaryIO], None]] = {
    ".npz": _check_npz,
    ".json": _check_json,
    ".png": _check_png,
    ".ply": _check_ply,
    ".exr": _check_exr,
}
