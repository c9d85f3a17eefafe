"""Files of earlier runs: which of them a run may replace, and which it must remove."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...errors import OutputError
from ...mesh.mesh import MeshSource
from ...results.provenance import MESH_HASH, MESH_PATH, SIDE_FILES_HASH, printable_path
from ..opened_files import opened

__all__ = ["check_replaceable", "remove_leftovers"]

_KEYS = (MESH_PATH, MESH_HASH, SIDE_FILES_HASH)
_MAX_HEADER_LINES = 100


def remove_leftovers(target: Path, ending: str, written: Collection[Path]) -> None:
    """Remove numbered files that an earlier run with more layers left beside those of this run.

    Args:
        target: folder and beginning of the name that the numbered files share.
        ending: regular expression for the rest of their names; other files are not touched.
        written: files of this run, which stay.

    Raises:
        OutputError: a file cannot be removed.
    """
    pattern = re.compile(re.escape(target.name) + ending)
    kept = {path.name for path in written}
    try:
        for path in target.parent.iterdir():
            if pattern.fullmatch(path.name) and path.name not in kept and path.is_file():
                path.unlink()
    except OSError as error:
        raise OutputError(
            f"{error.filename} is from an earlier run and cannot be removed ({error.strerror}); "
            "remove it"
        ) from error


def check_replaceable(folder: Path, names: re.Pattern[str], source: MeshSource) -> None:
    """Raise OutputError if a file to be written exists and was not written from this mesh.

    Args:
        folder: output folder.
        names: pattern that the names of all files to be written match.
        source: origin of the mesh.
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
        found = _mesh_entries(path)
        hashes = found.get(MESH_HASH), found.get(SIDE_FILES_HASH, "")
        if hashes != (source.sha256, source.side_files_sha256):
            origin = _origin_text(found, printable_path(source.path))
            raise OutputError(f"{path} {origin}; give another -o, or --overwrite to replace it")


def _origin_text(found: Mapping[str, str], mesh_path: str) -> str:
    """Return the origin of a file that does not match the present mesh at `mesh_path`."""
    if MESH_HASH not in found:
        return "was not written by ddepth, or by an older version of it"
    path = found.get(MESH_PATH, "")
    # PLY files hold the path in ASCII.
    if path and path in (mesh_path, mesh_path.encode("ascii", "backslashreplace").decode("ascii")):
        return f"is from an earlier state of this mesh file ({mesh_path})"
    return f"is from another mesh ({path or 'without a path'})"


def _mesh_entries(path: Path) -> dict[str, str]:
    """Return what a file says about its mesh; empty if it says nothing or cannot be read."""
    read = _READERS.get(path.suffix)
    if read is None:
        return {}
    try:
        with opened(path) as file, open(file.descriptor, "rb", closefd=False) as stream:
            found = read(stream)
    except Exception:  # on a malformed file the decoders raise nearly anything
        return {}
    return {key: str(found[key]) for key in _KEYS if key in found}


def _read_npz(stream: BinaryIO) -> dict[str, object]:
    with np.load(stream, allow_pickle=False) as archive:
        return {key: archive[key] for key in _KEYS if key in archive}


def _read_json(stream: BinaryIO) -> dict[str, object]:
    return dict(json.load(stream))


def _read_png(stream: BinaryIO) -> dict[str, object]:
    from PIL import Image

    with Image.open(stream, formats=["PNG"]) as image:
        return {str(key): text for key, text in image.info.items()}


def _read_ply(stream: BinaryIO) -> dict[str, object]:
    lines = (line.decode("ascii").split(maxsplit=2) for line in islice(stream, _MAX_HEADER_LINES))
    found: dict[str, object] = {}
    for words in lines:
        if words == ["end_header"]:
            break
        if words[0] == "comment" and len(words) == 3:
            found[words[1]] = words[2].strip()
    return found


def _read_exr(stream: BinaryIO) -> dict[str, object]:
    import OpenEXR

    return dict(OpenEXR.File(stream, header_only=True).parts[0].header)


_READERS: dict[str, Callable[[BinaryIO], dict[str, object]]] = {
    ".npz": _read_npz,
    ".json": _read_json,
    ".png": _read_png,
    ".ply": _read_ply,
    ".exr": _read_exr,
}
