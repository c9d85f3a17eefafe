"""Meshes of .blend files, which a Python with bpy reads in a process of its own."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MeshError
from ..mesh.mesh import Mesh, MeshSource
from .blend_process import run_blender, with_advice

__all__ = ["BLEND_SUFFIX", "blend_mesh"]

BLEND_SUFFIX = ".blend"
_ARRAYS = ("vertices", "faces", "colors", "object_id", "polygon_id")


def blend_mesh(
    path: Path,
    *,
    max_faces: int | None = None,
    max_file_bytes: int | None = None,
    has_own_camera: bool = False,
) -> Mesh:
    """Return the scene of a .blend file as one mesh, z up, at its current frame.

    Args:
        path: path of the file.
        max_faces, max_file_bytes: limits, as in `load_mesh`.
        has_own_camera: whether its photos are by another camera than the file's, without depth of
            field, motion blur and stereo; so nothing of these is left out.

    Raises:
        MeshError: it cannot be read, has nothing with faces, is too large, or there is no bpy.
    """
    with tempfile.TemporaryDirectory(prefix="ddepth_") as folder:
        answer = Path(folder, "scene.npz")
        options = (str(max_file_bytes or 0), str(int(has_own_camera)))
        run_blender("child", (str(path.absolute()), str(answer), *options), answer, str(path))
        return _mesh_of(answer, path, max_faces)


def _mesh_of(answer: Path, path: Path, max_faces: int | None) -> Mesh:
    with np.load(answer, allow_pickle=False) as arrays:
        head: dict[str, Any] = json.loads(arrays["head"].tobytes())
        if "error" in head:
            raise MeshError(with_advice(head["error"], str(path)))
        given = {name: arrays[name] for name in _ARRAYS}
    if max_faces is not None and len(given["faces"]) > max_faces:
        raise MeshError(
            f"{path}: it holds {len(given['faces']):,} faces, more than the limit of "
            f"{max_faces:,}; pass a larger max_faces"
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else None
        if digest is None:  # before Python 3.11
            digest = hashlib.sha256(file.read())
    return Mesh(
        **given,
        object_names=head["names"],
        name=path.stem,
        up=(0.0, 0.0, 1.0),
        source=MeshSource(
            str(path.absolute()), digest.hexdigest(), left_out=tuple(head["left_out"])
        ),
    )
