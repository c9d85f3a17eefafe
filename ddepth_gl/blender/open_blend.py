"""Opening a .blend file that nobody has checked: no scripts, no libraries of other folders."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from .._checks import one_line, printable
from ..errors import MeshError, RequestError

__all__ = ["bpy_module", "is_fluid", "open_blend"]

_MAX_FILE_BYTES = 8 * 1024**3
# A plain file, and those that Blender compresses: Zstandard, before 3.0 gzip.
_MAGIC = (b"BLENDER", b"\x28\xb5\x2f\xfd", b"\x1f\x8b")


def bpy_module() -> Any:
    """Return the module bpy.

    Raises:
        RequestError: it is not installed; the message says where it is.
    """
    try:
        import bpy
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "bpy"
        why = "" if missing else f" ({one_line(error, 80)})"
        raise RequestError(
            f"scenes of Blender need bpy{why}; run pip install bpy in Python 3.11 or 3.13, or run "
            "this inside of Blender, see docs/blender.md"
        ) from None
    return bpy


def open_blend(path: Path, *, max_bytes: int = _MAX_FILE_BYTES) -> Any:
    """Open a file in Blender, in place of what is open, and return bpy.

    Scripts and drivers in Python do not run, nor fluids, which write to any folder; those that are
    baked in the folder of the file count. A file that links to libraries outside of its folder is
    refused; Blender itself has opened them by then, and nothing of it is rendered.

    Args:
        path: path of a .blend file.
        max_bytes: largest size of the file.

    Raises:
        MeshError: it is missing, too large, no such file, cannot be read, or links elsewhere.
        RequestError: there is no bpy.
    """
    shown = printable(str(path))
    _check_file(path, shown, max_bytes)
    bpy = bpy_module()
    preferences = bpy.context.preferences
    preferences.filepaths.use_scripts_auto_execute = False
    # Files would be restored from there, and a copy is written there on some errors.
    preferences.filepaths.use_auto_save_temporary_files = False
    folder = path.resolve().parent
    errors: list[Exception] = []

    @bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
    def before_evaluation(*_: object) -> None:
        try:
            _switch_off(bpy, folder)
        except Exception as error:  # Blender would print it and go on
            errors.append(error)

    bpy.app.handlers.load_post.append(before_evaluation)
    try:
        bpy.ops.wm.open_mainfile(
            filepath=str(path.absolute()),
            load_ui=False,
            use_scripts=False,
            display_file_selector=False,
        )
    except RuntimeError as error:
        raise MeshError(
            f"{shown}: Blender {bpy.app.version_string} cannot open it ({one_line(error, 120)}); "
            "save it again, with this version or an older one"
        ) from None
    finally:
        bpy.app.handlers.load_post.remove(before_evaluation)
    if errors:
        close_blend()
        raise errors[0]
    for library in bpy.data.libraries:
        if library.packed_file is not None:  # it is in the file, and its path does not count
            continue
        file = Path(bpy.path.abspath(library.filepath, library=library.parent)).resolve()
        if not file.is_relative_to(folder):
            close_blend()
            raise MeshError(
                f"{shown}: it links to {printable(str(file))}, which is not in its folder; put it "
                "there, or make it local (File > External Data > Pack Linked Libraries)"
            )
    return bpy


def _switch_off(bpy: Any, folder: Path) -> None:
    """Switch off what may run, read or write something else, before Blender evaluates the scene."""
    for obj in bpy.data.objects:
        for modifier in obj.modifiers:
            if is_fluid(modifier) and not _is_baked(bpy, modifier.domain_settings, folder):
                modifier.show_viewport = modifier.show_render = False
                obj.hide_viewport = obj.hide_render = True  # else the box of the fluid is shown
    for scene in bpy.data.scenes:
        scene.render.use_freestyle = False  # its scripts run even so
        if hasattr(scene, "cycles") and hasattr(scene.cycles, "shading_system"):
            scene.cycles.shading_system = False  # shaders in OSL name files


def is_fluid(modifier: Any) -> bool:
    """Return whether a modifier makes a fluid."""
    return bool(modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN")


def _is_baked(bpy: Any, settings: Any, folder: Path) -> bool:
    """Return whether a fluid is only read, and from a folder of the file."""
    cache = Path(bpy.path.abspath(settings.cache_directory)).resolve()
    return bool(settings.cache_type != "REPLAY") and cache.is_relative_to(folder)


def close_blend() -> None:
    """Close what is open."""
    bpy_module().ops.wm.read_factory_settings(use_empty=True)


def _check_file(path: Path, shown: str, max_bytes: int) -> None:
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise MeshError(f"{shown} is no regular file; give a .blend file")
        with path.open("rb") as file:
            head = file.read(8)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise MeshError(f"{shown} cannot be read ({reason}); check the path") from None
    if state.st_size > max_bytes:
        raise MeshError(
            f"{shown} has {state.st_size:,} bytes, more than the limit of {max_bytes:,}; "
            "allow more, or save a part of it"
        )
    if not head.startswith(_MAGIC):
        raise MeshError(f"{shown} is no file of Blender; save it again there")
