"""Files that are replaced only by the mesh that they were written from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import OutputError
from ..opened_files import opened
from ..provenance import MESH_HASH, MESH_PATH

__all__ = ["check_replaceable"]

_MOST_HEADER_LINES = 100


def check_replaceable(folder: Path, names: re.Pattern[str], mesh: Mapping[str, str]) -> None:
    """Raise OutputError if one of the files to be written is there already and is not from this mesh.

    Args:
        folder: where they are to be written.
        names: theirs.
        mesh: what `from_mesh` says of it.
    """
    try:
        present = sorted(path for path in folder.iterdir() if names.fullmatch(path.name) and path.is_file())
    except OSError as error:
        raise OutputError(f"{folder} cannot be read ({error.strerror}); check the folder") from error
    for path in present:
        found = _provenance(path)
        if found.get(MESH_HASH) != mesh[MESH_HASH]:
            raise OutputError(f"{path} {_whose(found, mesh)}; give another -o, or --overwrite to replace it")


def _whose(found: Mapping[str, str], mesh: Mapping[str, str]) -> str:
    """Return whose file it is, if it is not of this state of the mesh."""
    if MESH_HASH not in found:
        return "was not written by ddepth, or by an older version of it"
    # PLY holds ASCII only.
    of, this = (each.get(MESH_PATH, "").encode("ascii", "backslashreplace") for each in (found, mesh))
    if of and of == this:
        return f"is of an earlier state of this mesh file ({mesh[MESH_PATH]})"
    return f"is of another mesh ({found.get(MESH_PATH) or 'without a path'})"


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
    return {key: str(found[key]) for key in (MESH_PATH, MESH_HASH) if key in found}


def _of_npz(stream: BinaryIO) -> dict[str, object]:
    with np.load(stream, allow_pickle=False) as archive:
        return {key: archive[key] for key in (MESH_PATH, MESH_HASH)}


def _of_json(stream: BinaryIO) -> dict[str, object]:
    return dict(json.load(stream))


def _of_png(stream: BinaryIO) -> dict[str, object]:
    from PIL import Image

    with Image.open(stream, formats=["PNG"]) as picture:
        return {str(key): text for key, text in picture.info.items()}


def _of_ply(stream: BinaryIO) -> dict[str, object]:
    comments = (line.decode("ascii").split(maxsplit=2) for line in islice(stream, _MOST_HEADER_LINES))
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
