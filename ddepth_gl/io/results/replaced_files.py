"""Files that are replaced only by the mesh that they were written from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...errors import OutputError
from ...mesh.mesh import MeshSource
from ...results.provenance import MESH_HASH, MESH_PATH, SIDE_FILES_HASH, printable_path
from ..opened_files import opened

__all__ = ["check_replaceable"]

_KEYS = (MESH_PATH, MESH_HASH, SIDE_FILES_HASH)
_MOST_HEADER_LINES = 100


def check_replaceable(folder: Path, names: re.Pattern[str], source: MeshSource) -> None:
    """Raise OutputError if one of the files to be written is there already and is not from this mesh.

    Args:
        folder: where they are to be written.
        names: theirs.
        source: of the mesh.
    """
    try:
        present = sorted(
            path for path in folder.iterdir() if names.fullmatch(path.name) and path.is_file()
        )
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be read ({error.strerror}); check the folder"
        ) from error
    for path in present:
        found = _provenance(path)
        hashes = found.get(MESH_HASH), found.get(SIDE_FILES_HASH, "")
        if hashes != (source.sha256, source.side_files_sha256):
            whose = _whose(found, printable_path(source.path))
            raise OutputError(f"{path} {whose}; give another -o, or --overwrite to replace it")


def _whose(found: Mapping[str, str], mesh_path: str) -> str:
    """Return whose file it is that is not of the present state of the mesh at `mesh_path`."""
    if MESH_HASH not in found:
        return "was not written by ddepth, or by an older version of it"
    path = found.get(MESH_PATH, "")
    # PLY files hold the path in ASCII.
    if path and path in (mesh_path, mesh_path.encode("ascii", "backslashreplace").decode("ascii")):
        return f"is of an earlier state of this mesh file ({mesh_path})"
    return f"is of another mesh ({path or 'without a path'})"


def _provenance(path: Path) -> dict[str, str]:
    """Return what a file says about its mesh; nothing if it says nothing or cannot be read."""
    read = _READERS.get(path.suffix)
    if read is None:
        return {}
    try:
        with opened(path) as file, open(file.descriptor, "rb", closefd=False) as stream:
            found = read(stream)
    except Exception:  # what is no such file at all makes the decoders raise nearly anything
        return {}
    return {key: str(found[key]) for key in _KEYS if key in found}


def _of_npz(stream: BinaryIO) -> dict[str, object]:
    with np.load(stream, allow_pickle=False) as archive:
        return {key: archive[key] for key in _KEYS if key in archive}


def _of_json(stream: BinaryIO) -> dict[str, object]:
    return dict(json.load(stream))


def _of_png(stream: BinaryIO) -> dict[str, object]:
    from PIL import Image

    with Image.open(stream, formats=["PNG"]) as picture:
        return {str(key): text for key, text in picture.info.items()}


def _of_ply(stream: BinaryIO) -> dict[str, object]:
    comments = (
        line.decode("ascii").split(maxsplit=2) for line in islice(stream, _MOST_HEADER_LINES)
    )
    found: dict[str, object] = {}
    for words in comments:
        if words == ["end_header"]:
            break
        if words[0] == "comment" and len(words) == 3:
            found[words[1]] = words[2].strip()
    return found


def _of_exr(stream: BinaryIO) -> dict[str, object]:
    import OpenEXR

    return dict(OpenEXR.File(stream, header_only=True).parts[0].header)


_READERS: dict[str, Callable[[BinaryIO], dict[str, object]]] = {
    ".npz": _of_npz,
    ".json": _of_json,
    ".png": _of_png,
    ".ply": _of_ply,
    ".exr": _of_exr,
}
