"""PLY files: checks, and triangulation of the polygons that trimesh misreads."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import MeshError
from .face_limit import check_face_count
from .text import as_utf8

__all__ = ["checked_ply"]

_MAX_HEADER_BYTES = 1 << 20
_CUT_SHORT = "it was cut short or damaged, copy it again"
_SIZES = {
    **dict.fromkeys(("char", "uchar", "int8", "uint8"), 1),
    **dict.fromkeys(("short", "ushort", "int16", "uint16", "float16"), 2),
    **dict.fromkeys(("int", "uint", "float", "int32", "uint32", "float32"), 4),
    **dict.fromkeys(("double", "float64", "int64", "uint64"), 8),
}
_INTEGERS = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
}


class _Property(NamedTuple):
    """A property of an element; of a list, the type of its items and of its length."""

    name: str
    type: str
    count_type: str | None  # None if the property is no list

    @property
    def min_size(self) -> int:
        """Size in bytes, with the list empty."""
        return _SIZES[self.count_type or self.type]


class _Element(NamedTuple):
    """An element of the header: a table of `length` rows."""

    name: str
    length: int
    properties: list[_Property]

    @property
    def min_size(self) -> int:
        """Size of one row in bytes, with all lists empty."""
        return sum(p.min_size for p in self.properties)

    @property
    def lists(self) -> list[int]:
        """Indices of the properties that are lists."""
        return [i for i, p in enumerate(self.properties) if p.count_type]


def checked_ply(data: bytes, max_faces: int) -> bytes:
    """Return a PLY with all the rows that it declares.

    Binary polygons of different sizes are triangulated as fans.

    Args:
        data: content of the file.
        max_faces: largest number of faces that the file may declare.

    Raises:
        MeshError: it is not PLY, was cut short, declares too many faces or holds no plain faces.
    """
    end = re.search(rb"(?m)^end_header[ \r]*\n", data[:_MAX_HEADER_BYTES])
    if not data.startswith(b"ply") or end is None:
        raise MeshError("it has no PLY header; check that it is complete and not another format")
    header, body = data[: end.start()], data[end.end() :]
    lines = [line.strip() for line in as_utf8(header).decode("utf-8").split("\n")]
    layout = next((line.split()[1] for line in lines if line.startswith("format ")), "")
    if layout not in ("ascii", "binary_little_endian", "binary_big_endian"):
        raise MeshError(f"its PLY format is {layout!r}, not ascii or binary; export it again")
    elements = _header_elements(lines)
    names = {e.name for e in elements if e.length}
    if "tristrips" in names and "face" not in names:
        raise MeshError("it holds triangle strips; save it with plain triangles")
    for element in elements:
        if element.name == "face":
            check_face_count(element.length, max_faces, "declares")
    # In text, a value takes at least a digit and a space.
    row_sizes = [2 * len(e.properties) if layout == "ascii" else e.min_size for e in elements]
    min_size = sum(e.length * max(size, 1) for e, size in zip(elements, row_sizes, strict=True))
    if min_size > len(body) + 1:
        declared = ", ".join(f"{e.length} {e.name}" for e in elements)
        raise MeshError(
            f"it declares {declared}: at least {min_size} bytes, it has {len(body)}; {_CUT_SHORT}"
        )
    if layout == "ascii":
        return as_utf8(header) + b"end_header\n" + _complete_rows(as_utf8(body), elements)
    return _with_uniform_faces(data, header, body, elements, ">" if "big" in layout else "<")


def _header_elements(lines: list[str]) -> list[_Element]:
    elements: list[_Element] = []
    for line in lines:
        words = line.split()
        try:
            if words[:1] == ["element"]:
                elements.append(_Element(words[1], int(words[2]), []))
                if elements[-1].length < 0:
                    raise ValueError
            elif words[:2] == ["property", "list"]:
                elements[-1].properties.append(_Property(words[4], words[3], words[2]))
                _ = _SIZES[words[3]], _INTEGERS[words[2]]
            elif words[:1] == ["property"]:
                elements[-1].properties.append(_Property(words[2], words[1], None))
                _ = _SIZES[words[1]]
        except (ValueError, IndexError, KeyError) as error:
            raise MeshError(
                f"its PLY header line {line[:60]!r} makes no sense; export it again"
            ) from error
    return elements


def _complete_rows(body: bytes, elements: list[_Element]) -> bytes:
    """Return the body of an ASCII PLY without blank lines; raise if rows are missing or cut."""
    rows = [row for row in body.splitlines() if row.strip()]
    row_count = sum(e.length for e in elements)
    if len(rows) < row_count:
        raise MeshError(f"it declares {row_count} rows and holds {len(rows)}; {_CUT_SHORT}")
    start = 0
    for element in elements:
        if element.name == "face" and element.lists == [0] and len(element.properties) == 1:
            for row in rows[start : start + element.length]:
                numbers = row.split()
                if len(numbers) != 1 + int(float(numbers[0])):
                    text = row[:40].decode("utf-8", "replace")
                    raise MeshError(f"its face row {text!r} is incomplete; {_CUT_SHORT}")
        start += element.length
    return b"\n".join(rows) + b"\n"


def _with_uniform_faces(
    data: bytes, header: bytes, body: bytes, elements: list[_Element], byte_order: str
) -> bytes:
    """Return a binary PLY whose faces all have the same number of corners.

    trimesh reads all faces with the size of the first one, so faces of mixed sizes are rewritten as
    triangles.
    """
    names = [e.name for e in elements]
    face_element = names.index("face") if "face" in names else len(names)
    if (
        face_element == len(names)
        or elements[face_element].length == 0
        or any(e.lists for e in elements[:face_element])
    ):
        return data
    face = elements[face_element]
    if not face.lists:
        raise MeshError("its faces have no list of vertices; export it again")
    start = sum(e.length * e.min_size for e in elements[:face_element])
    sizes = [p.min_size for p in face.properties]
    list_index = face.lists[0]
    before, after = sum(sizes[:list_index]), sum(sizes[list_index + 1 :])
    corner_list = face.properties[list_index]
    if len(face.lists) > 1 or corner_list.type not in _INTEGERS:
        # For instance with texture coordinates per face: trimesh reads these if they are uniform.
        return data

    count_type = np.dtype(byte_order + _INTEGERS[corner_list.count_type or "uchar"])
    item_size = _SIZES[corner_list.type]
    count = int(np.frombuffer(body, count_type, 1, start + before)[0])
    row_size = before + count_type.itemsize + after + count * item_size
    if count >= 3 and start + face.length * row_size <= len(body):
        content = np.frombuffer(body, np.uint8, face.length * row_size, start)
        rows = content.reshape(face.length, row_size)
        counts = rows[:, before : before + count_type.itemsize].copy().view(count_type)
        if (counts == count).all():
            return data

    starts, counts = _face_lists(body, start, face.length, before, count_type, item_size, after)
    triangles = _fans(body, starts, counts, np.dtype(byte_order + _INTEGERS[corner_list.type]))
    packed = np.empty(len(triangles), [("n", "u1"), ("i", byte_order + "i4", 3)])
    packed["n"], packed["i"] = 3, triangles
    face_line = re.search(rb"(?m)^element[ \t]+face\b", header)
    if face_line is None:  # the line is indented
        raise MeshError("its PLY header line of faces makes no sense; export it again")
    head = as_utf8(header[: face_line.start()])
    head += b"element face %d\n" % len(triangles)
    head += b"property list uchar int vertex_indices\nend_header\n"
    return head + body[:start] + packed.tobytes()


def _face_lists(
    body: bytes,
    start: int,
    face_count: int,
    before: int,
    count_type: np.dtype[Any],
    item_size: int,
    after: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where the corners of each face begin in the body, and how many there are.

    Args:
        body: everything after the header.
        start: offset of the first face.
        face_count: number of faces.
        before: bytes in each face before the count.
        count_type: type of the count.
        item_size: bytes per corner.
        after: bytes in each face after the corners.
    """
    starts = np.empty(face_count, np.int64)
    counts = np.empty(face_count, np.int64)
    byte_order: Literal["big", "little"] = "big" if count_type.str[0] == ">" else "little"
    signed = count_type.kind == "i"
    offset = start
    for i in range(face_count):
        items = offset + before + count_type.itemsize
        counts[i] = int.from_bytes(body[offset + before : items], byte_order, signed=signed)
        starts[i] = items
        offset = items + int(counts[i]) * item_size + after
        if offset > len(body) or counts[i] < 0:
            raise MeshError(f"its faces end after {i} of {face_count}; {_CUT_SHORT}")
    return starts, counts


def _fans(
    body: bytes, starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], item: np.dtype[Any]
) -> npt.NDArray[np.int64]:
    """Return (T, 3) triangles of all polygons, in the order of the polygons."""
    content = np.frombuffer(body, np.uint8)
    triangles: list[npt.NDArray[np.int64]] = [np.zeros((0, 3), np.int64)]
    polygon_of_triangle: list[npt.NDArray[np.intp]] = [np.zeros(0, np.intp)]
    for count in np.unique(counts[counts >= 3]).tolist():
        polygons = np.flatnonzero(counts == count)
        offsets = starts[polygons, None] + np.arange(count * item.itemsize)
        corners = content[offsets].view(item).astype(np.int64)
        for i in range(1, count - 1):
            triangles.append(corners[:, [0, i, i + 1]])
            polygon_of_triangle.append(polygons)
    joined = np.concatenate(triangles)
    if len(joined) and not -1 < int(joined.min()) <= int(joined.max()) < 2**31:
        raise MeshError("its faces use vertex indices below 0 or above 2**31; export it again")
    order = np.argsort(np.concatenate(polygon_of_triangle), kind="stable")
    return np.asarray(joined[order])
