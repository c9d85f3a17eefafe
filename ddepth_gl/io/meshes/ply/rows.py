"""Rows of PLY files, binary and text, as one array for each property."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from ..number_text import line_counts, numbers_in
from ..text import as_utf8
from .header import PlyElement, PlyHeader

__all__ = ["PlyList", "PlyTable", "binary_table", "read_tables"]

_CUT_SHORT = "it was cut short or damaged, copy it again"
_Ints = npt.NDArray[np.int64]


class PlyList(NamedTuple):
    """A list property: the items of all rows, and how many of them each row has."""

    items: npt.NDArray[Any]
    counts: _Ints


class PlyTable(NamedTuple):
    """The rows of an element, by the name of the property."""

    scalars: dict[str, npt.NDArray[Any]]
    lists: dict[str, PlyList]


def read_tables(data: bytes, header: PlyHeader) -> dict[str, PlyTable]:
    """Return the tables of all elements, by name. What follows the last one is ignored.

    Args:
        data: content of the file.
        header: its header.

    Raises:
        MeshError: a row is missing or incomplete.
    """
    elements = header.elements
    size = len(data) - header.end
    # In text, a value takes at least a digit and a space.
    rows = [2 * len(e.properties) if header.is_text else e.min_size for e in elements]
    min_size = sum(e.length * max(row, 1) for e, row in zip(elements, rows, strict=True))
    if min_size > size + 1:
        declared = ", ".join(f"{e.length} {e.name}" for e in elements)
        raise MeshError(
            f"it declares {declared}: at least {min_size} bytes, it has {size}; {_CUT_SHORT}"
        )
    if header.is_text:
        return _text_tables(as_utf8(data[header.end :]), elements)
    tables: dict[str, PlyTable] = {}
    offset = header.end
    for element in elements:
        table, offset = binary_table(data, offset, element)
        tables.setdefault(element.name, table)
    return tables


def binary_table(data: bytes, start: int, element: PlyElement) -> tuple[PlyTable, int]:
    """Return the table that begins at an offset, and the offset behind it."""
    if element.length == 0 or not element.properties:
        return _empty(element), start
    found = _uniform_table(data, start, element)
    if found is not None:
        return found
    starts = _row_starts(data, start, element)
    content = np.frombuffer(data, np.uint8)
    table = PlyTable({}, {})
    place = starts
    for name, item, count_type in element.properties:
        if count_type is None:
            table.scalars[name] = _gathered(content, place, item)
            place = place + item.itemsize
            continue
        counts = _gathered(content, place, count_type).astype(np.int64)
        place = place + count_type.itemsize
        places = _item_places(place, counts, item.itemsize)
        table.lists[name] = PlyList(_gathered(content, places, item), counts)
        place = place + counts * item.itemsize
    return table, int(place[-1])


def _uniform_table(data: bytes, start: int, element: PlyElement) -> tuple[PlyTable, int] | None:
    """Return a table whose lists have the same lengths in all rows; None for others."""
    fields: list[tuple[Any, ...]] = []
    lengths = {}
    offset = start
    for i, (_, item, count_type) in enumerate(element.properties):
        length = 0
        if count_type is not None:
            if offset + count_type.itemsize > len(data):
                return None
            length = lengths[i] = int(np.frombuffer(data, count_type, 1, offset)[0])
            fields.append((f"n{i}", count_type))
            offset += count_type.itemsize
            if not 0 <= length * item.itemsize <= len(data):
                return None
        fields.append((f"v{i}", item) if count_type is None else (f"v{i}", item, (length,)))
        offset += item.itemsize * (1 if count_type is None else length)
    end = start + (offset - start) * element.length
    if end > len(data):
        if not lengths:
            raise MeshError(f"its {element.name} rows end early; {_CUT_SHORT}")
        return None
    rows = np.frombuffer(data, np.dtype(fields), element.length, start)
    if any((rows[f"n{i}"] != length).any() for i, length in lengths.items()):
        return None
    table = PlyTable({}, {})
    for i, (name, _, count_type) in enumerate(element.properties):
        if count_type is None:
            table.scalars[name] = rows[f"v{i}"]
        else:
            items = rows[f"v{i}"].reshape(-1)
            table.lists[name] = PlyList(items, np.full(element.length, lengths[i]))
    return table, end


def _row_starts(data: bytes, start: int, element: PlyElement) -> _Ints:
    """Return the offset of each row of an element whose lists vary in length."""
    before = 0
    lists: list[tuple[int, struct.Struct, int]] = []  # bytes before the count, count, item size
    for _, item, count_type in element.properties:
        if count_type is None:
            before += item.itemsize
        else:
            order = count_type.str[0].replace("|", "<")
            lists.append((before, struct.Struct(order + count_type.char), item.itemsize))
            before = 0
    starts = []
    offset = start
    try:
        if len(lists) == 1 and lists[0][1].size == 1 and lists[0][1].format[-1] == "B":
            at, _, size = lists[0]
            rest = at + 1 + before
            for _ in range(element.length):
                starts.append(offset)
                offset += rest + data[offset + at] * size
        else:
            for _ in range(element.length):
                starts.append(offset)
                for at, count, size in lists:
                    (length,) = count.unpack_from(data, offset + at)
                    if length < 0:
                        raise MeshError(
                            f"{element.name} {len(starts) - 1} has a list of {length} items; "
                            "it is damaged, export it again"
                        )
                    offset += at + count.size + length * size
                offset += before
    except (IndexError, struct.error):
        offset = len(data) + 1
    if offset > len(data):
        raise MeshError(
            f"its {element.name} rows end after {len(starts) - 1} of {element.length}; {_CUT_SHORT}"
        )
    return np.array(starts, np.int64)


def _gathered(content: npt.NDArray[np.uint8], places: _Ints, item: np.dtype[Any]) -> Any:
    """Return the values at byte offsets."""
    values = np.empty((len(places), item.itemsize), np.uint8)
    for i in range(item.itemsize):
        values[:, i] = content[places + i]
    return values.view(item)[:, 0]


def _item_places(starts: _Ints, counts: _Ints, size: int) -> _Ints:
    """Return the offsets of all items of lists that begin at offsets."""
    first = np.cumsum(counts) - counts
    return np.repeat(starts - first * size, counts) + np.arange(int(counts.sum())) * size


def _text_tables(text: bytes, elements: list[PlyElement]) -> dict[str, PlyTable]:
    """Return the tables of a text: one row a line, or with other line breaks."""
    if b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    lines = line_counts(text)
    tables: dict[str, PlyTable] = {}
    row_count = sum(e.length for e in elements)
    numbers = numbers_in(_first_lines(text, row_count) if row_count < len(lines) else text)
    starts = np.cumsum(lines) - lines
    row = 0
    for element in elements:
        if row + element.length > len(lines):
            break
        rows = slice(row, row + element.length)
        found = _text_table(numbers, starts[rows], element)
        if found is None or (found[1] != starts[rows] + lines[rows]).any():
            break
        tables.setdefault(element.name, found[0])
        row += element.length
    else:
        return tables
    # Rows over several lines: then every number has to be that of a row.
    tables = {}
    numbers = numbers_in(text)
    offset = 0
    for element in elements:
        places = _word_starts(numbers, offset, element)
        found = None if places is None else _text_table(numbers, places, element)
        if found is None:
            raise MeshError(f"its {element.name} rows are incomplete; {_CUT_SHORT}")
        tables.setdefault(element.name, found[0])
        offset = int(found[1][-1]) if element.length else offset
    if offset != len(numbers):
        raise MeshError(
            f"its rows have {offset} numbers and it holds {len(numbers)}; "
            "a row is incomplete or too long, export it again"
        )
    return tables


def _first_lines(text: bytes, count: int) -> bytes:
    """Return the first lines that are not blank."""
    end, left = 0, count
    while left:
        stop = text.find(b"\n", end)
        stop = len(text) if stop < 0 else stop
        left -= bool(text[end:stop].strip())
        end = stop + 1
        if stop == len(text):
            break
    return text[:end]


def _word_starts(
    numbers: npt.NDArray[np.float64], offset: int, element: PlyElement
) -> _Ints | None:
    """Return the index of the first number of each row; None if the numbers do not suffice."""
    width = len(element.properties)
    if not element.has_lists:
        return offset + width * np.arange(element.length)
    starts = []
    for _ in range(element.length):
        starts.append(offset)
        for prop in element.properties:
            if prop.count_type is not None:
                if offset >= len(numbers) or not 0 <= numbers[offset] <= len(numbers):
                    return None
                offset += int(numbers[offset])
            offset += 1
    return np.array(starts, np.int64)


def _text_table(
    numbers: npt.NDArray[np.float64], starts: _Ints, element: PlyElement
) -> tuple[PlyTable, _Ints] | None:
    """Return the rows that begin at given numbers and where they end; None if they do not fit."""
    table = PlyTable({}, {})
    place = starts
    for name, item, count_type in element.properties:
        if len(place) and int(place.max()) >= len(numbers):
            return None
        values = numbers[place]
        place = place + 1
        if count_type is None:
            table.scalars[name] = _as_type(values, item)
            continue
        counts = np.where(np.isfinite(values), values, -1).clip(-1, len(numbers)).astype(np.int64)
        if len(place) and ((counts < 0).any() or int((place + counts).max()) > len(numbers)):
            return None
        if int(counts.sum()) > len(numbers):  # rows that overlap
            return None
        items = numbers[_item_places(place, counts, 1)]
        table.lists[name] = PlyList(_as_type(items, item), counts)
        place = place + counts
    return table, place


def _as_type(values: npt.NDArray[np.float64], item: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return numbers of a text as their declared type, if that holds them."""
    if item.kind == "f":
        with np.errstate(over="ignore"):
            return values.astype(item)
    limits = np.iinfo(item)
    if (values != np.floor(values)).any():
        return values
    low, high = values.min(initial=0.0), values.max(initial=0.0)
    if limits.min <= low and high <= limits.max and item.itemsize < 8:
        return values.astype(item)
    return values.astype(np.int64) if max(-low, high) < 2.0**53 else values


def _empty(element: PlyElement) -> PlyTable:
    lists = [p for p in element.properties if p.count_type is not None]
    nothing = np.zeros(0, np.int64)
    return PlyTable(
        {p.name: np.zeros(0, p.type) for p in element.properties if p.count_type is None},
        {p.name: PlyList(np.zeros(0, p.type), nothing) for p in lists},
    )
