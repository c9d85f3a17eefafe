"""What is asked of an engine, and the buffers it gives: the interface that every engine serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["SheetBuffers", "SheetRequest"]


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

    def uncross(self, is_oriented: Callable[[], bool]) -> None:
        """Sets entry and exit to their mean where the exit is nearer, on a mesh where that cannot be.

        Where a front and a back face meet at a silhouette, the rasterizer covers pixels up to a fraction of
        a pixel outside of both, where their planes have crossed. The truth, the depth of the edge that they
        share, lies in between. On a closed mesh that is wound outwards every other entry is before its exit;
        on any other mesh an exit may truly be nearer, and nothing is changed.

        Args:
            is_oriented: whether the mesh is closed and wound outwards; asked only if it matters.
        """
        crossed = self.entry > self.exit
        if crossed.any() and is_oriented():
            self.entry[crossed] = (self.entry[crossed] + self.exit[crossed]) / 2
            self.exit[crossed] = self.entry[crossed]
