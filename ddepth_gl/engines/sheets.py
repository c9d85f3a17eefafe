"""What is asked of an engine, and the buffers it gives: the interface that every engine serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..camera import Camera

__all__ = ["SheetBuffers", "SheetRequest"]

# How far planes can have crossed 1/128 pixel outside of their faces: two faces a twentieth of a degree from
# edge-on, 1 / tan(0.05 deg) = 1000 pixel footprints a pixel each.
_CROSSING_FOOTPRINTS = 2 * 1000 / 128


@dataclass(frozen=True)
class SheetRequest:
    """How the two sheets are to be rendered.

    Attributes:
        oriented: entry from front faces and exit from back faces; else both from faces of either side.
        faces: whether the face indices of both sheets are wanted.
        crop: keep crossings with crop[0] <= depth <= crop[1], mesh units; None keeps all.
    """

    oriented: bool = True
    faces: bool = False
    crop: tuple[float, float] | None = None


@dataclass(frozen=True)
class SheetBuffers:
    """The two sheets, row 0 at the top.

    Attributes:
        entry, exit: (H, W) float32 depth, mesh units, NaN where there is none.
        entry_face, exit_face: (H, W) int32, undefined where the depth is NaN; None unless asked for.
    """

    entry: npt.NDArray[np.float32]
    exit: npt.NDArray[np.float32]
    entry_face: npt.NDArray[np.int32] | None = None
    exit_face: npt.NDArray[np.int32] | None = None

    def uncross(self, camera: Camera, is_oriented: Callable[[], bool]) -> None:
        """Sets entry and exit to their mean at silhouettes where the exit has come out a little nearer.

        Where a front and a back face meet at a silhouette, the rasterizer covers pixels up to a fraction of
        a pixel outside of both, where their planes have crossed. The truth, the depth of the edge that they
        share, lies in between. On a closed mesh that is wound outwards every other entry is before its exit;
        on any other mesh nothing is changed. Nor is it where a body of its own is wound inwards: there the
        two are far apart, or crossed over two pixels and more. For images that are not cropped.

        Args:
            camera: of the image.
            is_oriented: whether the mesh is closed and wound outwards; asked only if it matters.
        """
        crossed = self.entry > self.exit
        pixels = np.flatnonzero(crossed)
        if not len(pixels) or not is_oriented():
            return
        entry, exit_ = self.entry.ravel()[pixels], self.exit.ravel()[pixels]
        meet = entry - exit_ <= _CROSSING_FOOTPRINTS * camera.pixel_footprint(exit_)
        meet &= ~_in_a_block(crossed, pixels)
        pixels, middle = pixels[meet], ((entry + exit_) / 2)[meet]
        self.entry.ravel()[pixels] = middle
        self.exit.ravel()[pixels] = middle


def _in_a_block(mask: npt.NDArray[np.bool_], pixels: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    """For each of `pixels` (row-major indices), whether some 2x2 block that it is in is all of `mask`."""
    height, width = mask.shape
    rows, columns = np.divmod(pixels, width)

    def neighbour(down: int, right: int) -> npt.NDArray[np.bool_]:
        row, column = rows + down, columns + right
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        at: npt.NDArray[np.bool_] = mask[row.clip(0, height - 1), column.clip(0, width - 1)]
        at &= inside
        return at

    beside = {(d, r): neighbour(d, r) for d in (-1, 0, 1) for r in (-1, 0, 1)}
    blocks = [beside[d, 0] & beside[0, r] & beside[d, r] for d in (-1, 1) for r in (-1, 1)]
    return blocks[0] | blocks[1] | blocks[2] | blocks[3]
