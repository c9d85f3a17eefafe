"""The origin of a result: path and hashes of its mesh, as results and files record them."""

from __future__ import annotations

import hashlib
import os

from ..mesh.mesh import Mesh, MeshSource

__all__ = [
    "FILE_COUNT",
    "MESH_HASH",
    "MESH_LEFT_OUT",
    "MESH_PATH",
    "SETTINGS_HASH",
    "SIDE_FILES_HASH",
    "TEXTURES_HASH",
    "mesh_entries",
    "printable_path",
    "source_in_memory",
]

MESH_PATH, MESH_HASH, SIDE_FILES_HASH = "mesh_path", "mesh_sha256", "mesh_side_files_sha256"
# Of textures that decide colors alone, and what the mesh file holds and the mesh does not.
TEXTURES_HASH, MESH_LEFT_OUT = "mesh_textures_sha256", "mesh_left_out"
# Of files that `ddepth render` wrote: everything besides the mesh that decides their content, and
# how many files of their format belong to the view.
SETTINGS_HASH, FILE_COUNT = "settings_sha256", "file_count"


def mesh_entries(source: MeshSource | None) -> dict[str, str]:
    """Return the provenance entries of a mesh: path, hashes and omissions, see `MeshSource`."""
    if source is None:
        return {}
    entries = {
        MESH_PATH: printable_path(source.path),
        MESH_HASH: source.sha256,
        SIDE_FILES_HASH: source.side_files_sha256,
        TEXTURES_HASH: source.textures_sha256,
        MESH_LEFT_OUT: printable_path("; ".join(source.left_out)),
    }
    return {key: text for key, text in entries.items() if text or key in (MESH_PATH, MESH_HASH)}


def printable_path(path: str) -> str:
    r"""Return a path as one line of text that every Unicode encoding can hold.

    Linux paths are bytes. Bytes that are not UTF-8 and unprintable characters become Python's
    escapes: ``caf\xe9.obj``.
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def source_in_memory(mesh: Mesh) -> MeshSource:
    """Return the source of a mesh without a file: an empty path and the hash of its arrays."""
    arrays_hash = hashlib.sha256()
    arrays = (
        mesh.vertices,
        mesh.faces,
        mesh.uv,
        mesh.colors,
        *mesh.textures,
        mesh.texture_id,
        mesh.object_id,
        mesh.alpha_cutoff,
    )
    for array in arrays:
        part = b"none" if array is None else repr(array.shape).encode() + array.tobytes()
        arrays_hash.update(part)
    arrays_hash.update(repr([tuple(sampler) for sampler in mesh.samplers]).encode())
    return MeshSource("", arrays_hash.hexdigest())
