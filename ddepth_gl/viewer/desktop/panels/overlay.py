"""Overlay of the image: color bar, pin, section line, probe beside the cursor, messages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imgui_bundle import imgui

from ...coloring import color_table
from ..layout import Area
from ..style import ACCENT, ERROR, FAINT, TEXT
from .probe import short_text
from .widgets import PLACES, packed, remember, small_font

if TYPE_CHECKING:
    from ...probe import Probe
    from ...section import Line
    from ..viewer import Viewer

__all__ = ["draw_messages", "draw_overlay"]

_BAR_WIDTH, _BAR_MARGIN = 14.0, 18.0  # points of the style
_PAD = 7.0  # around text in a box
_UNKNOWN = [
    "The solid length is unknown:",
    "the mesh is open, or its faces are not all wound outward.",
    "Thickness is exit minus entry all the same.",
]
_DRAWING = ["Drag across the image to draw the section.   Esc cancels"]
_SHADE = (0.06, 0.065, 0.075, 0.82)


def draw_overlay(viewer: Viewer) -> None:
    """Draw what lies over the image, in the window of the image."""
    state, area = viewer.state, viewer.image_area.area
    if state.place == "mould":
        return
    if state.mode_info.has_scale:
        _draw_color_bar(viewer, area)
    if state.section is not None:
        _draw_section_line(viewer, state.section)
    if state.pin is not None:
        _draw_pin(viewer)
    if viewer.picture.is_unknown:
        _draw_hint(area, _UNKNOWN, viewer, 0.5)
    if viewer.draws_section:
        _draw_hint(area, _DRAWING, viewer, 1.0)
    probe = viewer.probe
    if probe is not None and viewer.image_area.pixel == probe.pixel:
        _draw_cursor_text(viewer, probe, area)


def _draw_color_bar(viewer: Viewer, area: Area) -> None:
    """Draw the color table with numbers beside it, at the right edge."""
    draw, scale = imgui.get_window_draw_list(), viewer.window.scale
    low, high = viewer.limits
    height = float(int(min(0.6 * area.height, 420 * scale)))
    top = float(int(area.y + (area.height - height) / 2))
    ticks = _ticks(low, high)
    labels = [f"{value:.4g}" for value in ticks]
    text_height = imgui.get_text_line_height()
    widest = max((imgui.calc_text_size(label).x for label in labels), default=0.0)
    title = viewer.state.mode_info.label
    unit = viewer.state.mode_info.unit
    wide = max(widest + (_BAR_WIDTH + 10) * scale, imgui.calc_text_size(title).x)
    wide = max(wide, imgui.calc_text_size(unit).x)
    left = float(int(area.x + area.width - wide - (_BAR_MARGIN + 6) * scale))
    pad = 10 * scale
    head = 2 * text_height + 10 * scale
    draw.add_rect_filled(
        (left - pad, top - head - pad),
        (left + wide + pad, top + height + pad + text_height / 2),
        packed(_SHADE), 6 * scale,
    )  # fmt: skip
    PLACES["color bar"] = (
        left - pad, top - head - pad, wide + 2 * pad, height + head + 2 * pad + text_height / 2
    )  # fmt: skip
    draw.add_text((left, top - head), packed(TEXT), title)
    draw.add_text((left, top - head + text_height), packed(FAINT), unit)
    right = left + _BAR_WIDTH * scale
    table = color_table(viewer.state.color_map_name)
    for row in range(int(height)):  # the largest value is at the top
        color = table[int((1.0 - (row + 0.5) / height) * len(table))].tolist()
        draw.add_rect_filled((left, top + row), (right, top + row + 1), packed(color))
    for value, label in zip(ticks, labels, strict=True):
        place = 0.5 if high <= low else (value - low) / (high - low)
        y = top + height * (1.0 - place)
        draw.add_line((right, y), (right + 4 * scale, y), packed(FAINT), scale)
        draw.add_text((right + 8 * scale, y - text_height / 2), packed(TEXT), label)


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two limits, with the limits where there is room for them."""
    if not high > low:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / 3.0))
    step *= next((each for each in (2, 5, 10) if (high - low) / (step * each) <= 6.0), 10)
    first = math.ceil(low / step)
    inner = [first * step + number * step for number in range(int((high - low) / step) + 1)]
    margin = 0.05 * (high - low)
    kept = [each + 0.0 for each in inner if low + margin < each < high - margin]
    return [low, *kept, high]


def _draw_section_line(viewer: Viewer, section: Line) -> None:
    draw, scale = imgui.get_window_draw_list(), viewer.window.scale
    # As the plot does: from the left or the top.
    start, end = (viewer.image_area.window_point(viewer, *each) for each in sorted(section))
    draw.add_line(start, end, packed((0.0, 0.0, 0.0, 0.6)), 4 * scale)
    draw.add_line(start, end, packed(ACCENT), 2 * scale)
    for each in (start, end):
        draw.add_circle_filled(each, 6 * scale, packed((0.0, 0.0, 0.0, 0.7)))
        draw.add_circle_filled(each, 4.5 * scale, packed(ACCENT))
    if viewer.section_point is not None:
        point = viewer.image_area.window_point(viewer, *viewer.section_point)
        draw.add_circle_filled(point, 4 * scale, packed(TEXT))
    draw.add_text((start[0] + 8 * scale, start[1] - 18 * scale), packed(TEXT), "A")
    draw.add_text((end[0] + 8 * scale, end[1] - 18 * scale), packed(TEXT), "B")


def _draw_pin(viewer: Viewer) -> None:
    draw, scale = imgui.get_window_draw_list(), viewer.window.scale
    x, y = viewer.image_area.window_point(viewer, *viewer.pin_point)
    for color, width in ((packed((0.0, 0.0, 0.0, 0.7)), 4.0), (packed(TEXT), 1.6)):
        draw.add_circle((x, y), 7 * scale, color, 0, width * scale)
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            near, far = 7 * scale, 13 * scale
            draw.add_line(
                (x + near * dx, y + near * dy), (x + far * dx, y + far * dy), color, width * scale
            )


def _draw_cursor_text(viewer: Viewer, probe: Probe, area: Area) -> None:
    """Draw the probe beside the cursor, inside of the image."""
    scale, mouse = viewer.window.scale, imgui.get_io().mouse_pos
    with small_font():
        _draw_box(short_text(probe), mouse.x + 18 * scale, mouse.y + 14 * scale, area, scale)


def _draw_box(lines: list[str], x: float, y: float, area: Area, scale: float) -> None:
    draw, height, pad = imgui.get_window_draw_list(), imgui.get_text_line_height(), _PAD * scale
    wide = max(imgui.calc_text_size(line).x for line in lines)
    x = min(x, area.x + area.width - wide - 2 * pad)
    y = min(y, area.y + area.height - len(lines) * height - 2 * pad)
    low, high = (x, y), (x + wide + 2 * pad, y + len(lines) * height + 2 * pad)
    draw.add_rect_filled(low, high, packed(_SHADE), 5 * scale)
    for number, line in enumerate(lines):
        color = packed(TEXT if number else FAINT)
        draw.add_text((x + pad, y + pad + number * height), color, line)


def _draw_hint(area: Area, lines: list[str], viewer: Viewer, place: float) -> None:
    """Draw lines over the image; the place is 0 at its top and 1 at its bottom."""
    scale = viewer.window.scale
    wide, margin = max(imgui.calc_text_size(line).x for line in lines), 14 * scale
    high = len(lines) * imgui.get_text_line_height() + 2 * _PAD * scale
    x = area.x + (area.width - wide) / 2
    y = area.y + margin + place * (area.height - 2 * margin - high)
    _draw_box(lines, x, y, area, scale)
    PLACES[lines[0]] = x, y, wide, high


def draw_messages(viewer: Viewer, area: Area) -> None:
    """Draw the messages in the upper left corner of the image; a click closes one."""
    messages = viewer.messages.shown()
    if not messages:
        return
    scale = viewer.window.scale
    width = min(area.width - 28 * scale, 640 * scale)
    imgui.set_next_window_pos((area.x + 14 * scale, area.y + 12 * scale))
    imgui.set_next_window_size((width, 0.0))
    flags = (
        imgui.WindowFlags_.no_decoration | imgui.WindowFlags_.no_saved_settings
        | imgui.WindowFlags_.no_move | imgui.WindowFlags_.no_nav | imgui.WindowFlags_.no_background
        | imgui.WindowFlags_.no_focus_on_appearing
    )  # fmt: skip
    imgui.push_style_var(imgui.StyleVar_.window_padding, (0, 0))
    imgui.begin("messages", None, flags)
    imgui.pop_style_var()
    pad = 10 * scale
    for message in messages:
        size = imgui.calc_text_size(message.text, wrap_width=width - 3.5 * pad)
        start = imgui.get_cursor_screen_pos()
        high = (start.x + width, start.y + size.y + 1.4 * pad)
        draw = imgui.get_window_draw_list()
        draw.add_rect_filled((start.x, start.y), high, packed((0.10, 0.106, 0.12, 0.95)), 5 * scale)
        color = packed(ERROR if message.is_error else ACCENT)
        draw.add_rect_filled((start.x, start.y), (start.x + 4 * scale, high[1]), color, 2 * scale)
        if imgui.invisible_button(f"##{message.text}", (width, size.y + 1.4 * pad)):
            viewer.messages.close(message)
        remember("message")
        after = imgui.get_cursor_screen_pos()
        imgui.set_cursor_screen_pos((start.x + 1.4 * pad, start.y + 0.7 * pad))
        imgui.push_text_wrap_pos(imgui.get_cursor_pos_x() + width - 3.5 * pad)
        imgui.text_unformatted(message.text)
        imgui.pop_text_wrap_pos()
        imgui.set_cursor_screen_pos(after)
    imgui.dummy((0, 0))
    imgui.end()
