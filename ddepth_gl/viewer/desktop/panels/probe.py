"""The probe: all crossings of the ray through a pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imgui_bundle import imgui

from ..style import ACCENT, FAINT
from .widgets import button, colored_text, small_font

if TYPE_CHECKING:
    from ...probe import Probe
    from ..viewer import Viewer

__all__ = ["draw_probe", "short_text"]

_COLUMNS = ("#", "depth", "distance", "side", "face", "object", "in")
_MOST_ROWS = 40


def draw_probe(viewer: Viewer) -> None:
    """Draw the crossings of the pinned pixel, or of the one under the cursor."""
    probe, pin = viewer.probe, viewer.state.pin
    if pin is not None:
        imgui.align_text_to_frame_padding()
        colored_text(ACCENT, f"Pinned to pixel ({pin[0]}, {pin[1]})")
        imgui.same_line()
        if button("Release"):
            viewer.state.pin = None
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
    flags = (
        imgui.TableFlags_.row_bg
        | imgui.TableFlags_.sizing_fixed_fit
        | imgui.TableFlags_.no_host_extend_x
    )
    with small_font():
        if not imgui.begin_table("crossings", len(_COLUMNS), flags):
            return
        for name in _COLUMNS:
            imgui.table_setup_column(name)
        imgui.table_headers_row()
        for number, crossing in enumerate(probe.crossings[:_MOST_ROWS], start=1):
            cells = (
                str(number), f"{crossing.depth:.6g}", f"{crossing.distance:.6g}",
                "front" if crossing.is_front else "back", str(crossing.face),
                crossing.object_name[:9] or str(crossing.object_id),
                "?" if crossing.nesting is None else str(crossing.nesting),
            )  # fmt: skip
            imgui.table_next_row()
            for cell in cells:
                imgui.table_next_column()
                imgui.text_unformatted(cell)
        imgui.end_table()
    if len(probe.crossings) > _MOST_ROWS:
        colored_text(FAINT, f"and {len(probe.crossings) - _MOST_ROWS} more")


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
