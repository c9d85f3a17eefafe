"""The preview picture: photo, entry, exit and thickness side by side, each with its colour bar."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from cmap import Colormap
from PIL import Image, ImageDraw, ImageFont

from .depth_maps import DepthMaps
from .errors import RequestError
from .mesh import Mesh

__all__ = ["photo", "preview"]

Picture = npt.NDArray[np.uint8]

_PANEL = 384  # pixels of a panel's longer side
_MARGIN, _TITLE, _BAR = 16, 34, 14
_PAPER, _INK, _MISS = (255, 255, 255), (40, 40, 40), (236, 236, 236)
_PLAIN = (200, 200, 200)  # of a mesh without colours


def preview(maps: DepthMaps, mesh: Mesh, title: str = "") -> Picture:
    """One picture to look at: photo, entry, exit and thickness side by side.

    Entry and exit share a colour bar, in mesh units; grey is a miss.

    Args:
        maps: rendered with ``attributes=("face",)``.
        mesh: the Mesh that was rendered.
        title: a line above the panels.

    Returns:
        (h, w, 3) uint8 sRGB.
    """
    depths = np.concatenate([maps.entry[~np.isnan(maps.entry)], maps.exit[~np.isnan(maps.exit)]])
    shared = (float(depths.min()), float(depths.max())) if len(depths) else (0.0, 1.0)
    thickness = maps.thickness
    panels = [
        ("photo", photo(maps, mesh), None),
        ("entry depth", maps.entry, ("viridis_r", shared)),
        ("exit depth", maps.exit, ("viridis_r", shared)),
        ("thickness", thickness, ("magma", (0.0, float(np.nanmax(thickness, initial=0.0)) or 1.0))),
    ]
    zoom = _PANEL / max(maps.entry.shape)
    width, height = (max(1, round(size * zoom)) for size in maps.entry.shape[::-1])
    sheet = Image.new(
        "RGB",
        (4 * width + 5 * _MARGIN, height + 2 * _TITLE + _BAR + 3 * _MARGIN + (_TITLE if title else 0)),
        _PAPER,
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    top = _MARGIN
    if title:
        draw.text((_MARGIN, top), title, fill=_INK, font=ImageFont.load_default(18))
        top += _TITLE
    for column, (name, values, scale) in enumerate(panels):
        left = _MARGIN + column * (width + _MARGIN)
        draw.text((left, top), name, fill=_INK, font=font)
        colours = values if scale is None else _colours(values, *scale)
        # Enlarged pixels stay pixels; a reduced image is averaged.
        how = Image.Resampling.NEAREST if zoom >= 1.0 else Image.Resampling.BOX
        sheet.paste(Image.fromarray(colours).resize((width, height), how), (left, top + _TITLE))
        if scale is not None:
            _colour_bar(sheet, draw, font, (left, top + _TITLE + height + _MARGIN // 2), width, *scale)
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


def _colours(values: npt.NDArray[Any], name: str, span: tuple[float, float]) -> Picture:
    low, high = span
    level = (values - low) / max(high - low, 1e-30)
    picture = np.asarray(Colormap(name)(np.nan_to_num(np.clip(level, 0.0, 1.0))))[..., :3]
    picture = np.rint(255.0 * picture).astype(np.uint8)
    picture[np.isnan(values)] = _MISS
    return picture


def _colour_bar(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    corner: tuple[int, int],
    width: int,
    name: str,
    span: tuple[float, float],
) -> None:
    left, top = corner
    ramp = np.linspace(*span, width)[None, :].repeat(_BAR, axis=0)
    sheet.paste(Image.fromarray(_colours(ramp, name, span)), corner)
    below = top + _BAR + 3
    for value, x, anchor in ((span[0], left, "la"), (sum(span) / 2, left + width / 2, "ma"), (span[1], left + width, "ra")):
        draw.text((x, below), f"{value:.4g}", fill=_INK, font=font, anchor=anchor)
