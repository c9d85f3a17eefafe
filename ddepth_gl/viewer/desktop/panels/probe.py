"""The probe: all crossings of the ray through a pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imgui_bundle import imgui

from ..style import ACCENT, FAINT
from .widgets import button, colored_text, remember, small_font, tooltip

if TYPE_CHECKING:
    from ...probe import Probe
    from ..viewer import Viewer

__all__ = ["cells_of", "draw_probe", "short_text"]

_COLUMNS = ("#", "depth", "distance", "inside", "side", "face", "in", "object")
_MOST_ROWS = 40
_TIPS = {
    "#": "crossings from the nearest one on",
    "depth": "along the optical axis, mesh units",
    "distance": "along the ray from where it starts, mesh units",
    "inside": "length of the solid that begins here, along the ray: thickness of a wall",
    "side": "front: the ray enters; back: it exits",
    "face": "index of the face in the mesh",
    "in": "number of bodies that the ray is inside after the crossing; ? if the mesh does not tell",
    "object": "name of the face's object, or its id",
}
# Two roundings of a number to float32.
_SAME_DISTANCE = 2.0**-22


def draw_probe(viewer: Viewer) -> None:
    """Draw the crossings of the pinned pixel, or of the one under the cursor."""
    probe, pin = viewer.probe, viewer.state.pin
    if pin is not None:
        imgui.align_text_to_frame_padding()
        colored_text(ACCENT, f"Pinned to pixel ({pin[0]}, {pin[1]})")
        imgui.same_line()
        if button("Release"):
            viewer.state.pin = None
        (width, height), pixel = viewer.pin_image
        if (width, height) != viewer.size:
            colored_text(FAINT, f"on the ray of ({pixel[0]}, {pixel[1]}) at {width} x {height}")
    if probe is None:
        text = "Move over the image; a click pins the probe." if pin is None else "..."
        colored_text(FAINT, text)
        return
    if pin is None:
        colored_text(FAINT, f"Pixel ({probe.pixel[0]}, {probe.pixel[1]})")
    for name in ("entry", "exit", "thickness", "solid_length"):
        value = getattr(probe, name)
        if math.isfinite(value):
            colored_text(FAINT, name.replace("_", " "))
            imgui.same_line(8 * imgui.get_font_size())
            imgui.text_unformatted(f"{value:.7g}")
    if probe.crossings:
        _draw_crossings(probe)
    else:
        imgui.text_unformatted("No crossing.")


def _draw_crossings(probe: Probe) -> None:
    """Draw the table, each column as wide as its longest text, the last one as wide as it can."""
    rows = cells_of(probe)
    flags = imgui.TableFlags_.row_bg | imgui.TableFlags_.sizing_fixed_fit
    gap = imgui.get_style().cell_padding
    imgui.push_style_var(imgui.StyleVar_.cell_padding, (0.6 * gap.x, gap.y))
    with small_font():
        if imgui.begin_table("crossings", len(_COLUMNS), flags):
            # Dear ImGui would find the widths while it draws, for the frame after this one.
            for name, texts in zip(_COLUMNS, zip(_COLUMNS, *rows, strict=True), strict=True):
                if name == _COLUMNS[-1]:
                    imgui.table_setup_column(name, imgui.TableColumnFlags_.width_stretch)
                    continue
                wide = max(imgui.calc_text_size(text).x for text in texts)
                fixed = imgui.TableColumnFlags_.width_fixed | imgui.TableColumnFlags_.no_resize
                imgui.table_setup_column(name, fixed, wide)
            _draw_rows(rows)
            imgui.end_table()
    imgui.pop_style_var()
    if len(probe.crossings) > _MOST_ROWS:
        colored_text(FAINT, f"and {len(probe.crossings) - _MOST_ROWS} more")


def _draw_rows(rows: list[tuple[str, ...]]) -> None:
    imgui.table_next_row(imgui.TableRowFlags_.headers)
    for name in _COLUMNS:
        imgui.table_next_column()
        imgui.text_unformatted(name)
        remember(f"probe:{name}")
        tooltip(_TIPS[name])
    for cells in rows:
        imgui.table_next_row()
        for cell in cells:
            imgui.table_next_column()
            imgui.text_unformatted(cell)
        if imgui.get_item_rect_max().x > imgui.get_window_draw_list().get_clip_rect_max().x:
            tooltip(cells[-1])  # a name that is cut off


def cells_of(probe: Probe) -> list[tuple[str, ...]]:
    """Return the texts of the table, a row for each crossing."""
    inside = _lengths_inside(probe)
    return [
        (
            str(number),
            f"{crossing.depth:.6g}",
            f"{crossing.distance:.6g}",
            f"{inside[number - 1]:.6g}" if number - 1 in inside else "",
            "front" if crossing.is_front else "back",
            str(crossing.face),
            "?" if crossing.nesting is None else str(crossing.nesting),
            crossing.object_name or str(crossing.object_id),
        )
        for number, crossing in enumerate(probe.crossings[:_MOST_ROWS], start=1)
    ]


def _lengths_inside(probe: Probe) -> dict[int, float]:
    """Return the lengths of the pieces inside the solid, by the crossing where each begins."""
    lengths: dict[int, float] = {}
    number = 0
    for start, end in probe.inside:
        for later in range(number, len(probe.crossings)):
            crossing = probe.crossings[later]
            if crossing.is_front and math.isclose(crossing.distance, start, rel_tol=_SAME_DISTANCE):
                lengths[later], number = end - start, later + 1
                break
    return lengths


def short_text(probe: Probe) -> list[str]:
    """Return lines for beside the cursor."""
    lines = [f"({probe.pixel[0]}, {probe.pixel[1]})"]
    for name in ("entry", "exit", "thickness"):
        value = getattr(probe, name)
        if math.isfinite(value):
            lines.append(f"{name} {value:.6g}")
    count = len(probe.crossings)
    if count:
        lines.append(f"{count} crossing{'s' * (count != 1)}")
    return lines
