"""Tars whose bytes depend on names and contents alone, and that can take back what was added."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, BinaryIO, NamedTuple

from ..errors import DatasetError

__all__ = ["MAX_FILE_BYTES", "TarPosition", "TarWriter"]

_BLOCK = 512
_NAME_BYTES = 100
# What the octal field for sizes can say.
MAX_FILE_BYTES = 8**11 - 1


class TarPosition(NamedTuple):
    """A state of a tar to return to.

    Attributes:
        size: bytes written so far.
        digest: hash of these bytes.
    """

    size: int
    digest: Any


class TarWriter:
    """A writer of a tar: POSIX ustar, with pax headers for names over 100 bytes.

    Python's `tarfile` writes some fields differently in each version.

    Args:
        file: an empty file, open for writing; the writer neither closes nor syncs it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._size = 0

    @property
    def size(self) -> int:
        """Number of bytes so far."""
        return self._size

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hexadecimal digits."""
        return self._digest.hexdigest()

    def add(self, name: str, size: int, chunks: Iterable[bytes]) -> int:
        """Append a file; return the offset of its content in the tar.

        Args:
            name: ASCII.
            size: number of bytes, at most `MAX_FILE_BYTES`.
            chunks: the content.

        Raises:
            DatasetError: the content is not of this size.
            OSError: the disk is full.
        """
        encoded = name.encode("ascii")
        if len(encoded) > _NAME_BYTES:
            record = _pax_record(encoded)
            self._write(_header(b"././@PaxHeader", len(record), b"x") + _padded(record))
        self._write(_header(encoded[:_NAME_BYTES], size, b"0"))
        start = self._size
        for chunk in chunks:
            self._write(chunk)
        if self._size - start != size:
            raise DatasetError(f"{name} has {self._size - start} bytes, not {size} as announced")
        self._write(bytes(-size % _BLOCK))
        return start

    def position(self) -> TarPosition:
        """Return the state for `return_to`."""
        return TarPosition(self._size, self._digest.copy())

    def return_to(self, position: TarPosition) -> None:
        """Take back everything that was added since `position`."""
        self._file.seek(position.size)
        self._file.truncate()
        self._size, self._digest = position.size, position.digest.copy()

    def finish(self) -> None:
        """Write the end of the tar."""
        self._write(bytes(2 * _BLOCK))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._size += len(data)


def _header(name: bytes, size: int, kind: bytes) -> bytes:
    """Return the header of a file: mode 0644, owner 0, time 0."""
    fields = (
        name.ljust(_NAME_BYTES, b"\0"),
        b"0000644\0" + b"0000000\0" * 2,  # mode, user, group
        b"%011o\0" % size,
        b"00000000000\0",  # time
        b" " * 8,  # checksum, as it counts in the sum
        kind + bytes(100),
        b"ustar\x0000" + bytes(64),
        b"0000000\0" * 2,  # device
    )
    header = b"".join(fields).ljust(_BLOCK, b"\0")
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def _pax_record(name: bytes) -> bytes:
    """Return a record of a pax header: its own length in decimal digits comes first."""
    rest = b" path=" + name + b"\n"
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)
