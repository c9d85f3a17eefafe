"""The arrays of a glTF file, checked against the sizes of its buffer views."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import MeshError
from .gltf_buffers import GltfBuffers
from .gltf_document import GltfDocument

__all__ = ["GltfAccessors"]

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
# Overlapping accessors must not multiply the memory of a file by more than this.
_MAX_GROWTH = 16
_MAX_GROWTH_DECODED = 4  # of compressed buffer views, which have grown already


class GltfAccessors:
    """Reader of the arrays of a glTF document. Each accessor is read once.

    Args:
        document: the glTF document. Its buffers are read at once.

    Raises:
        MeshError: a buffer is incomplete.
        FileNotFoundError: a buffer's file is missing.
    """

    def __init__(self, document: GltfDocument) -> None:
        self._document = document
        self._buffers = GltfBuffers(document)
        self._bytes_left = _MAX_GROWTH * self._buffers.byte_count
        self._bytes_left += _MAX_GROWTH_DECODED * self._buffers.decoded_count
        self._arrays: dict[int, npt.NDArray[Any]] = {}

    def view(self, index: Any) -> tuple[memoryview, int]:
        """Return the bytes of a buffer view, decoded, and its stride, 0 for densely packed."""
        return self._buffers.view(index)

    def array(self, index: Any, name: str, widths: tuple[int, ...]) -> npt.NDArray[Any]:
        """Return (count, width) numbers of an accessor; normalized integers become floats.

        Args:
            index: index of the accessor.
            name: what it holds, for messages.
            widths: numbers of components allowed.
        """
        accessor = self._document.item("accessors", index)
        if index in self._arrays:
            return self._arrays[index]
        count, width = accessor["count"], _WIDTHS.get(accessor["type"], 0)
        dtype = np.dtype(_COMPONENTS[accessor["componentType"]])
        if width not in widths or not isinstance(count, int) or count < 1:
            raise MeshError(f"its {name} accessor is {count} x {accessor['type']}; export it again")
        if "bufferView" not in accessor or "sparse" in accessor:
            raise MeshError(
                f"its {name} data is sparse, which is not supported; "
                "export it without sparse accessors"
            )
        content, stride = self.view(accessor["bufferView"])
        start, size = accessor.get("byteOffset", 0), width * dtype.itemsize
        stride = stride or size
        self._bytes_left -= count * size
        if (
            start < 0
            or stride < size
            or start + (count - 1) * stride + size > len(content)
            or self._bytes_left < 0
        ):
            raise MeshError(
                f"its {name} accessor claims {count} elements, more than there are; "
                "copy or export it again"
            )
        array: npt.NDArray[Any] = np.ndarray(
            (count, width), dtype, buffer=content, offset=start, strides=(stride, dtype.itemsize)
        ).copy()
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


def _fractions(array: npt.NDArray[Any], accessor: Any) -> npt.NDArray[Any]:
    """Return normalized integers as floats, and other numbers as they are."""
    if accessor.get("normalized") and array.dtype.kind in "iu":
        return np.asarray(np.maximum(array / float(np.iinfo(array.dtype).max), -1.0))
    return array
