"""Files that are opened before they are checked, so that the checked file is the file that is read.

Between a check by name and an open by name, the file could be replaced by another one.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import NamedTuple

__all__ = ["OpenedFile", "opened", "opened_below", "opened_folder"]


def _flags(*names: str) -> int:
    """Return the union of those flags of `os.open` that this system has."""
    union = 0
    for name in names:
        union |= getattr(os, name, 0)
    return union


# Without O_NONBLOCK, opening a pipe would wait for a writer. Without O_BINARY, Windows changes line
# ends. macOS lacks O_PATH, and opens folders for reading.
_READ = _flags("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")
_FOLDER = _flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC")


class OpenedFile(NamedTuple):
    """An open file, with its mode and size at that time. Its name may now belong to another file.

    Attributes:
        descriptor: file descriptor; -1 for a socket.
        mode: file type and permissions, as in `os.stat_result.st_mode`.
        size: size in bytes.
    """

    descriptor: int
    mode: int
    size: int

    @property
    def is_regular(self) -> bool:
        """True for a regular file: not a folder, pipe, socket or device."""
        return stat.S_ISREG(self.mode)

    @property
    def is_folder(self) -> bool:
        """True for a folder."""
        return stat.S_ISDIR(self.mode)

    def read(self) -> bytes | None:
        """Return the content; None if it is longer or shorter by now.

        Never reads more than `size` + 1 bytes.
        """
        with open(self.descriptor, "rb", closefd=False) as file:
            data = file.read(self.size + 1)
        return data if len(data) == self.size else None


@contextmanager
def opened(
    path: str | os.PathLike[str], folder: int | None = None, flags: int = 0
) -> Iterator[OpenedFile]:
    """Open a file of any type without ever waiting, and close it when the block ends.

    Args:
        path: path of the file. Symbolic links are followed.
        folder: descriptor of the folder that a relative path starts from. The default is the
            working directory.
        flags: additional flags for `os.open`.

    Raises:
        OSError: there is no such file, or no permission to read it.
        ValueError: the path contains a null character.
    """
    try:
        descriptor = os.open(path, _READ | flags, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        # A socket, which cannot be opened.
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
    """Open a folder that `opened` and `opened_below` can start from.

    Takes the arguments of `opened` and raises the same errors. Windows cannot open folders.

    Yields:
        The descriptor. It stays with this folder, whatever happens to the folder's name.
    """
    descriptor = os.open(path, _FOLDER | flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_below(folder: int, path: PurePath) -> Iterator[OpenedFile]:
    """Open a file in a folder or its subfolders, without following symbolic links.

    Args:
        folder: descriptor of the folder.
        path: relative path with all links resolved. A link on this path is therefore new.

    Raises:
        OSError: `opened` raises it, or a part of the path is a link.
    """
    first, *rest = path.parts or (".",)
    if not rest:
        with opened(first, folder, os.O_NOFOLLOW) as file:
            yield file
        return
    with (
        opened_folder(first, folder, os.O_NOFOLLOW) as subfolder,
        opened_below(subfolder, PurePath(*rest)) as file,
    ):
        yield file
