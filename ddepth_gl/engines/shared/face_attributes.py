"""Attributes that are constant over a face, looked up by face index on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...mesh.mesh import Mesh
from ...results.attributes import ATTRIBUTES
from ..scene import Scene

__all__ = ["face_values"]


def face_values(scene: Scene, name: str) -> npt.NDArray[Any] | None:
    """Return an attribute of all faces if it is constant over each face.

    Args:
        scene: Scene of the faces.
        name: one of `ATTRIBUTES`, except the face itself.

    Returns:
        (F + 1,) or (F + 1, channels): the value of a miss, then one of each face. Or two rows, if
        all faces have the same value. None if the attribute varies within faces.
    """
    return scene.cached(("face attribute", name), lambda: _rows(name, scene.mesh))


def _rows(name: str, mesh: Mesh) -> npt.NDArray[Any] | None:
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
