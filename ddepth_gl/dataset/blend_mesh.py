"""Meshes of .blend files, which a Python with bpy reads in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from .._checks import one_line
from ..errors import MeshError
from ..mesh.mesh import Mesh, MeshSource

__all__ = ["BLEND_SUFFIX", "PYTHON_VARIABLE", "blend_mesh"]

BLEND_SUFFIX = ".blend"
# Names the Python that has bpy and ddepth_gl, if it is not the one that runs.
PYTHON_VARIABLE = "DDEPTH_BLENDER_PYTHON"
_ARRAYS = ("vertices", "faces", "colors", "object_id", "polygon_id")


def blend_mesh(
    path: Path, *, max_faces: int | None = None, max_file_bytes: int | None = None
) -> Mesh:
    """Return the scene of a .blend file as one mesh, z up, at its current frame.

    Args:
        path: path of the file.
        max_faces, max_file_bytes: limits, as in `load_mesh`.

    Raises:
        MeshError: it cannot be read, has nothing with faces, is too large, or there is no bpy.
    """
    limit = () if max_file_bytes is None else (str(max_file_bytes),)
    with tempfile.TemporaryDirectory(prefix="ddepth_") as folder:
        answer = Path(folder, "scene.npz")
        python = os.environ.get(PYTHON_VARIABLE) or sys.executable
        command = [python, "-m", "ddepth_gl.blender.child", str(path.absolute()), str(answer)]
        try:
            done = subprocess.run(
                [*command, *limit], capture_output=True, stdin=subprocess.DEVNULL, check=False
            )
        except OSError as error:
            raise MeshError(
                f"{path}: {python} does not start ({error.strerror}); set {PYTHON_VARIABLE} to a "
                "Python that has bpy"
            ) from None
        if not answer.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines()
            reason = one_line(said[-1], 120) if said else f"exit status {done.returncode}"
            raise MeshError(
                f"{path}: Blender stopped while it read it ({reason}); save it again, or set "
                f"{PYTHON_VARIABLE} to a Python that has bpy and ddepth_gl"
            )
        return _mesh_of(answer, path, max_faces)


def _mesh_of(answer: Path, path: Path, max_faces: int | None) -> Mesh:
    with np.load(answer, allow_pickle=False) as arrays:
        head: dict[str, Any] = json.loads(arrays["head"].tobytes())
        if "error" in head:
            text = head["error"]
            if "need bpy" in text:
                text = f"{path}: {text}; {PYTHON_VARIABLE} may name another Python"
            raise MeshError(text if str(path) in text else f"{path}: {text}")
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
