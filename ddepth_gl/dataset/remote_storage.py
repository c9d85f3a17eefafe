"""The folder of a data set on storage that fsspec opens, such as a bucket on S3."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from .._checks import one_line
from .._packages import import_needed
from ..errors import DatasetError
from .storage import MAX_READ, Storage, StoredFile, unusable

__all__ = ["RemoteStorage"]


class RemoteStorage(Storage):
    """A folder of a file system of fsspec."""

    def __init__(self, address: str) -> None:
        fsspec = import_needed("fsspec", "storage such as s3://", DatasetError, "dataset")
        try:
            self._fs, self._root = fsspec.core.url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise DatasetError(f"{address} cannot be opened ({one_line(error, 200)})") from error
        self.address = address.rstrip("/")

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        """Turn errors of any client library into one line."""
        try:
            yield
        except DatasetError:
            raise
        except Exception as error:
            raise DatasetError(
                f"{self.address}/{name} cannot be used ({one_line(error, 200)}); "
                "check the address and the credentials"
            ) from error

    def read(self, name: str) -> bytes | None:
        """See Storage."""
        with self._errors(name):
            try:
                return bytes(self._fs.cat_file(self._path(name), start=0, end=MAX_READ))
            except FileNotFoundError:
                return None

    def create(self, name: str, content: bytes) -> bool:
        """See Storage."""
        with self._errors(name):
            try:
                self._fs.pipe_file(self._path(name), content, mode="create")
            except FileExistsError:
                return False
            self._fs.invalidate_cache()
            return True

    def write(self, name: str, content: bytes) -> None:
        """See Storage."""
        with self._errors(name):
            self._fs.pipe_file(self._path(name), content)
            self._fs.invalidate_cache()

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """See Storage."""
        try:
            # It has no name, so a killed process leaves nothing; uploads need one.
            with tempfile.TemporaryFile() as file:
                yield file
                file.flush()
                with self._errors(name):
                    self._fs.put_file(f"/proc/self/fd/{file.fileno()}", self._path(name))
                    self._fs.invalidate_cache()
        except OSError as error:
            raise unusable(Path(tempfile.gettempdir()), error) from error

    @contextmanager
    def writing_folder(self, name: str) -> Iterator[Path]:
        """See Storage."""
        try:
            with tempfile.TemporaryDirectory(prefix="ddepth-") as folder:
                part = Path(folder) / "part"
                yield part
                with self._errors(name):
                    for path in sorted(each for each in part.rglob("*") if each.is_file()):
                        relative = path.relative_to(part).as_posix()
                        self._fs.put_file(str(path), self._path(f"{name}/{relative}"))
                    self._fs.invalidate_cache()
        except OSError as error:
            raise unusable(Path(tempfile.gettempdir()), error) from error

    def remove(self, name: str) -> None:
        """See Storage."""
        with self._errors(name), suppress(FileNotFoundError):
            self._fs.rm_file(self._path(name))
            self._fs.invalidate_cache()

    def remove_if(self, name: str, content: bytes) -> bool:
        """See Storage; two callers may both succeed."""
        if self.read(name) != content:
            return False
        self.remove(name)
        return True

    def files(self, folder: str) -> dict[str, StoredFile]:
        """See Storage."""
        with self._errors(folder):
            self._fs.invalidate_cache()
            try:
                listed = self._fs.ls(self._path(folder), detail=True)
            except FileNotFoundError:
                return {}
            return {
                entry["name"].rpartition("/")[2]: StoredFile(int(entry["size"]), _time(entry))
                for entry in listed
                if entry.get("type") == "file"
            }

    def touch(self, name: str, content: bytes) -> None:
        """See Storage."""
        self.write(name, content)


def _time(entry: dict[str, Any]) -> float:
    # Each file system of fsspec has a name of its own for it.
    for key in ("LastModified", "last_modified", "mtime", "updated", "modified", "created"):
        value = entry.get(key)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, (int, float)):
            return float(value)
    return 0.0
