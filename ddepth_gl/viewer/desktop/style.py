"""Look of the panels: font, spacing and colors."""

from __future__ import annotations

from pathlib import Path

import imgui_bundle
from imgui_bundle import ImVec2, imgui

__all__ = ["ACCENT", "ERROR", "FAINT", "FONT_SIZE", "TEXT", "WARNING", "apply_style"]

FONT_SIZE = 15.0  # points, before the scale of the screen

Color = tuple[float, float, float, float]
TEXT: Color = (0.88, 0.89, 0.91, 1.0)
FAINT: Color = (0.55, 0.57, 0.61, 1.0)
ACCENT: Color = (0.26, 0.56, 0.86, 1.0)
WARNING: Color = (0.95, 0.74, 0.30, 1.0)
ERROR: Color = (0.96, 0.45, 0.40, 1.0)
_PANEL: Color = (0.135, 0.142, 0.158, 1.0)
_FIELD: Color = (0.205, 0.215, 0.238, 1.0)
_HOVERED: Color = (0.265, 0.280, 0.310, 1.0)
_PRESSED: Color = (0.310, 0.330, 0.370, 1.0)
_LINE: Color = (0.240, 0.250, 0.275, 1.0)
_CHOSEN: Color = (0.165, 0.360, 0.570, 1.0)
_CHOSEN_HOVERED: Color = (0.200, 0.420, 0.660, 1.0)

_COLORS: dict[str, Color] = {
    "text": TEXT, "text_disabled": FAINT, "window_bg": _PANEL, "child_bg": (0.0, 0.0, 0.0, 0.0),
    "popup_bg": (0.16, 0.168, 0.185, 0.98), "border": _LINE, "frame_bg": _FIELD,
    "frame_bg_hovered": _HOVERED, "frame_bg_active": _PRESSED, "check_mark": ACCENT,
    "slider_grab": ACCENT, "slider_grab_active": (0.36, 0.66, 0.95, 1.0), "button": _FIELD,
    "button_hovered": _HOVERED, "button_active": _PRESSED, "header": (0.175, 0.184, 0.205, 1.0),
    "header_hovered": _HOVERED, "header_active": _PRESSED, "separator": _LINE,
    "scrollbar_bg": (0.0, 0.0, 0.0, 0.0), "scrollbar_grab": _HOVERED,
    "scrollbar_grab_hovered": _PRESSED, "scrollbar_grab_active": _PRESSED,
    "text_selected_bg": _CHOSEN, "table_row_bg_alt": (1.0, 1.0, 1.0, 0.03),
    "table_header_bg": (0.175, 0.184, 0.205, 1.0), "title_bg_active": _FIELD, "title_bg": _FIELD,
    "nav_cursor": ACCENT,
}  # fmt: skip
CHOSEN = {"button": _CHOSEN, "button_hovered": _CHOSEN_HOVERED, "button_active": _CHOSEN_HOVERED}


def apply_style(scale: float) -> None:
    """Set font, spacing and colors.

    Args:
        scale: points of the window for each point of the style.
    """
    style = imgui.get_style()
    for name, color in _COLORS.items():
        style.set_color_(getattr(imgui.Col_, name), color)
    style.window_padding = ImVec2(12, 10)
    style.frame_padding = ImVec2(8, 4)
    style.item_spacing = ImVec2(8, 6)
    style.item_inner_spacing = ImVec2(6, 4)
    style.cell_padding = ImVec2(6, 2)
    style.indent_spacing = 14
    style.scrollbar_size = 12
    style.grab_min_size = 12
    style.window_rounding = 0
    style.frame_rounding = style.popup_rounding = style.grab_rounding = 4
    style.scrollbar_rounding = 6
    style.window_border_size = 0
    style.popup_border_size = 1
    style.scale_all_sizes(scale)
    style.font_size_base = FONT_SIZE
    style.font_scale_dpi = scale
    # The font of the package; without that file, Dear ImGui has a plain one built in.
    font = Path(imgui_bundle.__file__).parent / "assets" / "fonts" / "Roboto" / "Roboto-Regular.ttf"
    if font.is_file():
        imgui.get_io().fonts.add_font_from_file_ttf(str(font), FONT_SIZE)
