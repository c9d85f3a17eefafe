"""STL files: binary and ASCII."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import suppress

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
_INDEX = np.uint32  # `Mesh` refuses more vertices
_FACE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
# The rest of a line before one that begins with a keyword
_NAME = re.compile(rb"[^\r\n]*(?=[\r\n]\s*(?:facet|endsolid)(?!\S))")
_BLANKS = bytes.maketrans(b"\t\r\n\v\fabcdfghijklmnopqrstuvwxyz", b" " * 30)


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
        rest = len(data) - _HEADER_SIZE - _FACE_SIZE * count
        if rest >= _FACE_SIZE:  # less is padding
            folder.leave_out(f"{rest} bytes behind the {count} triangles that its header declares")
        corners = np.frombuffer(data, _FACE, count, _HEADER_SIZE)["corners"]
        return [_part(corners.reshape(-1, 3), folder.stem, folder.stem)]
    if _is_empty(data, count):
        return []
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


def _is_empty(data: bytes, count: int) -> bool:
    """Return whether a file is a whole STL without triangles."""
    if len(data) >= _HEADER_SIZE and count == 0:
        return len(data) < _HEADER_SIZE + _FACE_SIZE  # less is padding
    text = data.strip().lower()
    # `endsolid` before its name, if it has one, on the last line.
    last = text.replace(b"\r", b"\n").rpartition(b"\n")[2]
    return text.startswith(b"solid") and b"endsolid" in last and b"facet" not in text


def _part(corners: npt.NDArray[np.floating], name: str, key: object) -> MeshPart:
    return MeshPart(corners, np.arange(len(corners), dtype=_INDEX).reshape(-1, 3), name, key)


def _solids(text: bytes, lower: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each solid, and where its facets begin and end.

    Args:
        text: content of the file.
        lower: the same in lower case.
    """
    breaks = [place for place in (text.find(b"\n"), text.find(b"\r")) if place >= 0]
    has_lines = bool(breaks) and min(breaks) < lower.rfind(b"endsolid")
    start = 0
    while True:
        solid = _find_word(lower, b"solid", start)
        if solid < 0:
            return
        # A name is the rest of the line, or what stands before the first facet.
        inside = re.compile(rb"[\r\n]|(?<!\S)(facet|endsolid)(?!\S)").search(lower, solid + 5)
        inside_start = len(text) if inside is None else inside.start()
        line = _NAME.match(lower, solid + 5) if has_lines else None
        if line is not None and b"endfacet" not in line[0]:
            inside_start = line.end()  # the name may hold the words
        end = _find_word(lower, b"endsolid", inside_start)
        if end < 0:
            return
        yield text[solid + 5 : inside_start].strip(), inside_start, end
        start = end + len(b"endsolid")
        if has_lines:  # the name may hold the word solid
            line_end = re.compile(rb"[\r\n]").search(lower, start)
            start = len(text) if line_end is None else line_end.start()


def _find_word(text: bytes, word: bytes, start: int) -> int:
    """Return where a word begins that stands between white space, at or behind an offset, or -1."""
    while True:
        start = text.find(word, start)
        if start < 0:
            return -1
        around = text[max(start - 1, 0) : start], text[start + len(word) : start + len(word) + 1]
        if not any(character.strip() for character in around):
            return start
        start += 1


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
    # Of a keyword, an e behind a blank is left; that of an exponent is behind a digit.
    words = text.translate(_BLANKS).replace(b" e", b"  ")
    with suppress(MeshError):  # a normal may be no number
        numbers = numbers_in(words)
        # The normal and three corners. Some programs leave out the normal.
        for width in (12, 9):
            if len(numbers) == width * count:
                return numbers.reshape(count, width)[:, -9:].reshape(-1, 3)
    found = re.findall(rb"vertex\s+(\S+)\s+(\S+)\s+(\S+)", text)
    numbers = numbers_in(b" ".join(b" ".join(words) for words in found))
    if len(numbers) != 9 * count:
        raise MeshError(
            f"solid {name!r} has corners without three coordinates; "
            "it was damaged, copy or export it again"
        )
    return numbers.reshape(-1, 3)
