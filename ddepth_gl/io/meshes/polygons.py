"""Triangulation of the polygons of mesh files, concave ones too."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._packages import import_needed
from ...errors import MeshError
from .child import run_in_child
from .polygon_ears import clipped_ears, with_dropped_corners
from .polygon_minimum import MAX_MINIMUM_CORNERS, least_negative
from .polygon_work import PolygonWork

__all__ = ["triangulated"]

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
_CHUNK_CORNERS = 1 << 18
_MAX_EARCUT_CORNERS = 200_000
# earcut takes quadratic time for some outlines, and cannot be interrupted: 0.5 s for so many
# corners. Larger outlines are cut in a child process with a time limit.
_MANY_CORNERS = 5_000
_FEW_CORNERS = 80  # the time of earcut is not worth measuring
_VERY_FEW_CORNERS = 12  # the best triangulation is found faster than earcut's is repaired
_SAMPLED_EDGES = 64
_MAX_COORDINATE = 1e75  # above, products overflow
# Rounding errors of the areas of triangles, relative to the bounding rectangle of their polygon.
_AREA_TOLERANCE = 1e-13
# Area covered too often, relative to the square of the longer side, that is told: more than the
# rounding of files to a few digits.
_TOLD_AREA = 1e-4


def triangulated(
    vertices: npt.NDArray[Any],
    corner_vertex: _Ints,
    counts: _Ints,
    work: PolygonWork | None = None,
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
    - What earcut cannot cut (outlines that touch themselves, or cross by the rounding of the file)
      is cut so that the sum of the areas is smallest. That is the area enclosed, if the outline can
      be moved apart by as little as the rounding; outlines of more than 400 corners first lose
      their ears.
    - If the time that a file may take is spent, the other polygons that are not convex become fans,
      as do those of more than 200,000 corners.

    Args:
        vertices: (V, 3) coordinates.
        corner_vertex: (C,) index of the vertex of each corner, polygon after polygon; valid.
        counts: (P,) number of corners of each polygon. Those of less than 3 have no triangles.
        work: time that is left to the file; counts what does not come out right.

    Returns:
        (T, 3) triangles as indices into `corner_vertex`, and the (T,) index of the polygon that
        each comes from. The triangles are in the order of the polygons.

    Raises:
        MeshError: the package mapbox-earcut is needed and not installed.
    """
    counts = np.asarray(counts, np.int64)
    work = PolygonWork() if work is None else work
    if (counts == 3).all():
        return np.arange(3 * len(counts)).reshape(-1, 3), np.arange(len(counts))
    starts = np.cumsum(counts) - counts
    numbers = np.maximum(counts - 2, 0)
    polygon = np.repeat(np.arange(len(counts)), numbers)
    first = np.cumsum(numbers) - numbers
    triangles = np.empty((len(polygon), 3), np.int64)
    order = np.argsort(counts, kind="stable")
    sizes, bounds = np.unique(counts[order], return_index=True)
    groups = np.split(order, bounds[1:]) if len(sizes) else []
    for size, group in zip(sizes.tolist(), groups, strict=True):
        if size < 3:
            continue
        step = max(_CHUNK_CORNERS // size, 1)
        for start in range(0, len(group), step):
            chosen = group[start : start + step]
            corners = starts[chosen, None] + np.arange(size)
            with np.errstate(all="ignore"):  # NaN and huge coordinates; `Mesh` reports them
                local = _local_triangles(vertices, corner_vertex[corners], work)
            rows = first[chosen, None] + np.arange(size - 2)
            triangles[rows] = starts[chosen, None, None] + local
    return triangles, polygon


def _local_triangles(vertices: npt.NDArray[Any], indices: _Ints, work: PolygonWork) -> _Ints:
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
        result[others] = _cut(plane[others], fan, work)
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


def _cut(plane: _Floats, fan: _Ints, work: PolygonWork) -> _Ints:
    """Return (P, n - 2, 3) triangles of polygons that are not convex."""
    count = plane.shape[1]
    result, partial = _cut_by_earcut(plane, fan, work)
    negative = negative_areas(plane, result)
    extent = np.ptp(plane, axis=1)
    tolerance = _AREA_TOLERANCE * extent.prod(axis=1)

    def offer(rows: _Ints, found: _Ints) -> None:
        """Take the triangles that are better than those so far."""
        areas = negative_areas(plane[rows], found)
        is_better = areas < negative[rows]
        result[rows[is_better]] = found[is_better]
        negative[rows[is_better]] = areas[is_better]

    if count > _VERY_FEW_CORNERS:
        for i, found in partial.items():
            if work.spend(3000 + 100 * count):
                whole = with_dropped_corners(found, plane[i])
                if len(whole) == count - 2:
                    offer(np.array([i]), whole[None])
    wrong = np.flatnonzero(negative > tolerance)
    if count <= MAX_MINIMUM_CORNERS:
        offer(wrong, least_negative(plane[wrong], work))
    else:
        for i in wrong.tolist():
            if not _crosses_itself(plane[i], work):
                found = clipped_ears(plane[i], work)
                if len(found) == count - 2:
                    offer(np.array([i]), found[None])
    wrong = np.flatnonzero(negative > tolerance)
    offer(wrong, np.repeat(fan[None], len(wrong), axis=0))
    work.note(int((negative > _TOLD_AREA * extent.max(axis=1) ** 2).sum()))
    return result


def _cut_by_earcut(plane: _Floats, fan: _Ints, work: PolygonWork) -> tuple[_Ints, dict[int, _Ints]]:
    """Return (P, n - 2, 3) triangles, and those of incomplete triangulations by polygon.

    Polygons without a complete triangulation have the fan in the first array.
    """
    earcut = import_needed("mapbox_earcut", "triangulating concave polygons", MeshError)
    count = plane.shape[1]
    result = np.repeat(fan[None], len(plane), axis=0)
    chosen = np.arange(len(plane))
    if count > _MANY_CORNERS:
        is_likely = [count <= _MAX_EARCUT_CORNERS and not _is_tangled(p, work) for p in plane]
        chosen = np.flatnonzero(is_likely)
        found = _cut_in_child(plane[chosen], work) if len(chosen) else []
    else:
        ring = np.array([count], np.uint32)
        found = []
        for outline in plane:
            if count <= _FEW_CORNERS:
                found.append(earcut.triangulate_float64(outline, ring))
            elif work.seconds > 0:
                start = time.perf_counter()
                found.append(earcut.triangulate_float64(outline, ring))
                work.seconds -= time.perf_counter() - start
            else:
                work.is_spent = True
                break
    partial = {}
    complete = [k for k, flat in enumerate(found) if len(flat) == 3 * (count - 2)]
    if complete:
        rows = chosen[complete]
        result[rows] = np.array([found[k] for k in complete], np.int64).reshape(-1, count - 2, 3)
        is_turned = _areas(plane[rows], result[rows]).sum(axis=1) < 0
        result[rows[is_turned]] = result[rows[is_turned]][..., ::-1]
    for k in set(range(len(found))) - set(complete):
        i = int(chosen[k])
        triangles = found[k].reshape(1, -1, 3).astype(np.int64)
        turned = _areas(plane[i : i + 1], triangles).sum() < 0
        partial[i] = triangles[0, :, ::-1] if turned else triangles[0]
    return result, partial


def _cut_in_child(plane: _Floats, work: PolygonWork) -> list[_Ints]:
    """Return the corner numbers that earcut gives for (P, n, 2) outlines, or none if it is slow."""
    if work.seconds <= 0:
        work.is_spent = True
        return []
    start = time.perf_counter()
    try:
        head, arrays = run_in_child(
            "polygons",
            {"corners": plane.shape[1]},
            [plane.tobytes()],
            seconds=work.seconds,
        )
        flat = arrays[0].astype(np.int64)
        valid = len(flat) == 0 or 0 <= int(flat.min()) <= int(flat.max()) < plane.shape[1]
        sizes = [int(size) for size in head["sizes"]]
        if not valid or len(sizes) != len(plane) or sum(sizes) != len(flat):
            raise MeshError("wrong triangles")
        return np.split(flat, np.cumsum(sizes)[:-1])
    except MeshError:
        work.is_spent = True
        return []
    finally:
        work.seconds -= time.perf_counter() - start


def _areas(plane: _Floats, triangles: _Ints) -> _Floats:
    """Return (P, T) doubled areas of (P, T, 3) triangles of (P, n, 2) polygons."""
    polygons = len(plane)
    corners = np.take_along_axis(plane, triangles.reshape(polygons, -1)[..., None], axis=1)
    a, b, c = np.moveaxis(corners.reshape(polygons, triangles.shape[1], 3, 2), 2, 0)
    b, c = b - a, c - a
    return np.asarray(b[..., 0] * c[..., 1] - b[..., 1] * c[..., 0])


def negative_areas(plane: _Floats, triangles: _Ints) -> _Floats:
    """Return the doubled area of the triangles of each polygon that are turned over.

    If the outline is the boundary of the triangles and none is turned over, they cover what the
    outline encloses, once.

    Args:
        plane: (P, n, 2) corners.
        triangles: (P, n - 2, 3) corner numbers.

    Returns:
        (P,) areas; infinite where the outline is not the boundary.
    """
    polygons, count = plane.shape[:2]
    if polygons == 0:
        return np.zeros(0)
    negative = -np.minimum(_areas(plane, triangles), 0).sum(axis=1)
    numbers = np.broadcast_to(np.arange(count), (polygons, count))
    starts = np.concatenate((triangles.reshape(polygons, -1), np.roll(numbers, -1, 1)), axis=1)
    ends = np.concatenate((np.roll(triangles, -1, 2).reshape(polygons, -1), numbers), axis=1)
    keys = np.minimum(starts, ends) * count + np.maximum(starts, ends)
    order = np.argsort(keys, axis=1)
    keys = np.take_along_axis(keys, order, axis=1)
    balance = np.cumsum(np.take_along_axis(np.sign(ends - starts), order, axis=1), axis=1)
    is_last = np.ones(keys.shape, np.bool_)
    is_last[:, :-1] = keys[:, 1:] != keys[:, :-1]
    is_boundary = ((balance == 0) | ~is_last).all(axis=1)
    return np.where(is_boundary, negative, np.inf)


def _is_tangled(outline: _Floats, work: PolygonWork) -> bool:
    """Return whether a large outline hardly encloses anything; a quick test."""
    distinct = np.unique(outline.view(np.complex128))
    return 4 * len(distinct) < len(outline) or _crosses_itself(outline, work)


def _crosses_itself(outline: _Floats, work: PolygonWork) -> bool:
    """Return whether one of a few edges crosses another edge by much; a quick test."""
    if not work.spend(_SAMPLED_EDGES * (2000 + 2 * len(outline))):
        return True
    least = _TOLD_AREA**2 * float(np.ptp(outline, axis=0).max()) ** 2
    ends = np.roll(outline, -1, axis=0)
    for i in np.linspace(0, len(outline) - 1, _SAMPLED_EDGES).astype(np.int64):
        a, b = outline[i], ends[i]
        if (
            _passes(_side(a, b, outline), _side(a, b, ends), least)
            & _passes(_side(outline, ends, a), _side(outline, ends, b), least)
        ).any():
            return True
    return False


def _passes(start: _Floats, end: _Floats, least: float) -> npt.NDArray[np.bool_]:
    return np.asarray((np.minimum(start, end) < -least) & (np.maximum(start, end) > least))


def _side(a: _Floats, b: _Floats, p: _Floats) -> _Floats:
    return np.asarray(
        (b[..., 0] - a[..., 0]) * (p[..., 1] - a[..., 1])
        - (b[..., 1] - a[..., 1]) * (p[..., 0] - a[..., 0])
    )
