"""Face lines of an OBJ file: the indices of their corners, in any of the four forms."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from .lines import FACE, TEXTURE_VERTEX, VERTEX, Block, numbers, tokens

__all__ = ["NO_UV", "Corners", "block_corners"]

_Ints = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]
_SLASH, _SPACE = ord("/"), ord(" ")
_MAX_INDEX = 2**31 - 2  # more than a file of 2 GiB can hold
NO_UV = -1  # index of the texture coordinates of a corner without
_NONE = -(2**40)  # the same, as if written in the file
# Forms of a corner: numbers in each, and whether the second one is that of a `vt`
_V, _V_VT, _V_VN, _V_VT_VN, _ODD = range(5)
_WIDTHS = (1, 2, 2, 3)
# No file has 20 digits of vertices, and Python refuses to read thousands of digits.
_CORNER = re.compile(rb"([+-]?\d{1,40})(?:/([+-]?\d{1,40})?)?(?:/(?:[+-]?\d{1,40})?)?")


class Corners(NamedTuple):
    """The corners of the faces of a block.

    Attributes:
        vertex: (C,) int32 indices of `v` lines, from 0; maybe too large.
        uv: (C,) int32 indices of `vt` lines, maybe too large; `NO_UV` for corners without.
            None if there is none.
        counts: (P,) corners of each face line.
        lines: (P,) number of each face line in the file.
    """

    vertex: npt.NDArray[np.int32]
    uv: npt.NDArray[np.int32] | None
    counts: _Ints
    lines: _Ints


def block_corners(
    block: Block, vertices_before: int, uv_before: int, with_uv: bool
) -> Corners | None:
    """Return the corners of the faces of a block; None if it has no faces.

    Args:
        block: lines of the file.
        vertices_before: number of `v` lines before the block.
        uv_before: number of `vt` lines before the block.
        with_uv: whether texture coordinates are wanted.

    Raises:
        MeshError: a line is no face, or uses vertex 0 or one too far back.
    """
    lines = block.lines(FACE)
    if not len(lines):
        return None
    content = block.joined(lines)
    begins, counts = tokens(content)
    parsed = _uniform(content, begins)
    if parsed is None:
        parsed = _mixed(block, lines, content, begins, counts)
    vertex, uv = parsed
    vertex = _from_0(block, lines, counts, vertex, VERTEX, vertices_before)
    if uv is not None:
        uv = _from_0(block, lines, counts, uv, TEXTURE_VERTEX, uv_before) if with_uv else None
    return Corners(
        vertex.astype(np.int32),
        None if uv is None else uv.astype(np.int32),
        counts,
        block.numbers(lines),
    )


def _uniform(content: _Bytes, begins: npt.NDArray[np.intp]) -> tuple[_Ints, _Ints | None] | None:
    """Return the indices of corners, as written; None unless all have the same form."""
    slashes = np.flatnonzero(content == _SLASH)
    count = len(begins)
    if not len(slashes):
        form = _V
    elif len(slashes) == count:
        form = _V_VT
    elif len(slashes) == 2 * count:
        doubled = slashes[0::2] + 1 == slashes[1::2]
        if doubled.any() and not doubled.all():
            return None
        form = _V_VN if doubled.all() else _V_VT_VN
    else:
        return None
    if len(slashes):
        each = len(slashes) // count
        first, last = slashes[0::each], slashes[each - 1 :: each]
        # Every word must have its slashes inside.
        if not ((first > begins).all() and (last[:-1] < begins[1:]).all()):
            return None
        content = np.where(content == _SLASH, np.uint8(_SPACE), content)
    width = _WIDTHS[form]
    values = numbers(content, np.int64, width * count)
    if values is None:
        return None
    return values[0::width], values[1::width] if form in (_V_VT, _V_VT_VN) else None


def _mixed(
    block: Block,
    lines: npt.NDArray[np.intp],
    content: _Bytes,
    begins: npt.NDArray[np.intp],
    counts: _Ints,
) -> tuple[_Ints, _Ints | None]:
    """Return the indices of corners, as written, of faces in different forms."""
    slashes = np.flatnonzero(content == _SLASH)
    first_slash = np.searchsorted(slashes, begins)
    slash_counts = np.diff(first_slash, append=len(slashes))
    forms = np.array([_V, _V_VT, _V_VT_VN, _ODD])[np.minimum(slash_counts, 3)]
    two = np.flatnonzero(slash_counts == 2)
    forms[two[slashes[first_slash[two]] + 1 == slashes[first_slash[two] + 1]]] = _V_VN
    vertex = np.zeros(len(begins), np.int64)
    uv = np.full(len(begins), _NONE, np.int64)
    is_filled = counts > 0
    firsts = (np.cumsum(counts) - counts)[is_filled]
    line_form = np.full(len(lines), _V)
    if len(firsts):
        low, high = np.minimum.reduceat(forms, firsts), np.maximum.reduceat(forms, firsts)
        line_form[is_filled] = np.where(low == high, low, _ODD)
    odd = line_form == _ODD
    for form in (_V, _V_VT, _V_VN, _V_VT_VN):
        chosen = np.flatnonzero((line_form == form) & is_filled)
        if not len(chosen):
            continue
        part = block.joined(lines[chosen])
        parsed = _uniform(part, tokens(part)[0])
        if parsed is None:
            odd[chosen] = True
            continue
        is_corner = np.repeat((line_form == form) & is_filled, counts)
        vertex[is_corner] = parsed[0]
        if parsed[1] is not None:
            uv[is_corner] = parsed[1]
    starts = np.cumsum(counts) - counts
    for face in np.flatnonzero(odd).tolist():
        corners = _odd_line(block, int(lines[face]))
        place = slice(starts[face], starts[face] + counts[face])
        vertex[place] = [corner[0] for corner in corners]
        uv[place] = [corner[1] for corner in corners]
    return vertex, uv if (uv != _NONE).any() else None


def _odd_line(block: Block, line: int) -> list[tuple[int, int]]:
    """Return the indices of the corners of one face, as written."""
    words = block.text(line).split()
    corners = [corner for word in words if (corner := _corner(word)) is not None]
    if len(corners) != len(words):
        shown = b" ".join(words)[:40].decode("utf-8", "replace")
        raise MeshError(
            f"the face on line {block.number(line)} is {shown!r}, not indices like 1/2/3; "
            "check or export it again"
        )
    if len({uv == _NONE for _, uv in corners}) > 1:
        raise MeshError(
            f"the face on line {block.number(line)} mixes corners with and without texture "
            "coordinates; export it again"
        )
    return corners


def _corner(word: bytes) -> tuple[int, int] | None:
    """Return the indices of a corner, as written; None if it is no corner."""
    match = _CORNER.fullmatch(word)
    if match is None:
        return None
    vertex, uv = (max(-_MAX_INDEX, min(int(i), _MAX_INDEX)) if i else _NONE for i in match.groups())
    return vertex, uv


def _from_0(
    block: Block,
    lines: npt.NDArray[np.intp],
    counts: _Ints,
    indices: _Ints,
    kind: int,
    before: int,
) -> _Ints:
    """Return indices from 0, given those of the file: from 1, or back from their line."""
    if len(indices) == 0 or int(indices.min()) > 0:
        return np.minimum(indices, _MAX_INDEX) - 1
    is_none = indices == _NONE
    available = before + np.searchsorted(block.lines(kind), lines)
    result = np.where(
        indices > 0,
        np.minimum(indices, _MAX_INDEX) - 1,
        np.maximum(indices, _NONE) + np.repeat(available, counts),
    )
    result[is_none] = NO_UV
    is_bad = ((indices == 0) | (result < 0)) & ~is_none
    if not is_bad.any():
        return result
    if kind == TEXTURE_VERTEX:  # told later, with those that are too large
        result[is_bad] = _MAX_INDEX
        return result
    bad = int(np.flatnonzero(is_bad)[0])
    face = int(np.searchsorted(np.cumsum(counts), bad, side="right"))
    number, index = block.number(int(lines[face])), int(indices[bad])
    if index == 0:
        raise MeshError(
            f"the face on line {number} uses vertex 0, but OBJ counts from 1; export it again"
        )
    raise MeshError(
        f"the face on line {number} refers {-index} lines back, but there are only "
        f"{available[face]}; export it again"
    )
