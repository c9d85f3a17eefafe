"""The bytes of a glTF file: buffers and buffer views, of which some are compressed."""

from __future__ import annotations

from typing import Any

from ....errors import MeshError
from .document import GltfDocument
from .meshopt import MESHOPT_EXTENSIONS, decode_meshopt, decoded_size

__all__ = ["GltfBuffers"]

# Compressed views may decode to this many bytes, and to so many times the bytes of all buffers.
# The codec reaches about 6 for real meshes and 64 where nothing changes.
_FREE_BYTES = 16 * 1024**2
_MAX_GROWTH = 64


class GltfBuffers:
    """Reader of the buffer views of a glTF document. Each compressed view is decoded once.

    Args:
        document: the glTF document. Its buffers are read at once, except those that only hold what
            compressed views hold as well.

    Attributes:
        byte_count: bytes of all buffers that were read, together.
        decoded_count: bytes that compressed views decode to, together.

    Raises:
        MeshError: a buffer is incomplete, or compressed views declare too many bytes.
        FileNotFoundError: a buffer's file is missing.
    """

    def __init__(self, document: GltfDocument) -> None:
        self._document = document
        self._contents: dict[int, bytes] = {}
        buffers = document.tree.get("buffers", [])
        for index, buffer in enumerate(buffers):
            is_placeholder = "uri" not in buffer and (
                index > 0 or document.binary_chunk is None or _is_fallback(buffer)
            )
            if not is_placeholder and not _is_fallback(buffer):
                self._content(index)
        self.byte_count = sum(len(content) for content in self._contents.values())
        compressions = (_compression(view) for view in document.tree.get("bufferViews", []))
        self.decoded_count = sum(decoded_size(each) for each in compressions if each is not None)
        if self.decoded_count > _FREE_BYTES + _MAX_GROWTH * self.byte_count:
            raise MeshError(
                f"its meshopt compression declares {self.decoded_count} bytes in a file with "
                f"{self.byte_count}; it is damaged, copy or export it again"
            )
        self._decoded: dict[int, memoryview] = {}

    def view(self, index: Any) -> tuple[memoryview, int]:
        """Return the bytes of a buffer view and its stride in bytes, 0 for densely packed.

        Of a compressed view, these are the bytes that it decodes to. Plain bytes, if the file has
        them too, are read only if decoding fails.

        Raises:
            MeshError: the view reaches outside its buffer, or its compression is damaged.
            FileNotFoundError: a buffer's file is missing.
        """
        view = self._document.item("bufferViews", index)
        stride, length = view.get("byteStride", 0), view["byteLength"]
        compression = _compression(view)
        if compression is not None:
            if index not in self._decoded:
                try:
                    self._decoded[index] = self._decode(view, compression)
                except MeshError as error:
                    self._decoded[index] = self._plain(view, error)
            return self._decoded[index], stride
        if stride < 0:
            raise _outside()
        return self._slice(view, length), stride

    def _decode(self, view: Any, compression: Any) -> memoryview:
        if view["byteLength"] != decoded_size(compression):
            raise MeshError(
                f"a compressed buffer view of {view['byteLength']!s:.20} bytes decodes to "
                f"{decoded_size(compression)}; export it again"
            )
        stream = self._slice(compression, compression["byteLength"])
        return memoryview(decode_meshopt(stream, compression).data)

    def _plain(self, view: Any, error: MeshError) -> memoryview:
        """Return the plain bytes of a compressed view; raise the error if there are none."""
        try:
            return self._slice(view, view["byteLength"])
        except (MeshError, FileNotFoundError):
            raise error from None

    def _slice(self, place: Any, length: int) -> memoryview:
        """Return the bytes of a buffer that a buffer view, or its compression, names."""
        self._document.item("buffers", place["buffer"])
        content = memoryview(self._content(place["buffer"]))
        start = place.get("byteOffset", 0)
        if min(start, length) < 0 or start + length > len(content):
            raise _outside()
        return content[start : start + length]

    def _content(self, index: int) -> bytes:
        if index not in self._contents:
            buffer = self._document.item("buffers", index)
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
            self._contents[index] = content
        return self._contents[index]


def _compression(view: Any) -> Any:
    """Return the object of a buffer view that describes its compression; None if it has none."""
    extensions = view.get("extensions", {})
    for name in MESHOPT_EXTENSIONS:
        if name in extensions:
            return extensions[name]
    return None


def _is_fallback(buffer: Any) -> bool:
    """Return whether a buffer is for readers that know no compression."""
    extensions = buffer.get("extensions", {})
    return any(extensions.get(name, {}).get("fallback") is True for name in MESHOPT_EXTENSIONS)


def _outside() -> MeshError:
    return MeshError("a buffer view reaches outside its buffer; copy or export it again")
