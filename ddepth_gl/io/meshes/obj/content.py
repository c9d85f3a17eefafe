"""Content of an OBJ file as arrays, before its polygons are cut and its objects are told apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...._text import counted
from ....errors import MeshError
from ..face_limit import check_face_count
from .colors import columns, row_colors, vertex_colors
from .faces import NO_UV, Corners, block_corners
from .lines import (
    FACE,
    LINE,
    OTHER,
    POINT,
    TEXTURE_VERTEX,
    VERTEX,
    Block,
    blocks,
    float_rows,
)
from .mtl import decoded, without_comment

__all__ = ["ObjContent", "parsed_obj"]

_MAX_KEYWORDS = 100
_CURVES = (b"curv", b"curv2", b"surf")
# Statements that say nothing about polygons: free-form geometry, and how to display it.
_SILENT = frozenset(
    b"bevel bmat bsp bzp c_interp cdc cdp con cstype csh call ctech d_interp deg end hole lod "
    b"maplib mg parm res scrv shadow_obj sp stech step trace_obj trim usemap".split()
)


@dataclass
class ObjContent:
    """Arrays and names of a file.

    Attributes:
        vertices: (V, 3) float64.
        colors: (V, 4) uint8 sRGB, white where a vertex has none; None if no vertex has one.
        uv: (T, 2) float64.
        corner_vertex: (C,) int32 indices of vertices.
        corner_uv: (C,) int32 indices of `uv`, -1 for all corners of faces without; None if there
            are no faces with.
        counts: (P,) corners of each face line.
        object_of_polygon: (P,) index into `objects`.
        objects: name and material of each object, in order of appearance; None where there is no
            `o` or `usemtl`.
        libraries: what stands behind each `mtllib`.
        left_out: what was not read, one text each.
    """

    vertices: npt.NDArray[np.float64]
    colors: npt.NDArray[np.uint8] | None
    uv: npt.NDArray[np.float64]
    corner_vertex: npt.NDArray[np.int32]
    corner_uv: npt.NDArray[np.int32] | None
    counts: npt.NDArray[np.int64]
    object_of_polygon: npt.NDArray[np.int64]
    objects: list[tuple[str | None, str | None]]
    libraries: list[str]
    left_out: list[str]


@dataclass
class _Collected:
    """Arrays and statements of the blocks so far."""

    vertices: list[npt.NDArray[np.float64]] = field(default_factory=list)
    colors: list[npt.NDArray[np.float32] | None] = field(default_factory=list)
    uv: list[npt.NDArray[np.float64]] = field(default_factory=list)
    corners: list[Corners] = field(default_factory=list)
    vertex_count: int = 0
    uv_count: int = 0
    polygon_count: int = 0
    triangle_count: int = 0
    # Changes of object or material: number of polygons before, whether it is an object, name
    changes: list[tuple[int, bool, str]] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)
    points: int = 0
    lines: int = 0
    others: Counter[bytes] = field(default_factory=Counter)


def parsed_obj(
    data: bytes, max_faces: int, *, with_colors: bool, with_uv: bool, max_objects: int
) -> ObjContent:
    """Return the content of an OBJ file.

    Args:
        data: content of the file.
        max_faces: largest number of triangles.
        with_colors: whether vertex colors are wanted.
        with_uv: whether texture coordinates are wanted.
        max_objects: of files with more `o` statements, these are ignored.

    Raises:
        MeshError: it is no OBJ, has a face that uses a vertex that does not exist, or has too many.
    """
    if b"\0" in data:
        raise MeshError("it is not an OBJ: it is not text; check the name of the file")
    found = _Collected()
    for block in blocks(data):
        _collect(block, found, with_colors, with_uv, max_faces)
    counts = _joined([each.counts for each in found.corners], np.int64)
    corner_vertex = _joined([each.vertex for each in found.corners], np.int32)
    _check_vertices(corner_vertex, found)
    left_out = _left_out(found)
    odd = sum(int(np.isnan(each[:, 0]).sum()) for each in found.colors if each is not None)
    if odd:
        left_out.append(f"colors of {counted(odd, 'vertex', 'vertices')}: not numbers")
    corner_uv = None
    if any(each.uv is not None for each in found.corners):
        corner_uv = _joined(
            [
                np.full(len(each.vertex), NO_UV, np.int32) if each.uv is None else each.uv
                for each in found.corners
            ],
            np.int32,
        )
        lost = _drop_missing_uv(corner_uv, counts, found.uv_count)
        if lost:
            left_out.append(
                f"texture coordinates of {counted(lost, 'face')}, which are not in the file"
            )
    object_of_polygon, objects = _objects(found, max_objects)
    return ObjContent(
        _joined(found.vertices, np.float64, 3),
        vertex_colors(found.colors, [len(each) for each in found.vertices]),
        _joined(found.uv, np.float64, 2),
        corner_vertex,
        corner_uv,
        counts,
        object_of_polygon,
        objects,
        found.libraries,
        left_out,
    )


def _collect(
    block: Block, found: _Collected, with_colors: bool, with_uv: bool, max_faces: int
) -> None:
    corners = block_corners(block, found.vertex_count, found.uv_count, with_uv)
    rows = float_rows(block, VERTEX, 3)
    if rows is not None:
        values, starts, counts = rows
        found.vertices.append(columns(values, starts, counts, 0, 3))
        found.colors.append(row_colors(*rows) if with_colors else None)
        found.vertex_count += len(starts)
    if with_uv:
        rows = float_rows(block, TEXTURE_VERTEX, 1)
        if rows is not None:
            found.uv.append(_uv(*rows))
            found.uv_count += len(rows[1])
    faces = block.lines(FACE)
    for line in block.lines(OTHER).tolist():
        before = found.polygon_count + int(np.searchsorted(faces, line))
        _collect_statement(block.text(line), before, found)
    found.points += len(block.lines(POINT))
    found.lines += len(block.lines(LINE))
    if corners is not None:
        found.corners.append(corners)
        found.polygon_count += len(corners.counts)
        found.triangle_count += int(np.maximum(corners.counts - 2, 0).sum())
        check_face_count(found.triangle_count, max_faces, "holds")


def _collect_statement(line: bytes, polygons_before: int, found: _Collected) -> None:
    words = line.split(maxsplit=1)
    if not words:
        return
    keyword, rest = words[0], words[1] if len(words) > 1 else b""
    if keyword in (b"o", b"usemtl"):
        name = without_comment(decoded(rest))
        found.changes.append((polygons_before, keyword == b"o", name))
    elif keyword == b"mtllib":
        found.libraries.append(decoded(rest).strip())
    elif keyword not in _SILENT and (keyword in found.others or len(found.others) < _MAX_KEYWORDS):
        found.others[keyword] += 1


def _uv(
    values: npt.NDArray[np.float64], starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    uv = np.zeros((len(starts), 2))
    uv[:, 0] = values[starts]
    is_2d = counts >= 2
    uv[is_2d, 1] = values[starts[is_2d] + 1]
    return uv


def _check_vertices(corner_vertex: npt.NDArray[np.int32], found: _Collected) -> None:
    if len(corner_vertex) == 0 or int(corner_vertex.max()) < found.vertex_count:
        return
    bad = int(np.flatnonzero(corner_vertex >= found.vertex_count)[0])
    polygon = int(
        np.searchsorted(
            np.cumsum(np.concatenate([each.counts for each in found.corners])), bad, side="right"
        )
    )
    line = int(np.concatenate([each.lines for each in found.corners])[polygon])
    vertices = counted(found.vertex_count, "vertex", "vertices")
    raise MeshError(
        f"the face on line {line} uses vertex {int(corner_vertex[bad]) + 1} of {vertices}; "
        "the file was cut short or damaged, copy or export it again"
    )


def _drop_missing_uv(
    corner_uv: npt.NDArray[np.int32], counts: npt.NDArray[np.int64], uv_count: int
) -> int:
    """Mark faces as without uv if a corner has none that exists, and return their number."""
    is_bad = corner_uv >= uv_count
    if not is_bad.any():
        return 0
    polygons = np.repeat(np.arange(len(counts)), counts)
    lost = np.zeros(len(counts), np.bool_)
    lost[polygons[is_bad]] = True
    corner_uv[lost[polygons]] = NO_UV
    return int(lost.sum())


def _objects(
    found: _Collected, max_objects: int
) -> tuple[npt.NDArray[np.int64], list[tuple[str | None, str | None]]]:
    """Return the object of each polygon, and the name and material of each object."""
    changes = found.changes
    if sum(is_object for _, is_object, _ in changes) > max_objects:
        changes = [change for change in changes if not change[1]]
    ids: dict[tuple[str | None, str | None], int] = {}
    lengths, runs = [], []
    name: str | None = None
    material: str | None = None
    start = 0
    for position, is_object, given in [*changes, (found.polygon_count, True, "")]:
        if position > start:
            runs.append(ids.setdefault((name, material), len(ids)))
            lengths.append(position - start)
            start = position
        if is_object:
            name = given or None
        else:
            material = given or None
    return np.repeat(np.array(runs, np.int64), lengths), list(ids)


def _left_out(found: _Collected) -> list[str]:
    curves = sum(found.others.pop(keyword, 0) for keyword in _CURVES)
    notes = [
        f"{name}: {count}"
        for name, count in (
            ("points", found.points),
            ("lines", found.lines),
            ("free-form curves and surfaces", curves),
        )
        if count
    ]
    if found.others:
        keyword = decoded(next(iter(found.others)))[:20]
        number = counted(sum(found.others.values()), "line")
        notes.append(f"{number} that OBJ does not define, the first begins with {keyword!r}")
    return notes


def _joined(arrays: list[npt.NDArray[Any]], dtype: type, width: int = 0) -> npt.NDArray[Any]:
    shape = (0, width) if width else (0,)
    return arrays[0] if len(arrays) == 1 else np.concatenate([np.zeros(shape, dtype), *arrays])
