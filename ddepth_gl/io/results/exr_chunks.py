"""Check of the structure of EXR files: OpenEXR prints to stderr where a file is damaged.

Source of the format: "OpenEXR File Layout", openexr.com.
"""

from __future__ import annotations

import math
import struct
import zlib
from itertools import pairwise
from typing import NamedTuple

__all__ = ["check_chunks"]

_MANY_PARTS, _DEEP = 0x1000, 0x800  # flags in the version field
_LINES = {2: 1, 3: 16}  # scan lines in a chunk, by compression: ZIPS and ZIP


class _Part(NamedTuple):
    """What decides the size of a part's chunks: rows, bytes of a row, rows in a chunk."""

    first_row: int
    rows: int
    row_bytes: int
    width: int
    lines: int


def check_chunks(data: bytes) -> None:
    """Raise any exception if chunks of pixels are missing, cut short or damaged.

    Args:
        data: a file of scan lines, compressed with ZIP or ZIPS, all channels of 4 bytes.
    """
    flags = struct.unpack_from("<I", data, 4)[0]
    parts, position = _parts(data, bool(flags & _MANY_PARTS))
    count = sum(math.ceil(part.rows / part.lines) for part in parts)
    offsets = sorted(struct.unpack_from(f"<{count}Q", data, position))
    if offsets[0] != position + 8 * count:
        raise ValueError("the table of chunks is damaged")
    for start, stop in pairwise([*offsets, len(data)]):
        at, part = start, parts[0]
        if flags & _MANY_PARTS:
            part = parts[struct.unpack_from("<i", data, at)[0]]
            at += 4
        row = struct.unpack_from("<i", data, at)[0] - part.first_row
        lines = min(part.lines, part.rows - row)
        if flags & _DEEP:
            packed_counts, packed, unpacked = struct.unpack_from("<3Q", data, at + 4)
            blocks = [(packed_counts, 4 * part.width * lines), (packed, unpacked)]
            at += 28
        else:
            blocks = [(struct.unpack_from("<i", data, at + 4)[0], part.row_bytes * lines)]
            at += 8
        for size, unpacked in blocks:
            # What compression would not make smaller is stored as it is, without a checksum.
            if size < unpacked:
                _check_compressed(data[at : at + size], unpacked)
            at += size
        if at != stop:
            raise ValueError("a chunk has another size than it says")


def _check_compressed(block: bytes, size: int) -> None:
    """Raise any exception unless a block of zlib, which ends with a checksum, unpacks to `size`."""
    decoder = zlib.decompressobj()
    # One byte more than expected, and no more than that from a damaged block.
    if len(decoder.decompress(block, size + 1)) != size or not decoder.eof:
        raise ValueError("a chunk is damaged")


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
                raise ValueError("a header is damaged")
            attributes[name] = data[position + 4 : position + 4 + size]
            position += 4 + size
        position += 1
        left, top, right, bottom = struct.unpack("<4i", attributes[b"dataWindow"])
        channels = 0
        remaining = attributes[b"channels"]
        while remaining[0]:
            remaining = remaining.split(b"\0", 1)[1][16:]
            channels += 1
        width = right - left + 1
        lines = _LINES[attributes[b"compression"][0]]
        parts.append(_Part(top, bottom - top + 1, 4 * channels * width, width, lines))
        if not has_many:
            return parts, position
    return parts, position + 1
