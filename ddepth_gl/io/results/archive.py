"""Arrays in untrusted .npz files: types, shapes and sizes are checked before memory is taken."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..._checks import one_line, printable, shown
from ...errors import DDepthError, OutputError
from ..opened_files import opened

__all__ = ["Archive", "Expected", "Header", "opened_archive"]

_FORMAT: Any = np.lib.format  # NumPy 2.2 has no types for it

_ENDING = ".npy"
_MAX_ENTRIES = 1000


class Expected(NamedTuple):
    """The dtype and shape that an array must have; None is an axis of any length."""

    dtype: npt.DTypeLike
    shape: tuple[int | None, ...] = ()


class Header(NamedTuple):
    """The description of an array that precedes its numbers.

    Attributes:
        dtype, shape: of the array.
        size: bytes of the numbers.
        is_whole: whether the zip file says that just these bytes follow.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
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
        self._headers: dict[str, Header] = {}
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
        if name not in self._headers:
            info = self._infos[name]
            with self._file.open(info) as member:
                # Headers of later versions, for structured arrays, may be as long as 4 GiB.
                if _FORMAT.read_magic(member) != (1, 0):
                    raise OutputError(f"{shown(name)} is not in version 1.0 of NumPy's format")
                shape, _, dtype = _FORMAT.read_array_header_1_0(member)
                size = dtype.itemsize
                for length in shape:
                    size *= length
                is_whole = info.file_size == member.tell() + size
            self._headers[name] = Header(dtype, shape, size, is_whole)
        return self._headers[name]

    def is_text(self, name: str) -> bool:
        """Return whether an entry is a single text."""
        header = self.header(name)
        return header.shape == () and header.dtype.kind == "U"

    def read(self, expected: Mapping[str, Expected], max_bytes: int) -> dict[str, Any]:
        """Return arrays by name; texts and scalars as Python's.

        All of them are checked before the first one is read.

        Args:
            expected: the names, with the dtype and shape that each array must have.
            max_bytes: maximum size of all these arrays together.

        Raises:
            OutputError: an array is missing, has another dtype or shape, or all are too large.
            Exception: an array is malformed.
        """
        total = 0
        for name, (dtype, shape) in expected.items():
            header = self.header(name)
            _check_header(name, header, np.dtype(dtype), shape)
            total += header.size
        if total > max_bytes:
            raise OutputError(
                f"holds {total} bytes of arrays, more than the limit of {max_bytes}; "
                "raise max_bytes"
            )
        return {name: self._read(name, np.dtype(dtype)) for name, (dtype, _) in expected.items()}

    def _read(self, name: str, dtype: np.dtype[Any]) -> Any:
        with self._file.open(self._infos[name]) as member:
            # The last byte is the end of the entry, where zipfile compares the checksum.
            array = _FORMAT.read_array(member, allow_pickle=False)
        if array.ndim == 0:
            return array.item()
        return np.ascontiguousarray(array.astype(dtype, copy=False))


def _check_header(
    name: str, header: Header, dtype: np.dtype[Any], shape: tuple[int | None, ...]
) -> None:
    """Raise OutputError if an array has another dtype or shape."""
    # Texts may have any length, numbers either byte order.
    same_type = (
        header.dtype.kind == "U" if dtype.kind == "U" else header.dtype.newbyteorder("=") == dtype
    )
    same_shape = len(header.shape) == len(shape) and all(
        length >= 0 and wanted in (None, length)
        for length, wanted in zip(header.shape, shape, strict=True)
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
    place = printable(str(path))
    try:
        with opened(path) as file:
            if not file.is_regular:  # a pipe or device has no size and maybe no end
                raise OutputError("is not a plain file; give the name of an .npz file")
            with (
                open(file.descriptor, "rb", closefd=False) as stream,
                zipfile.ZipFile(stream) as archive,
            ):
                yield Archive(archive)
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
