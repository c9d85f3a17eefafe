"""Files that appear complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .._log import logger
from .._text import printable
from ..errors import OutputError
from .file_names import checked_path
from .owners import part_name

__all__ = ["atomic_write", "remove_unfinished", "removed_if_ended"]

_log = logger(__name__)

# Temporary names of the files that are being written, and files of `removed_if_ended`.
_unfinished: set[Path] = set()


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a binary file that appears at `path` only when the block ends without an error.

    A file that is already at `path` stays until then, and for good if writing fails or is
    interrupted. On file systems with unnamed files, nothing is left even if the process is killed.

    Args:
        path: file to write; an existing file is replaced.

    Yields:
        The open file.

    Raises:
        OutputError: the folder is missing or read-only, the disk is full, or `path` is a folder,
            a device or not a path.
    """
    target = checked_path(path)
    # A short random name: an extension of the target's name could be too long for the file system.
    part = target.with_name(part_name("ddepth"))
    try:
        if target.exists() and not target.is_file():
            raise OutputError(
                f"{target} is a {'folder' if target.is_dir() else 'device'}; give a file name"
            )
        _unfinished.add(part)
        try:
            with _open_unnamed(part.parent) or part.open("xb") as file:
                yield file
                file.flush()
                descriptor = file.fileno()
                os.fsync(descriptor)
                if os.fstat(descriptor).st_nlink == 0:
                    # Python follows this link only if a folder's descriptor is given.
                    # Any descriptor will do, because the path is absolute.
                    os.link(f"/proc/self/fd/{descriptor}", part, src_dir_fd=descriptor)
            part.replace(target)
            _log.debug("wrote %s", printable(str(target)))
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


def _open_unnamed(folder: Path) -> BinaryIO | None:
    """Return a new file in `folder` without a name, or None where that is not possible.

    Linux supports unnamed files on most local file systems; see open(2), O_TMPFILE.
    """
    if not (hasattr(os, "O_TMPFILE") and Path("/proc/self/fd").is_dir()):
        return None
    try:
        return os.fdopen(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666), "wb")
    except OSError:
        return None  # opening a named file either works or reports the reason


@contextmanager
def removed_if_ended(path: Path) -> Iterator[None]:
    """Have `remove_unfinished` remove a file that means nothing after this process."""
    _unfinished.add(path)
    try:
        yield
    finally:
        _unfinished.discard(path)


def remove_unfinished() -> None:
    """Remove the files that are being written; for a process that is about to end at once."""
    for part in list(_unfinished):
        with suppress(OSError):
            part.unlink()
