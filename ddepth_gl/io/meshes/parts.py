"""The pieces that a mesh file is made of, and how they become one Mesh."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ...errors import MeshError
from ...mesh.mesh import Mesh, MeshSource
from .folder import MAX_PICTURE_PIXELS, PICTURE_FORMATS

__all__ = ["MeshPart", "merged"]

_MAX_TEXTURE_PIXELS = 4 * MAX_PICTURE_PIXELS  # of all pictures together


@dataclass
class MeshPart:
    """One piece of geometry at one place. Indices count within the part and are not checked yet."""

    vertices: npt.NDArray[Any]  # (V, 3) numbers, in the part's own frame
    faces: npt.NDArray[Any]  # (F, 3) integers
    name: str  # of the object that the part belongs to
    object_key: Hashable  # parts with the same key get the same object id
    world_from_part: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(4))
    uv: npt.NDArray[Any] | None = None  # (V, 2), v up
    colors: npt.NDArray[np.uint8] | None = None  # (V, 4) or (1, 4) sRGB
    picture: Image.Image | None = None


def merged(
    parts: Sequence[MeshPart], name: str, max_faces: int, source: MeshSource | None = None
) -> Mesh:
    """All parts as one Mesh in world coordinates, in order.

    Raises:
        MeshError: if there is no face, there are too many, or a part is not valid in itself.
    """
    parts = [part for part in parts if len(part.faces)]
    count = sum(len(part.faces) for part in parts)
    if count == 0:
        raise MeshError(
            "it holds no faces (only points or lines, or nothing); give a file with triangles"
        )
    if count > max_faces:
        raise MeshError(
            f"it holds {count} faces, the limit is {max_faces}; pass a larger max_faces"
        )
    parts = [_with_used_vertices(_checked(part)) for part in parts]
    starts = np.cumsum([0] + [len(part.vertices) for part in parts])

    objects: dict[Hashable, int] = {}
    names: list[str] = []
    for part in parts:
        if part.object_key not in objects:
            objects[part.object_key] = len(names)
            names.append(part.name)

    textures, picture_ids = _textures(parts)
    has_uv = any(part.uv is not None for part in parts)
    has_colors = any(part.colors is not None for part in parts)
    face_counts = [len(part.faces) for part in parts]
    return Mesh(
        np.concatenate([_world_vertices(part) for part in parts]),
        np.concatenate(
            [_world_faces(part) + start for part, start in zip(parts, starts[:-1], strict=True)]
        ),
        uv=np.concatenate([_uv(part) for part in parts]) if has_uv else None,
        colors=np.concatenate([_colors(part) for part in parts]) if has_colors else None,
        texture=textures or None,
        texture_id=np.repeat(picture_ids, face_counts) if textures else None,
        object_id=np.repeat([objects[part.object_key] for part in parts], face_counts),
        object_names=names,
        name=name,
        source=source,
    )


def _checked(part: MeshPart) -> MeshPart:
    """Refuse indices outside the part: once parts are joined they would point into a neighbor."""
    vertices, faces = part.vertices, part.faces
    if vertices.ndim != 2 or vertices.shape[1] != 3 or vertices.dtype.kind not in "iuf":
        raise MeshError(
            f"part {part.name!r} has vertices of shape {vertices.shape}, not (V, 3); repair the file"
        )
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise MeshError(
            f"part {part.name!r} has faces of shape {faces.shape}, not (F, 3); repair the file"
        )
    if int(faces.min()) < 0 or int(faces.max()) >= len(vertices):
        bad = int(np.flatnonzero(((faces < 0) | (faces >= len(vertices))).any(axis=1))[0])
        raise MeshError(
            f"face {bad} of part {part.name!r} is {tuple(faces[bad].tolist())} but there are only "
            f"{len(vertices)} vertices; repair the file"
        )
    return part


def _with_used_vertices(part: MeshPart) -> MeshPart:
    """Drop vertices that no face uses where they are the majority: instances would multiply them."""
    if len(part.vertices) <= 3 * len(part.faces):
        return part
    used, faces = np.unique(part.faces, return_inverse=True)
    keep = {
        "uv": None if part.uv is None else part.uv[used],
        "colors": part.colors
        if part.colors is None or len(part.colors) == 1
        else part.colors[used],
    }
    return MeshPart(
        part.vertices[used],
        faces.reshape(-1, 3),
        part.name,
        part.object_key,
        part.world_from_part,
        picture=part.picture,
        **keep,
    )


def _world_vertices(part: MeshPart) -> npt.NDArray[np.float64]:
    vertices = part.vertices.astype(np.float64)
    m = part.world_from_part
    if np.array_equal(m, np.eye(4)):
        return vertices
    return np.asarray(vertices @ m[:3, :3].T + m[:3, 3])


def _world_faces(part: MeshPart) -> npt.NDArray[np.int64]:
    faces = part.faces.astype(np.int64)
    mirrored = np.linalg.slogdet(part.world_from_part[:3, :3])[0] < 0
    return faces[:, [0, 2, 1]] if mirrored else faces


def _uv(part: MeshPart) -> npt.NDArray[Any]:
    return np.zeros((len(part.vertices), 2)) if part.uv is None else part.uv


def _colors(part: MeshPart) -> npt.NDArray[np.uint8]:
    colors = np.full((1, 4), 255, np.uint8) if part.colors is None else part.colors
    return np.broadcast_to(colors, (len(part.vertices), 4))


def _textures(parts: Sequence[MeshPart]) -> tuple[list[npt.NDArray[np.uint8]], list[int]]:
    """The distinct pictures, and for each part the index of its own, -1 for none."""
    textures: list[npt.NDArray[np.uint8]] = []
    by_content: dict[bytes, int] = {}
    by_picture: dict[int, int] = {}
    pixels = 0
    ids = []
    for part in parts:
        picture = part.picture
        if picture is None or part.uv is None or (picture.format or "") not in PICTURE_FORMATS:
            ids.append(-1)
            continue
        if id(picture) not in by_picture:
            pixels += picture.width * picture.height
            if pixels > _MAX_TEXTURE_PIXELS:
                raise MeshError(
                    f"its textures have more than {_MAX_TEXTURE_PIXELS} pixels; shrink them"
                )
            texture = _rgba(picture)
            content = hashlib.sha256(repr(texture.shape).encode() + texture.tobytes()).digest()
            if content not in by_content:
                by_content[content] = len(textures)
                textures.append(texture)
            by_picture[id(picture)] = by_content[content]
        ids.append(by_picture[id(picture)])
    return textures, ids


def _rgba(picture: Image.Image) -> npt.NDArray[np.uint8]:
    try:
        if picture.mode.startswith("I"):  # 16-bit gray, which Pillow would clip instead of scale
            gray = np.clip(np.asarray(picture) // 257, 0, 255).astype(np.uint8)
            picture = Image.fromarray(gray)
        return np.array(picture.convert("RGBA"))
    except Exception as error:  # decoders of damaged data raise nearly anything
        raise MeshError(f"a texture is damaged ({error}); repair or remove it") from error
