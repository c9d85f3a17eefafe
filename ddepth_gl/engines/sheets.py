"""What is asked of an engine, and the buffers it gives: the interface that every engine serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
        on any other mesh nothing is changed. Nor is it where a body of its own is wound inwards: there the two
        are far apart, or crossed over two pixels and more. For images that are not cropped.

        Args:
            camera: of the image.
            is_oriented: whether the mesh is closed and wound outwards; asked only if it matters.
        """
        crossed = self.entry > self.exit
        if not crossed.any() or not is_oriented():
            return
        entry, exit_ = self.entry[crossed], self.exit[crossed]
        meet = entry - exit_ <= _CROSSING_FOOTPRINTS * camera.pixel_footprint(exit_)
        meet &= ~_in_a_block(crossed)
        middle = (entry + exit_) / 2
        self.entry[crossed] = np.where(meet, middle, entry)
        self.exit[crossed] = np.where(meet, middle, exit_)


def _in_a_block(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """For each pixel of `mask` (row-major), whether some 2x2 block that it is in is all of `mask`."""
    padded = np.pad(mask, 1)
    rows, columns = np.nonzero(padded)
    # Whether the block whose upper left pixel is that far off is full.
    full = {
        (up, left): np.logical_and.reduce(
            [padded[rows - up + down, columns - left + right] for down in (0, 1) for right in (0, 1)]
        )
        for up in (0, 1)
        for left in (0, 1)
    }
    in_a_block: npt.NDArray[np.bool_] = np.logical_or.reduce(list(full.values()))
    return in_a_block
