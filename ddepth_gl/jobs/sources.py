"""Mesh files of a run: the files given, and those in the folders given."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..io.meshes.read import MESH_SUFFIXES

__all__ = ["MeshFiles", "mesh_files"]


class MeshFiles(NamedTuple):
    """The mesh files of a run.

    Attributes:
        files: each once, in the order given.
        repeated: files that were given or found again.
        failures: folders that cannot be searched or hold no mesh, with one message each.
    """

    files: list[Path]
    repeated: list[Path]
    failures: dict[Path, str]


def mesh_files(paths: Sequence[Path], output: Path | None = None) -> MeshFiles:
    """Return the mesh files, in the order of `paths`; those of a folder are sorted.

    A file counts once, however its folder is written. Links are files of their own, since results
    are named after them.

    Args:
        paths: files, and folders that are searched with all folders in them. Links to folders are
            not followed.
        output: folder of the results, if any. If it lies below a searched folder, meshes in it are
            results of earlier runs and are left out.
    """
    results = None if output is None else _real(output)
    found = MeshFiles([], [], {})
    seen: set[Path] = set()
    real_folders: dict[Path, Path] = {}
    for path in paths:
        # Unlike Path.is_dir, this is False for a path that cannot be reached.
        files = _files_below(path, results, found) if os.path.isdir(path) else [path]  # noqa: PTH112
        for file in files:
            if file.parent not in real_folders:
                real_folders[file.parent] = _real(file.parent)
            real = real_folders[file.parent] / file.name
            (found.repeated if real in seen else found.files).append(file)
            seen.add(real)
    return found


def _real(path: Path) -> Path:
    # Unlike Path.resolve, this raises nothing for a loop of links.
    return Path(os.path.realpath(path))


def _files_below(folder: Path, results: Path | None, found: MeshFiles) -> list[Path]:
    """Return the mesh files of a folder, sorted; add what cannot be searched to the failures."""
    before = len(found.failures)

    def fail(error: OSError) -> None:
        found.failures[Path(error.filename)] = (
            f"{error.filename} cannot be searched ({error.strerror}); "
            "change its permissions, or leave it out"
        )

    files = [
        Path(parent, name)
        for parent, _, names in os.walk(folder, onerror=fail)
        for name in names
        if Path(name).suffix.lower() in MESH_SUFFIXES
    ]
    if results is not None and _real(folder) in results.parents:
        files = [file for file in files if results not in _real(file).parents]
    if not files and len(found.failures) == before:
        suffixes = ", ".join(MESH_SUFFIXES)
        found.failures[folder] = f"{folder} has no mesh files ({suffixes}); give another folder"
    return sorted(files)
