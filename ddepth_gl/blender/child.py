"""The process that reads a .blend file for a data set: ``python -m ddepth_gl.blender.child``.

Blender may crash on a damaged file, and keeps what it opened; so each file has a process.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DDepthError
from .cameras import use_camera
from .ending import end_with_parent
from .open_blend import open_blend
from .render_engine import with_render_depsgraph
from .scene import blender_scene

__all__ = ["main"]


def main(path: Path, answer: Path, max_bytes: int | None, *, has_own_camera: bool = False) -> None:
    """Write the scene of a file as arrays, or an error.

    Args:
        path: the .blend file.
        answer: the npz file to write. Its entry ``head`` is JSON: object names and what is left
            out, or ``error``, one line.
        max_bytes: largest size of the file; None for the default.
        has_own_camera: whether photos are by another camera than the file's, without depth of
            field, motion blur and stereo; so nothing of these is left out.
    """
    end_with_parent()
    arrays: dict[str, Any] = {}
    try:
        bpy = open_blend(path, **({} if max_bytes is None else {"max_bytes": max_bytes}))
        scene = bpy.context.scene
        if has_own_camera:
            use_camera(scene, None)
            scene.render.use_motion_blur = scene.render.use_multiview = False
        if scene.camera is None:  # without one, Blender renders nothing
            scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        mesh, names, left_out = with_render_depsgraph(scene, blender_scene)
        head: dict[str, Any] = {"names": names, "left_out": left_out}
        for name in ("vertices", "faces", "colors", "object_id", "polygon_id"):
            arrays[name] = getattr(mesh, name)
    except DDepthError as error:
        head = {"error": str(error)}
    text = np.frombuffer(json.dumps(head).encode(), np.uint8)
    with answer.open("wb") as file:
        np.savez(file, head=text, **arrays)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        int(sys.argv[3]) or None,
        has_own_camera=sys.argv[4] == "1",
    )
    sys.stdout.flush()
    os._exit(0)  # the answer is complete; Blender may crash while it ends
