"""Checks of OBJ, STL, PLY and OFF files before trimesh reads them, and repairs of what it misreads.

Each function takes the bytes of a file and returns the bytes to read instead, mostly the same ones. It
raises MeshError where the file declares more than it holds, so that nothing large is ever allocated on
its word and nothing that was cut off goes unnoticed.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import MeshError
from .folder import as_utf8

__all__ = ["checked_obj", "checked_off", "checked_ply", "checked_stl"]

_CUT = "it was cut short or damaged, copy it again"


def _check_count(count: int, max_faces: int) -> None:
    if count > max_faces:
        raise MeshError(
            f"it declares {count} faces, the limit is {max_faces}; pass a larger max_faces"
        )


def checked_obj(data: bytes, max_faces: int) -> bytes:
    """OBJ with plain line ends and spaces, and with the relative (negative) indices made absolute."""
    if b"\0" in data:
        raise MeshError("it is not an OBJ, it is not text; check the name of the file")
    text = as_utf8(data).replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\\\n", b" ")
    text = re.sub(
        rb"(?m)^ +", b"", text.replace(b"\t", b" ")
    )  # trimesh skips lines that are indented
    # Most files have all faces after the vertices: a quick look there spares the search line by line.
    faces = text[max(text.find(b"\nf "), 0) :]
    if re.search(rb" 0+[/ \n]", faces + b"\n") and re.search(rb"(?m)^f[^\n]*? 0+(?:[/ ]|$)", faces):
        raise MeshError("a face uses vertex 0, but OBJ counts from 1; export it again")
    if re.search(rb"[ /]-", faces) and re.search(rb"(?m)^f[^\n]*?[ /]-", faces):
        text = b"\n".join(_absolute_lines(text.split(b"\n")))
    return text


def _absolute_lines(lines: Iterable[bytes]) -> Iterable[bytes]:
    # trimesh counts negative indices from the end of the file; OBJ counts them from the line itself.
    seen = {b"v": 0, b"vt": 0, b"vn": 0}
    for line in lines:
        keyword, _, rest = line.partition(b" ")
        if keyword in seen:
            seen[keyword] += 1
        elif keyword == b"f" and b"-" in rest:
            corners = [
                b"/".join(
                    _absolute(number, count)
                    for number, count in zip(corner.split(b"/"), seen.values(), strict=False)
                )
                for corner in rest.split()
            ]
            line = b"f " + b" ".join(corners)
        yield line


def _absolute(number: bytes, count: int) -> bytes:
    if not number.startswith(b"-"):
        return number
    value = count + 1 + int(number)
    if value < 1:
        raise MeshError(
            f"a face refers {-int(number)} lines back where there are only {count}; export it again"
        )
    return b"%d" % value


def checked_stl(data: bytes, max_faces: int) -> bytes:
    """Binary STL of exactly the declared length, or ASCII STL that ends where it should."""
    count = struct.unpack("<I", data[80:84])[0] if len(data) >= 84 else 0
    if len(data) >= 84 and len(data) == 84 + 50 * count:
        _check_count(count, max_faces)
        return data
    if b"facet" not in data[:2048].lower():
        raise MeshError(
            f"it is neither ASCII nor binary STL: {count} declared triangles take {84 + 50 * count} bytes, "
            f"it has {len(data)}; {_CUT}"
        )
    text = as_utf8(data).lower()
    if text.rfind(b"endfacet") > text.rfind(b"endsolid"):
        raise MeshError(f"its last solid does not end; {_CUT}")
    return as_utf8(data)


def checked_off(data: bytes, max_faces: int) -> bytes:
    """OFF with as many complete rows as it declares, polygons cut into triangles."""
    text = as_utf8(data)
    rows = [row for row in (r.partition(b"#")[0].strip() for r in text.splitlines()) if row]
    found = re.match(rb"[A-Z0-9]{0,4}OFF\b", rows[0]) if rows else None
    if found is None:
        raise MeshError(
            "it does not begin with OFF; check that it is complete and not another format"
        )
    rows[0] = rows[0][found.end() :].strip()
    rows = rows if rows[0] else rows[1:]
    try:
        vertex_count, face_count = (int(n) for n in rows[0].split()[:2])
    except (ValueError, IndexError) as error:
        raise MeshError(
            "it has no line of vertex and face counts after OFF; export it as text OFF"
        ) from error
    _check_count(face_count, max_faces)
    held = len(rows) - 1
    if min(vertex_count, face_count) < 0 or held < vertex_count + face_count:
        raise MeshError(
            f"it declares {vertex_count} vertices, {face_count} faces and holds {held} rows; {_CUT}"
        )
    triangles: list[bytes] = []  # trimesh fails on polygons of more than four corners
    for row in rows[1 + vertex_count : 1 + vertex_count + face_count]:
        numbers = row.split()
        corners = numbers[1 : 1 + int(numbers[0])]
        if len(corners) < 3 or len(corners) != int(numbers[0]):
            raise MeshError(
                f"its face row {row[:40].decode('utf-8', 'replace')!r} is incomplete; {_CUT}"
            )
        triangles += [b"3 %b %b %b" % (corners[0], b, c) for b, c in pairwise(corners[1:])]
    counts = b"%d %d 0" % (vertex_count, len(triangles))
    return b"\n".join([b"OFF", counts, *rows[1 : 1 + vertex_count], *triangles])


_PLY_SIZES = {
    **dict.fromkeys(("char", "uchar", "int8", "uint8"), 1),
    **dict.fromkeys(("short", "ushort", "int16", "uint16", "float16"), 2),
    **dict.fromkeys(("int", "uint", "float", "int32", "uint32", "float32"), 4),
    **dict.fromkeys(("double", "float64", "int64", "uint64"), 8),
}
_PLY_INTEGERS = {
    "char": "i1",
    "int8": "i1",
    "uchar": "u1",
    "uint8": "u1",
    "short": "i2",
    "int16": "i2",
} | {**{"ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4"}}


class _Property(NamedTuple):
    name: str
    type: str
    count_type: str | None  # of a list

    @property
    def least_size(self) -> int:
        return _PLY_SIZES[self.count_type or self.type]


class _Element(NamedTuple):
    name: str
    length: int
    properties: list[_Property]

    @property
    def least_size(self) -> int:
        """Bytes of one row with all lists empty."""
        return sum(p.least_size for p in self.properties)

    @property
    def lists(self) -> list[int]:
        return [i for i, p in enumerate(self.properties) if p.count_type]


def checked_ply(data: bytes, max_faces: int) -> bytes:
    """PLY whose rows are all there; binary polygons of differing sizes are cut into triangles."""
    end = re.search(rb"(?m)^end_header[ \r]*\n", data[: 1 << 20])
    if not data.startswith(b"ply") or end is None:
        raise MeshError("it has no PLY header; check that it is complete and not another format")
    header, body = data[: end.start()], data[end.end() :]
    lines = [line.strip() for line in as_utf8(header).decode("utf-8").split("\n")]
    layout = next((line.split()[1] for line in lines if line.startswith("format ")), "")
    if layout not in ("ascii", "binary_little_endian", "binary_big_endian"):
        raise MeshError(f"its PLY format is {layout!r}, not ascii or binary; export it again")
    elements = _ply_elements(lines)
    names = {e.name for e in elements if e.length}
    if "tristrips" in names and "face" not in names:
        raise MeshError("it holds triangle strips; save it with plain triangles")
    for element in elements:
        if element.name == "face":
            _check_count(element.length, max_faces)
    # In text, a value takes a digit and a space at least.
    row_sizes = [2 * len(e.properties) if layout == "ascii" else e.least_size for e in elements]
    least = sum(e.length * max(size, 1) for e, size in zip(elements, row_sizes, strict=True))
    if least > len(body) + 1:
        declared = ", ".join(f"{e.length} {e.name}" for e in elements)
        raise MeshError(
            f"it declares {declared}: at least {least} bytes, it has {len(body)}; {_CUT}"
        )
    if layout == "ascii":
        return as_utf8(header) + b"end_header\n" + _complete_rows(as_utf8(body), elements)
    return _uniform_faces(data, header, body, elements, ">" if "big" in layout else "<")


def _ply_elements(lines: list[str]) -> list[_Element]:
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
                _ = _PLY_SIZES[words[3]], _PLY_INTEGERS[words[2]]
            elif words[:1] == ["property"]:
                elements[-1].properties.append(_Property(words[2], words[1], None))
                _ = _PLY_SIZES[words[1]]
        except (ValueError, IndexError, KeyError) as error:
            raise MeshError(
                f"its PLY header line {line[:60]!r} makes no sense; export it again"
            ) from error
    return elements


def _complete_rows(body: bytes, elements: list[_Element]) -> bytes:
    rows = [row for row in body.splitlines() if row.strip()]
    wanted = sum(e.length for e in elements)
    if len(rows) < wanted:
        raise MeshError(f"it declares {wanted} rows and holds {len(rows)}; {_CUT}")
    start = 0
    for element in elements:
        if element.name == "face" and element.lists == [0] and len(element.properties) == 1:
            for row in rows[start : start + element.length]:
                numbers = row.split()
                if len(numbers) != 1 + int(float(numbers[0])):
                    raise MeshError(
                        f"its face row {row[:40].decode('utf-8', 'replace')!r} is incomplete; {_CUT}"
                    )
        start += element.length
    return b"\n".join(rows) + b"\n"


def _uniform_faces(
    data: bytes, header: bytes, body: bytes, elements: list[_Element], endian: str
) -> bytes:
    """Rewrite faces of mixed sizes as triangles: trimesh takes the size of the first one for all."""
    names = [e.name for e in elements]
    where = names.index("face") if "face" in names else len(names)
    if where == len(names) or elements[where].length == 0 or any(e.lists for e in elements[:where]):
        return data
    face = elements[where]
    if not face.lists:
        raise MeshError("its faces have no list of vertices; export it again")
    start = sum(e.length * e.least_size for e in elements[:where])
    sizes = [p.least_size for p in face.properties]
    first = face.lists[0]
    before, after = sum(sizes[:first]), sum(sizes[first + 1 :])
    listed = face.properties[first]
    count_type, item_size = (
        np.dtype(endian + _PLY_INTEGERS[listed.count_type or "uchar"]),
        _PLY_SIZES[listed.type],
    )
    if len(face.lists) > 1 or listed.type not in _PLY_INTEGERS:
        return (
            data  # with texture coordinates for each face: trimesh reads these if they are uniform
        )

    fixed = before + count_type.itemsize + after
    size = int(np.frombuffer(body, count_type, 1, start + before)[0])
    row_size = fixed + size * item_size
    if size >= 3 and start + face.length * row_size <= len(body):
        rows = np.frombuffer(body, np.uint8, face.length * row_size, start).reshape(
            face.length, row_size
        )
        counts = rows[:, before : before + count_type.itemsize].copy().view(count_type)
        if (counts == size).all():
            return data

    starts = np.empty(face.length, np.int64)  # of the list items
    counts = np.empty(face.length, np.int64)
    at = start
    order = "big" if endian == ">" else "little"
    for i in range(face.length):
        items = at + before + count_type.itemsize
        counts[i] = int.from_bytes(body[at + before : items], order, signed=count_type.kind == "i")  # type: ignore[arg-type]
        starts[i] = items
        at = items + int(counts[i]) * item_size + after
        if at > len(body) or counts[i] < 0:
            raise MeshError(f"its faces end after {i} of {face.length}; {_CUT}")
    triangles = _fans(body, starts, counts, np.dtype(endian + _PLY_INTEGERS[listed.type]))
    packed = np.empty(len(triangles), [("n", "u1"), ("i", endian + "i4", 3)])
    packed["n"], packed["i"] = 3, triangles
    head = as_utf8(header[: re.search(rb"(?m)^element[ \t]+face\b", header).start()])  # type: ignore[union-attr]
    head += b"element face %d\nproperty list uchar int vertex_indices\nend_header\n" % len(
        triangles
    )
    return head + body[:start] + packed.tobytes()


def _fans(
    body: bytes, starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], item: np.dtype[Any]
) -> npt.NDArray[np.int64]:
    """(T, 3) triangles of all polygons, in the order of the polygons."""
    content = np.frombuffer(body, np.uint8)
    triangles: list[npt.NDArray[np.int64]] = [np.zeros((0, 3), np.int64)]
    owners: list[npt.NDArray[np.intp]] = [np.zeros(0, np.intp)]
    for count in np.unique(counts[counts >= 3]).tolist():
        polygons = np.flatnonzero(counts == count)
        at = starts[polygons, None] + np.arange(count * item.itemsize)
        corners = content[at].view(item).astype(np.int64)
        for i in range(1, count - 1):
            triangles.append(corners[:, [0, i, i + 1]])
            owners.append(polygons)
    joined = np.concatenate(triangles)
    if len(joined) and not -1 < int(joined.min()) <= int(joined.max()) < 2**31:
        raise MeshError("its faces use vertex indices below 0 or above 2**31; export it again")
    return np.asarray(joined[np.argsort(np.concatenate(owners), kind="stable")])
