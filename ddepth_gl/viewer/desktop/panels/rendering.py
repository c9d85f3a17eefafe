"""Rendering: surfaces, engine, samples; odd pixels; image or mould view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgui_bundle import imgui

from ...state import ENGINES, SURFACES
from ..actions import perform
from ..style import FAINT, WARNING
from .widgets import button_row, choice, colored_text, field, remember, tooltip

if TYPE_CHECKING:
    from ..viewer import Viewer

__all__ = ["draw_mould", "draw_rendering"]


def draw_rendering(viewer: Viewer) -> None:
    """Draw what decides how the image is rendered."""
    state = viewer.state
    surfaces = choice("Surfaces", state.surfaces, SURFACES)
    if surfaces is not None:
        state.surfaces = surfaces  # type: ignore[assignment]
    engine = choice("Engine", state.engine, ENGINES)
    if engine is not None:
        state.engine = engine  # type: ignore[assignment]
    if state.mode == "photo":
        field("Samples")
        changed, samples = imgui.slider_int(
            "##samples", state.samples, 1, 4, f"{state.samples} x {state.samples}",
            imgui.SliderFlags_.always_clamp,
        )  # fmt: skip
        remember("samples")
        tooltip("samples of each pixel of the photo")
        if changed:
            state.samples = samples
    changed, is_marked = imgui.checkbox("Mark odd pixels", state.highlight_odd)
    remember("odd")
    tooltip("pixels whose crossings do not pair up: the mesh is open there  [O]")
    if changed:
        state.highlight_odd = is_marked


def draw_mould(viewer: Viewer) -> None:
    """Draw the choice between the image and the mould view."""
    state = viewer.state
    places = {"image": "Image", "mould": "Mould view"}
    tips = {"mould": "what the camera sees, as points; turned freely  [M]"}
    pressed = button_row("place", places, state.place, 2, tips)
    if pressed is not None and pressed != state.place:
        perform(viewer, "place")
    if state.place == "mould":
        points = {False: "Entry and exit", True: "All layers"}
        for value, label in points.items():
            if imgui.radio_button(label, state.mould_layers is value):
                state.mould_layers = value
            remember(label)
            imgui.same_line()
        changed, shows_mesh = imgui.checkbox("Mesh##edges", viewer.shows_mesh)
        remember("Mesh edges")
        tooltip("edges of the mesh among the points")
        if changed:
            viewer.shows_mesh = shows_mesh
        if viewer.picture.left_out:
            colored_text(WARNING, f"{viewer.picture.left_out} layers behind are not shown.")
        colored_text(FAINT, "The frustum is the camera of the image; turning moves only the view.")
