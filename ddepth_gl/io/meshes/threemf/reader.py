"""3MF files, which a child process reads: `read_3mf`."""

from __future__ import annotations

from ..child import run_in_child
from ..folder import MeshFolder
from ..merge import MeshPart
from ..options import LoadOptions
from ..scene_parts import scene_parts, seconds_for, up_of

__all__ = ["threemf_parts"]


def threemf_parts(data: bytes, folder: MeshFolder, options: LoadOptions) -> list[MeshPart]:
    """Return a part for each mesh of each item that is built, and for each texture of it.

    Args:
        data: content of the file.
        folder: takes notes of what is left out, and of what is up.
        options: options of `load_mesh`.

    Raises:
        MeshError: the file is damaged, or requires an extension that is not supported.
    """
    request = {"max_faces": options.max_faces, "appearance": options.appearance}
    message = run_in_child("3mf", request, [data], seconds=seconds_for(len(data)))
    folder.up = up_of(message)
    return scene_parts(message, folder, options, folder.read)
