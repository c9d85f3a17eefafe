"""PLY files: polygons and triangle strips with colors, texture coordinates and textures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...._text import counted
from ....errors import MeshError
from ..face_limit import check_face_count
from ..folder import MeshFolder
from ..merge import MeshPart
from ..options import LoadOptions
from ..polygon_parts import checked_corners, polygon_parts, srgb_colors
from ..textures import NOT_FOUND, EncodedTexture, LostTexture, open_texture
from .header import PlyHeader, read_header
from .rows import PlyList, PlyTable, read_tables

__all__ = ["ply_parts"]

_Ints = npt.NDArray[np.int64]
_INDEX_LISTS = ("vertex_indices", "vertex_index")
_UV_LISTS = ("texcoord", "texcoords")
_UV_COLUMNS = (
    ("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t")
)  # fmt: skip
_COLOR_COLUMNS = (
    ("red", "green", "blue", "alpha"),
    ("diffuse_red", "diffuse_green", "diffuse_blue", "diffuse_alpha"),
    ("r", "g", "b", "a"),
)


def ply_parts(data: bytes, folder: MeshFolder, options: LoadOptions) -> list[MeshPart]:
    """Return the polygons of a PLY file as triangles, one part for each texture.

    Texture coordinates and textures are those that MeshLab writes: one ``comment TextureFile`` for
    each texture, and the property ``texnumber`` of a face counts them from 0. Where the vertices
    have colors, those of faces are left out. Triangle strips (element ``tristrips``) end at -1;
    their faces follow those of the element ``face``, without triangles of two equal corners.

    Args:
        data: content of the file.
        folder: reader of its textures.
        options: options of `load_mesh`.

    Raises:
        MeshError: the file is damaged or incomplete, or has too many faces.
    """
    header = read_header(data)
    for element in header.elements:
        if element.name == "face":
            check_face_count(element.length, options.max_faces, "declares")
        names = {p.name for p in element.properties if p.count_type is None}
        missing = [name for name in "xyz" if name not in names]
        if element.name == "vertex" and missing:
            raise MeshError(f"its vertices have no property {missing[0]!r}; export it again")
    tables = read_tables(data, header)
    nothing = PlyTable({}, {})
    vertex, face = tables.get("vertex", nothing), tables.get("face", nothing)
    if vertex is nothing:
        raise MeshError("it has no element 'vertex'; export it again")
    vertices = np.stack([vertex.scalars[name] for name in "xyz"], axis=1)
    polygons = _index_list(face)
    corners = checked_corners(polygons.items, polygons.counts, len(vertices))
    counts = polygons.counts
    strips = _strip_triangles(tables.get("tristrips", nothing))
    if len(strips):
        count = np.full(len(strips), 3)
        corners = np.concatenate((corners, checked_corners(strips.ravel(), count, len(vertices))))
        counts = np.concatenate((counts, count))
    if not options.appearance:
        return polygon_parts(vertices, corners, counts, folder, options.max_faces)
    return polygon_parts(
        vertices,
        corners,
        counts,
        folder,
        options.max_faces,
        **_appearance(header, vertex, face, polygons, len(strips), folder),
    )


def _index_list(face: PlyTable) -> PlyList:
    """Return the lists of the vertices of faces."""
    if not face.scalars and not face.lists:
        return PlyList(np.zeros(0, np.int64), np.zeros(0, np.int64))
    for name in _INDEX_LISTS:
        if name in face.lists:
            return face.lists[name]
    others = [rows for name, rows in face.lists.items() if name not in _UV_LISTS]
    if len(others) != 1:
        raise MeshError("its faces have no list 'vertex_indices'; export it again")
    return others[0]


def _strip_triangles(table: PlyTable) -> npt.NDArray[Any]:
    """Return (T, 3) vertex indices of the triangles of strips.

    Every second triangle of a strip is turned over. Programs repeat corners to go on elsewhere;
    such triangles are dropped.
    """
    if not table.lists:
        return np.zeros((0, 3), np.int64)
    strips = next((table.lists[n] for n in _INDEX_LISTS if n in table.lists), None)
    strips = next(iter(table.lists.values())) if strips is None else strips
    # An unsigned type holds its largest value instead of -1.
    unsigned_end = np.iinfo(strips.items.dtype).max if strips.items.dtype.kind == "u" else -1
    is_end = strips.items == unsigned_end
    items = strips.items
    strip = np.repeat(np.arange(len(strips.counts)), strips.counts) + np.cumsum(is_end)
    is_first = np.ones(len(items), np.bool_)
    is_first[1:] = strip[1:] != strip[:-1]
    places = np.arange(len(items))
    first = np.maximum.accumulate(np.where(is_first, places, 0))
    position = places - first - is_end[first]  # in the strip; an end belongs to the next strip
    start = (
        np.flatnonzero((strip[2:] == strip[:-2]) & ~is_end[:-2]) if len(items) > 2 else places[:0]
    )
    triangles = items[start[:, None] + [0, 1, 2]]
    is_odd = position[start] % 2 == 1
    triangles[is_odd] = triangles[is_odd][:, [1, 0, 2]]
    a, b, c = triangles.T
    return np.asarray(triangles[(a != b) & (b != c) & (c != a)])


def _appearance(
    header: PlyHeader,
    vertex: PlyTable,
    face: PlyTable,
    polygons: PlyList,
    strip_count: int,
    folder: MeshFolder,
) -> dict[str, Any]:
    """Return the arguments of `polygon_parts` for colors, texture coordinates and textures."""
    result: dict[str, Any] = {"colors": _colors(vertex), "uv": None}
    for names in _UV_COLUMNS:
        if all(name in vertex.scalars for name in names):
            result["uv"] = np.stack([vertex.scalars[name] for name in names], axis=1)
            break
    face_colors = _colors(face)
    if face_colors is not None and len(face_colors):
        if result["colors"] is not None:
            folder.leave_out("face colors, because its vertices have colors too")
        else:
            white = np.full((strip_count, 4), 255, np.uint8)
            result["face_colors"] = np.concatenate((face_colors, white))
    uv_list = next((face.lists[name] for name in _UV_LISTS if name in face.lists), None)
    if uv_list is not None and uv_list.counts.any():
        result["corner_uv"] = np.concatenate(
            (_corner_uv(uv_list, polygons.counts, folder), np.zeros((3 * strip_count, 2)))
        )
    if header.texture_names:
        if result["uv"] is None and "corner_uv" not in result:
            folder.leave_out("textures, because it has no texture coordinates")
            return result
        result["textures"] = [_texture(name, folder) for name in header.texture_names]
        if "texnumber" in face.scalars:
            numbers = face.scalars["texnumber"]
            unknown = int((numbers >= len(header.texture_names)).sum())
            if unknown:
                folder.leave_out(f"textures of {counted(unknown, 'face')}, which it does not name")
            rest = np.full(strip_count, -1)
            result["face_texture"] = np.concatenate((numbers.astype(np.int64), rest))
    return result


def _colors(table: PlyTable) -> npt.NDArray[np.uint8] | None:
    for names in _COLOR_COLUMNS:
        columns = [table.scalars[name] for name in names if name in table.scalars]
        if len(columns) >= 3 and all(name in table.scalars for name in names[:3]):
            return srgb_colors(columns)
    return None


def _corner_uv(
    texcoord: PlyList, corner_counts: _Ints, folder: MeshFolder
) -> npt.NDArray[np.float32]:
    """Return (C, 2) texture coordinates of all corners; zeros for faces without a pair for each."""
    fits = texcoord.counts == 2 * corner_counts
    result = np.zeros((int(corner_counts.sum()), 2), np.float32)
    result[np.repeat(fits, corner_counts)] = texcoord.items[
        np.repeat(fits, texcoord.counts)
    ].reshape(-1, 2)
    odd = int((~fits & (texcoord.counts > 0)).sum())
    if odd:
        folder.leave_out(f"texture coordinates of {counted(odd, 'face')}, not two for each corner")
    return result


def _texture(name: str, folder: MeshFolder) -> EncodedTexture | LostTexture:
    """Return a texture, or why it is lost."""
    try:
        return open_texture(folder.read(name, is_texture=True), name)
    except FileNotFoundError:
        return LostTexture(name, NOT_FOUND)
    except MeshError as error:  # too large, or being written
        return LostTexture(name, str(error).partition(";")[0])
