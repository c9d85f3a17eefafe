"""Actions of keys and buttons: changes of the state, by the names of `keys.KEYS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ...camera.camera import Camera
from ...errors import DDepthError
from ..modes import MODES
from ..orbit import STANDARD_VIEWS, Orbit

if TYPE_CHECKING:
    from .viewer import Viewer

__all__ = ["move", "perform"]

_TURN_DEG = 10.0
_TURNS = {
    "left": (-_TURN_DEG, 0.0),
    "right": (_TURN_DEG, 0.0),
    "up": (0.0, -_TURN_DEG),
    "down": (0.0, _TURN_DEG),
}


def perform(viewer: Viewer, action: str) -> None:
    """Do what a key or a button is for.

    Args:
        viewer: what is changed.
        action: as in `keys.Key.action`.
    """
    state = viewer.state
    verb, _, detail = action.partition(":")
    if verb == "mode" and detail in MODES:
        state.mode, state.place = detail, "image"
        state.limits = None  # those of another quantity
    elif verb == "layer":
        change_layer(viewer, 1 if detail == "next" else -1)
    elif verb == "home":
        go_home(viewer)
    elif verb == "fit":
        move(viewer, lambda orbit: orbit.fitted(viewer.mesh, viewer.aspect))
    elif verb == "view" and detail in STANDARD_VIEWS:
        move(viewer, lambda orbit: orbit.seen_from(detail))
    elif verb == "projection":
        move(viewer, lambda orbit: replace(orbit, is_orthographic=not orbit.is_orthographic))
    elif verb == "place":
        state.place = "image" if state.place == "mould" else "mould"
    elif verb == "odd":
        state.highlight_odd = not state.highlight_odd
    elif verb == "section":
        viewer.draws_section = not viewer.draws_section
        state.place = "image"
    elif verb == "camera":
        viewer.step_camera(1 if detail == "next" else -1)
    elif verb == "mesh":
        viewer.step_mesh(1)
    elif verb == "save":
        viewer.save("image")
    elif verb == "turn" and detail in _TURNS:
        move(viewer, lambda orbit: orbit.turned(*_TURNS[detail]))
    elif verb == "zoom":
        move(viewer, lambda orbit: orbit.zoomed(1.0 if detail == "in" else -1.0))
    elif verb == "panels":
        viewer.has_panel = not viewer.has_panel
    elif verb == "help":
        viewer.has_help = not viewer.has_help
    elif verb == "release":
        release(viewer)
    elif verb == "quit":
        viewer.window.want_close()


def move(viewer: Viewer, change: Callable[[Orbit], Orbit]) -> None:
    """Change the camera that the mouse moves: the rendering one, or that of the mould view."""
    state = viewer.state
    if state.place == "mould":
        state.mould_orbit = change(state.mould_orbit)
        return
    if state.camera is not None:  # from where a camera of a file is
        state.orbit, state.camera = _orbit_of(state.camera, viewer), None
    state.orbit = change(state.orbit)


def _orbit_of(camera: Camera, viewer: Viewer) -> Orbit:
    """Return the orbit that continues from a camera; the first view if there is none."""
    try:
        orbit = Orbit.from_camera(camera, viewer.mesh)
        orbit.camera(2, 2)
    except DDepthError as error:
        name = f"camera {camera.name}" if camera.name else "the camera"
        viewer.messages.note(f"{name} cannot be turned ({error}); the mesh is fitted", "camera")
        up = viewer.state.orbit.up
        return Orbit.framing(viewer.mesh, up, viewer.aspect)
    return orbit


def go_home(viewer: Viewer) -> None:
    """Return to the first view of the mesh."""
    state = viewer.state
    if state.place == "mould":
        state.mould_orbit = viewer.framed(viewer.mould_home)
    else:
        state.orbit, state.camera = viewer.framed(viewer.home), None


def change_layer(viewer: Viewer, step: int) -> None:
    """Show another layer; the first time, the one that was last shown."""
    state = viewer.state
    if state.mode == "layer":
        state.layer = min(max(state.layer + step, 0), max(viewer.layers_known - 1, 0))
    else:
        perform(viewer, "mode:layer")


def release(viewer: Viewer) -> None:
    """Close what is open, one thing at a time: help, section drawing, pin, section."""
    state = viewer.state
    if viewer.has_help:
        viewer.has_help = False
    elif viewer.draws_section:
        viewer.draws_section = False
    elif state.pin is not None:
        state.pin = None
    else:
        state.section = None
