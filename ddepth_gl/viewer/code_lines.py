"""Lines of Python that make a view with the public API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..mesh.mesh import Mesh
from .state import ViewerState

__all__ = ["code_of", "mesh_line_of"]

# The image of each mode, from `maps`, `layers` or the renderer.
_IMAGES = {
    "entry": "maps.entry",
    "exit": "maps.exit",
    "thickness": "maps.thickness",
    "normals": "maps.entry_normal",
    "object_ids": "maps.entry_object_id",
    "layer_count": "layers.count",
    "solid_length": "np.where(layers.count > 0, layers.solid_length, np.float32(np.nan))",
}
_ATTRIBUTES = {"normals": "normal", "object_ids": "object_id"}


def mesh_line_of(mesh: Mesh, options: Mapping[str, Any] | None = None) -> str:
    """Return the line that loads a mesh from its file.

    Args:
        mesh: the mesh.
        options: keyword arguments of `load_mesh` that it was loaded with.
    """
    if mesh.source is None:
        return "mesh = ...  # the mesh that the viewer was given"
    more = "".join(f", {name}={_literal(value)}" for name, value in (options or {}).items())
    return f"mesh = dd.load_mesh({mesh.source.path!r}{more})"


def code_of(
    mesh: Mesh, state: ViewerState, width: int, height: int, mesh_line: str | None = None
) -> str:
    """Return lines that make the view of a state; ``image`` then holds the values of its mode.

    Args:
        mesh: the mesh that is shown.
        state: state that is shown.
        width, height: image size in pixels.
        mesh_line: line that makes the mesh; None for one that loads its file.
    """
    surfaces = "" if state.surfaces == "auto" else f", surfaces={state.surfaces!r}"
    engine = "" if state.engine == "auto" else f"engine={state.engine!r}"
    lines = ["import ddepth_gl as dd", ""]
    if state.mode == "solid_length":
        lines.insert(0, "import numpy as np")
    lines += [mesh_line or mesh_line_of(mesh), *_camera_lines(state, width, height)]
    lines += [f"with dd.DepthRenderer({engine}) as renderer:", "    scene = renderer.upload(mesh)"]
    if state.mode == "photo":
        samples = "" if state.samples == 1 else f", samples={state.samples}"
        lines += [f"    image = renderer.shade(scene, camera{samples}{surfaces})"]
    elif state.mode_info.needs_layers:
        lines += ["    layers = renderer.peel(scene, camera)"]
        number = state.layer
        layer = f"layers.dense('depth', max_layers={number + 1})[{number}]  # from 0"
        lines += [f"image = {_IMAGES.get(state.mode, layer)}"]
    else:
        attribute = _ATTRIBUTES.get(state.mode)
        attributes = "" if attribute is None else f", attributes=({attribute!r},)"
        lines += [f"    maps = renderer.entry_exit(scene, camera{attributes}{surfaces})"]
        lines += [f"image = {_IMAGES[state.mode]}"]
    return "\n".join(lines) + "\n"


def _camera_lines(state: ViewerState, width: int, height: int) -> list[str]:
    """Return the lines that make the camera, with the same rays to the last bit."""
    if state.camera is not None:
        entries = state.camera_for(width, height).to_dict()
        return [f"camera = dd.Camera.from_dict({entries!r})"]
    orbit = state.orbit
    look = ", ".join(str(tuple(each.tolist())) for each in orbit.viewpoint)
    size = f"width={width}, height={height}"
    look_at = f"dd.Camera.look_at({look}, fov_y_deg={orbit.fov_deg!r}, {size})"
    if not orbit.is_orthographic:
        return [f"camera = {look_at}"]
    return [
        f"pose = {look_at}.camera_from_world",
        f"camera = dd.Camera.orthographic({orbit.extent(width, height)!r}, pose, {size})",
    ]


def _literal(value: Any) -> str:
    """Return the value of an option of `load_mesh` as Python; paths become texts."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))},)"
    return repr(value if isinstance(value, (int, float, bool, type(None))) else str(value))
