"""The section: its controls, and the plot of what is solid along the line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from imgui_bundle import imgui, implot

from ..actions import perform
from ..style import ACCENT, FAINT, WARNING, Color
from .widgets import button, colored_text, packed, remember

if TYPE_CHECKING:
    from ...section import Section
    from ..viewer import Viewer

__all__ = ["draw_section_controls", "draw_section_plot", "equal_limits"]

_SOLID: Color = (0.30, 0.50, 0.70, 1.0)
_FRONT, _BACK = ACCENT, (0.93, 0.55, 0.30, 1.0)
Limits = tuple[float, float]
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
        spacing = _spacing(viewer, section)
        x, y = (0.0, len(section) * (spacing or 1.0)), section.depth_range
        if spacing is not None:
            x, y = equal_limits(x, y, viewer.plot_size)
        label = "pixels from A to B" if spacing is None else "mesh units from A to B"
        implot.setup_axes(label, "depth", _AXIS, _AXIS | implot.AxisFlags_.invert)
        implot.setup_axes_limits(*x, *y, implot.Cond_.always)
        implot.setup_finish()
        _note_size(viewer, x, y)
        _draw_content(section, spacing or 1.0)
        if implot.is_plot_hovered():
            _mark_ray(viewer, section, spacing)
        implot.end_plot()
    remember("section plot")
    implot.pop_style_color()
    implot.pop_style_var()


def _spacing(viewer: Viewer, section: Section) -> float | None:
    """Return the distance between two parallel rays, mesh units; None if they are not parallel."""
    camera = viewer.state.camera_for(*viewer.size)
    if not camera.is_orthographic:
        return None
    step = section.points[1] - section.points[0] if len(section) > 1 else np.array([1.0, 0.0])
    return float(np.linalg.norm(np.linalg.solve(camera.K[:2, :2], step)))


def equal_limits(x: Limits, y: Limits, size: tuple[float, float]) -> tuple[Limits, Limits]:
    """Return limits of axes that show at least `x` and `y`, at the same scale.

    Args:
        x, y: what to show.
        size: of the plot, pixels.
    """
    (left, right), (low, high) = x, y
    width, height = size
    if width <= 0.0 or height <= 0.0:
        return x, y
    per_pixel = max((right - left) / width, (high - low) / height)
    across, along = (per_pixel * each / 2.0 for each in size)
    middle, center = (left + right) / 2.0, (low + high) / 2.0
    return (middle - across, middle + across), (center - along, center + along)


def _note_size(viewer: Viewer, x: Limits, y: Limits) -> None:
    """Note the size of the plot, which depends on the labels that the axes have now."""
    size = implot.get_plot_size()
    if (size.x, size.y) != viewer.plot_size:
        # Labels of one size may ask for another size, and those of that for the first one.
        if (size.x, size.y) != viewer.plot_size_before:
            viewer.want_frame()
        viewer.plot_size_before, viewer.plot_size = viewer.plot_size, (size.x, size.y)
    viewer.plot_scale = (x[1] - x[0]) / size.x, (y[1] - y[0]) / size.y


def _draw_content(section: Section, spacing: float) -> None:
    draw = implot.get_plot_draw_list()
    origin, unit = implot.plot_to_pixels(0.0, 0.0), implot.plot_to_pixels(1.0, 1.0)
    start = np.array([origin.x, origin.y])
    step = np.array([spacing * (unit.x - origin.x), unit.y - origin.y])
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


def _mark_ray(viewer: Viewer, section: Section, spacing: float | None) -> None:
    """Mark the ray under the cursor, in the plot and in the image."""
    place = implot.get_plot_mouse_pos()
    wide = spacing or 1.0
    ray = math.floor(place.x / wide)
    if not 0 <= ray < len(section):
        return
    column, row = section.points[ray].tolist()
    viewer.section_point = column, row
    limits = implot.get_plot_limits()
    x = implot.plot_to_pixels((ray + 0.5) * wide, limits.y.min).x
    draw = implot.get_plot_draw_list()
    low, high = (implot.plot_to_pixels(0.0, each).y for each in (limits.y.min, limits.y.max))
    draw.add_line((x, low), (x, high), packed(FAINT))
    from_a = f"   {place.x:.5g} from A" if spacing is not None else ""
    imgui.set_tooltip(f"({column:.1f}, {row:.1f}){from_a}   depth {place.y:.5g}")
