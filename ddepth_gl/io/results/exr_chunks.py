"""Check that an EXR file is whole, from the sizes in it; OpenEXR prints to stderr if it is not.

Source of the format: "OpenEXR File Layout", openexr.com.
"""

from __future__ import annotations

import math
import os
import struct
from itertools import pairwise
from typing import BinaryIO, NamedTuple

from ...errors import OutputError

__all__ = ["check_chunks"]

_MANY_PARTS, _DEEP = 0x1000, 0x800  # flags in the version field
_LINES = {2: 1, 3: 16}  # scan lines in a chunk, by compression: ZIPS and ZIP


class _Part(NamedTuple):
    """Facts that decide the number of a part's chunks: its rows, and the rows in a chunk."""

    rows: int
    lines: int


def check_chunks(stream: BinaryIO) -> None:
    """Raise any exception if the file does not end where its last chunk of pixels must end.

    Args:
        stream: a file of scan lines, compressed with ZIP or ZIPS.
    """
    flags = struct.unpack("<I", _read(stream, 4, 4))[0]
    parts, position = _headers(stream, bool(flags & _MANY_PARTS))
    count = sum(math.ceil(part.rows / part.lines) for part in parts)
    end = stream.seek(0, os.SEEK_END)
    if position + 8 * count > end:
        raise OutputError("the table of chunks is cut short")
    offsets = sorted(struct.unpack(f"<{count}Q", _read(stream, position, 8 * count)))
    if offsets[0] != position + 8 * count:
        raise OutputError("the table of chunks is damaged")
    for start, stop in pairwise([*offsets, end]):
        # The number of the part, if there are many, and the row come first, then the sizes.
        at = start + 4 + 4 * bool(flags & _MANY_PARTS)
        if flags & _DEEP:
            counts, samples, _ = struct.unpack("<3Q", _read(stream, at, 24))
            at += 24 + counts + samples
        else:
            at += 4 + struct.unpack("<i", _read(stream, at, 4))[0]
        if at != stop:
            raise OutputError("a chunk has another size than it says")


def _read(stream: BinaryIO, position: int, size: int) -> bytes:
    stream.seek(position)
    data = stream.read(size)
    if len(data) != size:
        raise OutputError("the file is cut short")
    return data


def _headers(stream: BinaryIO, has_many: bool) -> tuple[list[_Part], int]:
    """Return the parts, and the position after the headers."""
    stream.seek(0)
    beginning = stream.read(1 << 16)  # enough for most
    try:
        return _parts(beginning, has_many)
    except (IndexError, OutputError, ValueError, struct.error):
        return _parts(beginning + stream.read(), has_many)


def _parts(data: bytes, has_many: bool) -> tuple[list[_Part], int]:
    """Return the parts, and the position after the headers."""
    parts: list[_Part] = []
    position = 8
    while data[position] or not parts:
        attributes = {}
        while data[position]:
            name, kind, _ = data[position : position + 600].split(b"\0", 2)
            position += len(name) + len(kind) + 2
            size = struct.unpack_from("<i", data, position)[0]
            if size < 0:
                raise OutputError("a header is damaged")
            attributes[name] = data[position + 4 : position + 4 + size]
            position += 4 + size
        position += 1
        _, top, _, bottom = struct.unpack("<4i", attributes[b"dataWindow"])
        parts.append(_Part(bottom - top + 1, _LINES[attributes[b"compression"][0]]))
        if not has_many:
            return parts, position
    return parts, position + 1
