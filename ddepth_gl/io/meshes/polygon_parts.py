"""The parts of files that hold polygons in one table: PLY and OFF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..._text import counted
from ...errors import MeshError
from .face_limit import check_face_count
from .merge import MeshPart
from .polygon_work import PolygonWork
from .polygons import triangulated

if TYPE_CHECKING:
    from .folder import MeshFolder
    from .textures import EncodedTexture, LostTexture

__all__ = ["checked_corners", "polygon_parts", "srgb_colors"]

_Ints = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]


def checked_corners(corners: npt.NDArray[Any], counts: _Ints, vertex_count: int) -> _Ints:
    """Return vertex indices as int64.

    Args:
        corners: (C,) indices of any type, polygon after polygon.
        counts: (P,) number of corners of each polygon.
        vertex_count: number of vertices.

    Raises:
        MeshError: one is no integer, or there is no such vertex.
    """
    if len(corners) == 0 or (
        corners.dtype.kind in "iu" and corners.min() >= 0 and corners.max() < vertex_count
    ):
        return corners.astype(np.int64)
    bad = ~((corners >= 0) & (corners < vertex_count))  # NaN is neither
    if corners.dtype.kind == "f":
        bad |= corners != np.floor(corners)
    if bad.any():
        corner = int(np.flatnonzero(bad)[0])
        face = int(np.searchsorted(np.cumsum(counts), corner, side="right"))
        raise MeshError(
            f"face {face} uses vertex {corners[corner]:g} of "
            f"{counted(vertex_count, 'vertex', 'vertices')}, counted from 0; repair the file"
        )
    return corners.astype(np.int64)


def srgb_colors(columns: Sequence[npt.NDArray[Any]]) -> _Bytes:
    """Return (N, 4) colors from three or four columns of a file.

    Floats are fractions 0..1, if all of them are at most 1; else they are 0..255, as integers are.
    Of integers of 16 bits, 65535 is white. The types of the columns may differ.
    """
    colors = np.full((len(columns[0]), 4), 255, np.uint8)
    is_fraction = all(
        np.nan_to_num(c, posinf=0.0).max(initial=0.0) <= 1.0 for c in columns if c.dtype.kind == "f"
    )
    for i, column in enumerate(columns):
        if column.dtype == np.uint8:
            colors[:, i] = column
            continue
        if column.dtype.kind == "f":
            scale = 255.0 if is_fraction else 1.0
        else:
            scale = 1 / 257 if column.dtype.itemsize == 2 else 1.0
        colors[:, i] = np.rint(np.clip(np.nan_to_num(column.astype(np.float64)) * scale, 0, 255))
    return colors


def polygon_parts(
    vertices: npt.NDArray[Any],
    corners: _Ints,
    counts: _Ints,
    folder: MeshFolder,
    max_faces: int,
    *,
    colors: _Bytes | None = None,
    uv: npt.NDArray[Any] | None = None,
    face_colors: _Bytes | None = None,
    corner_uv: npt.NDArray[Any] | None = None,
    textures: Sequence[EncodedTexture | LostTexture] = (),
    face_texture: npt.NDArray[Any] | None = None,
) -> list[MeshPart]:
    """Return the triangles of polygons, one part for each texture, all of one object.

    Vertices are split where faces with different colors or texture coordinates meet.

    Args:
        vertices: (V, 3) coordinates.
        corners: (C,) valid vertex indices, polygon after polygon.
        counts: (P,) number of corners of each polygon.
        folder: names the object, and takes notes of polygons that do not come out right.
        max_faces: largest number of triangles.
        colors: (V, 4) sRGB vertex colors.
        uv: (V, 2) texture coordinates, v up.
        face_colors: (P, 4) sRGB colors of the polygons; not together with `colors`.
        corner_uv: (C, 2) texture coordinates of the corners, v up, instead of `uv`.
        textures: images.
        face_texture: (P,) index of each polygon's texture; others than those of `textures` stand
            for none. None if all have the first.

    Raises:
        MeshError: there are too many triangles.
    """
    check_face_count(int(np.maximum(counts - 2, 0).sum()), max_faces, "holds")
    work = PolygonWork()
    triangles, polygon = triangulated(vertices, corners, counts, work)
    work.tell(folder.leave_out)
    name = folder.stem
    is_plain = bool((counts == 3).all())
    faces = corners.reshape(-1, 3) if is_plain else corners[triangles]
    if face_colors is not None or corner_uv is not None:
        key, rows = corners, np.repeat(np.arange(len(counts)), counts)
        if face_colors is not None:
            ids = np.unique(face_colors.view(np.uint32)[:, 0], return_inverse=True)[1]
            key = _combined(key, ids[rows])
        if corner_uv is not None:
            corner_uv = np.ascontiguousarray(corner_uv, np.float32) + np.float32(0.0)  # no -0
            ids = np.unique(corner_uv.view(np.uint64)[:, 0], return_inverse=True)[1]
            key = _combined(key, ids)
        _, first, vertex = np.unique(key, return_index=True, return_inverse=True)
        faces = vertex.reshape(-1)[triangles]
        vertices = vertices[corners[first]]
        colors = None if colors is None else colors[corners[first]]
        colors = colors if face_colors is None else face_colors[rows[first]]
        uv = (
            corner_uv[first]
            if corner_uv is not None
            else None
            if uv is None
            else uv[corners[first]]
        )
    part = MeshPart(
        vertices,
        faces,
        name,
        name,
        uv=uv,
        colors=colors,
        texture=textures[0] if textures else None,
        polygon_id=None if is_plain else polygon,
    )
    if not textures or face_texture is None:
        return [part]
    texture = face_texture[polygon]
    texture = np.where((texture >= 0) & (texture < len(textures)), texture, -1).astype(np.int64)
    used = np.unique(texture).tolist()
    if len(used) == 1:
        part.texture = None if used[0] < 0 else textures[used[0]]
        return [part]
    parts = []
    for i in used:
        chosen = texture == i
        rows, local = np.unique(faces[chosen], return_inverse=True)
        parts.append(
            MeshPart(
                vertices[rows],
                local.reshape(-1, 3),
                name,
                name,
                uv=None if uv is None else uv[rows],
                colors=None if colors is None else colors[rows],
                texture=None if i < 0 else textures[i],
                polygon_id=polygon[chosen],
            )
        )
    return parts


def _combined(key: _Ints, ids: _Ints) -> _Ints:
    """Return integers that are equal where both are, and small enough to combine again."""
    joined = key * (int(ids.max(initial=0)) + 1) + ids
    order = np.unique(joined, return_inverse=True)[1]
    return np.asarray(order.reshape(-1))
