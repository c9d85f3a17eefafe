"""Paths that belong to a mesh, from a pattern of the settings."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CameraError, DatasetError
from ..io.cameras.read import load_cameras
from .blend_photos import check_are_blend

if TYPE_CHECKING:
    from ..camera.camera import Camera
    from .config import DatasetConfig
    from .config_groups import ViewsConfig
    from .entries import MeshEntry

__all__ = ["cameras_of_entry", "check_paths", "path_of_entry"]

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


def cameras_of_entry(config: ViewsConfig, entry: MeshEntry) -> list[Camera]:
    """Return the cameras of the file that belongs to a mesh, in the frame of the file.

    Raises:
        CameraError: it cannot be read.
    """
    if entry.cameras is None and config.file is None:
        raise CameraError(
            f"{entry.id} has no camera file in sources.cameras_column; give it one, or views.file"
        )
    path = Path(entry.cameras or path_of_entry(config.file or "", entry))
    try:
        return load_cameras(path)
    except CameraError:
        # The file may lack an image size; if something else is wrong, this says so again.
        width, height = config.size
        return load_cameras(path, width=width, height=height)


def check_paths(config: DatasetConfig, entries: Sequence[MeshEntry]) -> None:
    """Look for the camera files and photos of the first meshes, and for meshes without a photo.

    A camera file for all meshes is read.

    Raises:
        DatasetError: none of them exists, the file for all meshes cannot be read, or Blender is to
            render the photos of other meshes than its own.
    """
    check_are_blend(config, entries)
    photos = config.photos
    if photos is not None:
        name, pattern = "photos.folder", photos.folder
        own = [entry for entry in entries if not entry.photos]
    elif config.views.kind == "file" and config.views.file is not None:
        name, pattern = "views.file", config.views.file
        own = [entry for entry in entries if entry.cameras is None]
    else:
        return
    paths = [path_of_entry(pattern, entry) for entry in own[:_LOOKED_AT]]
    if paths and not any(Path(path).exists() for path in paths):
        advice = "" if paths[0] == pattern else f", nor any other of the first {len(paths)} meshes"
        raise DatasetError(f"{name}: {paths[0]} does not exist{advice}; check the path")
    if photos is None and paths and _NAME.search(pattern) is None:
        try:
            cameras_of_entry(config.views, own[0])
        except CameraError as error:
            raise DatasetError(f"{name}, for all meshes: {error}") from error
