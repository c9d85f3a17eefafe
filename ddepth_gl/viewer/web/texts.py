"""Texts of the page, as HTML; what comes from files is escaped."""

from __future__ import annotations

import math
from html import escape

from ..clouds import BACK_COLOR, FRONT_COLOR
from ..coloring import color_table
from ..modes import Mode
from ..probe import Probe, ProbeCrossing

__all__ = ["color_bar", "note", "plain_text", "probe_line", "probe_text"]

_BAR_STEPS = 32
_SMALL = "font-size:0.78rem;line-height:1.45;"
_MAX_ROWS = 100  # of the table of a probe
_AXES = (("#f55", "x"), ("#5d5", "y"), ("#69f", "z"))


def plain_text(text: str) -> str:
    """Return the HTML of a text whose columns and lines stay as they are."""
    style = (
        f"{_SMALL}margin:0.2rem 0.6rem;white-space:pre-wrap;overflow-wrap:anywhere;"
        "font-family:ui-monospace,'DejaVu Sans Mono',monospace;"
    )
    return f'<div class="ddepth-text" style="{style}">{escape(text)}</div>'


def probe_text(probe: Probe) -> str:
    """Return the HTML of a probe: its sheets, and a table of all crossings."""
    column, row = probe.pixel
    style = f"{_SMALL}margin:0.3rem 0.6rem;font-variant-numeric:tabular-nums;"
    head = f"<b>pixel ({column}, {row})</b>"
    if not probe.crossings:
        return f'<div class="ddepth-probe" style="{style}">{head}: the ray meets nothing</div>'
    sheets = (
        ("entry", probe.entry),
        ("exit", probe.exit),
        ("thickness", probe.thickness),
        ("solid length", probe.solid_length),
    )
    values = "".join(
        f'<tr><td style="padding-right:1rem">{name}</td><td>{_number(value)}</td></tr>'
        for name, value in sheets
    )
    names = ("", "depth", "distance", "side", "face", "object", "nesting", "inside")
    titles = "".join(
        f'<th style="text-align:left;font-weight:600;padding-right:0.5rem">{name}</th>'
        for name in names
    )
    shown = zip(probe.crossings[:_MAX_ROWS], probe.inside_lengths, strict=False)
    rows = "".join(
        _crossing(number, crossing, inside)
        for number, (crossing, inside) in enumerate(shown, start=1)
    )
    more = len(probe.crossings) - _MAX_ROWS
    pieces = ", ".join(f"{_number(start)} to {_number(end)}" for start, end in probe.inside)
    return (
        f'<div class="ddepth-probe" style="{style}">{head}'
        f'<table style="margin:0.3rem 0 0.6rem;border-spacing:0">{values}</table>'
        f'<table style="width:100%;border-spacing:0"><tr>{titles}</tr>{rows}</table>'
        + (f"<div>and {more} more</div>" if more > 0 else "")
        + (f'<div style="margin-top:0.5rem">inside at distances {pieces}</div>' if pieces else "")
        + "</div>"
    )


def probe_line(probe: Probe) -> str:
    """Return the HTML of a probe in one line, for all tabs."""
    column, row = probe.pixel
    if not probe.crossings:
        return note(f"pixel ({column}, {row}): the ray meets nothing")
    values = (("entry", probe.entry), ("exit", probe.exit), ("thickness", probe.thickness))
    text = ", ".join(f"{name} {_number(value)}" for name, value in values)
    return note(f"pixel ({column}, {row}): {text}")


def _crossing(number: int, crossing: ProbeCrossing, inside: float | None) -> str:
    """Return the row of a crossing; `inside` is the length of the piece that begins there."""
    color = f"rgb{FRONT_COLOR if crossing.is_front else BACK_COLOR}"
    side = "front" if crossing.is_front else "back"
    name = f" {crossing.object_name}" if crossing.object_name else ""
    cells = (
        str(number),
        _number(crossing.depth),
        _number(crossing.distance),
        f'<span style="color:{color}">{side}</span>',
        str(crossing.face),
        escape(f"{crossing.object_id}{name}"),
        "unknown" if crossing.nesting is None else str(crossing.nesting),
        "" if inside is None else _number(inside),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _number(value: float) -> str:
    """Return a number as the text of a `Probe` has it."""
    return "none" if math.isnan(value) else f"{value:.6g}"


def note(text: str) -> str:
    """Return the HTML of a short note below the controls."""
    style = f"{_SMALL}margin:0.1rem 0.6rem 0.4rem;opacity:0.75;overflow-wrap:anywhere;"
    return f'<div style="{style}">{escape(text)}</div>'


def color_bar(mode: Mode, color_map: str, limits: tuple[float, float] | None) -> str:
    """Return the HTML of the color scale of a mode; a sentence for modes without one.

    Args:
        mode: what is shown.
        color_map: name of the color map.
        limits: values at both ends; None before the first image.
    """
    if mode.kind == "direction":
        names = " ".join(f'<b style="color:{color}">{name}</b>' for color, name in _AXES)
        return (
            f'<div style="{_SMALL}margin:0.3rem 0.6rem;">{names} {escape(mode.description)}</div>'
        )
    if not mode.has_scale or limits is None:
        return note(mode.description)
    table = color_table(color_map)
    stops = [table[round(255 * step / (_BAR_STEPS - 1))] for step in range(_BAR_STEPS)]
    colors = ",".join(f"rgb({red},{green},{blue})" for red, green, blue in stops)
    low, high = limits
    ticks = "".join(f"<span>{value:.4g}</span>" for value in (low, (low + high) / 2.0, high))
    return (
        f'<div class="ddepth-bar" style="{_SMALL}margin:0.3rem 0.6rem 0.5rem;">'
        f'<div style="height:0.9rem;border-radius:3px;'
        f'background:linear-gradient(to right,{colors});"></div>'
        f'<div style="display:flex;justify-content:space-between;">{ticks}</div>'
        f'<div style="opacity:0.75;">{escape(mode.description)}; {escape(mode.unit)}</div></div>'
    )
