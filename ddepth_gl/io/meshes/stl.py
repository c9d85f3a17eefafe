"""STL files: checks of binary and ASCII STL before trimesh reads them."""

from __future__ import annotations

import struct

from ...errors import MeshError
from .face_limit import check_face_count
from .text import as_utf8

__all__ = ["checked_stl"]


def checked_stl(data: bytes, max_faces: int) -> bytes:
    """Return a binary STL of exactly the declared length, or a complete ASCII STL as UTF-8.

    Args:
        data: content of the file.
        max_faces: largest number of faces that the file may declare.

    Raises:
        MeshError: it is neither, was cut short, or declares too many faces.
    """
    count = struct.unpack("<I", data[80:84])[0] if len(data) >= 84 else 0
    if len(data) >= 84 and len(data) == 84 + 50 * count:
        check_face_count(count, max_faces, "declares")
        return data
    if b"facet" not in data[:2048].lower():
        raise MeshError(
            f"it is neither ASCII nor binary STL: {count} declared triangles take "
            f"{84 + 50 * count} bytes, it has {len(data)}; "
            "it was cut short or damaged, copy it again"
        )
    text = as_utf8(data)
    lower = text.lower()
    if lower.rfind(b"endfacet") > lower.rfind(b"endsolid"):
        raise MeshError("its last solid does not end; it was cut short or damaged, copy it again")
    return text
