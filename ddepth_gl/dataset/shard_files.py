"""Files of samples, read by byte offset from the shards of a data set, local or not."""

from __future__ import annotations

import os
import re
import stat
import threading
import weakref
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .._checks import one_line, shown
from .._packages import import_needed
from ..errors import DatasetError
from .addresses import is_remote
from .layout_files import file_path

__all__ = ["FilePlace", "LocalShards", "RemoteShards", "Shards", "opened_shards"]

_SHARD = re.compile(r"shard-[0-9]{5,9}")
_BLOCK = 512  # of a tar: the header of a file ends where its content starts
_NAME_BYTES = 100  # of the name in that header; longer ones are cut there
_GAP = 1 << 16  # bytes that are read for nothing rather than read twice
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class FilePlace(NamedTuple):
    """The place of a file's content in a shard, in bytes."""

    offset: int
    size: int


class Shards(ABC):
    """The shards of a data set.

    Everything in them is untrusted: sizes are checked before memory is taken, and the header in
    front of each file must be that of the file.

    Args:
        address: of the data set, for messages.
        max_bytes: of a file.
    """

    def __init__(self, address: str, max_bytes: int) -> None:
        self.address = address
        self._max_bytes = max_bytes

    def read(self, shard: str, places: Mapping[str, FilePlace]) -> dict[str, bytes]:
        """Return the contents of files by name.

        Args:
            shard: its name, such as ``shard-00012``.
            places: name of each file, as in the tar, to its place.

        Raises:
            DatasetError: there is no such shard, or the files are not there.
        """
        if not _SHARD.fullmatch(shard):
            raise DatasetError(f"{self.address}: the index names the shard {shown(shard)}")
        for name, (offset, size) in places.items():
            if (0 != offset < _BLOCK) or not 0 <= size <= self._max_bytes:
                raise DatasetError(
                    f"{self.address}: the index says that {name} has {size} bytes at offset "
                    f"{offset} of {shard}; at most max_bytes={self._max_bytes} are read"
                )
        contents: dict[str, bytes] = {}
        in_tar = {name: place for name, place in places.items() if place.offset}
        for name, place in places.items():
            if name not in in_tar:  # the layout "files"
                path = f"shards/{shard}/{file_path(name)}"
                contents[name] = self.read_bytes(path, 0, place.size + 1)
                if len(contents[name]) != place.size:
                    raise self._stale(shard, name)
        if _are_together(in_tar):
            return contents | self._read_tar(shard, in_tar)
        for name, place in in_tar.items():
            contents |= self._read_tar(shard, {name: place})
        return contents

    def _read_tar(self, shard: str, places: Mapping[str, FilePlace]) -> dict[str, bytes]:
        """Return files of a tar from one read."""
        if not places:
            return {}
        start = min(place.offset for place in places.values()) - _BLOCK
        stop = max(place.offset + place.size for place in places.values())
        data = self.read_bytes(f"shards/{shard}.tar", start, stop)
        contents = {}
        for name, (offset, size) in places.items():
            content = data[offset - start : offset - start + size]
            header = data[offset - start - _BLOCK : offset - start]
            if len(content) < size or not _is_header_of(header, name, size):
                raise self._stale(shard, name)
            contents[name] = content
        return contents

    def _stale(self, shard: str, name: str) -> DatasetError:
        return DatasetError(
            f"{self.address}: {name} is not where index.parquet says, in {shard}; if the shard was "
            "written again since, merge the index with ddepth dataset --finish"
        )

    @abstractmethod
    def read_bytes(self, path: str, start: int, stop: int) -> bytes:
        """Return bytes of a file; fewer if it ends before.

        Args:
            path: below the data set.
            start, stop: the first byte, and the one after the last.
        """

    def close(self) -> None:  # noqa: B027  not all have something to close
        """Close all files; they are opened again when needed."""

    @abstractmethod
    def index_source(self, name: str) -> Any:
        """Return what pyarrow reads a Parquet file in the data set from."""

    @abstractmethod
    def version_of(self, name: str) -> tuple[object, ...]:
        """Return what changes when a file in the data set is replaced."""


class LocalShards(Shards):
    """The shards in a local folder. At most `max_open` of them are open.

    Reads have no position of their own, so descriptors that a forked child inherits are harmless.
    """

    def __init__(self, address: str, max_bytes: int, max_open: int) -> None:
        super().__init__(address, max_bytes)
        self._max_open = max_open
        self._lock = threading.Lock()
        self._descriptors: OrderedDict[str, int] = OrderedDict()
        weakref.finalize(self, _close_all, self._descriptors)

    def read_bytes(self, path: str, start: int, stop: int) -> bytes:
        """Return bytes of a file; see `Shards`."""
        try:
            with self._lock:  # another thread could close the file meanwhile
                return os.pread(self._descriptor(path), stop - start, start)
        except OSError as error:
            raise self._unreadable(path, error) from error

    def _descriptor(self, path: str) -> int:
        if path in self._descriptors:
            self._descriptors.move_to_end(path)
            return self._descriptors[path]
        while len(self._descriptors) >= self._max_open:
            os.close(self._descriptors.popitem(last=False)[1])
        descriptor = os.open(Path(self.address, path), _FLAGS)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise DatasetError(
                f"{Path(self.address, path)} is not a plain file; remove it and render it again"
            )
        self._descriptors[path] = descriptor
        return descriptor

    def index_source(self, name: str) -> Any:
        """Return the path of a file."""
        return Path(self.address, name)

    def version_of(self, name: str) -> tuple[object, ...]:
        """Return size and time of a file."""
        try:
            info = Path(self.address, name).stat()
        except OSError as error:
            raise self._unreadable(name, error) from error
        return info.st_size, info.st_mtime_ns

    def _unreadable(self, path: str, error: OSError) -> DatasetError:
        return DatasetError(
            f"{Path(self.address, path)} cannot be read ({error.strerror or error}); give the "
            "folder that ddepth dataset wrote to, with all of its shards"
        )

    def close(self) -> None:
        """Close all files; they are opened again when needed."""
        with self._lock:
            _close_all(self._descriptors)


def _close_all(descriptors: OrderedDict[str, int]) -> None:
    while descriptors:
        os.close(descriptors.popitem()[1])


class RemoteShards(Shards):
    """The shards at an address that fsspec opens; each read is one request for a range.

    Connections do not survive fork, so each process makes its own.
    """

    def __init__(self, address: str, max_bytes: int) -> None:
        super().__init__(address.rstrip("/"), max_bytes)
        self._file_system: tuple[int, Any, str] | None = None

    def _opened(self) -> tuple[Any, str]:
        if self._file_system is None or self._file_system[0] != os.getpid():
            import_needed("fsspec", f"reading {self.address}", DatasetError, "dataset")
            core = import_needed("fsspec.core", "reading it", DatasetError, "dataset")
            try:
                system, root = core.url_to_fs(self.address, skip_instance_cache=True)
            except Exception as error:  # an unknown protocol, or its package is missing
                raise self._unreadable(self.address, error) from error
            self._file_system = os.getpid(), system, root.rstrip("/")
        return self._file_system[1:]

    def read_bytes(self, path: str, start: int, stop: int) -> bytes:
        """Return bytes of a file; see `Shards`."""
        system, root = self._opened()
        try:
            data: bytes = system.cat_file(f"{root}/{path}", start=start, end=stop)
        except Exception as error:  # each protocol has errors of its own
            raise self._unreadable(path, error) from error
        return data

    def index_source(self, name: str) -> Any:
        """Return an open file."""
        system, root = self._opened()
        try:
            return system.open(f"{root}/{name}", "rb")
        except Exception as error:
            raise self._unreadable(name, error) from error

    def version_of(self, name: str) -> tuple[object, ...]:
        """Return the size of a file and, if the protocol tells, its tag and its time."""
        system, root = self._opened()
        try:
            info = system.info(f"{root}/{name}")
        except Exception as error:
            raise self._unreadable(name, error) from error
        return tuple(str(info.get(field)) for field in ("size", "ETag", "etag", "LastModified"))

    def _unreadable(self, path: str, error: Exception) -> DatasetError:
        return DatasetError(
            f"{self.address}: {path} cannot be read ({one_line(error) or type(error).__name__}); "
            "give the address that ddepth dataset wrote to"
        )


def opened_shards(address: str, max_bytes: int, max_open: int) -> Shards:
    """Return the shards at an address: of fsspec if it has a protocol, else a local folder."""
    if is_remote(address):
        return RemoteShards(address, max_bytes)
    return LocalShards(address, max_bytes, max_open)


def _are_together(places: Mapping[str, FilePlace]) -> bool:
    """Return whether little else lies between files, so that one read is best."""
    if not places:
        return True
    start = min(place.offset for place in places.values())
    stop = max(place.offset + place.size for place in places.values())
    return stop - start <= sum(place.size for place in places.values()) + _GAP


def _is_header_of(header: bytes, name: str, size: int) -> bool:
    """Return whether a header in a tar is that of a file; of long names only the start is there."""
    encoded = name.encode("ascii", "replace")[:_NAME_BYTES]
    return header[:_NAME_BYTES].rstrip(b"\0") == encoded and header[124:135] == b"%011o" % size
