"""OBJ files: their parts, one for each object and material.

Source: "Object Files (.obj)", Alias|Wavefront, Appendix B1 of the Advanced Visualizer manual,
https://paulbourke.net/dataformats/obj/. Vertex colors are no part of it, but common.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from ...._text import counted
from ....mesh.sampler import Sampler
from ..alpha_modes import effective_cutoff
from ..folder import MeshFolder
from ..merge import MeshPart
from ..options import LoadOptions
from ..polygon_work import PolygonWork
from ..polygons import triangulated
from ..textures import EncodedTexture, LostTexture
from .content import ObjContent, parsed_obj
from .materials import NO_LOOK, Look, ObjMaterials

__all__ = ["obj_parts"]

_MAX_OBJECTS = 1000  # of files with more, only materials make objects
_MAX_PARTS = 20_000  # more would take long, and no exporter writes them
_Ints = npt.NDArray[np.int64]


class _Triangles(NamedTuple):
    """Triangles of the file, in file order.

    Attributes:
        corners: (F, 3) indices of corners.
        polygon: (F,) index of each triangle's polygon.
    """

    corners: _Ints
    polygon: _Ints


def obj_parts(data: bytes, folder: MeshFolder, options: LoadOptions) -> list[MeshPart]:
    """Return one part for each object and material, and a further one for faces without uv.

    Within each, faces keep the order of the file.

    Args:
        data: content of the file.
        folder: reader of its side files.
        options: options of `load_mesh`.

    Raises:
        MeshError: it is no OBJ or damaged, has too many faces, or a side file is too large.
    """
    with_alpha = options.blend_cutoff is not None and options.alpha == "mask"
    content = parsed_obj(
        data,
        options.max_faces,
        with_colors=options.appearance,
        with_uv=options.appearance or with_alpha,
        max_objects=_MAX_OBJECTS,
    )
    for text in content.left_out:
        folder.leave_out(text)
    if len(content.objects) > _MAX_PARTS:
        folder.leave_out(f"objects and materials: {len(content.objects):,}, more than {_MAX_PARTS}")
        content.objects = [(None, None)]
        content.object_of_polygon[:] = 0
    triangles = _triangles(content, folder)
    materials = ObjMaterials(content.libraries, folder, options)
    names = _names(content.objects, folder.stem)
    parts = _Builder(content, triangles, materials, options).parts(names)
    materials.tell_alpha()
    faces: Counter[str] = Counter()
    for part in parts:
        material = content.objects[cast(int, part.object_key)][1]
        if material is not None:
            faces[material] += len(part.faces)
    materials.tell_lost(faces)
    return parts


def _triangles(content: ObjContent, folder: MeshFolder) -> _Triangles:
    counts = content.counts
    if (counts == 3).all():
        corners = np.arange(3 * len(counts), dtype=np.int64).reshape(-1, 3)
        return _Triangles(corners, np.arange(len(counts)))
    is_face = counts >= 3
    if not is_face.all():
        number = counted(int((~is_face).sum()), "face")
        folder.leave_out(f"{number} with fewer than 3 corners")
    kept = np.flatnonzero(is_face)
    if not len(kept):
        return _Triangles(np.zeros((0, 3), np.int64), kept)
    positions = np.flatnonzero(np.repeat(is_face, counts))
    work = PolygonWork()
    corners, polygon = triangulated(
        content.vertices, content.corner_vertex[positions].astype(np.int64), counts[kept], work
    )
    work.tell(folder.leave_out)
    return _Triangles(positions[corners], kept[polygon])


def _names(objects: list[tuple[str | None, str | None]], stem: str) -> list[str]:
    """Return the names of objects: with their material if the file uses several."""
    with_material = len({material for _, material in objects}) > 1
    return [
        "_".join(part for part in (name, material if with_material else None) if part) or stem
        for name, material in objects
    ]


class _Builder:
    """Builder of parts. Its scratch arrays make the time independent of the number of parts."""

    def __init__(
        self,
        content: ObjContent,
        triangles: _Triangles,
        materials: ObjMaterials,
        options: LoadOptions,
    ) -> None:
        self._content = content
        self._triangles = triangles
        self._materials = materials
        self._with_appearance = options.appearance
        self._slot = np.zeros(len(content.vertices), np.int32)

    def parts(self, names: list[str]) -> list[MeshPart]:
        """Return all parts, in the order in which objects first appear.

        Args:
            names: name of each object.
        """
        return [
            self._part(names[key // 2], key // 2, bool(key % 2), chosen)
            for key, chosen in self._groups()
        ]

    def _groups(self) -> list[tuple[int, _Ints | slice]]:
        """Return the triangles of each part: by object, and whether they have uv (odd keys)."""
        content = self._content
        keys = 2 * content.object_of_polygon
        if content.corner_uv is not None:
            starts = np.cumsum(content.counts) - content.counts
            is_face = content.counts > 0
            keys[is_face] += content.corner_uv[starts[is_face]] >= 0
        keys = keys[self._triangles.polygon]
        if not len(keys):
            return []
        if (keys == keys[0]).all():
            return [(int(keys[0]), slice(None))]
        order = np.argsort(keys, kind="stable")
        borders = np.flatnonzero(np.diff(keys[order])) + 1
        chosen = np.split(order, borders)
        return [(int(keys[each[0]]), each) for each in chosen]

    def _part(self, name: str, object_index: int, has_uv: bool, chosen: _Ints | slice) -> MeshPart:
        content = self._content
        look = self._materials.look(content.objects[object_index][1])
        corners = self._triangles.corners[chosen]
        polygon = self._triangles.polygon[chosen]
        texture = look.texture
        with_uv = has_uv and (self._with_appearance or texture is not None)
        corner_vertex = content.corner_vertex[corners]
        corner_uv = None
        if with_uv and content.corner_uv is not None:
            corner_uv = content.corner_uv[corners]
        vertices, uv_indices, faces = self._split(corner_vertex, corner_uv)
        uv = None
        if uv_indices is not None:
            uv = content.uv[uv_indices]
            if look.map is not None:
                uv = uv * look.map.scale + look.map.offset
        elif isinstance(texture, EncodedTexture):
            texture = LostTexture(texture.name, "the faces have no texture coordinates")
        return MeshPart(
            content.vertices[vertices],
            faces,
            name,
            object_index,
            uv=uv,
            colors=self._colors(vertices, look, isinstance(texture, EncodedTexture)),
            texture=texture,
            sampler=look.map.sampler if look.map is not None else Sampler(),
            alpha_cutoff=effective_cutoff(look.alpha_cutoff, look.alpha / 255, texture),
            polygon_id=polygon,
        )

    def _colors(
        self, vertices: _Ints, look: Look, has_texture: bool
    ) -> npt.NDArray[np.uint8] | None:
        if self._content.colors is not None:
            colors = self._content.colors[vertices]
            colors[:, 3] = look.alpha
            return colors
        if look is NO_LOOK:
            return None
        if has_texture and not look.shows_color:  # it replaces the base color
            opaque = look.alpha == 255
            return None if opaque else np.array([[255, 255, 255, look.alpha]], np.uint8)
        return None if look.color is None else look.color.reshape(1, 4)

    def _split(
        self, corner_vertex: npt.NDArray[np.int32], corner_uv: npt.NDArray[np.int32] | None
    ) -> tuple[_Ints, _Ints | None, npt.NDArray[np.int32]]:
        """Return the distinct pairs of vertex and uv that faces use, and the faces in these.

        The order of vertices is that of the file. Most vertices have one uv only: sorting is for
        the others.

        Args:
            corner_vertex: (F, 3) indices of vertices.
            corner_uv: (F, 3) indices of uv, or None.

        Returns:
            (N,) indices of vertices, (N,) indices of uv or None, and (F, 3) faces.
        """
        slot, count = self._slot, len(self._slot)
        if 8 * corner_vertex.size > count:
            is_used = np.zeros(count, np.bool_)
            is_used[corner_vertex] = True
            used = np.flatnonzero(is_used)
        else:
            used = np.unique(corner_vertex).astype(np.int64)
        if corner_uv is None:
            slot[used] = np.arange(len(used), dtype=np.int32)
            return used, None, slot[corner_vertex]
        slot[corner_vertex.ravel()[::-1]] = corner_uv.ravel()[::-1]  # the first uv stays
        is_further = slot[corner_vertex] != corner_uv
        if not is_further.any():
            uv = slot[used].astype(np.int64)
            slot[used] = np.arange(len(used), dtype=np.int32)
            return used, uv, slot[corner_vertex]
        uv_count = len(self._content.uv)
        pairs, pair_of_corner = np.unique(
            corner_vertex[is_further].astype(np.int64) * uv_count + corner_uv[is_further],
            return_inverse=True,
        )
        further = pairs // uv_count
        # A vertex comes before its further copies.
        place = np.arange(len(used)) + np.searchsorted(further, used)
        further_place = np.searchsorted(used, further) + 1 + np.arange(len(further))
        vertices = np.empty(len(used) + len(further), np.int64)
        uv = np.empty_like(vertices)
        vertices[place], uv[place] = used, slot[used]
        vertices[further_place], uv[further_place] = further, pairs % uv_count
        slot[used] = place
        faces = slot[corner_vertex]
        faces[is_further] = further_place[pair_of_corner.ravel()]
        return vertices, uv, faces
