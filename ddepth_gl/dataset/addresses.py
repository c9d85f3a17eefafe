"""Addresses of files: local paths, and those that fsspec opens."""

from __future__ import annotations

import glob
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from .._checks import one_line
from .._packages import import_needed
from ..errors import DatasetError

__all__ = [
    "absolute",
    "below",
    "check_regular",
    "file_system",
    "folder_of",
    "glob_root",
    "is_hidden",
    "is_remote",
    "joined",
    "opened_address",
    "stamp",
    "unreadable",
]


def is_remote(address: str) -> bool:
    """Return whether an address is one for fsspec, such as ``s3://bucket/part.glb``."""
    return "://" in address


def joined(folder: str, path: str) -> str:
    """Return the address of a path that starts in a folder; other addresses stay as they are."""
    if is_remote(path) or path.startswith("/"):
        return path
    return posixpath.normpath(path) if not folder else f"{folder.rstrip('/')}/{path}"


def file_system(address: str) -> tuple[Any, str]:
    """Return the file system of fsspec for an address, and its path there.

    Raises:
        DatasetError: fsspec or the package for this kind of address is missing, or it is unknown.
    """
    fsspec = import_needed("fsspec", f"reading {address}", DatasetError, "dataset")
    if "::" in address:
        raise DatasetError(f"{address} chains addresses, which is not supported; copy the files")
    try:
        fs, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise DatasetError(f"{address} cannot be opened: {one_line(error)}") from error
    except Exception as error:  # each file system raises its own
        raise DatasetError(f"{address} is no address ({one_line(error)}); check it") from error
    return fs, path


def check_regular(path: str) -> None:
    """Check a local file without opening it, which a pipe or a device might act on.

    Raises:
        DatasetError: it is missing or is not a regular file.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:  # a null character
        raise unreadable(path, error) from error
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise DatasetError(f"{path} is {kind}; give the path of a file")


def unreadable(address: str, error: Exception) -> DatasetError:
    """Return the error for a file that cannot be read."""
    reason = getattr(error, "strerror", None) or one_line(error) or type(error).__name__
    return DatasetError(f"{address} cannot be read ({reason}); check the path")


@contextmanager
def opened_address(address: str) -> Iterator[BinaryIO]:
    """Open a file for reading, wherever it is.

    Raises:
        DatasetError: it cannot be opened.
    """
    try:
        if is_remote(address):
            fs, path = file_system(address)
            stream = fs.open(path, "rb")
        else:
            check_regular(address)
            stream = Path(address).open("rb")  # noqa: SIM115 - closed below
    except DatasetError:
        raise
    except Exception as error:  # file systems raise their own
        raise unreadable(address, error) from error
    with stream:
        yield stream


def stamp(address: str) -> tuple[int, int]:
    """Return size and time of the last change of a local file; zeros for other storage."""
    if is_remote(address):
        return 0, 0
    info = Path(address).stat()
    return info.st_size, info.st_mtime_ns


def absolute(address: str) -> str:
    """Return an address that does not depend on the working directory; links stay."""
    if is_remote(address):
        protocol, separator, path = address.partition("://")
        # An address may have empty parts, and normpath keeps two slashes at the start.
        return f"{protocol}{separator}{posixpath.normpath(path)}" if ".." in path else address
    return os.path.abspath(address)  # noqa: PTH100 - keeps links


def below(path: str, root: str) -> str:
    """Return the part of a path below a root that it starts with."""
    if root in ("", "."):
        return path.removeprefix("./")
    folder = root.rstrip("/") + "/"
    return path[len(folder) :] if path.startswith(folder) else posixpath.relpath(path, root)


def folder_of(address: str) -> str:
    """Return the folder of a file; empty for the working directory."""
    return address.rpartition("/")[0] or ("" if not address.startswith("/") else "/")


def glob_root(pattern: str) -> str:
    """Return the part of a pattern before its first wildcard."""
    fixed = []
    for part in pattern.split("/")[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return "/".join(fixed) or ("/" if pattern.startswith("/") else "")


def is_hidden(name: str) -> bool:
    """Return whether a name starts with a dot, or that of a folder on the way."""
    return any(part.startswith(".") for part in name.split("/") if part not in (".", ".."))
