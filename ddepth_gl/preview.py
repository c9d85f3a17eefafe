"""The preview picture: photo, entry, exit and thickness side by side, each with its colour bar."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from cmap import Colormap
from PIL import Image, ImageDraw, ImageFont

from .depth_maps import DepthMaps, SheetPair
from .errors import RequestError
from .mesh import Mesh

__all__ = ["photo", "preview"]

Picture = npt.NDArray[np.uint8]
Span = tuple[float, float] | None
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_PANEL = 384  # pixels of a panel's longer side
_COLUMN = 176  # the least width of a panel's column: room for its name and the two ends of its colour bar
_MARGIN, _TITLE, _BAR, _LABEL = 16, 34, 14, 18
_PAPER, _INK, _MISS = (255, 255, 255), (40, 40, 40), (236, 236, 236)
_PLAIN = (200, 200, 200)  # of a mesh without colours


def preview(maps: DepthMaps, mesh: Mesh, title: str = "") -> Picture:
    """One picture to look at: photo, entry, exit and thickness side by side.

    Entry and exit share one scale, from the least to the greatest depth of both; that of thickness starts
    at 0. Mesh units; grey is a miss.

    Args:
        maps: rendered with ``attributes=("face",)``.
        mesh: the Mesh that was rendered.
        title: a line above the panels.

    Returns:
        (h, w, 3) uint8 sRGB.
    """
    shared = _span(maps.entry, maps.exit)
    of_thickness = _span(maps.thickness, np.zeros(int(maps.mask.any())))
    maps = _thinned(maps, max(1, max(maps.entry.shape) // (2 * _PANEL)))
    panels: list[tuple[str, npt.NDArray[Any], tuple[str, Span] | None]] = [
        ("photo", photo(maps, mesh), None),
        ("entry depth", maps.entry, ("viridis_r", shared)),
        ("exit depth", maps.exit, ("viridis_r", shared)),
        ("thickness", maps.thickness, ("magma", of_thickness)),
    ]
    zoom = _PANEL / max(maps.entry.shape)
    # Enlarged pixels stay pixels; a reduced image is averaged.
    resampling = Image.Resampling.NEAREST if zoom >= 1.0 else Image.Resampling.BOX
    width, height = (max(1, round(size * zoom)) for size in maps.entry.shape[::-1])
    step = max(width, _COLUMN) + _MARGIN
    top = 2 * _MARGIN + _TITLE if title else _MARGIN
    sheet = Image.new(
        "RGB", (len(panels) * step + _MARGIN, top + _TITLE + height + _BAR + _LABEL + 2 * _MARGIN), _PAPER
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    if title:
        title_font = ImageFont.load_default(18)
        draw.text(
            (_MARGIN, _MARGIN), _fitting(title, title_font, sheet.width - 2 * _MARGIN), _INK, title_font
        )
    for column, (name, values, scale) in enumerate(panels):
        left = _MARGIN + column * step
        draw.text((left, top), name, _INK, font)
        colours = values if scale is None else _colours(values, *scale)
        sheet.paste(Image.fromarray(colours).resize((width, height), resampling), (left, top + _TITLE))
        if scale is not None:
            bar = (left, top + _TITLE + height + _MARGIN // 2)
            _colour_bar(sheet, draw, font, bar, step - _MARGIN, *scale)
    return np.asarray(sheet)


def photo(maps: DepthMaps, mesh: Mesh) -> Picture:
    """The object under a head light, one colour a face; white where nothing is hit.

    Args:
        maps: rendered with ``attributes=("face",)``.
        mesh: the Mesh that was rendered.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    if not maps.has_faces:
        raise RequestError('the photo needs face indices; render with attributes=("face",)')
    hit = maps.entry_face >= 0
    faces = maps.entry_face[hit]
    base = np.array(_PLAIN) / 255.0
    if mesh.colors is not None:
        base = mesh.colors[mesh.faces[faces], :3].mean(axis=1) / 255.0
    _, directions = maps.camera.rays()
    cosine = np.abs(np.einsum("ij,ij->i", mesh.face_normals()[faces], directions[hit]))
    # Light is mixed in linear space; 2.2 is close enough to sRGB for a picture to look at.
    shaded = (base**2.2 * (0.08 + 0.92 * cosine)[:, None]) ** (1.0 / 2.2)
    picture = np.full((*hit.shape, 3), 255, dtype=np.uint8)
    picture[hit] = np.rint(255.0 * shaded)
    return picture


def _thinned(maps: DepthMaps, step: int) -> DepthMaps:
    """Every step-th pixel: a picture of hand size needs no more of an image that may fill the memory."""
    entry, exit_ = maps.entry[::step, ::step], maps.exit[::step, ::step]
    entry_face, exit_face = maps.entry_face[::step, ::step], maps.exit_face[::step, ::step]
    K = maps.camera.K.copy()
    K[:2] /= step
    K[:2, 2] += 0.5 - 0.5 / step  # the centre of the first pixel stays where it was
    height, width = entry.shape
    camera = replace(maps.camera, K=K, width=width, height=height)
    return DepthMaps(entry, exit_, camera, {"face": SheetPair(entry_face, exit_face)})


def _span(*arrays: npt.NDArray[Any]) -> Span:
    """The least and the greatest number in the arrays, or None where there is none."""
    values = np.concatenate([array[~np.isnan(array)] for array in arrays])
    return (float(values.min()), float(values.max())) if len(values) else None


def _colours(values: npt.NDArray[Any], name: str, span: Span) -> Picture:
    low, high = span or (0.0, 1.0)
    level = (values.astype(np.float64) - low) / ((high - low) or 1.0)
    table = np.rint(255.0 * np.asarray(Colormap(name).lut(256))[:, :3]).astype(np.uint8)
    picture = table[np.rint(255.0 * np.nan_to_num(level)).astype(np.uint8)]
    picture[np.isnan(values)] = _MISS
    return picture


def _colour_bar(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    font: Font,
    corner: tuple[int, int],
    width: int,
    name: str,
    span: Span,
) -> None:
    left, top = corner
    below = top + _BAR + 3
    if span is None:
        draw.text((left, top), "no value anywhere", _INK, font)
        return
    ramp = np.linspace(*span, width)[None, :].repeat(_BAR, axis=0)
    sheet.paste(Image.fromarray(_colours(ramp, name, span)), corner)
    low, middle, high = _labels(span)
    draw.text((left, below), low, _INK, font, anchor="la")
    if high != low:
        draw.text((left + width, below), high, _INK, font, anchor="ra")
        if 4.0 * font.getlength(low + high + middle) < 3.0 * width:
            draw.text((left + width / 2, below), middle, _INK, font, anchor="ma")


def _labels(span: tuple[float, float]) -> list[str]:
    """Lower end, middle and upper end, with as many digits as it takes to tell them apart."""
    low, high = span
    digits = 4
    if high > low:
        digits += int(min(5, max(0, np.log10(max(abs(low), abs(high)) / (high - low)))))
    return [f"{value:.{digits}g}" for value in (low, low + (high - low) / 2.0, high)]


def _fitting(text: str, font: Font, width: int) -> str:
    """The text on one line, its middle left out where it is too long: both its ends tell files apart."""
    line = flat = "".join(letter if letter.isprintable() else " " for letter in text)
    kept = len(flat)
    while font.getlength(line) > width and kept > 1:
        kept -= 1
        line = f"{flat[: kept // 2]}...{flat[len(flat) - (kept - kept // 2) :]}"
    return line
