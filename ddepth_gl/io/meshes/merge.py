"""The parts that a mesh file consists of, and how they are merged into one `Mesh`."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..._text import counted
from ...errors import MeshError
from ...mesh.lazy_texture import LazyTexture
from ...mesh.mesh import Mesh, MeshSource
from ...mesh.sampler import Sampler
from .face_limit import check_face_count
from .textures import TextureOfPart, distinct_textures

__all__ = ["MeshPart", "check_part", "merge_parts", "without_unused_vertices"]

_ALPHA_SLACK = 2.0**-24  # of cutoffs, which are float32; the engines use the same
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass
class MeshPart:
    """One instance of a piece of geometry. Its arrays are not validated yet.

    Attributes:
        vertices: (V, 3) numbers, in the part's own frame.
        faces: (F, 3) integers, indices into these vertices.
        name: name of the object that the part belongs to.
        object_key: parts with equal keys get the same object id.
        world_from_part: (4, 4) affine transform, applied to column vectors.
        uv: (V, 2) texture coordinates, v up.
        colors: (V, 4) sRGB vertex colors, or (1, 4) for all vertices.
        texture: base color image, not decoded yet, or why it is lost.
        sampler: sampler of the texture.
        alpha_cutoff: alpha below which a point of its faces does not exist; 0 without a mask.
        polygon_id: (F,) index of each face's polygon in the file; None if the faces of the file
            are triangles.
    """

    vertices: npt.NDArray[Any]
    faces: npt.NDArray[Any]
    name: str
    object_key: Hashable
    world_from_part: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(4))
    uv: npt.NDArray[Any] | None = None
    colors: npt.NDArray[np.uint8] | None = None
    texture: TextureOfPart = None
    sampler: Sampler = Sampler()  # noqa: RUF009 - immutable
    alpha_cutoff: float = 0.0
    polygon_id: npt.NDArray[Any] | None = None


def merge_parts(
    parts: Sequence[MeshPart],
    name: str,
    max_faces: int,
    source: MeshSource | None = None,
    up: tuple[float, float, float] | None = None,
    max_texture_size: int | None = None,
) -> Mesh:
    """Return all parts, in order, as one Mesh in world coordinates.

    Args:
        parts: the parts of a file.
        name: name of the mesh.
        max_faces: largest number of faces, all parts together.
        source: the file.
        up: direction that is up, world frame; None if the file does not say.
        max_texture_size: see `load_mesh`.

    Raises:
        MeshError: there is no face, there are too many, or a part is not valid in itself.
    """
    parts = [part for part in parts if len(part.faces)]
    count = sum(len(part.faces) for part in parts)
    if count == 0:
        raise MeshError(
            "it holds no faces (only points or lines, or nothing); give a file with triangles"
        )
    check_face_count(count, max_faces, "holds")
    for part in parts:
        check_part(part)
    parts = [without_unused_vertices(part)[0] for part in parts]
    starts = np.cumsum([0] + [len(part.vertices) for part in parts])

    objects: dict[Hashable, int] = {}
    names: list[str] = []
    for part in parts:
        if part.object_key not in objects:
            objects[part.object_key] = len(names)
            names.append(part.name)

    textures, samplers, texture_ids = distinct_textures(
        [(None if part.uv is None else part.texture, part.sampler) for part in parts],
        max_texture_size,
        source.path if source else name,
    )
    cutoffs = _cutoffs(parts, [textures[i] if i >= 0 else None for i in texture_ids])
    has_uv = any(part.uv is not None for part in parts)
    has_colors = any(part.colors is not None for part in parts)
    face_counts = [len(part.faces) for part in parts]
    return Mesh(
        _joined([_world_vertices(part) for part in parts]),
        _joined(
            [
                _world_faces(part, int(start), len(parts) == 1)
                for part, start in zip(parts, starts[:-1], strict=True)
            ]
        ),
        uv=_joined([_uv(part) for part in parts]) if has_uv else None,
        colors=_joined([_colors(part) for part in parts]) if has_colors else None,
        texture=cast(Any, textures or None),  # not arrays yet
        texture_id=np.repeat(texture_ids, face_counts) if textures else None,
        samplers=samplers,
        alpha_cutoff=np.repeat(cutoffs, face_counts),
        polygon_id=_polygon_ids(parts),
        object_id=np.repeat([objects[part.object_key] for part in parts], face_counts),
        object_names=names,
        name=name,
        source=source,
        up=up,
    )


def _cutoffs(
    parts: Sequence[MeshPart], textures: Sequence[LazyTexture | None]
) -> npt.NDArray[np.float32]:
    """Return (P,) the alpha cutoff of each part; 0 if its mask cannot cut anything.

    The textures of masks are decoded here: any depth needs them. If one is damaged, its mask stays,
    and its first use raises.

    Args:
        parts: the parts.
        textures: the texture of each part, None without one.
    """
    lowest_of: dict[int, int] = {}
    cutoffs = np.zeros(len(parts), np.float32)
    for index, (part, texture) in enumerate(zip(parts, textures, strict=True)):
        if not part.alpha_cutoff > 0.0:
            continue
        vertex_alpha = 255 if part.colors is None else int(part.colors[:, 3].min())
        texture_alpha = 255
        if texture is not None and texture.may_have_alpha:
            if id(texture) not in lowest_of:
                lowest_of[id(texture)] = _lowest_alpha(texture)
            texture_alpha = lowest_of[id(texture)]
        cutoff = np.float32(part.alpha_cutoff)
        if texture_alpha * vertex_alpha < 255.0**2 * (float(cutoff) - _ALPHA_SLACK):
            cutoffs[index] = cutoff
    return cutoffs


def _lowest_alpha(texture: LazyTexture) -> int:
    try:
        return int(texture.alpha().min(initial=255))
    except MeshError:
        return 0


def _joined(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return arrays as one; without a copy if there is only one."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def check_part(part: MeshPart) -> None:
    """Raise on arrays of a wrong shape, and on indices outside the part.

    In the merged mesh, such an index would refer to a vertex of another part.
    """
    vertices, faces = part.vertices, part.faces
    if vertices.ndim != 2 or vertices.shape[1] != 3 or vertices.dtype.kind not in "iuf":
        raise MeshError(
            f"{_subject(part)} has vertices of shape {vertices.shape}, not (V, 3); repair the file"
        )
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise MeshError(
            f"{_subject(part)} has faces of shape {faces.shape}, not (F, 3); repair the file"
        )
    if int(faces.min()) < 0 or int(faces.max()) >= len(vertices):
        bad = int(np.flatnonzero(((faces < 0) | (faces >= len(vertices))).any(axis=1))[0])
        raise MeshError(
            f"face {bad}{_of(part)} is {tuple(faces[bad].tolist())} with "
            f"{counted(len(vertices), 'vertex', 'vertices')}; repair the file"
        )


def _subject(part: MeshPart) -> str:
    return f"part {part.name!r}" if part.name else "a part"


def _of(part: MeshPart) -> str:
    return f" of part {part.name!r}" if part.name else ""


def without_unused_vertices(part: MeshPart) -> tuple[MeshPart, npt.NDArray[np.int64] | None]:
    """Return a part without the vertices that no face uses, if these are the majority.

    Otherwise a file of many instances could multiply them. They are also dropped if any vertex is
    not finite: organized scans have NaN for points that they missed.

    Returns:
        The part, and the indices of the vertices that are left; None for all.

    Raises:
        MeshError: a face uses a vertex that is not finite.
    """
    is_finite = _are_finite(part.vertices) and (part.uv is None or _are_finite(part.uv))
    if is_finite and len(part.vertices) <= 3 * len(part.faces):
        return part, None
    if not is_finite:
        _check_used_vertices(part)
    used, faces = np.unique(part.faces, return_inverse=True)
    colors = part.colors
    if colors is not None and len(colors) != 1:
        colors = colors[used]
    part = replace(
        part,
        vertices=part.vertices[used],
        faces=faces.reshape(-1, 3),
        uv=None if part.uv is None else part.uv[used],
        colors=colors,
    )
    return part, used


def _are_finite(values: npt.NDArray[Any]) -> bool:
    """Return whether all values are finite in float32."""
    low, high = values.min(initial=0), values.max(initial=0)
    return bool(low >= -_FLOAT32_MAX and high <= _FLOAT32_MAX)  # both are NaN if a value is


def _check_used_vertices(part: MeshPart) -> None:
    is_bad = np.asarray(~(np.abs(part.vertices.astype(np.float64)) <= _FLOAT32_MAX).all(axis=1))
    bad_faces = np.flatnonzero(is_bad[part.faces].any(axis=1))
    if len(bad_faces) == 0:
        return
    face = int(bad_faces[0])
    vertex = next(int(v) for v in part.faces[face] if is_bad[v])
    x, y, z = part.vertices[vertex].tolist()
    polygon = face if part.polygon_id is None else int(part.polygon_id[face])
    raise MeshError(
        f"face {polygon}{_of(part)} uses vertex {vertex} = ({x:g}, {y:g}, {z:g}), which "
        "is not finite in float32; repair the file"
    )


def _world_vertices(part: MeshPart) -> npt.NDArray[Any]:
    matrix = part.world_from_part
    if np.array_equal(matrix, np.eye(4)):
        return part.vertices  # `Mesh` converts them
    return np.asarray(part.vertices.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3])


def _world_faces(part: MeshPart, start: int, is_only: bool) -> npt.NDArray[Any]:
    faces = part.faces if is_only else part.faces.astype(np.int64) + start
    is_mirrored = np.linalg.slogdet(part.world_from_part[:3, :3])[0] < 0
    return faces[:, [0, 2, 1]] if is_mirrored else faces


def _polygon_ids(parts: Sequence[MeshPart]) -> npt.NDArray[np.int64] | None:
    """Return the polygon of each face; None if every face of the file is a triangle."""
    ids = [part.polygon_id for part in parts if part.polygon_id is not None]
    return np.concatenate(ids) if len(ids) == len(parts) else None


def _uv(part: MeshPart) -> npt.NDArray[Any]:
    return np.zeros((len(part.vertices), 2)) if part.uv is None else part.uv


def _colors(part: MeshPart) -> npt.NDArray[np.uint8]:
    colors = np.full((1, 4), 255, np.uint8) if part.colors is None else part.colors
    return np.broadcast_to(colors, (len(part.vertices), 4))
