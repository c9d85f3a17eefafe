"""The preview: photo, entry, exit and thickness side by side; below them, if given, all layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import RequestError
from .canvas import BAR_HEIGHT, INK, LABEL_HEIGHT, MARGIN, TITLE_HEIGHT, Canvas
from .color_scales import ImageArray, ValueRange, colorize, value_range
from .count_map import CountMap, draw_counts
from .cross_section import Section, busiest_row, draw_section, section_height
from .layer_panels import draw_layers

if TYPE_CHECKING:
    from ..results.depth_layers import DepthLayers
    from ..results.depth_maps import DepthMaps

__all__ = ["preview"]

_PANEL_SIZE = 384  # the longer side of a panel, in pixels
_MIN_COLUMN_WIDTH = 176  # fits a panel's name and the labels at both ends of its color bar
_BELOW_PANEL = BAR_HEIGHT + LABEL_HEIGHT + 2 * MARGIN  # the color bar, its labels, margins
_MIN_LINE_PANEL = 24  # panels lower than this get no line: it would hide them
_MIN_SECTION_HEIGHT = 240


def preview(
    maps: DepthMaps,
    title: str = "",
    layers: DepthLayers | None = None,
    *,
    photo: npt.NDArray[np.uint8],
    row: int | None = None,
) -> ImageArray:
    """Return one image to look at: photo, entry, exit and thickness side by side.

    Entry and exit share one color scale, from the smallest to the largest depth of both. The scale
    of thickness starts at 0. Values are in mesh units; gray is a miss.

    With `layers` there are three more parts below. The first layers share one color scale. The
    count map shows the number of crossings of each pixel: odd numbers are red, pixels truncated by
    `max_layers` yellow. The cross-section cuts one row open and fills the solid; a line in the
    photo and in the count map marks that row.

    Args:
        maps: the double depth map.
        title: a line above the panels.
        layers: all crossings of the same image.
        photo: (H, W, 4) uint8 sRGB with straight alpha, from `DepthRenderer.shade`; shown on white.
        row: row of the cross-section; None takes the row with the most crossings.

    Returns:
        (h, w, 3) uint8 sRGB.

    Raises:
        RequestError: photo or layers do not have the size of the maps, or there is no such row.
    """
    shape = maps.entry.shape
    photo = np.asarray(photo)
    if photo.shape != (*shape, 4) or photo.dtype != np.uint8:
        expected = f"{(*shape, 4)} uint8, like the maps"
        raise RequestError(f"the photo must be {expected}, not {photo.shape} {photo.dtype}")
    depth_range = value_range(maps.entry, maps.exit)
    thickness_range = value_range(maps.thickness, np.zeros(int(maps.mask.any())))
    # The panels are small: coloring every pixel of large maps would only take memory.
    stride = max(1, max(shape) // (2 * _PANEL_SIZE))
    entry, exit_, thickness = (
        values[::stride, ::stride] for values in (maps.entry, maps.exit, maps.thickness)
    )
    zoom = _PANEL_SIZE / max(entry.shape)
    width, height = (max(1, round(size * zoom)) for size in entry.shape[::-1])
    pitch = max(width, _MIN_COLUMN_WIDTH) + MARGIN
    panels: list[tuple[str, npt.NDArray[Any], tuple[str, ValueRange] | None]] = [
        ("photo", photo, None),
        ("entry depth", entry, ("viridis_r", depth_range)),
        ("exit depth", exit_, ("viridis_r", depth_range)),
        ("thickness", thickness, ("magma", thickness_range)),
    ]
    top = 2 * MARGIN + TITLE_HEIGHT if title else MARGIN
    bottom = top + TITLE_HEIGHT + height + _BELOW_PANEL
    strips = None if layers is None else _LayerStrips.of(layers, shape, row, (width, height), pitch)
    canvas = Canvas.blank(len(panels) * pitch + MARGIN, bottom + (strips.height if strips else 0))
    if title:
        canvas.headline(MARGIN, MARGIN, title, canvas.image.width - 2 * MARGIN)
    for column, (name, values, scale) in enumerate(panels):
        left = MARGIN + column * pitch
        canvas.text(left, top, name)
        image = values if scale is None else colorize(values, *scale)
        canvas.panel(image, left, top + TITLE_HEIGHT, width, height)
        if scale is not None:
            bar_top = top + TITLE_HEIGHT + height + MARGIN // 2
            canvas.color_bar(left, bar_top, pitch - MARGIN, *scale)
    if strips:
        strips.draw(canvas, bottom)
        strips.draw_row_marker(canvas, top + TITLE_HEIGHT)
    return np.asarray(canvas.image)


@dataclass(frozen=True, eq=False)
class _LayerStrips:
    """The parts below the first strip that show layers: layer panels, count map, cross-section.

    Attributes:
        layers: to show.
        counts: the count map, at the size of a panel.
        section: the cross-section.
        size: (width, height) of a panel.
        pitch: from the left edge of one panel to that of the next.
    """

    layers: DepthLayers
    counts: CountMap
    section: Section
    size: tuple[int, int]
    pitch: int

    @classmethod
    def of(
        cls,
        layers: DepthLayers,
        shape: tuple[int, ...],
        row: int | None,
        size: tuple[int, int],
        pitch: int,
    ) -> _LayerStrips:
        if (layers.camera.height, layers.camera.width) != shape:
            layers_size = f"{layers.camera.width}x{layers.camera.height}"
            raise RequestError(
                f"the layers are of an image of {layers_size}, the maps of {shape[1]}x{shape[0]}; "
                "pass layers and maps of one camera"
            )
        section = Section.of(layers, busiest_row(layers) if row is None else row)
        return cls(layers, CountMap.of(layers, *size), section, size, pitch)

    @property
    def _layer_size(self) -> tuple[int, int]:
        """(width, height) of a layer's panel: two of them take the room of one other panel."""
        width, height = self.size
        zoom = (self.pitch // 2 - MARGIN) / (self.pitch - MARGIN)
        return max(1, round(zoom * width)), max(1, round(zoom * height))

    @property
    def _section_height(self) -> int:
        return max(self.size[1], _MIN_SECTION_HEIGHT)

    @property
    def _layers_height(self) -> int:
        return TITLE_HEIGHT + self._layer_size[1] + _BELOW_PANEL

    @property
    def height(self) -> int:
        """Height of all parts together, in pixels."""
        counts = TITLE_HEIGHT + self.size[1] + _BELOW_PANEL + self.counts.legend_height
        return self._layers_height + max(counts, section_height(self._section_height) + MARGIN)

    def draw(self, canvas: Canvas, top: int) -> None:
        draw_layers(canvas, self.layers, MARGIN, top, self._layer_size, self.pitch // 2, slots=8)
        top += self._layers_height
        draw_counts(canvas, self.counts, MARGIN, top, self.pitch - MARGIN)
        section_width = 3 * self.pitch - MARGIN
        draw_section(
            canvas, self.section, MARGIN + self.pitch, top, section_width, self._section_height
        )
        self.draw_row_marker(canvas, top + TITLE_HEIGHT)

    def draw_row_marker(self, canvas: Canvas, top: int) -> None:
        """Mark the section's row in the leftmost panel, whose top edge is at `top`."""
        width, height = self.size
        y = top + int((self.section.row + 0.5) * height / self.layers.camera.height)
        left, right = MARGIN, MARGIN + width - 1
        if height >= _MIN_LINE_PANEL:
            canvas.draw.line((left, y, right, y), INK)
        canvas.draw.polygon([(left - 3, y), (left - 9, y - 4), (left - 9, y + 4)], INK)
        canvas.draw.polygon([(right + 3, y), (right + 9, y - 4), (right + 9, y + 4)], INK)
