"""Paths that belong to a mesh, from a pattern of the settings."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .entries import MeshEntry

__all__ = ["path_of_entry"]

_NAME = re.compile(r"\{(id|stem|folder)\}")


def path_of_entry(pattern: str, entry: MeshEntry) -> str:
    """Return a path with the names of a mesh in place of ``{id}``, ``{stem}`` and ``{folder}``.

    ``{id}`` is the mesh's id, in which every byte outside ``[A-Za-z0-9_-]`` is escaped; ``{stem}``
    is the name of its file without suffix; ``{folder}`` is the folder that the file, or the tar
    with it, lies in. Other braces stay.
    """
    names = {
        "id": entry.id,
        "stem": posixpath.splitext(posixpath.basename(entry.member or entry.address))[0],
        "folder": posixpath.dirname(entry.address) or ".",
    }
    return _NAME.sub(lambda match: names[match[1]], pattern)
