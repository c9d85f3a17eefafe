"""View: standard sides, projection, field of view, up direction, cameras of a file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imgui_bundle import imgui

from ...orbit import STANDARD_VIEWS
from ..actions import move, perform
from ..style import FAINT
from .widgets import button, button_row, choice, colored_text, field, remember, tooltip

if TYPE_CHECKING:
    from ..viewer import Viewer

__all__ = ["draw_cameras", "draw_view"]

_SIDES = {name: name.capitalize() for name in STANDARD_VIEWS} | {"fit": "Fit"}
_UPS = {
    "x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0),
    "-x": (-1.0, 0.0, 0.0), "-y": (0.0, -1.0, 0.0), "-z": (0.0, 0.0, -1.0),
}  # fmt: skip


def draw_view(viewer: Viewer) -> None:
    """Draw the controls of the camera that the mouse moves."""
    state = viewer.state
    orbit = state.mould_orbit if state.place == "mould" else state.orbit
    pressed = button_row("side", _SIDES, None, 4)
    if pressed is not None:
        perform(viewer, "fit" if pressed == "fit" else f"view:{pressed}")
    kinds = {"perspective": "Perspective", "orthographic": "Orthographic"}
    chosen = "orthographic" if orbit.is_orthographic else "perspective"
    pressed = button_row("projection", kinds, chosen, 2)
    if pressed is not None and pressed != chosen:
        perform(viewer, "projection")
    field("Field of view")
    changed, degrees = imgui.slider_float(
        "##fov", orbit.fov_deg, 5.0, 120.0, "%.1f°", imgui.SliderFlags_.always_clamp
    )
    remember("fov")
    tooltip("vertical field of view; the target keeps its size")
    if changed:
        move(viewer, lambda orbit: orbit.with_fov(degrees))
    name = next((name for name, axis in _UPS.items() if axis == orbit.up), "")
    chosen_up = choice("Up", name or _vector_text(orbit.up), tuple(_UPS))
    if chosen_up is not None:
        move(viewer, lambda orbit: replace(orbit, up=_UPS[chosen_up]))


def draw_cameras(viewer: Viewer) -> None:
    """Draw the cameras of the file, to step through."""
    cameras, number = viewer.cameras, viewer.camera_number
    if button("<##camera"):
        viewer.step_camera(-1)
    imgui.same_line()
    if button(">##camera"):
        viewer.step_camera(1)
    imgui.same_line()
    is_shown = viewer.state.camera is not None
    name = cameras[number].name or f"camera {number + 1}"
    text = f"{number + 1} of {len(cameras)}: {name}" if is_shown else f"{len(cameras)} cameras"
    imgui.align_text_to_frame_padding()
    imgui.text_unformatted(text)
    if is_shown:
        camera = cameras[number]
        colored_text(FAINT, f"{camera.width} x {camera.height} in the file")


def _vector_text(vector: tuple[float, float, float]) -> str:
    return ", ".join(f"{each:.3g}" for each in vector)
