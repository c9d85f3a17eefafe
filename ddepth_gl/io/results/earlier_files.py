"""Files of earlier runs: which of them a run may replace or keep, and which it must remove."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...errors import OutputError
from ...mesh.mesh import MeshSource
from ...results.provenance import (
    FILE_COUNT,
    MESH_HASH,
    MESH_LEFT_OUT,
    MESH_PATH,
    SETTINGS_HASH,
    SIDE_FILES_HASH,
    TEXTURES_HASH,
    printable_path,
)
from ..opened_files import opened
from .whole_files import check_whole

__all__ = [
    "EarlierFiles",
    "check_replaceable",
    "entries_if_whole",
    "names_mesh",
    "remove_leftovers",
]

_KEYS = (
    MESH_PATH, MESH_HASH, SIDE_FILES_HASH, TEXTURES_HASH, MESH_LEFT_OUT, SETTINGS_HASH, FILE_COUNT
)  # fmt: skip
_MAX_HEADER_LINES = 100
# What results have among their first bytes, uncompressed: some of these in every format.
_BEGINNING = 1 << 16
_MARKS = (b"ddepth_gl ", MESH_HASH.encode(), b"camera_from_world", b'"scale": ')


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


class EarlierFiles:
    """The files in an output folder at the start of a run.

    The folder is listed once: listing it for every mesh would take longer than rendering if it
    holds the results of thousands.

    Args:
        folder: existing folder.

    Raises:
        OutputError: it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._names = sorted(path.name for path in folder.iterdir())
        except OSError as error:
            raise OutputError(
                f"{folder} cannot be read ({error.strerror}); check the folder"
            ) from error

    def matching(self, beginning: str, names: re.Pattern[str]) -> list[Path]:
        """Return the files whose whole names match a pattern, sorted.

        Args:
            beginning: what all these names begin with.
            names: the pattern.
        """
        found = []
        for position in range(bisect_left(self._names, beginning), len(self._names)):
            name = self._names[position]
            if not name.startswith(beginning):
                break
            if names.fullmatch(name) and (self.folder / name).is_file():
                found.append(self.folder / name)
        return found


def check_replaceable(
    present: Collection[Path],
    source: MeshSource,
    *,
    or_damaged: bool = False,
    with_colors: bool = True,
) -> None:
    """Raise OutputError if a file to be written exists and was not written from this mesh.

    Args:
        present: existing files that may be replaced or removed.
        source: origin of the mesh.
        with_colors: whether the run reads textures, so that they can be compared.
        or_damaged: whether results that are too damaged to name their mesh may be replaced, too.
    """
    for path in present:
        found = _entries(path)
        side_files = found.get(SIDE_FILES_HASH, "")
        textures = found.get(TEXTURES_HASH) if with_colors else None  # files of depth have none
        differs = found.get(MESH_HASH) != source.sha256
        # Options decide what the surface depends on (MTL and images with a blend_cutoff): if only
        # one of the runs read any of that, there is nothing to compare.
        if bool(side_files) == bool(source.side_files_sha256):
            differs |= side_files != source.side_files_sha256
            differs |= bool(textures) and textures != source.textures_sha256
        if differs:
            if or_damaged and MESH_HASH not in found and _is_damaged_result(path):
                continue
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


def entries_if_whole(path: Path) -> dict[str, str]:
    """Return what a file says about its origin; empty if it is damaged or says nothing.

    See `check_whole` for what is noticed.
    """
    return _entries(path, check_whole)


def _is_damaged_result(path: Path) -> bool:
    """Return whether a file is damaged and begins like a result, or is empty."""
    try:
        with opened(path) as file, open(file.descriptor, "rb", closefd=False) as stream:
            beginning = stream.read(_BEGINNING)
            stream.seek(0)
            try:
                check_whole(stream, path.suffix)
                stream.seek(0)
                _READERS[path.suffix](stream)
            except Exception:  # on a malformed file the decoders raise nearly anything
                return not beginning or any(mark in beginning for mark in _MARKS)
    except Exception:  # `opened` refuses it
        return False
    return False


def names_mesh(path: Path) -> bool:
    """Return whether a file says from which mesh it was written, as results do."""
    return MESH_HASH in _entries(path)


def _entries(
    path: Path, check: Callable[[BinaryIO, str], None] = lambda stream, suffix: None
) -> dict[str, str]:
    """Return what a file says about its origin; empty if it says nothing or cannot be read."""
    read = _READERS.get(path.suffix)
    if read is None:
        return {}
    try:
        if not path.is_file():
            return {}  # of a pipe, even opening it would be noticed
        with opened(path) as file, open(file.descriptor, "rb", closefd=False) as stream:
            check(stream, path.suffix)
            stream.seek(0)
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
    found: dict[str, object] = {}
    if stream.readline(_BEGINNING).strip() != b"ply":
        return found
    for _ in range(_MAX_HEADER_LINES):
        # A file of others may be one long line.
        words = stream.readline(_BEGINNING).decode("ascii").split(maxsplit=2)
        if not words or words == ["end_header"]:
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
