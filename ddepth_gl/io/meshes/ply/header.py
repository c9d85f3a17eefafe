"""Headers of PLY files: the elements and properties that they declare."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from ....errors import MeshError
from ..text import as_utf8

__all__ = ["PlyElement", "PlyHeader", "PlyProperty", "read_header"]

_MAX_HEADER_BYTES = 1 << 20
_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    "int64": "i8",
    "uint64": "u8",
    "float16": "f2",
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}


class PlyProperty(NamedTuple):
    """A property of an element; of a list, the type of its items and of its length."""

    name: str
    type: np.dtype[Any]
    count_type: np.dtype[Any] | None  # None if the property is no list


class PlyElement(NamedTuple):
    """An element of the header: a table of `length` rows."""

    name: str
    length: int
    properties: list[PlyProperty]

    @property
    def min_size(self) -> int:
        """Size of one row in bytes, with all lists empty."""
        return sum((p.count_type or p.type).itemsize for p in self.properties)

    @property
    def has_lists(self) -> bool:
        """True if a property is a list."""
        return any(p.count_type is not None for p in self.properties)


class PlyHeader(NamedTuple):
    """The header of a PLY file."""

    is_text: bool
    elements: list[PlyElement]
    texture_names: list[str]  # of its comments "TextureFile"
    end: int  # offset of the body


def read_header(data: bytes) -> PlyHeader:
    """Return the header of a PLY file. Its lines end as its first line does.

    Raises:
        MeshError: there is none, or a line makes no sense.
    """
    first = re.match(rb"ply[ \t]*(\r\n|\n|\r)", data)
    line_end = rb"\r" if first and first[1] == b"\r" else rb"\r*\n"
    end = re.search(rb"[\r\n][ \t]*end_header[ \t]*" + line_end, data[:_MAX_HEADER_BYTES])
    if first is None or end is None:
        raise MeshError("it has no PLY header; check that it is complete and not another format")
    text = as_utf8(data[first.end() : end.start()]).decode("utf-8")
    lines = [line.strip() for line in re.split(r"\r\n|\n|\r", text)]
    layout = next((line.split()[1:2] for line in lines if line.split()[:1] == ["format"]), [])
    if layout not in (["ascii"], ["binary_little_endian"], ["binary_big_endian"]):
        raise MeshError(f"its PLY format is {layout}, not ascii or binary; export it again")
    textures = [
        words[2] for words in (line.split(None, 2) for line in lines)
        if words[:2] == ["comment", "TextureFile"] and len(words) == 3
    ]  # fmt: skip
    order = ">" if "big" in layout[0] else "<"
    return PlyHeader(layout == ["ascii"], _elements(lines, order), textures, end.end())


def _elements(lines: list[str], order: str) -> list[PlyElement]:
    elements: list[PlyElement] = []
    for line in lines:
        words = line.split()
        try:
            if words[:1] == ["element"]:
                elements.append(PlyElement(words[1], int(words[2]), []))
                if elements[-1].length < 0:
                    raise ValueError
            elif words[:2] == ["property", "list"]:
                count_type = np.dtype(order + _TYPES[words[2]])
                if count_type.kind == "f":
                    raise ValueError
                item = np.dtype(order + _TYPES[words[3]])
                elements[-1].properties.append(PlyProperty(words[4], item, count_type))
            elif words[:1] == ["property"]:
                item = np.dtype(order + _TYPES[words[1]])
                elements[-1].properties.append(PlyProperty(words[2], item, None))
        except (ValueError, IndexError, KeyError) as error:
            raise MeshError(
                f"its PLY header line {line[:60]!r} makes no sense; export it again"
            ) from error
    return elements
