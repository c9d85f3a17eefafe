"""The dependency graph of a render: only a render engine gets it from Blender."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

from .._checks import one_line
from ..errors import CameraError, RequestError

__all__ = ["gpu_of_renders", "unregister", "with_render_depsgraph"]

_ENGINE = "DDEPTH_GL"
# Off meanwhile: they read or write files, and Freestyle runs scripts and may crash.
_OFF = ("use_compositing", "use_sequencer", "use_freestyle")
_Result = TypeVar("_Result")
_work: list[Callable[[Any], None]] = []


def with_render_depsgraph(scene: Any, work: Callable[[Any], _Result]) -> _Result:
    """Call a function with the graph that Blender renders with, and return its result.

    ``evaluated_depsgraph_get`` has the objects, modifiers and subdivision levels of the viewport.
    Those of renders exist only while something is rendered. So a render engine of our own is
    registered, the current frame is rendered with it, and the engine of the scene is restored.

    Args:
        scene: the ``bpy.types.Scene`` to render; its settings are as before afterwards.
        work: what to do with the ``bpy.types.Depsgraph``; nothing of it may be kept.

    Raises:
        CameraError: the scene has no camera, without which Blender renders nothing.
        RequestError: Blender refuses to render.
        Exception: whatever `work` raises.
    """
    import bpy

    if scene.camera is None:
        raise CameraError(
            f"scene {scene.name!r} has no camera; add one, or choose it in the Scene properties"
        )
    _register()
    results: list[_Result] = []
    errors: list[BaseException] = []

    def once(depsgraph: Any) -> None:
        try:
            results.append(work(depsgraph))
        except BaseException as error:  # Blender would print it and go on
            errors.append(error)

    render = scene.render
    kept = {name: getattr(render, name) for name in ("engine", *_OFF)}
    _work.append(once)
    try:
        for name in _OFF:
            setattr(render, name, False)
        render.engine = _ENGINE
        bpy.ops.render.render(scene=scene.name)
    except RuntimeError as error:
        raise RequestError(
            f"Blender does not render scene {scene.name!r} ({one_line(error)}); render it there"
        ) from None
    finally:
        _work.clear()
        for name, value in kept.items():
            setattr(render, name, value)
    if errors:
        raise errors[0]
    if not results:
        raise RequestError(
            f"Blender does not render scene {scene.name!r}; enable its 3D render in Post "
            "Processing, and a view layer for rendering"
        )
    return results[0]


def gpu_of_renders(scene: Any) -> str | None:
    """Return the OpenGL that Blender renders with, such as EEVEE; None if it has none.

    Where there is no EGL at all, some versions of Blender end the process.

    Args:
        scene: a ``bpy.types.Scene``, which gets a camera and another engine.
    """
    import bpy

    gpu: Any = import_module("gpu")  # a module of Blender
    found: list[str] = []

    class ProbeEngine(bpy.types.RenderEngine):  # type: ignore[misc]
        """Engine that renders nothing and looks at its context."""

        bl_idname = "DDEPTH_GL_PROBE"
        bl_label = "Probe"
        bl_use_gpu_context = True

        def render(self, depsgraph: Any) -> None:
            """Ask for the renderer; without a context, that is an error."""
            with suppress(SystemError, RuntimeError):
                found.append(f"{gpu.platform.renderer_get()}, {gpu.platform.version_get()}")

    bpy.utils.register_class(ProbeEngine)
    try:
        scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        scene.render.engine = ProbeEngine.bl_idname
        scene.render.use_compositing = scene.render.use_sequencer = False
        with suppress(RuntimeError):
            bpy.ops.render.render(scene=scene.name)
    finally:
        scene.render.engine = "CYCLES"
        bpy.utils.unregister_class(ProbeEngine)
    return found[0] if found else None


def unregister() -> None:
    """Remove the engine from Blender; it comes back when it is needed."""
    if _register.cache_info().currsize:
        import bpy

        bpy.utils.unregister_class(_register())
        _register.cache_clear()


@cache
def _register() -> Any:
    import bpy

    class DoubleDepthEngine(bpy.types.RenderEngine):  # type: ignore[misc]
        """Engine that renders nothing and hands over the graph."""

        bl_idname = _ENGINE
        bl_label = "Double depth"

        def render(self, depsgraph: Any) -> None:
            """Hand over the graph; Blender calls it once for each view layer."""
            if _work:
                _work.pop()(depsgraph)

    bpy.utils.register_class(DoubleDepthEngine)
    return DoubleDepthEngine
