"""The section: its controls, and the plot of what is solid along the line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from imgui_bundle import imgui, implot

from ..actions import perform
from ..style import ACCENT, FAINT, WARNING, Color
from .widgets import button, colored_text, packed, remember

if TYPE_CHECKING:
    from ...section import Section
    from ..viewer import Viewer

__all__ = ["draw_section_controls", "draw_section_plot"]

_SOLID: Color = (0.30, 0.50, 0.70, 1.0)
_FRONT, _BACK = ACCENT, (0.93, 0.55, 0.30, 1.0)
_MOST_TICKS = 20_000
_AXIS = implot.AxisFlags_.no_menus | implot.AxisFlags_.no_side_switch


def draw_section_controls(viewer: Viewer) -> None:
    """Draw the buttons that start and remove the section line."""
    if button("Draw a line", is_chosen=viewer.draws_section):
        perform(viewer, "section")
    if viewer.state.section is None:
        imgui.same_line()
        imgui.align_text_to_frame_padding()
        colored_text(FAINT, "across the image, by dragging")
    else:
        imgui.same_line()
        if button("Remove"):
            viewer.state.section = None
        imgui.same_line()
        imgui.align_text_to_frame_padding()
        colored_text(FAINT, "Drag A or B.")


def draw_section_plot(viewer: Viewer) -> None:
    """Draw the solid along the line, seen from the side: depth down, the line to the right."""
    section = viewer.section
    viewer.section_point = None
    if section is None:
        return
    flags = implot.Flags_.no_legend | implot.Flags_.no_menus | implot.Flags_.no_box_select
    implot.push_style_var(implot.StyleVar_.plot_padding, (2.0, 4.0))
    implot.push_style_color(implot.Col_.frame_bg, (0.0, 0.0, 0.0, 0.0))
    if implot.begin_plot("##section", (-1, -1), flags):
        low, high = section.depth_range
        implot.setup_axes("pixels from A to B", "depth", _AXIS, _AXIS | implot.AxisFlags_.invert)
        implot.setup_axes_limits(0, len(section), low, high, implot.Cond_.always)
        implot.setup_finish()
        _draw_content(section)
        if implot.is_plot_hovered():
            _mark_ray(viewer, section)
        implot.end_plot()
    remember("section plot")
    implot.pop_style_color()
    implot.pop_style_var()


def _draw_content(section: Section) -> None:
    draw = implot.get_plot_draw_list()
    origin, unit = implot.plot_to_pixels(0.0, 0.0), implot.plot_to_pixels(1.0, 1.0)
    start = np.array([origin.x, origin.y])
    step = np.array([unit.x - origin.x, unit.y - origin.y])
    implot.push_plot_clip_rect()
    color = packed(_SOLID)
    # From whole pixel to whole pixel, so that neighbors neither overlap nor leave gaps.
    left, right = (np.floor(start[0] + step[0] * (section.solid_ray + k)) for k in (0, 1))
    top, bottom = (start[1] + step[1] * section.solid[:, k] for k in (0, 1))
    for box in np.stack([left, top, right, bottom], axis=1).tolist():
        draw.add_rect_filled(box[:2], box[2:], color)
    # Where nothing tells what is solid, and over the rest: the surfaces themselves.
    if len(section.ray) <= _MOST_TICKS:
        left, right = (np.floor(start[0] + step[0] * (section.ray + k)) for k in (0, 1))
        right = np.maximum(right, left + 1.0)
        depth = start[1] + step[1] * section.depth
        unknown = section.unknown[section.ray]
        colors = np.where(section.is_front, packed(_FRONT), packed(_BACK))
        colors[unknown] = packed(WARNING)
        boxes = np.stack([left, depth - 1.0, right, depth + 1.0], axis=1).tolist()
        for box, tick in zip(boxes, colors.tolist(), strict=True):
            draw.add_rect_filled(box[:2], box[2:], tick)
    implot.pop_plot_clip_rect()


def _mark_ray(viewer: Viewer, section: Section) -> None:
    """Mark the ray under the cursor, in the plot and in the image."""
    place = implot.get_plot_mouse_pos()
    ray = int(place.x)
    if not 0 <= ray < len(section):
        return
    column, row = section.points[ray].tolist()
    viewer.section_point = column, row
    limits = implot.get_plot_limits()
    x = implot.plot_to_pixels(ray + 0.5, limits.y.min).x
    draw = implot.get_plot_draw_list()
    low, high = (implot.plot_to_pixels(0.0, each).y for each in (limits.y.min, limits.y.max))
    draw.add_line((x, low), (x, high), packed(FAINT))
    imgui.set_tooltip(f"({column:.1f}, {row:.1f})   depth {place.y:.5g}")
