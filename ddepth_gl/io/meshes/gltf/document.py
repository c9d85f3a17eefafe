"""The JSON document of a glTF 2.0 file, and the binary chunk that a GLB file adds to it."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any
from urllib.parse import unquote_to_bytes

from ....errors import MeshError
from ..folder import MeshFolder
from .extensions import keeps_geometry

__all__ = ["GltfDocument"]

# Extensions that are read here. A file may also require those that keep the geometry.
_SUPPORTED_EXTENSIONS = {
    "EXT_mesh_gpu_instancing",
    "EXT_meshopt_compression",
    "KHR_animation_pointer",
    "KHR_draco_mesh_compression",
    "KHR_mesh_quantization",
    "KHR_meshopt_compression",
    "KHR_node_visibility",
}


class GltfDocument:
    """A parsed glTF file. Items are looked up with checks: a file may refer to anything.

    Args:
        data: content of the file, text (.gltf) or binary (.glb).
        folder: reader of its side files.

    Attributes:
        tree: the JSON object.
        binary_chunk: content of the GLB's binary chunk; None if there is none.

    Raises:
        MeshError: it is not glTF 2.0, incomplete, or requires an unknown extension that may change
            its geometry.
    """

    def __init__(self, data: bytes, folder: MeshFolder) -> None:
        self._folder = folder
        is_binary = data[:4] == b"glTF"
        text, self.binary_chunk = _glb_chunks(data) if is_binary else (data, None)
        try:
            self.tree = json.loads(text.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise MeshError(
                f"it is not glTF ({error}); check that it is complete and not another format"
            ) from error
        version = str(self.tree.get("asset", {}).get("version", "2.0"))
        if any(isinstance(self.tree.get(kind), dict) for kind in ("nodes", "meshes")):
            version = "1.0"  # it has objects by name, where glTF 2.0 has lists
        if version.split(".")[0] != "2":
            raise _wrong_version(version)
        for name in self.tree.get("extensionsRequired", []):
            if name not in _SUPPORTED_EXTENSIONS and not keeps_geometry(str(name)):
                raise MeshError(
                    f"it needs the extension {name!s:.60}, which is not supported; "
                    "export it without"
                )

    def item(self, kind: str, index: Any) -> Any:
        """Return an item of a top-level array, such as "nodes", checking the index."""
        items = self.tree.get(kind, [])
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(items):
            raise MeshError(f"its glTF refers to {kind}[{index}] of {len(items)}; export it again")
        return items[index]

    def uri_content(self, uri: str, *, is_texture: bool = False) -> bytes:
        """Return the content of a data URI (RFC 2397), or of a side file.

        Args:
            uri: the URI; blanks need not be percent-encoded.
            is_texture: see `MeshFolder.read`.

        Raises:
            FileNotFoundError: there is no such side file.
        """
        if uri[:5].lower() != "data:":
            return self._folder.read(uri, is_texture=is_texture)
        head, comma, content = uri.partition(",")
        if not comma:
            raise MeshError(
                "it embeds a data URI without a comma, so without data; export it again"
            )
        data = unquote_to_bytes(content)
        if not head.lower().endswith(";base64"):
            return data
        return base64.b64decode(data + b"==")  # surplus padding is ignored, and some leave it out


def _glb_chunks(data: bytes) -> tuple[bytes, bytes | None]:
    """Return the JSON text and the binary chunk of a GLB file."""
    if len(data) < 20:
        raise MeshError(
            f"it has only {len(data)} bytes, too few for a GLB; it was cut short, copy it again"
        )
    _, version, length, json_length, kind = struct.unpack("<4sIII4s", data[:20])
    if version != 2:
        raise _wrong_version(version)
    if length > len(data) or 20 + json_length > length or kind != b"JSON":
        raise MeshError(
            f"its header declares {length} bytes and a chunk of {json_length}, "
            f"the file has {len(data)}; it was cut short or damaged, copy it again"
        )
    start = 20 + json_length
    text = data[20:start]
    while start + 8 <= length:
        size, kind = struct.unpack("<I4s", data[start : start + 8])
        if start + 8 + size > length:
            raise MeshError(
                f"a chunk of {size} bytes does not fit into the file; copy or export it again"
            )
        if kind == b"BIN\0":
            return text, data[start + 8 : start + 8 + size]
        start += 8 + size
    return text, None


def _wrong_version(version: object) -> MeshError:
    return MeshError(
        f"it is glTF version {version}, only version 2 is supported; export it as glTF 2.0"
    )
