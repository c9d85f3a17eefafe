"""Arrays in untrusted .npz files: types, shapes and sizes are checked before memory is taken."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..._checks import one_line, printable, shown
from ...errors import DDepthError, OutputError
from ..opened_files import opened
from .packing import PACKED, packed_shape, unpack

__all__ = ["Archive", "Expected", "Header", "archive_in_memory", "opened_archive"]

_FORMAT: Any = np.lib.format  # NumPy 2.2 has no types for it

# What NumPy writes for arrays of numbers and texts. Its own parser takes ten times as long.
_USUAL_HEADER = re.compile(
    rb"\{'descr': '([<>|][biufU]\d{1,9})', 'fortran_order': (True|False), "
    rb"'shape': \((\d{0,18}(?:, \d{1,18})*),?\), \} *\n"
)

_ENDING = ".npy"
_MAX_ENTRIES = 1000


class Expected(NamedTuple):
    """The dtype and shape that an array must have; None is an axis of any length.

    An int64 array may also be stored as int32, and a float32 array packed.

    Attributes:
        dtype, shape: of the array.
        has_channels: whether its last axis is one of channels.
    """

    dtype: npt.DTypeLike
    shape: tuple[int | None, ...] = ()
    has_channels: bool = False

    @property
    def may_be_packed(self) -> bool:
        """True for arrays of float32, but not for scalars."""
        return self.shape != () and np.dtype(self.dtype) == np.float32

    @property
    def packed(self) -> Expected:
        """Dtype and shape of the packed array."""
        return Expected(np.uint8, packed_shape(self.shape, self.has_channels))


class Header(NamedTuple):
    """The description of an array that precedes its numbers.

    Attributes:
        dtype, shape: of the array.
        order: "C" or "F", that of the numbers.
        size: bytes of the numbers.
        is_whole: whether the zip file says that just these bytes follow.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: Literal["C", "F"]
    size: int
    is_whole: bool


class Archive:
    """An open .npz file.

    Attributes:
        names: the names of its arrays, in the order of the file.
    """

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        infos = [info for info in file.infolist() if info.filename.endswith(_ENDING)]
        self._infos = {info.filename.removesuffix(_ENDING): info for info in infos}
        # Each entry stays open behind its header: opening takes longer than reading a small one.
        self._opened: dict[str, tuple[Header, IO[bytes]]] = {}
        if len(file.infolist()) > _MAX_ENTRIES or len(self._infos) != len(file.infolist()):
            raise OutputError("holds other files than arrays, or too many; see numpy.savez")
        self.names = tuple(self._infos)

    def header(self, name: str) -> Header:
        """Return the description of an array, without reading its numbers.

        Raises:
            OutputError: there is no such array.
            Exception: it is malformed.
        """
        if name not in self._infos:
            raise OutputError(f"lacks {shown(name)}")
        if name not in self._opened:
            info = self._infos[name]
            member = self._file.open(info)
            shape, is_fortran, dtype = _described(name, member)
            size = dtype.itemsize
            for length in shape:
                size *= length
            is_whole = info.file_size == member.tell() + size
            header = Header(dtype, shape, "F" if is_fortran else "C", size, is_whole)
            self._opened[name] = header, member
        return self._opened[name][0]

    def is_text(self, name: str) -> bool:
        """Return whether an entry is a single text."""
        header = self.header(name)
        return header.shape == () and header.dtype.kind == "U"

    def has(self, name: str) -> bool:
        """Return whether there is an array of this name, packed or not."""
        return name in self._infos or self.is_packed(name)

    def is_packed(self, name: str) -> bool:
        """Return whether an array is stored packed, and not as it is."""
        return name not in self._infos and name + PACKED in self._infos

    def read(
        self, expected: Mapping[str, Expected], max_bytes: int, reserved: int = 0
    ) -> dict[str, Any]:
        """Return arrays by name; texts and scalars as Python's.

        All of them are checked before the first one is read.

        Args:
            expected: the names, with the dtype and shape that each array must have.
            max_bytes: maximum size of all these arrays together, in memory.
            reserved: bytes of arrays that the caller will add.

        Raises:
            OutputError: an array is missing, has another dtype or shape, or all are too large.
            Exception: an array is malformed.
        """
        sizes: dict[str, int] = {}
        for name, wanted in expected.items():
            member, stored = name, wanted
            if wanted.may_be_packed and self.is_packed(name):
                member, stored = name + PACKED, wanted.packed
            header = self.header(member)
            _check_header(member, header, stored)
            is_widened = np.dtype(stored.dtype) == np.int64 and header.dtype.itemsize == 4
            sizes[name] = header.size * (1 + is_widened)
        total = reserved + sum(sizes.values())
        if total > max_bytes:
            raise OutputError(
                f"holds {total} bytes of arrays, more than the limit of {max_bytes}; "
                "raise max_bytes"
            )
        # The largest first: for a moment, reading takes a multiple of the size of an array.
        largest_first = sorted(expected, key=sizes.__getitem__, reverse=True)
        return {name: self._read(name, expected[name]) for name in largest_first}

    def _read(self, name: str, wanted: Expected) -> Any:
        is_packed = wanted.may_be_packed and self.is_packed(name)
        header, member = self._opened.pop(name + PACKED if is_packed else name)
        # The last byte is the end of the entry, where zipfile compares the checksum.
        with member:
            content = member.read()
        array = np.ndarray(header.shape, header.dtype, content, order=header.order)
        if is_packed:
            return unpack(array, wanted.has_channels)
        if array.ndim == 0:
            return array.item()
        return array.astype(wanted.dtype, order="C")  # a copy, which can be written to


def _described(name: str, member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, Fortran order and dtype of an array, and leave the file at its numbers."""
    # Headers of later versions, for structured arrays, may be as long as 4 GiB.
    if _FORMAT.read_magic(member) != (1, 0):
        raise OutputError(f"{shown(name)} is not in version 1.0 of NumPy's format")
    (length,) = struct.unpack("<H", member.read(2))
    text = member.read(length)
    usual = _USUAL_HEADER.fullmatch(text)
    if usual is None:
        header = io.BytesIO(struct.pack("<H", length) + text)
        described: tuple[Any, ...] = _FORMAT.read_array_header_1_0(header)
        return described[0], described[1], described[2]
    dtype, order, lengths = usual.groups()
    shape = tuple(int(number) for number in lengths.split(b",") if number)
    return shape, order == b"True", np.dtype(dtype.decode())


def _check_header(name: str, header: Header, wanted: Expected) -> None:
    """Raise OutputError if an array has another dtype or shape."""
    dtype, shape = np.dtype(wanted.dtype), wanted.shape
    # Texts may have any length, numbers either byte order.
    given = header.dtype.newbyteorder("=")
    same_type = given.kind == "U" if dtype.kind == "U" else given == dtype
    same_type |= shape != () and dtype == np.int64 and given == np.int32
    same_shape = len(header.shape) == len(shape) and all(
        length >= 0 and expected in (None, length)
        for length, expected in zip(header.shape, shape, strict=True)
    )
    if not (same_type and same_shape):
        axes = str(shape).replace("None", "N")
        raise OutputError(
            f"{shown(name)} must be {'text' if dtype.kind == 'U' else dtype} of shape {axes}, "
            f"not {one_line(header.dtype, 40)} of shape {one_line(header.shape, 80)}"
        )
    if not header.is_whole:
        raise OutputError(f"{shown(name)} is not as long as its header says")


@contextmanager
def opened_archive(path: Path) -> Iterator[Archive]:
    """Open an .npz file; whatever is wrong with it is an OutputError that names the file.

    Yields:
        The archive.

    Raises:
        OutputError: the file is missing, is no .npz file, or the block raised any exception.
    """
    with _reported(printable(str(path))), opened(path) as file:
        if not file.is_regular:  # a pipe or device has no size and maybe no end
            raise OutputError("is not a plain file; give the name of an .npz file")
        with (
            open(file.descriptor, "rb", closefd=False) as stream,
            zipfile.ZipFile(stream) as archive,
        ):
            yield Archive(archive)


@contextmanager
def archive_in_memory(content: bytes, name: str) -> Iterator[Archive]:
    """Open the content of an .npz file, as `opened_archive` opens a file.

    Args:
        content: of the file.
        name: of the file, for messages.

    Yields:
        The archive.

    Raises:
        OutputError: see `opened_archive`.
    """
    with _reported(printable(name)), zipfile.ZipFile(io.BytesIO(content)) as archive:
        yield Archive(archive)


@contextmanager
def _reported(place: str) -> Iterator[None]:
    """Turn whatever the block raises into an OutputError that names the file."""
    try:
        yield
    except DDepthError as error:
        hint = "" if ";" in str(error) else "; the file is damaged, write it again"
        raise OutputError(f"{place}: {error}{hint}") from None
    except OSError as error:
        raise OutputError(
            f"{place} cannot be read ({one_line(error.strerror or error)}); "
            "check the name and its permissions"
        ) from None
    except MemoryError:
        raise OutputError(
            f"{place}: there is no memory for its arrays; pass a smaller max_bytes to refuse it"
        ) from None
    except Exception as error:  # on a malformed file the decoders raise nearly anything
        raise OutputError(
            f"{place} is not a whole .npz file ({one_line(error)}); write it again with write_npz"
        ) from None
