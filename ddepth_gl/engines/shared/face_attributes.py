"""Attributes that are constant over a face, looked up by face index on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...mesh.mesh import Mesh
from ...results.attributes import ATTRIBUTES
from ..scene import Scene
from .crossing_keys import BLOCK_SIZE

__all__ = ["face_attribute"]


def face_attribute(
    scene: Scene, name: str, faces: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[Any] | None:
    """Return an attribute of crossings if it is constant over each face.

    Args:
        scene: Scene of the faces.
        name: one of `ATTRIBUTES`.
        faces: (...) face indices, -1 for no face.

    Returns:
        (...) or (..., channels), or None if the attribute varies within faces.
    """
    if name == "face":
        return faces.astype(np.int64)
    rows = scene.cached(("face attribute", name), lambda: _rows(name, scene.mesh))
    if rows is None:
        return None
    values: npt.NDArray[Any] = np.empty(faces.shape + rows.shape[1:], rows.dtype)
    flat, indices = values.reshape(-1, *rows.shape[1:]), faces.reshape(-1)
    for start in range(0, len(flat), BLOCK_SIZE):
        block = slice(start, start + BLOCK_SIZE)
        # Clipping lets a single value serve all faces.
        rows.take(indices[block] + 1, axis=0, out=flat[block], mode="clip")
    return values


def _rows(name: str, mesh: Mesh) -> npt.NDArray[Any] | None:
    """Return the fill value, then one value a face, or one for all faces; None if it varies."""
    values = _values(name, mesh)
    return None if values is None else np.concatenate([ATTRIBUTES[name].empty(1), values])


def _values(name: str, mesh: Mesh) -> npt.NDArray[Any] | None:
    if name == "normal":
        return mesh.face_normals().astype(np.float32)
    if name == "object_id":
        return mesh.object_id
    if name == "uv" and mesh.uv is None:
        return ATTRIBUTES[name].empty(1)
    if name == "color" and mesh.colors is None and not mesh.texture_sizes:
        return np.ones((1, 4), np.float32)  # white
    return None
