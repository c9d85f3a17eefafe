"""The arrays of a glTF file: buffers, buffer views and accessors, checked against their sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import MeshError
from .gltf_document import GltfDocument

__all__ = ["GltfAccessors"]

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
# Overlapping accessors must not multiply the memory of a file by more than this.
_MAX_GROWTH = 16


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
        buffers = document.tree.get("buffers", [])
        self._buffers = [self._buffer(i, buffer) for i, buffer in enumerate(buffers)]
        self._bytes_left = _MAX_GROWTH * sum(len(b) for b in self._buffers)
        self._arrays: dict[int, npt.NDArray[Any]] = {}

    def _buffer(self, index: int, buffer: Any) -> bytes:
        if "uri" in buffer:
            content = self._document.uri_content(buffer["uri"])
        elif index == 0 and self._document.binary_chunk is not None:
            content = self._document.binary_chunk
        else:
            raise MeshError(f"its buffer {index} has no data; export it again")
        if buffer["byteLength"] > len(content):
            raise MeshError(
                f"its buffer {index} should have {buffer['byteLength']} bytes "
                f"and has {len(content)}; it was cut short, copy it again"
            )
        return content

    def view(self, index: Any) -> tuple[memoryview, int]:
        """Return the bytes of a buffer view and its stride in bytes, 0 for densely packed."""
        view = self._document.item("bufferViews", index)
        if any("meshopt" in name for name in view.get("extensions", {})):
            raise MeshError(
                "it uses meshopt compression, which is not supported; export it without compression"
            )
        self._document.item("buffers", view["buffer"])
        content = memoryview(self._buffers[view["buffer"]])
        start, length = view.get("byteOffset", 0), view["byteLength"]
        stride = view.get("byteStride", 0)
        if min(start, length, stride) < 0 or start + length > len(content):
            raise MeshError(
                f"its buffer view {index} reaches outside its buffer; copy or export it again"
            )
        return content[start : start + length], stride

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
                f"its {name} data is compressed or sparse, which is not supported; "
                "export it without compression or sparse accessors"
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
        if accessor.get("normalized") and dtype.kind in "iu":
            array = np.maximum(array / float(np.iinfo(dtype).max), -1.0)
        self._arrays[index] = array
        return array
