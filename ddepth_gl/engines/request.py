"""What is asked of an engine, and the buffers it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..results.attributes import ATTRIBUTES

__all__ = ["LayerBuffers", "SheetBuffers", "SheetRequest"]


@dataclass(frozen=True)
class SheetRequest:
    """How the two sheets are to be rendered.

    Attributes:
        oriented: entry from front faces and exit from back faces; else both from faces of either side.
        attributes: names of what is wanted besides depth.
        crop: keep crossings with crop[0] <= depth <= crop[1], mesh units; None keeps all.
        beside_a_face: see `Scene.is_beside_a_face`.
    """

    oriented: bool = True
    attributes: tuple[str, ...] = ()
    crop: tuple[float, float] | None = None
    beside_a_face: bool = False

    @property
    def needs_faces(self) -> bool:
        """Whether the face of each crossing is needed; every attribute follows from it."""
        return bool(self.attributes)

    @property
    def computed_attributes(self) -> tuple[str, ...]:
        """The attributes but the face, which every crossing has."""
        return tuple(name for name in self.attributes if name != "face")

    @property
    def computed_bytes_per_crossing(self) -> int:
        """What these take of one crossing."""
        return sum(ATTRIBUTES[name].bytes for name in self.computed_attributes)

    @property
    def may_fix_silhouettes(self) -> bool:
        """Whether sheets that have crossed at a silhouette are to be mended, if the mesh is oriented."""
        return self.oriented and self.crop is None


@dataclass(frozen=True)
class SheetBuffers:
    """The two sheets, row 0 at the top.

    Attributes:
        entry, exit: (H, W) float32 depth, mesh units, NaN where there is none.
        attributes: name to (entry, exit), each (H, W) or (H, W, channels).
    """

    entry: npt.NDArray[np.float32]
    exit: npt.NDArray[np.float32]
    attributes: dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class LayerBuffers:
    """Crossings of every pixel, compressed by rows: those of pixel i are [offsets[i], offsets[i + 1]).

    Attributes:
        offsets: (H * W + 1,) int64.
        depth: (M,) float32, mesh units; within a pixel sorted by (depth, face).
        face: (M,) int64.
        front_facing: (M,) bool.
        truncated: (H, W) bool, pixels that have more crossings than were asked for.
        attributes: name to (M,) or (M, channels), other than face.
    """

    offsets: npt.NDArray[np.int64]
    depth: npt.NDArray[np.float32]
    face: npt.NDArray[np.int64]
    front_facing: npt.NDArray[np.bool_]
    truncated: npt.NDArray[np.bool_]
    attributes: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
