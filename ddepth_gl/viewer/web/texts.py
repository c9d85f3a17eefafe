"""Texts of the page, as HTML; what comes from files is escaped."""

from __future__ import annotations

from html import escape

from ..coloring import color_table
from ..modes import Mode

__all__ = ["color_bar", "note", "plain_text"]

_BAR_STEPS = 32
_SMALL = "font-size:0.78rem;line-height:1.45;"
_AXES = (("#f55", "x"), ("#5d5", "y"), ("#69f", "z"))


def plain_text(text: str) -> str:
    """Return the HTML of a text whose columns and lines stay as they are."""
    style = (
        f"{_SMALL}margin:0.2rem 0.6rem;white-space:pre-wrap;overflow-wrap:anywhere;"
        "font-family:ui-monospace,'DejaVu Sans Mono',monospace;"
    )
    return f'<div class="ddepth-text" style="{style}">{escape(text)}</div>'


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
