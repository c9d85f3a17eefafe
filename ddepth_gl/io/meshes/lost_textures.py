"""Texts of `load_mesh` about textures that cannot be used, and about all that it leaves out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..._text import counted
from .folder import MeshFolder
from .merge import MeshPart
from .textures import EncodedTexture, LostTexture

__all__ = ["left_out_text", "tell_lost_textures"]

_LOST = (" lost its texture ", " lost their texture ")

_LOST_MATERIAL = (" lost its material", " lost their material")  # of OBJ files


def tell_lost_textures(parts: Sequence[MeshPart], folder: MeshFolder) -> None:
    """Note how many faces lost which texture, and why.

    Args:
        parts: all parts of the file.
        folder: gets the notes.
    """
    faces: Counter[LostTexture] = Counter()
    for part in parts:
        lost = part.texture
        if isinstance(lost, EncodedTexture) and part.uv is None:
            lost = LostTexture(lost.name, "no texture coordinates")
        if isinstance(lost, LostTexture) and len(part.faces):
            faces[lost] += len(part.faces)
    for (name, reason), count in faces.items():
        # The reason comes last and must not be cut off.
        shown = name if len(name) <= 60 else f"...{name[-57:]}"
        words = _LOST[0] if count == 1 else _LOST[1]
        folder.leave_out(f"{counted(count, 'face')}{words}{shown}: {reason}")


def left_out_text(notes: Sequence[str]) -> str:
    """Return notes of a `MeshFolder` as the text of one warning, lost looks first."""
    lost = [note for note in notes if any(words in note for words in (*_LOST, *_LOST_MATERIAL))]
    others = [note for note in notes if note not in lost]
    return "; ".join(lost + [f"the mesh leaves out {'; '.join(others)}"] * bool(others))
