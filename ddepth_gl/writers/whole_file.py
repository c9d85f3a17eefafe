"""Files that appear whole or not at all, and none beside them that an earlier run has left."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..arguments import shown
from ..errors import OutputError

__all__ = ["file_path", "remove_others", "whole_file"]


def file_path(path: object) -> Path:
    """`path` as one that can name a file.

    Raises:
        OutputError: it cannot.
    """
    try:
        target = Path(path) if isinstance(path, (str, os.PathLike)) else Path()
    except Exception:  # whatever an __fspath__ method raises
        target = Path()
    if not target.name or "\0" in str(target):
        raise OutputError(f"{shown(path)} is not the path of a file; give a name, with its folder if need be")
    return target


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a binary file that takes its name only when the block ends without an error.

    What was at `path` before stays until then, and stays for good if writing fails or is interrupted.

    Raises:
        OutputError: the folder is missing or read-only, the disk is full, or `path` is a folder, a device or
            no path at all.
    """
    target = file_path(path)
    # A short name of its own: the target's, made longer, could be too long for the file system.
    part = target.with_name(f".ddepth-{secrets.token_hex(8)}.part")
    try:
        if target.exists() and not target.is_file():
            raise OutputError(f"{target} is a {'folder' if target.is_dir() else 'device'}; give a file name")
        try:
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{target} cannot be written ({reason}); check the folder and the disk") from error


def remove_others(target: Path, ending: str, written: Collection[Path]) -> None:
    """Removes what an earlier run with more layers has left beside the numbered files of this one.

    Args:
        target: the numbered files' folder and the beginning of their names.
        ending: the rest of their names, as a regular expression; nothing else is touched.
        written: those that stay.

    Raises:
        OutputError: such a file cannot be removed.
    """
    pattern = re.compile(re.escape(target.name) + ending)
    kept = {path.name for path in written}
    try:
        for path in target.parent.iterdir():
            if pattern.fullmatch(path.name) and path.name not in kept and path.is_file():
                path.unlink()
    except OSError as error:
        raise OutputError(
            f"{error.filename} is of an earlier run and cannot be removed ({error.strerror}); remove it"
        ) from error
