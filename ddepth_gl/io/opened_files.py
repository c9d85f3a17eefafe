"""Files that are opened before they are checked, so that what was checked is what is read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import NamedTuple

__all__ = ["OpenedFile", "opened", "opened_below", "opened_folder"]

# Without O_NONBLOCK, opening a pipe waits for whoever writes to it.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class OpenedFile(NamedTuple):
    """An open file and what the system says of it; its name may lead elsewhere by now."""

    descriptor: int
    mode: int
    size: int

    @property
    def is_regular(self) -> bool:
        """Whether it is a plain file: no folder, pipe, socket or device."""
        return stat.S_ISREG(self.mode)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)

    def read(self) -> bytes | None:
        """Return the content, never more than `size` bytes; None if it has grown or shrunk since."""
        with open(self.descriptor, "rb", closefd=False) as file:
            data = file.read(self.size + 1)
        return data if len(data) == self.size else None


@contextmanager
def opened(
    path: str | os.PathLike[str], folder: int | None = None, flags: int = 0
) -> Iterator[OpenedFile]:
    """Open a file without ever waiting for it, whatever it is; it is closed when the block ends.

    Args:
        path: of the file; symbolic links are followed.
        folder: descriptor of the folder that a relative path starts from.
        flags: further ones of `os.open`.

    Raises:
        OSError: there is none, or it may not be read.
        ValueError: a null character in the name.
    """
    try:
        descriptor = os.open(path, _READ | flags, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        # A socket, which cannot be opened at all.
        yield OpenedFile(-1, stat.S_IFSOCK, 0)
        return
    try:
        info = os.fstat(descriptor)
        yield OpenedFile(descriptor, info.st_mode, info.st_size)
    finally:
        os.close(descriptor)


@contextmanager
def opened_folder(
    path: str | os.PathLike[str], folder: int | None = None, flags: int = 0
) -> Iterator[int]:
    """Open a folder for `opened` and `opened_below` to start from; arguments and errors as of `opened`.

    Yields:
        Its descriptor, which stays that of the same folder whatever becomes of the name.
    """
    descriptor = os.open(path, _FOLDER | flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_below(folder: int, path: PurePath) -> Iterator[OpenedFile]:
    """Open a file in a folder or below it, following no symbolic link on the way.

    Args:
        folder: descriptor of the folder.
        path: relative, its links resolved already: one that is there now was not there then.

    Raises:
        OSError: as `opened` does, and where a part of the path is a link.
    """
    first, *rest = path.parts or (".",)
    if not rest:
        with opened(first, folder, os.O_NOFOLLOW) as file:
            yield file
        return
    with (
        opened_folder(first, folder, os.O_NOFOLLOW) as below,
        opened_below(below, PurePath(*rest)) as file,
    ):
        yield file
