"""Modes and colors: buttons for what is shown, layer, color map and range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgui_bundle import imgui

from ...coloring import COLOR_MAPS
from ...keys import KEYS
from ...modes import MODES
from ..actions import perform
from .widgets import button_row, choice, field, remember, tooltip

if TYPE_CHECKING:
    from ..viewer import Viewer

__all__ = ["draw_modes", "draw_scale"]

_LABELS = {mode.name: mode.label for mode in MODES.values()}
_KEYS = {key.action: key.key for key in KEYS}
_TIPS = {
    mode.name: f"{mode.description}  [{_KEYS.get(f'mode:{mode.name}', '')}]"
    for mode in MODES.values()
}


def draw_modes(viewer: Viewer) -> None:
    """Draw a button for each mode, and the slider of the layer."""
    state = viewer.state
    chosen = state.mode if state.place == "image" else None
    pressed = button_row("mode", _LABELS, chosen, 3, _TIPS)
    if pressed is not None:
        perform(viewer, f"mode:{pressed}")
    if state.mode == "layer" and state.place == "image":
        count = max(viewer.layers_known, state.layer + 1)
        field("Layer")
        text = f"%d of {count}"
        changed, layer = imgui.slider_int(
            "##layer", state.layer + 1, 1, count, text, imgui.SliderFlags_.always_clamp
        )
        remember("layer slider")
        tooltip("k-th crossing of each ray  [ [ and ] ]")
        if changed:
            state.layer = layer - 1


def draw_scale(viewer: Viewer) -> None:
    """Draw color map and range, for modes that have a scale."""
    state = viewer.state
    if not state.mode_info.has_scale or state.place == "mould":
        return
    name = choice("Colors", state.color_map_name, _color_maps(state.color_map_name))
    if name is not None:
        state.color_map = None if name == state.mode_info.color_map else name
    low, high = viewer.limits
    field("Range")
    imgui.set_next_item_width(-4.6 * imgui.get_font_size())
    speed = max(abs(high - low), 1e-6) / 200
    changed, values = imgui.drag_float2("##range", [low, high], speed, format="%.4g")
    remember("range")
    if changed and values[0] < values[1]:
        state.limits = values[0], values[1]
    imgui.same_line()
    changed, is_automatic = imgui.checkbox("auto", state.limits is None)
    remember("auto range")
    tooltip("colors span the values of the image")
    if changed:
        state.limits = None if is_automatic else (low, high if high > low else low + 1.0)


def _color_maps(name: str) -> tuple[str, ...]:
    return COLOR_MAPS if name in COLOR_MAPS else (name, *COLOR_MAPS)
