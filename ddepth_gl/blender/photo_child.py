"""The process that takes the photos of a data set: ``python -m ddepth_gl.blender.photo_child``.

Its request is JSON: ``engine``; and, but for a question about the engine, ``path``, ``max_bytes``,
``folder``, ``samples``, ``seed``, ``view_transform`` and ``views``, each a ``camera`` in the world
of the file and its ``near_far``. It writes ``000000.png``, ... to the folder. Its answer is JSON:
what decides the photos; or ``error``, one line.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from .._checks import one_line, shown
from ..camera.camera import Camera
from ..errors import DDepthError, RequestError
from .cameras import set_blender_camera
from .ending import end_with_parent
from .open_blend import bpy_module, open_blend
from .photo import render_photo, set_engine
from .render_engine import gpu_of_renders

__all__ = ["main"]

# As libraries with threads do, and as the run shares out the CPUs.
_THREADS = "OMP_NUM_THREADS"
_NEEDS_OPENGL = (
    "EEVEE needs OpenGL 4.3 through EGL, and Blender has none here; install the driver of the "
    "GPU, or libegl1 and libgl1-mesa-dri, or use cycles"
)


def main(request: Path, answer: Path) -> None:
    """Take photos, or tell whether an engine renders here; see the module.

    Args:
        request, answer: JSON files to read and to write.
    """
    end_with_parent()
    asked: dict[str, Any] = json.loads(request.read_text())
    if "path" not in asked and asked["engine"] == "eevee":  # it may end this process
        answer.write_text(json.dumps({"error": _NEEDS_OPENGL}))
    try:
        told = _photos(asked) if "path" in asked else _engine(asked["engine"])
    except DDepthError as error:
        told = {"error": str(error)}
    answer.write_text(json.dumps(told))


def _engine(engine: str) -> dict[str, Any]:
    """Return versions of what renders.

    Raises:
        RequestError: there is no such engine, or EEVEE has no OpenGL.
    """
    bpy = bpy_module()
    scene = bpy.context.scene
    set_engine(scene.render, engine)
    versions = {"blender": bpy.app.version_string}
    if engine == "eevee":
        gpu = gpu_of_renders(scene)
        if gpu is None:
            raise RequestError(_NEEDS_OPENGL)
        versions["eevee_driver"] = gpu
    return versions


def _photos(asked: dict[str, Any]) -> dict[str, Any]:
    limit = asked["max_bytes"]
    bpy = open_blend(Path(asked["path"]), **({} if limit is None else {"max_bytes": limit}))
    scene, engine = bpy.context.scene, asked["engine"]
    _settle(scene, asked)
    camera_object = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    for number, view in enumerate(asked["views"]):
        camera = Camera.from_dict(view["camera"])
        set_blender_camera(scene, camera_object, camera, tuple(view["near_far"]))
        path = Path(asked["folder"], f"{number:06d}.png")
        render_photo(scene, path, engine)
    return _about(bpy, scene, engine)


def _settle(scene: Any, asked: dict[str, Any]) -> None:
    """Set what decides pixels besides the scene itself, so that they repeat."""
    render, samples = scene.render, asked["samples"]
    if asked["engine"] == "cycles":
        cycles = scene.cycles
        cycles.device, cycles.seed, cycles.use_animated_seed = "CPU", asked["seed"], False
        cycles.time_limit = 0.0
        cycles.samples = cycles.samples if samples is None else samples
    elif samples is not None:
        scene.eevee.taa_render_samples = samples
    render.use_motion_blur = False  # the maps of depth are sharp
    threads = os.environ.get(_THREADS, "")
    render.threads_mode = "AUTO"
    if threads.isdecimal() and int(threads):
        render.threads_mode, render.threads = "FIXED", int(threads)
    render.image_settings.color_management = "FOLLOW_SCENE"
    try:
        scene.display_settings.display_device = "sRGB"
        if asked["view_transform"] is not None:
            scene.view_settings.view_transform = asked["view_transform"]
            scene.view_settings.look = "None"
    except TypeError as error:
        raise RequestError(
            f"Blender has no view transform {shown(asked['view_transform'])} for sRGB "
            f"({one_line(error, 160)}); give one that it has"
        ) from None


def _about(bpy: Any, scene: Any, engine: str) -> dict[str, Any]:
    """Return what the photos were rendered with."""
    view = scene.view_settings
    if engine == "cycles":
        cycles = scene.cycles
        by_engine = {
            "samples": cycles.samples,
            "seed": cycles.seed,
            "adaptive_sampling": cycles.use_adaptive_sampling,
            "denoising": cycles.use_denoising,
        }
    else:
        by_engine = {"samples": scene.eevee.taa_render_samples}
    return {
        "engine": engine,
        "blender": bpy.app.version_string,
        **by_engine,
        "display": scene.display_settings.display_device,
        "view_transform": view.view_transform,
        "look": view.look,
        "exposure": round(view.exposure, 6),
        "gamma": round(view.gamma, 6),
        "curves": view.use_curve_mapping,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.flush()
    os._exit(0)  # the answer is complete; Blender may crash while it ends
