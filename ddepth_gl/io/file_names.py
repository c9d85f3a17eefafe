"""Names of files that results and cameras are written to or read from."""

from __future__ import annotations

import os
from pathlib import Path

from .._checks import shown
from ..errors import OutputError

__all__ = ["checked_path", "checked_stem"]


def checked_path(path: object) -> Path:
    """Return `path` as a Path.

    Raises:
        OutputError: it cannot name a file.
    """
    try:
        target = Path(path) if isinstance(path, (str, os.PathLike)) else Path()
    except Exception:  # an __fspath__ method may raise anything
        target = Path()
    if not target.name or "\0" in str(target):
        raise OutputError(
            f"{shown(path)} is not the path of a file; give a file name, with its folder if needed"
        )
    return target


def checked_stem(path: object, suffix: str) -> Path:
    """Return `path` without the suffix: the beginning of the names of several files.

    Args:
        path: the name that the files share, with or without the suffix.
        suffix: the suffix in lower case, such as ``".png"``; other endings are part of the name.

    Raises:
        OutputError: it cannot name a file.
    """
    target = checked_path(path)
    return target.with_suffix("") if target.suffix.lower() == suffix else target
