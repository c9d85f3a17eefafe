"""Primitives of glTF files that are compressed by Draco: KHR_draco_mesh_compression.

A Draco stream holds the corners and the attributes of one primitive. Its accessors then tell types
and numbers of elements only.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy.typing as npt

from ...._packages import import_needed
from ....errors import MeshError
from ..child import run_in_child
from .accessors import GltfAccessors
from .document import GltfDocument

__all__ = ["DRACO_EXTENSION", "DracoPrimitives", "PrimitiveArrays"]

DRACO_EXTENSION = "KHR_draco_mesh_compression"

_MEMORY = 1024**3
_MEMORY_PER_BYTE = 64  # Draco compresses to about a twentieth
_SECONDS = 20.0
_SECONDS_PER_BYTE = 1e-6  # a decoder reads at least a few megabytes in a second


class _Stream(NamedTuple):
    """Content of a Draco stream.

    Attributes:
        corners: (3 F,) indices of vertices.
        attributes: (V, width) each, by name.
    """

    corners: npt.NDArray[Any]
    attributes: dict[str, npt.NDArray[Any]]


class PrimitiveArrays:
    """The arrays of a primitive, by accessor: those that its Draco stream holds, and all others.

    Args:
        accessors: the accessors of the document.
        attributes: the attributes in the stream, by accessor.
        corners: (3 F,) the corners in the stream; None without a stream.
    """

    def __init__(
        self,
        accessors: GltfAccessors,
        attributes: Mapping[int, npt.NDArray[Any]] = MappingProxyType({}),
        corners: npt.NDArray[Any] | None = None,
    ) -> None:
        self._accessors = accessors
        self._attributes = attributes
        self._corners = corners

    @property
    def is_decoded(self) -> bool:
        """True if they come from a Draco stream, which always holds a list of triangles."""
        return self._corners is not None

    def corners(self, primitive: Any) -> npt.NDArray[Any] | None:
        """Return the indices of a primitive as one row; None if it has none."""
        if self._corners is not None:
            return self._corners
        if "indices" not in primitive:
            return None
        return self._accessors.array(primitive["indices"], "index", (1,))[:, 0]

    def array(
        self, index: Any, name: str, widths: tuple[int, ...], **options: Any
    ) -> npt.NDArray[Any]:
        """Return (count, width) numbers of an accessor, as `GltfAccessors.array` does."""
        if index not in self._attributes:
            return self._accessors.array(index, name, widths, **options)
        array = self._attributes[index]
        if array.shape[1] not in widths:
            raise MeshError(
                f"its Draco stream has {array.shape[1]} components of {name}; export it again"
            )
        return self._accessors.as_numbers(index, array, **options)


class DracoPrimitives:
    """Reader of the Draco streams of a glTF document. All are decoded when the first is needed.

    They are decoded in one child process with limits: the decoder is compiled code.

    Args:
        document: the glTF document.
        accessors: its arrays: a stream lies in a buffer view.
    """

    def __init__(self, document: GltfDocument, accessors: GltfAccessors) -> None:
        self._document = document
        self._accessors = accessors
        self._streams: dict[tuple[Any, ...], _Stream] | None = None

    def arrays(self, primitive: Any) -> PrimitiveArrays:
        """Return the arrays of a primitive.

        Where the file has plain data as well, these are read: they are the same and need no
        decoder.

        Args:
            primitive: the primitive.

        Raises:
            MeshError: the stream is damaged or needs too much memory or time, or DracoPy is not
                installed.
        """
        compression = primitive.get("extensions", {}).get(DRACO_EXTENSION)
        if compression is None or self._is_plain(primitive, compression):
            return PrimitiveArrays(self._accessors)
        if self._streams is None:
            self._streams = self._decode_all()
        corners, attributes = self._streams[_key(compression)]
        by_accessor = {primitive["attributes"][name]: array for name, array in attributes.items()}
        return PrimitiveArrays(self._accessors, by_accessor, corners)

    def _is_plain(self, primitive: Any, compression: Any) -> bool:
        """Return whether all that the stream holds is in plain accessors as well."""
        indices = [primitive["attributes"][name] for name in compression["attributes"]]
        if "indices" in primitive:
            indices.append(primitive["indices"])
        accessors = (self._document.item("accessors", index) for index in indices)
        return all("bufferView" in accessor for accessor in accessors)

    def _decode_all(self) -> dict[tuple[Any, ...], _Stream]:
        """Return the corners and the attributes of all streams that are needed."""
        if find_spec("DracoPy") is None:
            import_needed("DracoPy", "reading Draco compression", MeshError, "compressed")
        needed: dict[tuple[Any, ...], Any] = {}
        for mesh in self._document.tree.get("meshes", []):
            for primitive in mesh["primitives"]:
                compression = primitive.get("extensions", {}).get(DRACO_EXTENSION)
                if compression is not None and not self._is_plain(primitive, compression):
                    needed.setdefault(_key(compression), compression)
        blobs = [
            bytes(self._accessors.view(compression["bufferView"])[0])
            for compression in needed.values()
        ]
        names = [list(compression["attributes"]) for compression in needed.values()]
        ids = [list(compression["attributes"].values()) for compression in needed.values()]
        size = sum(len(blob) for blob in blobs)
        _, arrays = run_in_child(
            "draco",
            {"ids": ids},
            blobs,
            seconds=_SECONDS + _SECONDS_PER_BYTE * size,
            memory=_MEMORY + _MEMORY_PER_BYTE * size,
        )
        if len(arrays) != sum(len(each) + 1 for each in ids) or any(a.ndim != 2 for a in arrays):
            raise MeshError("its Draco compression lacks attributes; export it again")
        streams, rest = {}, iter(arrays)
        for key, of_stream in zip(needed, names, strict=True):
            corners = next(rest)[:, 0]
            streams[key] = _Stream(corners, {name: next(rest) for name in of_stream})
        return streams


def _key(compression: Any) -> tuple[Any, ...]:
    return (compression["bufferView"], *sorted(compression["attributes"].items()))
