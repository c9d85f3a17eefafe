"""Polygons of COLLADA geometries: triangles, polylists, polygons, strips and fans."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from ..scene_message import Indexed
from .document import DaeDocument, Element, numbers

__all__ = ["DaePolygons", "read_polygons"]

_Ints = npt.NDArray[np.int64]
_KINDS = ("triangles", "polylist", "polygons", "tristrips", "trifans")


class DaePolygons(NamedTuple):
    """The polygons of one element of a mesh.

    Attributes:
        material: symbol of the material; empty if it has none.
        vertices: (V, 3) positions.
        counts: (P,) number of corners of each polygon.
        corners: (C,) index of the vertex of each corner.
        uv: texture coordinates by the number of their set.
        colors: (N, 4) sRGB colors; None if there are none.
    """

    material: str
    vertices: npt.NDArray[np.float64]
    counts: _Ints
    corners: _Ints
    uv: dict[int, Indexed]
    colors: Indexed | None


def read_polygons(
    document: DaeDocument, geometry: Element, leave_out: Callable[[str], None]
) -> list[DaePolygons]:
    """Return the polygons of a geometry, an entry per element of its mesh.

    Args:
        document: the file.
        geometry: an element ``geometry``.
        leave_out: notes what is not read.
    """
    mesh = geometry.find("mesh")
    if mesh is None:
        leave_out("geometries that are no mesh")
        return []
    found = []
    for element in mesh:
        if element.tag in ("lines", "linestrips"):
            leave_out("lines")
        if element.tag in _KINDS:
            polygons = _polygons(document, element, leave_out)
            if len(polygons.counts):
                found.append(polygons)
    return found


def _polygons(
    document: DaeDocument, element: Element, leave_out: Callable[[str], None]
) -> DaePolygons:
    inputs = list(document.inputs(element))
    stride = max((offset for _, offset, _, _ in inputs), default=0) + 1
    rows, counts = _corner_rows(element, stride, leave_out)
    positions: npt.NDArray[np.float64] | None = None
    corners = np.zeros(0, np.int64)
    uv: dict[int, Indexed] = {}
    colors: Indexed | None = None
    attributes: list[tuple[str, _Ints, Element, int]] = []
    for semantic, offset, source, number in inputs:
        if not 0 <= offset < stride:
            raise MeshError("a mesh of it has an input at a wrong offset; export it again")
        if semantic == "VERTEX":
            corners = rows[:, offset]
            for inner, _, inner_source, inner_number in document.inputs(source):
                if inner == "POSITION":
                    positions = document.rows(inner_source)
                else:
                    attributes.append((inner, corners, inner_source, inner_number))
        else:
            attributes.append((semantic, rows[:, offset], source, number))
    if positions is None or positions.shape[1] < 3:
        raise MeshError("a mesh of it has no positions; export it again")
    for semantic, indices, source, number in attributes:
        if semantic == "TEXCOORD" and number not in uv:
            values = document.rows(source)
            if values.shape[1] >= 2:
                uv[number] = Indexed(values[:, :2], indices)
        elif semantic == "COLOR" and colors is None:
            colors = Indexed(_colors(document.rows(source)), indices)
    return DaePolygons(element.get("material", ""), positions[:, :3], counts, corners, uv, colors)


def _corner_rows(
    element: Element, stride: int, leave_out: Callable[[str], None]
) -> tuple[_Ints, _Ints]:
    """Return the (C, stride) indices of all corners, and the number of corners of each polygon."""
    lists = [_rows(p, stride) for p in element.findall("p")]
    for holed in element.findall("ph"):
        leave_out("holes in polygons")
        lists += [_rows(p, stride) for p in holed.findall("p")]
    if element.tag == "polygons":
        counts = np.array([len(rows) for rows in lists], np.int64)
    elif element.tag in ("tristrips", "trifans"):
        lists = [_strip(rows, element.tag == "trifans") for rows in lists if len(rows) >= 3]
        counts = np.full(sum(map(len, lists)) // 3, 3, np.int64)
    elif element.tag == "polylist":
        vcount = element.find("vcount")
        counts = np.zeros(0, np.int64) if vcount is None else numbers(vcount, np.int64)
    else:
        counts = np.full(sum(map(len, lists)) // 3, 3, np.int64)
    rows = np.concatenate(lists) if lists else np.zeros((0, stride), np.int64)
    declared = int(element.get("count", len(counts)))
    is_short = element.tag in ("triangles", "polylist") and declared != len(counts)
    if is_short or (counts < 0).any() or int(counts.sum()) != len(rows):
        raise MeshError(
            f"a mesh of it declares {declared:,} polygons and holds {len(rows):,} corners of "
            f"{len(counts):,}; it was cut short or damaged, copy it again"
        )
    return rows, counts


def _rows(element: Element, stride: int) -> _Ints:
    values = numbers(element, np.int64)
    if len(values) % stride:
        raise MeshError("a mesh of it has an incomplete corner; it was cut short, copy it again")
    return values.reshape(-1, stride)


def _strip(rows: _Ints, is_fan: bool) -> _Ints:
    """Return the corners of the triangles of a strip or fan; each second one of a strip turns."""
    step = np.arange(len(rows) - 2)
    if is_fan:
        triangles = np.stack((np.zeros_like(step), step + 1, step + 2), axis=1)
    else:
        odd = step % 2
        triangles = np.stack((step + odd, step + 1 - odd, step + 2), axis=1)
    return rows[triangles.reshape(-1)]


def _colors(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    colors = np.full((len(values), 4), 255, np.uint8)
    width = min(values.shape[1], 4)
    colors[:, :width] = np.rint(np.clip(np.nan_to_num(values[:, :width]), 0, 1) * 255)
    return colors
