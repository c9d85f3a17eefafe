"""Mesh files of a run: the files given, and those in the folders given that are no results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .._text import counted
from ..io.meshes.read import MESH_SUFFIXES
from ..io.meshes.refused_formats import conversion_advice, is_foreign_mesh
from ..io.results.earlier_files import names_mesh

__all__ = ["MeshFiles", "mesh_files"]


class MeshFiles(NamedTuple):
    """The mesh files of a run.

    Attributes:
        files: each once, in the order given.
        repeated: files that were given or found again.
        failures: folders that cannot be searched or hold no mesh, with one message each.
        results: results of earlier runs that were found in folders and left out.
        foreign: files in folders, in mesh formats that are not read, beside meshes.
    """

    files: list[Path]
    repeated: list[Path]
    failures: dict[Path, str]
    results: list[Path]
    foreign: list[Path]


def mesh_files(paths: Sequence[Path]) -> MeshFiles:
    """Return the mesh files, in the order of `paths`; those of a folder are sorted.

    A file counts once, however its folder is written. Links are files of their own, since results
    are named after them.

    Folders may hold results of earlier runs, which PLY files tell in their headers. These are left
    out, wherever they lie. A file that is given by name is always taken.

    Args:
        paths: files, and folders that are searched with all folders in them. Links to folders are
            not followed. Names in them that start with a dot are left out.
    """
    found = MeshFiles([], [], {}, [], [])
    seen: set[Path] = set()
    real_folders: dict[Path, Path] = {}
    for path in paths:
        # Unlike Path.is_dir, this is False for a path that cannot be reached.
        files = _files_below(path, found) if os.path.isdir(path) else [path]  # noqa: PTH112
        for file in files:
            if file.parent not in real_folders:
                real_folders[file.parent] = _real(file.parent)
            real = real_folders[file.parent] / file.name
            (found.repeated if real in seen else found.files).append(file)
            seen.add(real)
    left_out = {_real(file.parent) / file.name: file for file in found.results}
    found.results[:] = [file for real, file in left_out.items() if real not in seen]
    foreign = {_real(file.parent) / file.name: file for file in found.foreign}
    found.foreign[:] = [file for real, file in foreign.items() if real not in seen]
    return found


def _real(path: Path) -> Path:
    # Unlike Path.resolve, this raises nothing for a loop of links.
    return Path(os.path.realpath(path))


def _files_below(folder: Path, found: MeshFiles) -> list[Path]:
    """Return the mesh files of a folder, sorted; add the rest to the results and the failures."""
    before = len(found.failures)

    def fail(error: OSError) -> None:
        found.failures[Path(error.filename)] = (
            f"{error.filename} cannot be searched ({error.strerror}); "
            "change its permissions, or leave it out"
        )

    files: list[Path] = []
    results: list[Path] = []
    foreign: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        # Hidden names are those of other programs: copies, caches, macOS's ._part.obj.
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(parent, name)
            if name.startswith("."):
                continue
            if file.suffix.lower() in MESH_SUFFIXES:
                (results if names_mesh(file) else files).append(file)
            elif is_foreign_mesh(file.suffix) and file.is_file():
                foreign.append(file)
    found.results.extend(sorted(results))
    foreign.sort()
    if files:
        found.foreign.extend(foreign)
    elif len(found.failures) == before:
        suffixes = ", ".join(MESH_SUFFIXES)
        if foreign:
            of_first = conversion_advice(foreign[0].suffix, MESH_SUFFIXES, name=foreign[0].name)
            found.failures[folder] = (
                f"{folder} has no mesh files that are read, but {foreign[0].name}: {of_first}"
            )
            return []
        if results:
            advice = (
                f" besides {counted(len(results), 'result')} of ddepth; give results by name, or"
            )
        else:
            advice = ";"
        found.failures[folder] = (
            f"{folder} has no mesh files ({suffixes}){advice} give another folder"
        )
    return sorted(files)
