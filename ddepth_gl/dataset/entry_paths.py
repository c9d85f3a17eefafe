"""Paths that belong to a mesh, from a pattern of the settings."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .entries import MeshEntry

__all__ = ["path_of_entry"]


def path_of_entry(pattern: str, entry: MeshEntry) -> str:
    """Return a path with the names of a mesh in place of ``{id}``, ``{stem}`` and ``{folder}``.

    ``{id}`` is the mesh's id, in which every byte outside ``[A-Za-z0-9_-]`` is escaped; ``{stem}``
    is the name of its file without suffix; ``{folder}`` is the folder that the file, or the tar
    with it, lies in. Other braces stay.
    """
    folder = posixpath.dirname(entry.address) or "."
    stem = posixpath.splitext(posixpath.basename(entry.member or entry.address))[0]
    names = {"{id}": entry.id, "{stem}": stem, "{folder}": folder}
    for name, value in names.items():
        pattern = pattern.replace(name, value)
    return pattern
