"""Triangulation of the polygons of mesh files, concave ones too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._packages import import_needed
from ...errors import MeshError
from .polygon_ears import Budget, clipped_ears, with_dropped_corners

__all__ = ["triangulated"]

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
_CHUNK_CORNERS = 1 << 18
_MAX_EARCUT_CORNERS = 200_000
_MANY_CORNERS = 5_000  # earcut takes quadratic time for a large outline that crosses itself
_SAMPLED_EDGES = 64
_MAX_COORDINATE = 1e75  # above, products overflow
# Rounding errors of the areas of triangles, relative to the bounding rectangle of their polygon.
_AREA_TOLERANCE = 1e-13


def triangulated(
    vertices: npt.NDArray[Any], corner_vertex: _Ints, counts: _Ints
) -> tuple[_Ints, _Ints]:
    """Cut polygons into triangles that cover what their outlines enclose.

    A polygon of n corners becomes n - 2 triangles in which every edge of the outline occurs once,
    in the direction of the outline, so closed meshes stay closed. Every corner is used: collinear
    ones, repeated ones, and both sides of a slit that joins a hole to the outline.

    - A quad, planar or not, is cut from its first to its third corner. If the two triangles would
      face away from each other (a concave quad, normals more than 90 degrees apart), it is cut
      from its second to its fourth. Blender has the same rule.
    - Larger polygons are judged in projection along the normal by Newell's method, onto the axis
      plane that faces it most. Convex ones become fans from their first corner, others are cut by
      earcut.
    - An outline that crosses itself, or that neither earcut nor a slower, limited search for ears
      can cut, becomes a fan, as does one of more than 200,000 corners that is not convex.

    Args:
        vertices: (V, 3) coordinates.
        corner_vertex: (C,) index of the vertex of each corner, polygon after polygon; valid.
        counts: (P,) number of corners of each polygon. Those of less than 3 have no triangles.

    Returns:
        (T, 3) triangles as indices into `corner_vertex`, and the (T,) index of the polygon that
        each comes from. The triangles are in the order of the polygons.

    Raises:
        MeshError: the package mapbox-earcut is needed and not installed.
    """
    counts = np.asarray(counts, np.int64)
    if (counts == 3).all():
        return np.arange(3 * len(counts)).reshape(-1, 3), np.arange(len(counts))
    starts = np.cumsum(counts) - counts
    numbers = np.maximum(counts - 2, 0)
    polygon = np.repeat(np.arange(len(counts)), numbers)
    first = np.cumsum(numbers) - numbers
    triangles = np.empty((len(polygon), 3), np.int64)
    budget = Budget()
    order = np.argsort(counts, kind="stable")
    sizes, bounds = np.unique(counts[order], return_index=True)
    for size, group in zip(sizes.tolist(), np.split(order, bounds[1:]), strict=True):
        if size < 3:
            continue
        step = max(_CHUNK_CORNERS // size, 1)
        for start in range(0, len(group), step):
            chosen = group[start : start + step]
            corners = starts[chosen, None] + np.arange(size)
            with np.errstate(all="ignore"):  # NaN and huge coordinates; `Mesh` reports them
                local = _local_triangles(vertices, corner_vertex[corners], budget)
            rows = first[chosen, None] + np.arange(size - 2)
            triangles[rows] = starts[chosen, None, None] + local
    return triangles, polygon


def _local_triangles(vertices: npt.NDArray[Any], indices: _Ints, budget: Budget) -> _Ints:
    """Return (P, n - 2, 3) corner numbers of polygons of n corners, given (P, n) vertices."""
    count = indices.shape[1]
    fan = np.stack(
        (np.zeros(count - 2, np.int64), np.arange(1, count - 1), np.arange(2, count)), axis=1
    )
    result = np.repeat(fan[None], len(indices), axis=0)
    if count == 3:
        return result
    points = vertices[indices].astype(np.float64)
    points -= points[:, :1].copy()
    if count == 4:
        _, b, c, d = np.moveaxis(points, 1, 0)
        agreement = np.einsum("ij,ij->i", np.cross(b, c), np.cross(c, d))
        result[agreement <= 0] = [[0, 1, 3], [1, 2, 3]]
        return result
    plane = _projected(points)
    others = np.flatnonzero(~_is_convex(plane))
    others = others[(np.abs(plane[others]) < _MAX_COORDINATE).all(axis=(1, 2))]  # no NaN either
    if len(others):
        result[others] = _cut(plane[others], fan, budget)
    return result


def _projected(points: _Floats) -> _Floats:
    """Return (P, n, 2) coordinates of polygons in an axis plane, counter-clockwise."""
    normals = np.cross(points, np.roll(points, -1, axis=1)).sum(axis=1)
    axis = np.abs(normals).argmax(axis=1)[:, None]
    is_negative = np.take_along_axis(normals, axis, 1) < 0
    u, v = (axis + 1) % 3, (axis + 2) % 3
    axes = np.concatenate((np.where(is_negative, v, u), np.where(is_negative, u, v)), axis=1)
    return np.take_along_axis(points, axes[:, None, :], 2)


def _is_convex(plane: _Floats) -> npt.NDArray[np.bool_]:
    """Return for each polygon whether it turns left only, and once around."""
    edges = np.roll(plane, -1, axis=1) - plane
    before = np.roll(edges, 1, axis=1)
    turns = before[..., 0] * edges[..., 1] - before[..., 1] * edges[..., 0]
    turns_back = (turns == 0) & ((before * edges).sum(axis=2) <= 0)
    # In one turn, the direction of the edges passes from the upper half to the lower one and back.
    is_up = (edges[..., 1] > 0) | ((edges[..., 1] == 0) & (edges[..., 0] > 0))
    changes = (is_up != np.roll(is_up, 1, axis=1)).sum(axis=1)
    return np.asarray(((turns >= 0) & ~turns_back).all(axis=1) & (changes == 2))


def _cut(plane: _Floats, fan: _Ints, budget: Budget) -> _Ints:
    """Return (P, n - 2, 3) triangles of polygons that are not convex."""
    count = plane.shape[1]
    result = np.repeat(fan[None], len(plane), axis=0)
    if count > _MAX_EARCUT_CORNERS:
        return result
    earcut = import_needed("mapbox_earcut", "triangulating concave polygons", MeshError)
    ring = np.array([count], np.uint32)
    partial = {}
    for i, outline in enumerate(plane):
        if count > _MANY_CORNERS and _crosses_itself(outline):
            continue
        flat = earcut.triangulate_float64(np.ascontiguousarray(outline), ring)
        found = flat.reshape(-1, 3).astype(np.int64)
        if _area(outline, found) < 0:  # independent of the direction of the outline
            found = found[:, ::-1]
        if len(found) == count - 2:
            result[i] = found
        else:
            partial[i] = found
    is_right = covers(plane, result)
    for i in np.flatnonzero(~is_right).tolist():
        outline = plane[i]
        for found in _repairs(partial.get(i, result[i]), outline, budget):
            if len(found) == count - 2 and covers(outline[None], found[None])[0]:
                result[i] = found
                break
        else:
            result[i] = fan
    return result


def _repairs(triangles: _Ints, outline: _Floats, budget: Budget) -> Iterator[_Ints]:
    """Yield what may be right where the triangles of earcut are not."""
    yield with_dropped_corners(triangles, outline)
    if not _crosses_itself(outline):
        yield clipped_ears(outline, budget)


def _area(outline: _Floats, triangles: _Ints) -> float:
    """Return the doubled area of all triangles, negative ones subtracted."""
    a, b, c = np.moveaxis(outline[triangles], 1, 0)
    b, c = b - a, c - a
    return float((b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]).sum())


def covers(plane: _Floats, triangles: _Ints) -> npt.NDArray[np.bool_]:
    """Return for each polygon whether its triangles cover what its outline encloses, once.

    That is so if no triangle is turned over and if the outline is their boundary.

    Args:
        plane: (P, n, 2) corners.
        triangles: (P, n - 2, 3) corner numbers.
    """
    polygons, count = plane.shape[:2]
    corners = np.take_along_axis(plane, triangles.reshape(polygons, -1)[..., None], axis=1)
    a, b, c = np.moveaxis(corners.reshape(polygons, -1, 3, 2), 2, 0)
    b, c = b - a, c - a
    areas = b[..., 0] * c[..., 1] - b[..., 1] * c[..., 0]
    extent = np.ptp(plane, axis=1).prod(axis=1)
    is_upright = -np.minimum(areas, 0).sum(axis=1) <= _AREA_TOLERANCE * extent

    numbers = np.broadcast_to(np.arange(count), (polygons, count))
    starts = np.concatenate((triangles.reshape(polygons, -1), np.roll(numbers, -1, 1)), axis=1)
    ends = np.concatenate((np.roll(triangles, -1, 2).reshape(polygons, -1), numbers), axis=1)
    keys = np.minimum(starts, ends) * count + np.maximum(starts, ends)
    order = np.argsort(keys, axis=1)
    keys = np.take_along_axis(keys, order, axis=1)
    balance = np.cumsum(np.take_along_axis(np.sign(ends - starts), order, axis=1), axis=1)
    is_last = np.ones(keys.shape, np.bool_)
    is_last[:, :-1] = keys[:, 1:] != keys[:, :-1]
    return np.asarray(is_upright & ((balance == 0) | ~is_last).all(axis=1))


def _crosses_itself(outline: _Floats) -> bool:
    """Return whether one of a few edges crosses another edge; a quick test."""
    ends = np.roll(outline, -1, axis=0)
    for i in np.linspace(0, len(outline) - 1, _SAMPLED_EDGES).astype(np.int64):
        a, b = outline[i], ends[i]
        if (
            (_side(a, b, outline) * _side(a, b, ends) < 0)
            & (_side(outline, ends, a) * _side(outline, ends, b) < 0)
        ).any():
            return True
    return False


def _side(a: _Floats, b: _Floats, p: _Floats) -> _Floats:
    return np.asarray(
        (b[..., 0] - a[..., 0]) * (p[..., 1] - a[..., 1])
        - (b[..., 1] - a[..., 1]) * (p[..., 0] - a[..., 0])
    )
