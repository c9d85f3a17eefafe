"""The section as a drawing of the page, in SVG."""

from __future__ import annotations

import math

import numpy as np

from ..clouds import BACK_COLOR, FRONT_COLOR, SOLID_COLOR
from ..section import Section

__all__ = ["section_svg"]

_WIDTH, _HEIGHT = 390, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 24, 34
_MAX_COLUMNS = 340  # of the drawing; of more rays some are left out
_SOLID, _FRONT, _BACK = (f"rgb{color}" for color in (SOLID_COLOR, FRONT_COLOR, BACK_COLOR))
_UNKNOWN = "#5b5f68"
_INK, _GRID = "currentColor", "rgba(140,145,155,0.35)"


def section_svg(section: Section) -> str:
    """Return a section as SVG: the line runs to the right, depth runs down.

    Args:
        section: rays along a line, with crossings and pieces inside the solid.
    """
    count = len(section)
    step = -(-count // _MAX_COLUMNS)
    low, high = section.depth_range
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    per_ray, per_depth = width / count, height / (high - low)

    def x(ray: float) -> str:
        return f"{_LEFT + ray * per_ray:.2f}"

    def y(depth: float) -> str:
        inside = min(height, max(0.0, (depth - low) * per_depth))
        return f"{_TOP + inside:.1f}"

    wide = f"{step * per_ray:.2f}"
    kept = section.solid_ray % step == 0
    solid = "".join(
        f"M{x(ray)} {y(start)}h{wide}V{y(end)}h-{wide}z"
        for ray, (start, end) in zip(
            section.solid_ray[kept].tolist(), section.solid[kept].tolist(), strict=True
        )
    )
    unknown = "".join(
        f"M{x(ray)} {_TOP}h{wide}v{height}h-{wide}z"
        for ray in np.flatnonzero(section.unknown).tolist()
        if ray % step == 0
    )
    edges = {}
    for color, is_wanted in ((_FRONT, section.is_front), (_BACK, ~section.is_front)):
        chosen = is_wanted & (section.ray % step == 0)
        edges[color] = "".join(
            f"M{x(ray)} {y(depth)}h{wide}"
            for ray, depth in zip(
                section.ray[chosen].tolist(), section.depth[chosen].tolist(), strict=True
            )
        )
    parts = [
        f'<svg class="ddepth-section" viewBox="0 0 {_WIDTH} {_HEIGHT}" style="width:100%;'
        f'display:block" font-size="10" fill="{_INK}" font-family="sans-serif">'
    ]
    for depth in _ticks(low, high):
        parts.append(
            f'<path d="M{_LEFT} {y(depth)}h{width}" stroke="{_GRID}"/>'
            f'<text x="{_LEFT - 4}" y="{y(depth)}" dy="3" text-anchor="end">{depth:.5g}</text>'
        )
    parts.append(f'<path d="{unknown}" fill="{_UNKNOWN}" fill-opacity="0.4"/>')
    parts.append(f'<path d="{solid}" fill="{_SOLID}" stroke="{_SOLID}" stroke-width="0.5"/>')
    parts += [
        f'<path d="{path}" stroke="{color}" stroke-width="1.4" fill="none"/>'
        for color, path in edges.items()
    ]
    parts.append(
        f'<path d="M{_LEFT} {_TOP}h{width}v{height}h-{width}z" fill="none" stroke="{_INK}" '
        f'stroke-opacity="0.6"/>'
    )
    (left, top), (right, bottom) = section.points[0].tolist(), section.points[-1].tolist()
    parts.append(
        f'<text x="{_LEFT}" y="{_HEIGHT - 20}">({left:.5g}, {top:.5g})</text>'
        f'<text x="{_LEFT + width}" y="{_HEIGHT - 20}" text-anchor="end">'
        f"({right:.5g}, {bottom:.5g})</text>"
        f'<text x="{_LEFT + width / 2}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f"{count} rays, from image coordinates (column, row); depth down</text>"
    )
    parts.append(_legend(section))
    return "".join(parts) + "</svg>"


def _legend(section: Section) -> str:
    """Return what explains the colors that the section has."""
    names = [
        (_SOLID, "solid", len(section.solid) > 0),
        (_FRONT, "entry", bool(section.is_front.any())),
        (_BACK, "exit", bool((~section.is_front).any())),
        (_UNKNOWN, "solid unknown", bool(section.unknown.any())),
    ]
    parts, place = [], float(_LEFT)
    for color, name, is_there in names:
        if is_there:
            parts.append(
                f'<rect x="{place:g}" y="7" width="9" height="9" fill="{color}"/>'
                f'<text x="{place + 13:g}" y="15">{name}</text>'
            )
            place += 28.0 + 6.0 * len(name)
    if not parts:
        return f'<text x="{_LEFT}" y="15">no crossing along this line</text>'
    return "".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    """Return round depths between two others, about six."""
    rough = (high - low) / 6.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1.0, 2.0, 5.0, 10.0) if power * each >= rough)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
