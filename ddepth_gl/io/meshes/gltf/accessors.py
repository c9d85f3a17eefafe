"""The arrays of a glTF file, checked against the sizes of its buffer views."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from .buffers import GltfBuffers
from .document import GltfDocument

__all__ = ["GltfAccessors", "SparseRows"]

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
# Overlapping accessors must not multiply the memory of a file by more than this.
_MAX_GROWTH = 16
_MAX_GROWTH_DECODED = 4  # of compressed buffer views, which have grown already
_FREE_BYTES = 16 * 1024**2  # what they may always take


class SparseRows(NamedTuple):
    """An array of zeros, except for some rows.

    Attributes:
        length: number of rows, zeros included.
        rows: (N,) indices of the others.
        values: (N, width) numbers.
    """

    length: int
    rows: npt.NDArray[np.int64]
    values: npt.NDArray[Any]


class GltfAccessors:
    """Reader of the arrays of a glTF document. Each accessor is read once.

    Attributes:
        byte_count: bytes of all buffers together.
        decoded_count: bytes that compressed buffer views decode to, together.

    Args:
        document: the glTF document. Its buffers are read at once.

    Raises:
        MeshError: a buffer is incomplete.
        FileNotFoundError: a buffer's file is missing.
    """

    def __init__(self, document: GltfDocument) -> None:
        self._document = document
        self._buffers = GltfBuffers(document)
        self.byte_count = self._buffers.byte_count
        self.decoded_count = self._buffers.decoded_count
        self._bytes_left = max(_MAX_GROWTH * self.byte_count, _FREE_BYTES)
        self._bytes_left += _MAX_GROWTH_DECODED * self._buffers.decoded_count
        self._arrays: dict[int, npt.NDArray[Any]] = {}
        self._rows: dict[int, SparseRows] = {}

    def view(self, index: Any) -> tuple[memoryview, int]:
        """Return the bytes of a buffer view, decoded, and its stride, 0 for densely packed."""
        return self._buffers.view(index)

    def array(self, index: Any, name: str, widths: tuple[int, ...]) -> npt.NDArray[Any]:
        """Return (count, width) numbers of an accessor; normalized integers become floats.

        Args:
            index: index of the accessor.
            name: what it holds, for messages.
            widths: numbers of components allowed; a matrix has 16, column by column.
        """
        accessor = self._document.item("accessors", index)
        count, width, dtype = _layout(accessor, name, widths)
        if index not in self._arrays:
            self._reserve(count * width * dtype.itemsize, name, count)
            if "bufferView" in accessor:
                array = self._elements(accessor, count, width, dtype, name).copy()
            else:
                array = np.zeros((count, width), dtype)
            if "sparse" in accessor:
                rows, values = self._sparse(accessor, count, width, dtype, name)
                array[rows] = values
            self._arrays[index] = _fractions(array, accessor)
        return self._arrays[index]

    def as_numbers(self, index: Any, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return elements that were decoded in another way, as the numbers of an accessor.

        Args:
            index: index of the accessor.
            array: (count, width) elements as stored.
        """
        accessor = self._document.item("accessors", index)
        dtype = np.dtype(_COMPONENTS[accessor["componentType"]])
        if array.dtype.kind in "iu" and dtype.kind in "iu":
            array = array.astype(dtype)
        return _fractions(array, accessor)

    def nonzero_rows(self, index: Any, name: str, widths: tuple[int, ...]) -> SparseRows | None:
        """Return the elements of a sparse accessor without a buffer view: all others are zeros.

        Args:
            index: index of the accessor.
            name: what it holds, for messages.
            widths: numbers of components allowed.

        Returns:
            None for any other accessor: see `array`.
        """
        accessor = self._document.item("accessors", index)
        if "bufferView" in accessor or "sparse" not in accessor:
            return None
        count, width, dtype = _layout(accessor, name, widths)
        if index not in self._rows:
            rows, values = self._sparse(accessor, count, width, dtype, name)
            self._rows[index] = SparseRows(count, rows, _fractions(values, accessor))
        return self._rows[index]

    def _sparse(
        self, accessor: Any, count: int, width: int, dtype: np.dtype[Any], name: str
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Return the rows that a sparse accessor replaces, and their values."""
        sparse = accessor["sparse"]
        changed = sparse["count"]
        if not isinstance(changed, int) or not 1 <= changed <= count:
            raise MeshError(
                f"its {name} accessor replaces {changed!s:.40} of {count} elements; export it again"
            )
        kind = np.dtype(_COMPONENTS[sparse["indices"]["componentType"]])
        if kind.kind != "u":
            raise MeshError(
                f"its {name} accessor has sparse indices that are no unsigned integers; "
                "export it again"
            )
        self._reserve(changed * (8 + width * dtype.itemsize), name, changed)
        rows = self._elements(sparse["indices"], changed, 1, kind, name)[:, 0].astype(np.int64)
        if int(rows.max()) >= count:
            raise MeshError(
                f"its {name} accessor replaces element {int(rows.max())} of {count}; "
                "export it again"
            )
        return rows, self._elements(sparse["values"], changed, width, dtype, name).copy()

    def _reserve(self, size: int, name: str, count: int) -> None:
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise _too_many(name, count)

    def _elements(
        self, place: Any, count: int, width: int, dtype: np.dtype[Any], name: str
    ) -> npt.NDArray[Any]:
        """Return (count, width) numbers as they lie in a buffer, not copied."""
        content, stride = self.view(place["bufferView"])
        start, size = place.get("byteOffset", 0), width * dtype.itemsize
        stride = stride or size
        if start < 0 or stride < size or start + (count - 1) * stride + size > len(content):
            raise _too_many(name, count)
        array: npt.NDArray[Any] = np.ndarray(
            (count, width), dtype, buffer=content, offset=start, strides=(stride, dtype.itemsize)
        )
        return array


def _layout(accessor: Any, name: str, widths: tuple[int, ...]) -> tuple[int, int, np.dtype[Any]]:
    """Return the number of elements of an accessor, their components, and their type."""
    count, width = accessor["count"], _WIDTHS.get(accessor["type"], 0)
    dtype = np.dtype(_COMPONENTS[accessor["componentType"]])
    if width not in widths or not isinstance(count, int) or count < 1:
        raise MeshError(f"its {name} accessor is {count} x {accessor['type']}; export it again")
    return count, width, dtype


def _fractions(array: npt.NDArray[Any], accessor: Any) -> npt.NDArray[Any]:
    """Return normalized integers as floats, and other numbers as they are."""
    if accessor.get("normalized") and array.dtype.kind in "iu":
        return np.asarray(np.maximum(array / float(np.iinfo(array.dtype).max), -1.0))
    return array


def _too_many(name: str, count: int) -> MeshError:
    return MeshError(
        f"its {name} accessor claims {count} elements, more than there are; copy or export it again"
    )
