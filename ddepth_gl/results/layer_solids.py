"""LayerSolids: where the rays are inside the solid, from facing and nesting."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import is_integer, shown
from ..errors import RequestError
from . import ray_pieces
from .crossing_list import Float32Array, IntArray
from .layer_selections import LayerSelections
from .silhouettes import inside_out

__all__ = ["LayerSolids"]


class LayerSolids(LayerSelections):
    """The methods of `DepthLayers` about what is inside the solid."""

    @property
    def nesting(self) -> tuple[Float32Array, Float32Array]:
        """(M,) and (H * W,) float32: number of bodies that the ray is inside.

        The first array counts right after each crossing, the second at the start of each ray. A ray
        ends outside every closed body, so if it meets more backs than fronts, it started inside.

        Only closed, consistently wound bodies are solid, see `Bodies.is_solid`. Crossings of other
        bodies change nothing. Both arrays are NaN where nothing tells what is solid: in pixels with
        crossings of these alone, with more fronts than backs, or with a back before its front that
        is no silhouette, as in a body that overlaps itself and is inside out there.

        Raises:
            RequestError: `max_layers`, `near` or `far` cut crossings off; the nesting needs all.
        """
        self._check_complete()
        inside, at_start, _ = ray_pieces.nesting(*self._for_nesting)
        return inside, at_start

    @property
    def solid_pieces(self) -> tuple[IntArray, npt.NDArray[np.float32]]:
        """(N,) int64 pixels and (N, 2) float32 end depths of all ray pieces inside the solid.

        Pieces follow from facing and `nesting`. Bodies that overlap or contain each other form one
        piece. A cavity (a surface wound inward) belongs to none. Neither does a pair of crossings
        at a silhouette whose back face comes first. Pieces are sorted by pixel, then nearest first.
        A piece that starts at depth 0 starts at a camera inside the solid. Pixels whose nesting is
        NaN have none.

        Raises:
            RequestError: as for `nesting`.
        """
        self._check_complete()
        pixels, pieces, _ = ray_pieces.solid_pieces(*self._for_nesting)
        return pixels, pieces

    @property
    def solid_length(self) -> npt.NDArray[np.float32]:
        """(H, W) float32: length of the ray inside the solid, mesh units; 0 at misses.

        It is the sum of the lengths of the pixel's `solid_pieces`, along the ray; NaN where the
        `nesting` is.

        Raises:
            RequestError: as for `nesting`.
        """
        self._check_complete()
        pixels, pieces, is_unknown = ray_pieces.solid_pieces(*self._for_nesting)
        extent = np.subtract(pieces[:, 1], pieces[:, 0], dtype=np.float64)
        length = np.bincount(pixels, extent, minlength=len(self.offsets) - 1).astype(np.float64)
        length[is_unknown] = np.nan
        length = length.reshape(self._shape)
        return (length * self.camera.distance_per_depth()).astype(np.float32)

    def intervals(self, row: int, column: int) -> list[tuple[float, float]]:
        """Return the `solid_pieces` of one pixel, for interactive use.

        Returns:
            (entry, exit) depths, nearest first; an entry of 0 means a camera inside the solid.

        Raises:
            RequestError: there is no such pixel, or as for `nesting`.
        """
        height, width = self._shape
        if not (
            is_integer(row) and is_integer(column) and 0 <= row < height and 0 <= column < width
        ):
            raise RequestError(
                f"there is no pixel ({shown(row)}, {shown(column)}) in an image of {height} rows, "
                f"{width} columns"
            )
        self._check_complete()
        row = int(row)  # NumPy's small integers would overflow
        columns, pieces = self.rows(row, row + 1).solid_pieces
        return [(float(entry), float(exit_)) for entry, exit_ in pieces[columns == column]]

    @property
    def _for_nesting(self) -> tuple[Any, ...]:
        """The arguments of `ray_pieces.nesting`."""
        is_inside_out = partial(inside_out, self.camera)
        return self.offsets, self.depth, self.front_facing, self._kinds.solid, is_inside_out

    def _check_complete(self) -> None:
        consequence = "what lies inside the solid is unknown"
        self._check_all_layers(consequence)
        if self._is_cropped:
            raise RequestError(
                f"near or far cut crossings off, so {consequence}; peel without them"
            )
