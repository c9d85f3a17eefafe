"""The line below the image, and the list of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgui_bundle import imgui

from ...._text import printable
from ...keys import KEYS, MOUSE
from ..style import FAINT, TEXT
from .widgets import small_font

if TYPE_CHECKING:
    from ..viewer import Viewer

__all__ = ["draw_help", "draw_status"]


def draw_status(viewer: Viewer) -> None:
    """Draw mesh, size, time and device of the image, and how to get help."""
    width, height = viewer.picture.rendered_size
    is_full = (width, height) == viewer.size
    parts = [
        printable(viewer.name),
        f"{width} x {height}" + ("" if is_full else " while moving"),
        f"{viewer.picture.milliseconds:.1f} ms",
        viewer.picture.engine,
        viewer.picture.device,
    ]
    if viewer.state.place == "mould":
        parts.insert(1, "mould view")
    hint = "F1: keys"
    with small_font():
        end = imgui.get_content_region_avail().x - imgui.calc_text_size(hint).x
        for number, part in enumerate(part for part in parts if part):
            if number:
                imgui.same_line(0, 0)
                imgui.text_colored(FAINT, "   |   ")
                imgui.same_line(0, 0)
            imgui.text_colored(TEXT if not number else FAINT, part)
        imgui.same_line(end)
        imgui.text_colored(FAINT, hint)


def draw_help(viewer: Viewer) -> None:
    """Draw the list of keys in the middle of the window."""
    area, scale = viewer.image_area.area, viewer.window.scale
    imgui.set_next_window_pos(
        (area.x + area.width / 2, area.y + area.height / 2), imgui.Cond_.always, (0.5, 0.5)
    )
    imgui.set_next_window_bg_alpha(0.97)
    imgui.push_style_var(imgui.StyleVar_.window_rounding, 8 * scale)
    imgui.push_style_var(imgui.StyleVar_.window_padding, (22 * scale, 18 * scale))
    flags = (
        imgui.WindowFlags_.no_decoration | imgui.WindowFlags_.always_auto_resize
        | imgui.WindowFlags_.no_saved_settings | imgui.WindowFlags_.no_move
        | imgui.WindowFlags_.no_nav
    )  # fmt: skip
    imgui.begin("help", None, flags)
    imgui.pop_style_var(2)
    rows = [(key.key, key.text) for key in KEYS if not key.key.startswith("Shift+")]
    rows = [*MOUSE, *rows]
    half = (len(rows) + 1) // 2
    with small_font():
        if imgui.begin_table("keys", 4, imgui.TableFlags_.sizing_fixed_fit):
            for pair in zip(rows[:half], [*rows[half:], ("", "")], strict=False):
                imgui.table_next_row()
                for key, text in pair:
                    imgui.table_next_column()
                    imgui.text_unformatted(key[:1].upper() + key[1:])
                    imgui.table_next_column()
                    imgui.text_colored(FAINT, text + 6 * " ")
            imgui.end_table()
    imgui.end()
