"""The preview picture: photo, entry, exit and thickness side by side; below them, if wanted, all layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import RequestError
from .cross_section import Section, busiest_row, draw_section, section_height
from .layer_panels import CountMap, draw_counts, draw_layers
from .panels import BAR, INK, LABEL, MARGIN, PANEL, TITLE, Picture, Sheet, Span, colors, span_of

if TYPE_CHECKING:
    from ..results.depth_layers import DepthLayers
    from ..results.depth_maps import DepthMaps

__all__ = ["preview"]

_COLUMN = (
    176  # the least width of a panel's column: room for its name and the two ends of its color bar
)
_UNDER = BAR + LABEL + 2 * MARGIN  # below a panel: its color bar with numbers, and room
_LINED = 24  # the least height of a panel with a line across; a lower one would be hardly more than the line
_SECTION = 240  # the least height of the cross-section


def preview(
    maps: DepthMaps,
    title: str = "",
    layers: DepthLayers | None = None,
    *,
    photo: npt.NDArray[np.uint8],
    row: int | None = None,
) -> Picture:
    """One picture to look at: photo, entry, exit and thickness side by side.

    Entry and exit share one scale, from the least to the greatest depth of both; that of thickness starts
    at 0. Mesh units; gray is a miss.

    With `layers` there is more below: the first layers one by one, on one scale; how many crossings each
    pixel has, where odd numbers are red and pixels that `max_layers` cut short are yellow; and one row of
    the image cut open, with what is solid filled. A line in the photo and in the count map shows that row.

    Args:
        maps: the two sheets.
        title: a line above the panels.
        layers: all crossings of the same image.
        photo: (H, W, 4) uint8 sRGB with straight alpha, as `DepthRenderer.shade` gives it; over white.
        row: which row of the image is cut open; None takes the one with the most crossings.

    Returns:
        (h, w, 3) uint8 sRGB.

    Raises:
        RequestError: the photo or the layers have another size than the maps, or there is no such row.
    """
    shape = maps.entry.shape
    photo = np.asarray(photo)
    if photo.shape != (*shape, 4) or photo.dtype != np.uint8:
        wanted = f"{(*shape, 4)} uint8, like the maps"
        raise RequestError(f"the photo must be {wanted}, not {photo.shape} {photo.dtype}")
    shared = span_of(maps.entry, maps.exit)
    of_thickness = span_of(maps.thickness, np.zeros(int(maps.mask.any())))
    # An image of hand size needs no more pixels of maps that may fill the memory.
    stride = max(1, max(shape) // (2 * PANEL))
    entry, exit_, thickness = (
        values[::stride, ::stride] for values in (maps.entry, maps.exit, maps.thickness)
    )
    zoom = PANEL / max(entry.shape)
    width, height = (max(1, round(size * zoom)) for size in entry.shape[::-1])
    step = max(width, _COLUMN) + MARGIN
    panels: list[tuple[str, npt.NDArray[Any], tuple[str, Span] | None]] = [
        ("photo", photo, None),
        ("entry depth", entry, ("viridis_r", shared)),
        ("exit depth", exit_, ("viridis_r", shared)),
        ("thickness", thickness, ("magma", of_thickness)),
    ]
    top = 2 * MARGIN + TITLE if title else MARGIN
    bottom = top + TITLE + height + _UNDER
    strips = None if layers is None else _LayerStrips.of(layers, shape, row, (width, height), step)
    sheet = Sheet.blank(len(panels) * step + MARGIN, bottom + (strips.height if strips else 0))
    if title:
        sheet.headline(MARGIN, MARGIN, title, sheet.image.width - 2 * MARGIN)
    for column, (name, values, scale) in enumerate(panels):
        left = MARGIN + column * step
        sheet.text(left, top, name)
        picture = values if scale is None else colors(values, *scale)
        sheet.panel(picture, left, top + TITLE, width, height)
        if scale is not None:
            sheet.color_bar(left, top + TITLE + height + MARGIN // 2, step - MARGIN, *scale)
    if strips:
        strips.draw(sheet, bottom)
        strips.draw_cut(sheet, top + TITLE)
    return np.asarray(sheet.image)


@dataclass(frozen=True, eq=False)
class _LayerStrips:
    """What is below the first strip when all layers are there: the layers, the count map, the section.

    Attributes:
        layers: what is shown.
        counts: of the layers, at the size of a panel.
        section: along the row that is cut.
        size: (width, height) of a panel.
        step: from the left end of one panel to that of the next.
    """

    layers: DepthLayers
    counts: CountMap
    section: Section
    size: tuple[int, int]
    step: int

    @classmethod
    def of(
        cls,
        layers: DepthLayers,
        shape: tuple[int, ...],
        row: int | None,
        size: tuple[int, int],
        step: int,
    ) -> _LayerStrips:
        if (layers.camera.height, layers.camera.width) != shape:
            of_layers = f"{layers.camera.width}x{layers.camera.height}"
            raise RequestError(
                f"the layers are of an image of {of_layers}, the maps of {shape[1]}x{shape[0]}; "
                "give those of one camera"
            )
        section = Section.of(layers, busiest_row(layers) if row is None else row)
        return cls(layers, CountMap.of(layers, *size), section, size, step)

    @property
    def _small(self) -> tuple[int, int]:
        """(width, height) of a layer's panel: two and the margin between them are as wide as a panel."""
        width, height = self.size
        zoom = (self.step // 2 - MARGIN) / (self.step - MARGIN)
        return max(1, round(zoom * width)), max(1, round(zoom * height))

    @property
    def _section_height(self) -> int:
        return max(self.size[1], _SECTION)

    @property
    def _layers_height(self) -> int:
        return TITLE + self._small[1] + _UNDER

    @property
    def height(self) -> int:
        """Pixels of the sheet that are taken."""
        counts = TITLE + self.size[1] + _UNDER + self.counts.legend_height
        return self._layers_height + max(counts, section_height(self._section_height) + MARGIN)

    def draw(self, sheet: Sheet, top: int) -> None:
        draw_layers(sheet, self.layers, MARGIN, top, self._small, self.step // 2, slots=8)
        top += self._layers_height
        draw_counts(sheet, self.counts, MARGIN, top, self.step - MARGIN)
        section_width = 3 * self.step - MARGIN
        draw_section(
            sheet, self.section, MARGIN + self.step, top, section_width, self._section_height
        )
        self.draw_cut(sheet, top + TITLE)

    def draw_cut(self, sheet: Sheet, top: int) -> None:
        """Arrows at the row that is cut, and a line along it, in the leftmost panel that begins at `top`."""
        width, height = self.size
        y = top + int((self.section.row + 0.5) * height / self.layers.camera.height)
        left, right = MARGIN, MARGIN + width - 1
        if height >= _LINED:
            sheet.draw.line((left, y, right, y), INK)
        sheet.draw.polygon([(left - 3, y), (left - 9, y - 4), (left - 9, y + 4)], INK)
        sheet.draw.polygon([(right + 3, y), (right + 9, y - 4), (right + 9, y + 4)], INK)
