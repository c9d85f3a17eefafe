"""The folder of a data set: what may be done there, and how in a local one."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from .._text import printable
from ..errors import DatasetError
from ..io.atomic import atomic_write
from ..io.owners import owner_has_ended, part_name
from .layout_files import replace_folder

__all__ = ["MAX_READ", "LocalStorage", "Storage", "StoredFile", "open_storage", "unusable"]

MAX_READ = 2**28
_LEFTOVER_SECONDS = 86_400.0
_LEFTOVERS = (".*.part", ".*.old")


class StoredFile(NamedTuple):
    """A file of a storage: its size in bytes, and its time by the server's clock in seconds."""

    size: int
    modified: float


class Storage(ABC):
    """A folder. Names are relative to it, such as ``shards/shard-00012.tar``.

    Files appear complete or not at all. Methods raise DatasetError or OutputError if the storage
    does not work.

    Attributes:
        address: path or URL of the folder.
    """

    address: str

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """Return the content of a small file; None if there is no such file."""

    @abstractmethod
    def create(self, name: str, content: bytes) -> bool:
        """Create a file; return False if there is one already. Of several callers, one succeeds."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Create or replace a file."""

    @abstractmethod
    def writing(self, name: str) -> Any:
        """Return a context manager with an open local file, which is stored as the block ends."""

    @abstractmethod
    def writing_folder(self, name: str) -> Any:
        """Return a context manager with a path for a new local folder, stored as the block ends."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def remove_if(self, name: str, content: bytes) -> bool:
        """Remove a file with this content; return whether this caller did."""

    @abstractmethod
    def files(self, folder: str) -> dict[str, StoredFile]:
        """Return the files of a folder by their names in it; none if it is missing."""

    @abstractmethod
    def touch(self, name: str, content: bytes) -> None:
        """Give a file with this content the present time."""

    def remove_leftovers(self) -> None:
        """Remove what killed processes left: of this machine at once, of others after a day."""
        return

    def now(self) -> float:
        """Return the time of the server's clock: that of a file written now."""
        name = f"clock-{secrets.token_hex(8)}"
        self.write(f"claims/{name}", b"")
        try:
            return self.files("claims")[name].modified
        except KeyError as error:
            raise DatasetError(f"{self.address}: a file written there is not there") from error
        finally:
            self.remove(f"claims/{name}")


class LocalStorage(Storage):
    """A folder of this machine, or one that is mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = str(folder)

    def read(self, name: str) -> bytes | None:
        """See Storage."""
        try:
            with (self.folder / name).open("rb") as file:
                return file.read(MAX_READ)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unusable(self.folder / name, error) from error

    def create(self, name: str, content: bytes) -> bool:
        """See Storage."""
        path = self.folder / name
        part = path.with_name(part_name("ddepth"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("xb") as file:
                file.write(content)
                if not name.startswith("claims/"):  # which mean nothing after a power failure
                    file.flush()
                    os.fsync(file.fileno())
            try:
                # Atomic with its content, on network file systems too.
                os.link(part, path)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
                    raise
                return _created_without_links(path, content)
            if not name.startswith("claims/"):
                self.sync_folder(path.parent)
            return True
        except OSError as error:
            raise unusable(path, error) from error
        finally:
            with suppress(OSError):
                part.unlink()

    def write(self, name: str, content: bytes) -> None:
        """See Storage."""
        with self.writing(name) as file:
            file.write(content)

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """See Storage."""
        path = self.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unusable(path.parent, error) from error
        with atomic_write(path) as file:
            yield file
        self.sync_folder(path.parent)

    @contextmanager
    def writing_folder(self, name: str) -> Iterator[Path]:
        """See Storage."""
        path = self.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(part_name(path.name))
            try:
                yield part
                replace_folder(part, path)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        except OSError as error:
            raise unusable(path, error) from error

    def sync_folder(self, folder: Path) -> None:
        """Have the names in a folder on the disk."""
        try:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # not possible on some systems
                raise unusable(folder, error) from error

    def remove(self, name: str) -> None:
        """See Storage."""
        try:
            (self.folder / name).unlink()
            if not name.startswith("claims/"):
                self.sync_folder((self.folder / name).parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unusable(self.folder / name, error) from error

    def remove_if(self, name: str, content: bytes) -> bool:
        """See Storage."""
        path = self.folder / name
        if self.read(name) != content:
            return False
        aside = path.with_name(part_name("ddepth"))
        try:
            path.rename(aside)  # of several callers, one succeeds
        except FileNotFoundError:
            return False
        except OSError as error:
            raise unusable(path, error) from error
        try:
            if aside.read_bytes() == content:
                return True
            with suppress(FileExistsError):  # another file has taken its place meanwhile
                os.link(aside, path)
            return False
        except OSError as error:
            raise unusable(path, error) from error
        finally:
            with suppress(OSError):
                aside.unlink()

    def files(self, folder: str) -> dict[str, StoredFile]:
        """See Storage."""
        found = {}
        try:
            with os.scandir(self.folder / folder) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        if entry.is_file():
                            status = entry.stat()
                            found[entry.name] = StoredFile(status.st_size, status.st_mtime)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise unusable(self.folder / folder, error) from error
        return found

    def touch(self, name: str, content: bytes) -> None:
        """See Storage."""
        with suppress(FileNotFoundError):
            os.utime(self.folder / name)

    def remove_leftovers(self) -> None:
        """See Storage."""
        folders = [self.folder / name for name in ("", "shards", "claims", "transforms")]
        parts = [path for each in folders for end in _LEFTOVERS for path in each.glob(end)]
        before = self.now() - _LEFTOVER_SECONDS if parts else 0.0
        for part in parts:
            with suppress(OSError):  # others remove it, too
                ended = owner_has_ended(part.name)
                if ended or (ended is None and part.stat().st_mtime < before):
                    if part.is_dir():
                        shutil.rmtree(part)
                    else:
                        part.unlink()


def _created_without_links(path: Path, content: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def open_storage(address: str | os.PathLike[str] | Storage) -> Storage:
    """Return the storage of a path, or of an address with a scheme such as ``s3://``.

    Raises:
        DatasetError: a package is missing, or the address is no folder's.
    """
    if isinstance(address, Storage):
        return address
    text = os.fspath(address)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    if "://" in text:
        from .remote_storage import RemoteStorage

        return RemoteStorage(text)
    if printable(text) != printable(text, keep_bytes=True):
        raise DatasetError(
            f"{printable(text)} is not UTF-8, which Parquet's library needs; give another folder"
        )
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise DatasetError(f"{path} is a file; give a folder for the data set")
    return LocalStorage(path)


def unusable(path: Path, error: OSError) -> DatasetError:
    """Return the error for a path that cannot be read or written."""
    return DatasetError(
        f"{path} cannot be used ({error.strerror or error}); check the folder and the disk"
    )
