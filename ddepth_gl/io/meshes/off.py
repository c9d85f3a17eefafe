"""OFF files, as text and binary: polygons with colors and texture coordinates."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..._text import counted
from ...errors import MeshError
from .face_limit import check_face_count
from .folder import MeshFolder
from .merge import MeshPart
from .number_text import line_counts, numbers_in, with_plain_nan
from .options import LoadOptions
from .ply.header import PlyElement, PlyProperty
from .ply.rows import PlyList, binary_table
from .polygon_parts import checked_corners, polygon_parts, srgb_colors
from .text import as_utf8

__all__ = ["off_parts"]

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
_HEADER = re.compile(rb"\s*((?:ST|C|N|4|n)*)(?:OFF|off|Off)(?![A-Za-z])")
_BINARY = re.compile(rb"[ \t]+BINARY[ \t]*\r?\n")
_CUT_SHORT = "it was cut short or damaged, copy it again"


class _Layout(NamedTuple):
    """The numbers of a vertex: coordinates, then normal, color, and texture coordinates."""

    prefix: str
    dimension: int = 3

    @property
    def coordinates(self) -> int:
        """Number of coordinates, with the homogeneous one."""
        return self.dimension + ("4" in self.prefix)

    @property
    def before_color(self) -> int:
        """Number of coordinates and components of the normal."""
        return self.coordinates + 3 * ("N" in self.prefix)

    def width(self, color: int = 4) -> int:
        """Return the number of numbers, given that of the color."""
        color = color if "C" in self.prefix else 0
        return self.before_color + color + 2 * ("ST" in self.prefix)


class _Content(NamedTuple):
    """The tables of an OFF file."""

    vertices: npt.NDArray[np.floating]  # (V, width)
    color_width: int
    corners: PlyList
    colors: PlyList
    rest: int = 0  # numbers behind the faces


def off_parts(data: bytes, folder: MeshFolder, options: LoadOptions) -> list[MeshPart]:
    """Return the polygons of an OFF file as triangles, in one part.

    The format is that of Geomview, ``[ST][C][N][4][n]OFF [BINARY]``. A fourth coordinate divides
    the others. Colors are fractions if none of the file is above 1, else 0..255. Where the
    vertices have colors, those of faces are left out; indices of a color map always are.

    Args:
        data: content of the file.
        folder: its name is that of the object.
        options: options of `load_mesh`.

    Raises:
        MeshError: the file is damaged or incomplete, has too many faces or another dimension.
    """
    found = _HEADER.match(data)
    text = data
    is_binary = found is not None and _BINARY.match(data, found.end()) is not None
    if not is_binary:
        text = as_utf8(data)
        if b"#" in text:
            text = with_plain_nan(text)
            text = re.sub(rb"#[^\r\n]*", b"", text)
        found = _HEADER.match(text)
    if found is None:
        raise MeshError(
            "it does not begin with OFF; check that it is complete and not another format"
        )
    layout = _Layout(found[1].decode("ascii"))
    read = _binary_content if is_binary else _text_content
    layout, content = read(text, found.end(), layout, options.max_faces)
    rows, corners = content.vertices, content.corners
    vertices = rows[:, :3]
    if "4" in layout.prefix:
        with np.errstate(all="ignore"):  # divided by 0, a vertex is infinite
            vertices = vertices.astype(np.float64) / rows[:, layout.coordinates - 1, None]
    indices = checked_corners(corners.items, corners.counts, len(vertices))
    if content.rest:
        faces = counted(len(corners.counts), "face")
        folder.leave_out(f"{counted(content.rest, 'number')} behind the {faces} that it declares")
    colors = uv = face_colors = None
    if options.appearance:
        begin = layout.before_color
        end = begin + content.color_width
        if content.color_width in (3, 4):
            colors = srgb_colors([rows[:, i].astype(np.float64) for i in range(begin, end)])
        elif content.color_width:
            folder.leave_out("vertex colors that are indices of a color map")
        further = rows.shape[1] - layout.width(content.color_width)
        if further:
            numbers = counted(further, "number")
            folder.leave_out(f"{numbers} of each vertex, which {layout.prefix}OFF does not define")
        if "ST" in layout.prefix:
            uv = rows[:, end : end + 2]
        face_colors = _face_colors(content.colors, folder)
        if colors is not None and face_colors is not None:
            folder.leave_out("face colors, because its vertices have colors too")
            face_colors = None
    return polygon_parts(
        vertices,
        indices,
        corners.counts,
        folder,
        options.max_faces,
        colors=colors,
        uv=uv,
        face_colors=face_colors,
    )


def _face_colors(colors: PlyList, folder: MeshFolder) -> npt.NDArray[np.uint8] | None:
    """Return (P, 4) colors; white for faces without; None if no face has one."""
    indexed = int(((colors.counts > 0) & (colors.counts != 3) & (colors.counts != 4)).sum())
    if indexed:
        folder.leave_out(f"colors of {counted(indexed, 'face')}, which are of a color map")
    is_colored = (colors.counts == 3) | (colors.counts == 4)
    if not is_colored.any():
        return None
    starts = (np.cumsum(colors.counts) - colors.counts)[is_colored]
    has_alpha = colors.counts[is_colored] == 4
    items = np.append(colors.items.astype(np.float64), 0.0)
    columns = [items[starts + i] for i in range(3)]
    opaque = 1.0 if max(float(c.max()) for c in columns) <= 1.0 else 255.0
    columns.append(np.where(has_alpha, items[starts + 3], opaque))
    result = np.full((len(colors.counts), 4), 255, np.uint8)
    result[is_colored] = srgb_colors(columns)
    return result


def _check_counts(vertex_count: int, face_count: int, available: int, max_faces: int) -> None:
    """Raise MeshError on counts that the limit or the file does not allow.

    Args:
        vertex_count: declared number of vertices.
        face_count: declared number of faces.
        available: numbers that the file holds for them.
        max_faces: largest number of faces.
    """
    check_face_count(face_count, max_faces, "declares")
    if min(vertex_count, face_count) < 0 or 3 * vertex_count + face_count > available:
        raise MeshError(
            f"it declares {counted(vertex_count, 'vertex', 'vertices')} and "
            f"{counted(face_count, 'face')} but holds {counted(available, 'number')}; {_CUT_SHORT}"
        )


def _checked_layout(layout: _Layout, dimension: int) -> _Layout:
    if dimension != 3:
        raise MeshError(
            f"it is nOFF with vertices of dimension {dimension}, not 3; export it as plain OFF"
        )
    return layout._replace(dimension=dimension)


def _binary_content(
    data: bytes, offset: int, layout: _Layout, max_faces: int
) -> tuple[_Layout, _Content]:
    """Return the content of a binary OFF: big-endian integers and floats of 4 bytes."""
    found = _BINARY.match(data, offset)
    offset = found.end() if found else offset
    header_count = 4 if "n" in layout.prefix else 3
    if len(data) < offset + 4 * header_count:
        raise MeshError(f"it ends in its header; {_CUT_SHORT}")
    header = np.frombuffer(data, ">i4", header_count, offset).tolist()
    if "n" in layout.prefix:
        layout = _checked_layout(layout, header.pop(0))
    vertex_count, face_count = header[:2]
    offset += 4 * header_count
    _check_counts(vertex_count, face_count, (len(data) - offset) // 4, max_faces)
    width = layout.width()
    end = offset + 4 * width * vertex_count
    if end > len(data):
        raise MeshError(f"its vertices end early; {_CUT_SHORT}")
    vertices = np.frombuffer(data, ">f4", width * vertex_count, offset).reshape(-1, width)
    integer, number = np.dtype(">i4"), np.dtype(">f4")
    properties = [PlyProperty("i", integer, integer), PlyProperty("c", number, integer)]
    table, _ = binary_table(data, end, PlyElement("face", face_count, properties))
    color_width = 4 if "C" in layout.prefix else 0
    return layout, _Content(vertices, color_width, table.lists["i"], table.lists["c"])


def _text_content(
    text: bytes, offset: int, layout: _Layout, max_faces: int
) -> tuple[_Layout, _Content]:
    """Return the content of a text OFF, whose words any white space separates.

    Line breaks matter at the end of a face: what follows its corners on the line is its color.
    They also show how many numbers a vertex has.
    """
    text = text[offset:]
    numbers, ends = numbers_in(text), np.cumsum(line_counts(text))
    if "n" in layout.prefix and len(numbers):
        layout = _checked_layout(layout, int(np.nan_to_num(numbers[0]).clip(-1, 1e9)))
    start = 1 if "n" in layout.prefix else 0
    if len(numbers) < start + 2 or (numbers[start : start + 2] % 1 != 0).any():
        raise MeshError("it has no vertex and face counts after OFF; check that it is complete")
    vertex_count, face_count = (int(n) for n in numbers[start : start + 2])
    # The number of edges is sometimes missing, behind two counts on a line.
    start += 2 if start + 2 in ends and start + 1 not in ends else 3
    _check_counts(vertex_count, face_count, len(numbers) - start, max_faces)
    width, color_width = _vertex_width(ends, start, vertex_count, face_count, layout)
    stop = start + width * vertex_count
    if stop > len(numbers):
        raise MeshError(f"its vertices end early; {_CUT_SHORT}")
    vertices = numbers[start:stop].reshape(-1, width)
    rows = _face_rows(numbers, ends, stop, face_count)
    if rows is None:
        raise MeshError(f"its faces end early, or have corners missing; {_CUT_SHORT}")
    starts, counts, color_counts = rows
    rest = len(numbers) - stop - int((1 + counts + color_counts).sum())
    is_odd = (color_counts == 2) | (color_counts > 4) | ((counts == 0) & (color_counts > 0))
    if (rest and color_counts.any()) or is_odd.any():
        raise MeshError(
            f"its numbers do not fit {counted(face_count, 'face')}; "
            "write each vertex and each face on a line of its own"
        )
    return layout, _Content(
        vertices,
        color_width,
        PlyList(numbers[_places(starts + 1, counts)], counts),
        PlyList(numbers[_places(starts + 1 + counts, color_counts)], color_counts),
        rest,
    )


def _vertex_width(
    ends: _Ints, start: int, vertex_count: int, face_count: int, layout: _Layout
) -> tuple[int, int]:
    """Return how many numbers a vertex has, and how many of them are its color.

    Args:
        ends: number of words up to the end of each line.
        start: index of the first number of the vertices.
        vertex_count: number of vertices.
        face_count: number of faces.
        layout: what a vertex consists of.
    """
    has_color = "C" in layout.prefix
    line = int(np.searchsorted(ends, start, side="right"))
    is_at_line = line == 0 or ends[line - 1] == start
    if is_at_line and vertex_count and line + vertex_count + face_count <= len(ends):
        widths = np.diff(ends[line : line + vertex_count], prepend=start)
        width = int(widths[0])
        if (widths == width).all() and width >= layout.width(0):
            return width, min(width - layout.width(0), 4) if has_color else 0
        if int(widths.min()) >= layout.width(0) and line + vertex_count + face_count == len(ends):
            raise MeshError(
                f"its vertices have {int(widths.min())} to {int(widths.max())} numbers, "
                "not the same number in every line; export it again"
            )
    return layout.width(), 4 if has_color else 0


def _face_rows(
    numbers: _Floats, ends: _Ints, start: int, face_count: int
) -> tuple[_Ints, _Ints, _Ints] | None:
    """Return where each face begins, its number of corners and that of the numbers behind them.

    Returns:
        None if the numbers do not suffice.
    """
    line = int(np.searchsorted(ends, start, side="right"))
    if (line == 0 or ends[line - 1] == start) and line + face_count <= len(ends):
        stops = ends[line : line + face_count]
        starts = np.concatenate(([start], stops[:-1]))[: len(stops)]
        given = numbers[starts]
        counts = np.where(np.isfinite(given), given, -1).clip(-1, len(numbers)).astype(np.int64)
        rest = stops - starts - 1 - counts
        if (counts >= 0).all() and (rest >= 0).all():
            return starts, counts, rest
    for with_colors in (True, False):
        rows = _scanned_rows(numbers, ends, start, face_count, with_colors)
        if rows is not None:
            return rows
    return None


def _scanned_rows(
    numbers: _Floats, ends: _Ints, start: int, face_count: int, with_colors: bool
) -> tuple[_Ints, _Ints, _Ints] | None:
    """Return the same for faces over several lines, or several on a line."""
    starts, counts, rests = [], [], []
    line_end = np.repeat(ends, np.diff(ends, prepend=0)).tolist()  # of each word
    for _ in range(face_count):
        if start >= len(numbers) or not 0 <= numbers[start] < len(numbers) - start:
            return None
        count = int(numbers[start])
        stop = start + 1 + count
        rest = line_end[stop - 1] - stop
        rest = rest if with_colors and rest <= 4 else 0
        starts.append(start)
        counts.append(count)
        rests.append(rest)
        start = stop + rest
    return np.array(starts, np.int64), np.array(counts, np.int64), np.array(rests, np.int64)


def _places(starts: _Ints, counts: _Ints) -> _Ints:
    """Return the indices of all items of runs that begin at given indices."""
    first = np.cumsum(counts) - counts
    return np.repeat(starts - first, counts) + np.arange(int(counts.sum()))
