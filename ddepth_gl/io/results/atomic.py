"""Files that appear whole or not at all, and none beside them that an earlier run has left."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..._checks import shown
from ...errors import OutputError

__all__ = ["file_path", "remove_others", "remove_unfinished", "whole_file"]

# Of files that are being written: the names that they have, or take for a moment, until they are whole.
_unfinished: set[Path] = set()


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
        raise OutputError(
            f"{shown(path)} is not the path of a file; give a name, with its folder if need be"
        )
    return target


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a binary file that takes its name only when the block ends without an error.

    What was at `path` before stays until then, and stays for good if writing fails or is interrupted. Nor is
    anything left if the process is killed, where the file system has files without a name.

    Raises:
        OutputError: the folder is missing or read-only, the disk is full, or `path` is a folder, a device or
            no path at all.
    """
    target = file_path(path)
    # A short name of its own: the target's, made longer, could be too long for the file system.
    part = target.with_name(f".ddepth-{secrets.token_hex(8)}.part")
    try:
        if target.exists() and not target.is_file():
            raise OutputError(
                f"{target} is a {'folder' if target.is_dir() else 'device'}; give a file name"
            )
        _unfinished.add(part)
        try:
            with _nameless(part.parent) or part.open("xb") as file:
                yield file
                file.flush()
                number = file.fileno()
                os.fsync(number)
                if os.fstat(number).st_nlink == 0:
                    # Python follows this link only with the number of a folder (any: the path is absolute).
                    os.link(f"/proc/self/fd/{number}", part, src_dir_fd=number)
            part.replace(target)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        finally:
            _unfinished.discard(part)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(
            f"{target} cannot be written ({reason}); check the folder and the disk"
        ) from error


def _nameless(folder: Path) -> BinaryIO | None:
    """A new file in `folder` that has no name yet, or None where there are no such files.

    Linux has them on most local file systems; see open(2), O_TMPFILE.
    """
    if not (hasattr(os, "O_TMPFILE") and Path("/proc/self/fd").is_dir()):
        return None
    try:
        return os.fdopen(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666), "wb")
    except OSError:
        return None  # whatever the reason, a file with a name meets it as well


def remove_unfinished() -> None:
    """Removes the files that are being written; for a process that is about to end at once."""
    for part in list(_unfinished):
        with suppress(OSError):
            part.unlink()


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
