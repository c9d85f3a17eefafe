"""COLLADA files (.dae), which a child process reads: `read_dae`."""

from __future__ import annotations

from ..child import run_in_child
from ..folder import MeshFolder
from ..merge import MeshPart
from ..options import LoadOptions
from ..scene_parts import scene_parts, seconds_for, up_of

__all__ = ["dae_parts"]


def dae_parts(data: bytes, folder: MeshFolder, options: LoadOptions) -> list[MeshPart]:
    """Return a part for each instance of a geometry and each material of it.

    Args:
        data: content of the file.
        folder: reader of its textures; takes notes of what is left out, and of what is up.
        options: options of `load_mesh`.

    Raises:
        MeshError: the file is damaged.
    """
    request = {
        "max_faces": options.max_faces,
        # Alpha needs it.
        "appearance": options.appearance or options.alpha == "mask",
    }
    message = run_in_child("dae", request, [data], seconds=seconds_for(len(data)))
    folder.up = up_of(message)
    return scene_parts(message, folder, options, folder.read)
