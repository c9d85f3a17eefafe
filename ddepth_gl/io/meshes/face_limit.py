"""The limit on the number of faces, checked before anything of that size is allocated."""

from __future__ import annotations

from ..._text import counted
from ...errors import MeshError

__all__ = ["check_face_count"]


def check_face_count(count: int, max_faces: int, verb: str) -> None:
    """Raise MeshError if a file "declares" or "holds" (the verb) too many faces."""
    if count > max_faces:
        raise MeshError(
            f"it {verb} {counted(count, 'face')}, the limit is {max_faces:,}; "
            "pass a larger max_faces"
        )
