"""STL files: binary and ASCII."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ...errors import MeshError
from .face_limit import check_face_count
from .folder import MeshFolder
from .merge import MeshPart
from .number_text import numbers_in
from .options import LoadOptions
from .text import as_utf8

__all__ = ["stl_parts"]

_HEADER_SIZE, _FACE_SIZE = 84, 50
_FACE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_KEYWORDS = (b"endfacet", b"facet", b"normal", b"endloop", b"outer", b"loop", b"vertex")


def stl_parts(data: bytes, folder: MeshFolder, options: LoadOptions) -> list[MeshPart]:
    """Return one part for each solid of an STL file.

    Normals and the two attribute bytes of each triangle are not used. Bytes behind the declared
    triangles of a binary file are ignored.

    Args:
        data: content of the file.
        folder: its name is that of solids without a name.
        options: options of `load_mesh`.

    Raises:
        MeshError: it is neither ASCII nor binary STL, was cut short, or has too many faces.
    """
    count = struct.unpack("<I", data[80:84])[0] if len(data) >= _HEADER_SIZE else 0
    # Read as a count, the text of an ASCII file is more than 150 million triangles.
    if count and len(data) >= _HEADER_SIZE + _FACE_SIZE * count:
        check_face_count(count, options.max_faces, "declares")
        corners = np.frombuffer(data, _FACE, count, _HEADER_SIZE)["corners"]
        return [_part(corners.reshape(-1, 3), folder.stem, folder.stem)]
    if b"facet" not in data[:2048].lower():
        raise MeshError(
            f"it is neither ASCII nor binary STL: {count} declared triangles take "
            f"{_HEADER_SIZE + _FACE_SIZE * count} bytes, it has {len(data)}; "
            "it was cut short or damaged, copy it again"
        )
    text = as_utf8(data)
    lower = text.lower()
    check_face_count(lower.count(b"endfacet"), options.max_faces, "holds")
    if lower.rfind(b"endfacet") > lower.rfind(b"endsolid"):
        raise MeshError("its last solid does not end; it was cut short or damaged, copy it again")
    parts = []
    for i, (name, start, end) in enumerate(_solids(text, lower)):
        shown = name.decode("utf-8", "replace") or folder.stem
        corners = _corners(lower[start:end], shown)
        parts.append(_part(corners, shown, (i, name)))
    return parts


def _part(corners: npt.NDArray[np.floating], name: str, key: object) -> MeshPart:
    return MeshPart(corners, np.arange(len(corners)).reshape(-1, 3), name, key)


def _solids(text: bytes, lower: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each solid, and where its facets begin and end.

    Args:
        text: content of the file.
        lower: the same in lower case.
    """
    has_lines = b"\n" in text.strip() or b"\r" in text.strip()
    start = 0
    while True:
        found = re.compile(rb"(?<!\S)solid(?!\S)").search(lower, start)
        if found is None:
            return
        # A name is the rest of the line, or what stands before the first facet.
        inside = re.compile(rb"[\r\n]|(?<!\S)(facet|endsolid)(?!\S)").search(lower, found.end())
        inside_start = len(text) if inside is None else inside.start()
        end = re.compile(rb"(?<!\S)endsolid(?!\S)").search(lower, inside_start)
        if end is None:
            return
        yield text[found.end() : inside_start].strip(), inside_start, end.start()
        start = end.end()
        if has_lines:  # the name may hold the word solid
            line_end = re.compile(rb"[\r\n]").search(lower, start)
            start = len(text) if line_end is None else line_end.start()


def _corners(text: bytes, name: str) -> npt.NDArray[np.float64]:
    """Return (3 F, 3) corners of the facets of a solid.

    Args:
        text: the facets, in lower case.
        name: name of the solid.
    """
    count = text.count(b"endfacet")
    if text.count(b"vertex") != 3 * count:
        raise MeshError(
            f"solid {name!r} has {text.count(b'vertex')} corners in {count} facets; "
            "it was cut short or damaged, copy it again"
        )
    try:
        words = text
        for keyword in _KEYWORDS:
            words = words.replace(keyword, b"")
        numbers = numbers_in(words)
        # The normal and three corners. Some programs leave out the normal.
        for width in (12, 9):
            if len(numbers) == width * count:
                return numbers.reshape(count, width)[:, -9:].reshape(-1, 3)
    except MeshError:  # a normal may be no number
        pass
    found = re.findall(rb"vertex\s+(\S+)\s+(\S+)\s+(\S+)", text)
    numbers = numbers_in(b" ".join(b" ".join(words) for words in found))
    if len(numbers) != 9 * count:
        raise MeshError(
            f"solid {name!r} has corners without three coordinates; "
            "it was damaged, copy or export it again"
        )
    return numbers.reshape(-1, 3)
