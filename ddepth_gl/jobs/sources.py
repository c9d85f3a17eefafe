"""Mesh files of a run: the files given, and those in the folders given."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import RequestError
from ..io.meshes.read import MESH_SUFFIXES

__all__ = ["mesh_files"]


def mesh_files(paths: Sequence[Path], output: Path | None = None) -> list[Path]:
    """Return the mesh files, in the order of `paths`; those of a folder are sorted.

    Args:
        paths: files, and folders that are searched with all folders in them. Links to folders are
            not followed.
        output: folder of the results, if any. If it lies below a searched folder, meshes in it are
            results of earlier runs and are left out.

    Raises:
        RequestError: a folder has no mesh files, or one in it cannot be read.
    """
    results = None if output is None else _real(output)
    files: list[Path] = []
    for path in paths:
        # Unlike Path.is_dir, this is False for a path that cannot be reached.
        if not os.path.isdir(path):  # noqa: PTH112
            files.append(path)
            continue
        found = _files_below(path)
        if results is not None and _real(path) in results.parents:
            found = [file for file in found if results not in _real(file).parents]
        if not found:
            suffixes = ", ".join(MESH_SUFFIXES)
            raise RequestError(f"{path} has no mesh files ({suffixes}); give another folder")
        files += found
    return files


def _real(path: Path) -> Path:
    # Unlike Path.resolve, this raises nothing for a loop of links.
    return Path(os.path.realpath(path))


def _files_below(folder: Path) -> list[Path]:
    def fail(error: OSError) -> None:
        raise RequestError(f"{error.filename} cannot be searched ({error.strerror})") from error

    files = (
        Path(parent, name) for parent, _, names in os.walk(folder, onerror=fail) for name in names
    )
    return sorted(file for file in files if file.suffix.lower() in MESH_SUFFIXES)
