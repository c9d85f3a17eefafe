"""DepthLayers: every crossing of every pixel's ray with the mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .crossing_list import Float32Array
from .layer_sheets import LayerSheets
from .layer_solids import LayerSolids
from .layer_stacks import LayerStacks
from .plots import notebook_png, plot_layers, plot_section
from .requested import RequestedArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure, SubFigure

__all__ = ["DepthLayers"]


@dataclass(frozen=True, eq=False, repr=False)
class DepthLayers(LayerStacks, LayerSheets, LayerSolids):
    """All crossings of one image, as compressed sparse rows with one row per pixel.

    Row 0 of the image is the top row. Pixels are numbered i = row * width + column and sampled at
    their centers. The crossings of pixel i are [offsets[i], offsets[i + 1]), sorted by (depth,
    face). Coincident faces are all kept. Layer k is the k-th crossing of every pixel: arrays index
    layers from 0, labels and file names count them from 1.

    Attributes that were requested are also properties: with ``attributes=("normal",)``,
    ``layers.normal`` is (M, 3). All others raise NotAskedForError. `DepthRenderer.entry_exit`
    describes all of them.

    Attributes:
        offsets: (H * W + 1,) int64, index of the first crossing of each pixel; the last is M.
        depth: (M,) float32 z of each crossing in the camera frame, mesh units.
        face: (M,) int64 index of the crossed face, in the mesh as uploaded.
        front_facing: (M,) bool, True where the ray enters: it meets the counter-clockwise side.
        truncated: (H, W) bool, pixels where `max_layers` left crossings out.
        camera: the Camera of the image.
        attributes: name to an array, (M,) or (M, channels).
        provenance: as in `DepthMaps`.

    Raises:
        CameraError: `camera` is not a Camera.
        RequestError: an array has the wrong shape or cannot be converted to its dtype.
    """

    normal = RequestedArray[Float32Array]("normal")
    smooth_normal = RequestedArray[Float32Array]("smooth_normal")
    barycentric = RequestedArray[Float32Array]("barycentric")
    uv = RequestedArray[Float32Array]("uv")
    color = RequestedArray[Float32Array]("color")
    shaded_color = RequestedArray[Float32Array]("shaded_color")
    object_id = RequestedArray[npt.NDArray[np.int32]]("object_id")
    position = RequestedArray[Float32Array]("position")

    def plot(
        self,
        max_layers: int | None = None,
        *,
        ax: Axes | Sequence[Axes] | npt.NDArray[Any] | None = None,
        figure: Figure | SubFigure | None = None,
        cmap: str | Colormap | None = None,
        vmin: float | None = None,
        vmax: float | None = None,
        title: str | None = None,
    ) -> Figure:
        """Draw the number of crossings of each pixel, and the depths of the first layers.

        In the count map, odd numbers are orange to brown, and pixels that `max_layers` of
        `DepthRenderer.peel` cut short are black. Layers share one color scale, from the smallest to
        the largest depth of all of them. See `DepthMaps.plot` for coordinates and display.

        Args:
            max_layers: number of layers to draw; None draws as many as fit, and of `ax` as many as
                there are axes.
            ax: Axes to draw on: the first for the count map, the others for layers.
            figure: Figure or SubFigure to draw on instead; it keeps its size, on white.
            cmap: color map of the layers; by default "viridis_r".
            vmin, vmax: ends of the color scale of the layers.
            title: above the panels; above the first of `ax` if axes are given.

        Returns:
            The figure that was drawn on.

        Raises:
            OutputError: matplotlib is not installed.
            RequestError: an argument has a value that cannot be used.
        """
        return plot_layers(self, max_layers, ax, figure, cmap, vmin, vmax, title)

    def plot_section(
        self,
        row: int | None = None,
        column: int | None = None,
        *,
        ax: Axes | None = None,
        figure: Figure | SubFigure | None = None,
        title: str | None = None,
    ) -> Figure:
        """Draw a cross-section: one row or column of the image cut open, the solid filled.

        A row is drawn with depth down, a column with depth to the right. Entries are blue, exits
        orange. Pixels where nothing tells what is solid (see `nesting`) are tinted, not filled. If
        crossings are missing (see `is_complete`), nothing is filled.
        See `DepthMaps.plot` for coordinates and display.

        Args:
            row: row of the image; without row and column, the row with the most crossings.
            column: column of the image, instead of a row.
            ax: Axes to draw on.
            figure: Figure or SubFigure to draw on instead; it keeps its size, on white.
            title: above the section; in place of its name if `ax` is given.

        Returns:
            The figure that was drawn on.

        Raises:
            OutputError: matplotlib is not installed.
            RequestError: there is no such row or column, both are given, or another argument has
                a value that cannot be used.
        """
        return plot_section(self, row, column, ax, figure, title)

    def _repr_png_(self) -> bytes | None:
        return notebook_png(lambda: self.plot(title=repr(self)[1:-1]))
