"""Lines of an OBJ file: blocks of them, their keywords, and the numbers of `v` and `vt` lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from ..number_text import with_plain_nan

__all__ = [
    "FACE",
    "LINE",
    "OTHER",
    "POINT",
    "TEXTURE_VERTEX",
    "VERTEX",
    "Block",
    "blocks",
    "float_rows",
    "numbers",
    "tokens",
]

_Bytes = npt.NDArray[np.uint8]
_Indices = npt.NDArray[np.intp]

_BLOCK_BYTES = 1 << 23
_LINE_FEED, _SPACE, _HASH = 10, 32, 35
# Takes the place of the line feed of a continued line: blank, and counts as a line in messages.
_JOINT = b"\x0b"
_CONTINUED = re.compile(rb"(?m)^([^#\n]*)\\[ \t]*\n")
_NUMBERS = re.compile(rb"(?m)^[ \t]*vt?[ \t][^\n]*\.#[^\n]*")
# Kinds of lines
IGNORED, VERTEX, TEXTURE_VERTEX, FACE, POINT, LINE, OTHER = range(7)


class Block(NamedTuple):
    """Some lines of the file, in order. The keywords of lines of numbers are blanked.

    Attributes:
        content: (B,) bytes; each line ends with a line feed.
        starts: (L,) index of the first byte of each line.
        ends: (L,) index of the line feed of each line.
        kinds: (L,) kind of each line.
        line_number: number of the first line in the file, from 1.
    """

    content: _Bytes
    starts: _Indices
    ends: _Indices
    kinds: npt.NDArray[np.uint8]
    line_number: int

    def lines(self, kind: int) -> _Indices:
        """Return the indices of the lines of a kind."""
        return np.flatnonzero(self.kinds == kind)

    def text(self, line: int) -> bytes:
        """Return one line without its line feed."""
        return self.content[self.starts[line] : self.ends[line]].tobytes()

    def joined(self, lines: _Indices) -> _Bytes:
        """Return the content of some lines of the block, given in order."""
        if lines[-1] - lines[0] + 1 == len(lines):
            return self.content[self.starts[lines[0]] : self.ends[lines[-1]] + 1]
        is_chosen = np.zeros(len(self.kinds), np.bool_)
        is_chosen[lines] = True
        return self.content[np.repeat(is_chosen, self.ends - self.starts + 1)]

    def numbers(self, lines: _Indices) -> _Indices:
        """Return the numbers of lines in the file, from 1."""
        joints = np.flatnonzero(self.content == _JOINT[0])
        return self.line_number + lines + np.searchsorted(joints, self.starts[lines])

    def number(self, line: int) -> int:
        """Return the number of a line in the file, from 1."""
        return int(self.numbers(np.array([line]))[0])


def blocks(data: bytes) -> Iterator[Block]:
    """Yield the content of a file in blocks of whole lines.

    Line ends may be those of any system. A line that ends with a backslash goes on in the next one,
    and # begins a comment anywhere.

    Args:
        data: content of the file.
    """
    position = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    line_end = b"\n" if b"\n" in data else b"\r"
    line_number = 1
    while position < len(data):
        end = _end_of_block(data, position, line_end)
        text = data[position:end]
        position = end
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not text.endswith(b"\n"):
            text += b"\n"
        if b".#" in text:  # before # begins a comment
            text = _NUMBERS.sub(lambda line: with_plain_nan(line[0]), text)
        if b"\\" in text:
            text = _CONTINUED.sub(rb"\1 " + _JOINT, text)
            if not text.endswith(b"\n"):
                text += b"\n"
        yield _block(text, line_number)
        line_number += text.count(b"\n") + text.count(_JOINT)


def _end_of_block(data: bytes, start: int, line_end: bytes) -> int:
    end = data.rfind(line_end, start, start + _BLOCK_BYTES) + 1
    while True:
        if end == 0:
            end = data.find(line_end, start + _BLOCK_BYTES) + 1
        if end == 0 or end >= len(data):
            return len(data)
        if not data[max(end - 8, start) : end].rstrip().endswith(b"\\"):
            return end
        end = data.find(line_end, end) + 1
        if end == 0:
            return len(data)


def _block(text: bytes, line_number: int) -> Block:
    padded = np.frombuffer(bytearray(text + b"\n\n"), np.uint8)
    content = padded[:-2]
    ends = np.flatnonzero(content == _LINE_FEED)
    starts = np.concatenate((np.zeros(1, np.intp), ends[:-1] + 1))
    heads = _heads(content, starts)
    kinds = _kinds(padded, heads)
    # The keywords of numbers become blanks.
    content[heads[(kinds > IGNORED) & (kinds < POINT)]] = _SPACE
    content[heads[kinds == TEXTURE_VERTEX] + 1] = _SPACE
    _blank_comments(content, ends, kinds)
    return Block(content, starts, ends, kinds, line_number)


def _heads(content: _Bytes, starts: _Indices) -> _Indices:
    """Return where each line begins, without its indentation."""
    first = content[starts]
    is_indented = (first <= _SPACE) & (first != _LINE_FEED)
    if not is_indented.any():
        return starts
    stops = np.flatnonzero((content > _SPACE) | (content == _LINE_FEED))
    return np.where(is_indented, stops[np.searchsorted(stops, starts)], starts)


def _kinds(padded: _Bytes, heads: _Indices) -> npt.NDArray[np.uint8]:
    first, second, third = padded[heads], padded[heads + 1], padded[heads + 2]
    ends_after_1, ends_after_2 = second <= _SPACE, third <= _SPACE
    is_v = first == ord("v")
    kinds = np.full(len(heads), OTHER, np.uint8)
    kinds[(first == _LINE_FEED) | (first == _HASH)] = IGNORED
    kinds[is_v & ends_after_1] = VERTEX
    kinds[is_v & ends_after_2 & (second == ord("t"))] = TEXTURE_VERTEX
    kinds[is_v & ends_after_2 & ((second == ord("n")) | (second == ord("p")))] = IGNORED
    for letter, kind in (("f", FACE), ("p", POINT), ("l", LINE), ("g", IGNORED), ("s", IGNORED)):
        kinds[(first == ord(letter)) & ends_after_1] = kind
    return kinds


def _blank_comments(content: _Bytes, ends: _Indices, kinds: npt.NDArray[np.uint8]) -> None:
    """Overwrite the comments behind numbers with blanks."""
    hashes = np.flatnonzero(content == _HASH)
    if not len(hashes):
        return
    lines = np.searchsorted(ends, hashes)
    is_behind = (kinds[lines] > IGNORED) & (kinds[lines] < POINT)
    if not is_behind.any():
        return
    lines, first = np.unique(lines[is_behind], return_index=True)
    change = np.zeros(len(content), np.int8)
    change[hashes[is_behind][first]] = 1
    change[ends[lines]] -= 1
    content[np.cumsum(change, dtype=np.int8) > 0] = _SPACE


def tokens(content: _Bytes) -> tuple[_Indices, npt.NDArray[np.int64]]:
    """Return where each word begins, and how many there are in each line.

    Args:
        content: whole lines; the first byte is blank.
    """
    is_blank = content <= _SPACE
    begins = np.flatnonzero(is_blank[:-1] & ~is_blank[1:]) + 1
    ends = np.flatnonzero(content == _LINE_FEED)
    counts = np.diff(np.searchsorted(begins, ends), prepend=0)
    return begins, counts


def numbers(content: _Bytes, dtype: type, count: int) -> npt.NDArray[Any] | None:
    """Return the numbers of a text, separated by blanks; None if they are not `count` numbers."""
    if count == 0:
        return np.zeros(0, dtype)
    try:
        values: npt.NDArray[Any] = np.fromstring(content.tobytes(), dtype, sep=" ")
    except (ValueError, DeprecationWarning):  # it stopped at something else
        return None
    return values if len(values) == count else None


def float_rows(
    block: Block, kind: int, min_count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Return the numbers of the lines of a kind; None if there are no such lines.

    Args:
        block: lines of the file.
        kind: `VERTEX` or `TEXTURE_VERTEX`.
        min_count: smallest number of numbers in a line.

    Returns:
        All numbers, the index of the first one of each line, and how many each line has.

    Raises:
        MeshError: a line has too few numbers, or something else.
    """
    lines = block.lines(kind)
    if not len(lines):
        return None
    content = block.joined(lines)
    begins, counts = tokens(content)
    values = numbers(content, np.float64, len(begins))
    if values is None:
        raise _no_numbers(block, lines)
    if len(counts) and int(counts.min()) < min_count:
        line = int(lines[np.flatnonzero(counts < min_count)[0]])
        number = block.number(line)
        raise MeshError(
            f"line {number} has fewer than {min_count} numbers; it was cut short or damaged, "
            "copy it again"
        )
    return values, np.cumsum(counts) - counts, counts


def _no_numbers(block: Block, lines: _Indices) -> MeshError:
    """Return the error that names the first line that holds something else than numbers."""
    for line in lines.tolist():
        for word in block.text(line).split():
            values = numbers(np.frombuffer(b" " + word, np.uint8), np.float64, 1)
            if values is None:
                shown = word[:30].decode("utf-8", "replace")
                return MeshError(
                    f"line {block.number(line)} has {shown!r} in place of a number; "
                    "check or export it again"
                )
    return MeshError("its vertices are not numbers; check or export it again")
