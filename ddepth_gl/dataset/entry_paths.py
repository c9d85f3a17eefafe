"""Paths that belong to a mesh, from a pattern of the settings."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DatasetError
from .blend_photos import check_are_blend

if TYPE_CHECKING:
    from .config import DatasetConfig
    from .entries import MeshEntry

__all__ = ["check_paths", "path_of_entry"]

_LOOKED_AT = 20  # meshes

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


def check_paths(config: DatasetConfig, entries: Sequence[MeshEntry]) -> None:
    """Look for the camera files and photos of the first meshes, and for meshes without a photo.

    Raises:
        DatasetError: none of them exists, or Blender is to render the photos of other meshes than
            its own.
    """
    check_are_blend(config, entries)
    photos = config.photos
    if photos is not None:
        name, pattern = "photos.folder", photos.folder
        own = [entry for entry in entries if not entry.photos]
    elif config.views.kind == "file":
        name, pattern = "views.file", config.views.file or ""
        own = [entry for entry in entries if entry.cameras is None]
    else:
        return
    paths = [path_of_entry(pattern, entry) for entry in own[:_LOOKED_AT]]
    if paths and not any(Path(path).exists() for path in paths):
        advice = "" if paths[0] == pattern else f", nor any other of the first {len(paths)} meshes"
        raise DatasetError(f"{name}: {paths[0]} does not exist{advice}; check the path")
