"""Every crossing of every pixel's ray."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .alpha_masks import AlphaMask
from .candidates import find_candidates
from .geometry import SAME_DEPTH, Booleans, Floats, Integers, View


@dataclass(frozen=True)
class AllCrossings:
    """C crossings; those of pixel p are offsets[p]:offsets[p + 1], sorted by depth, then by face.

    A ray through the edge between two faces meets both; such a pixel is not stable.

    Attributes:
        offsets: (H*W + 1,), pixels in row order.
        face: (C,) index into the faces as given.
        depth: (C,) camera z, mesh units.
        front: (C,) the ray's origin sees the counter-clockwise side.
        certain: (C,) the face covers the pixel, whatever the rounding.
        stable: (H, W) no face is uncertain here, so the number of crossings is certain.
    """

    offsets: Integers
    face: Integers
    depth: Floats
    front: Booleans
    certain: Booleans
    stable: Booleans


def all_crossings(
    vertices: npt.ArrayLike,
    faces: npt.ArrayLike,
    view: View,
    margin: float = 1 / 128,
    mask: AlphaMask | None = None,
) -> AllCrossings:
    """Return all crossings at the exact pixel centers.

    Depths that differ only by float64 rounding count as equal, and their crossings are sorted by
    face. A renderer with float32 depths has more ties: compare orders only where depths differ by
    more than its rounding.

    Args:
        vertices: (N, 3) in the world frame.
        faces: (F, 3) indices of vertices.
        view: the camera.
        margin: bound on the movement of projected vertices, in pixels.
        mask: alpha masks of the faces.

    Returns:
        The crossings of all pixels.
    """
    c = find_candidates(vertices, faces, view, margin, mask)
    stable = np.ones(view.height * view.width, bool)
    stable[c.pixel[c.uncertain]] = False

    hits = np.flatnonzero(c.hit)
    hits = hits[np.lexsort([c.depth[hits], c.pixel[hits]])]
    pixel, depth = c.pixel[hits], c.depth[hits]
    # A new rank begins where the depth steps up; within a rank the face decides.
    step = np.ones(len(hits), bool)
    step[1:] = (pixel[1:] != pixel[:-1]) | (depth[1:] - depth[:-1] > SAME_DEPTH * np.abs(depth[1:]))
    hits = hits[np.lexsort([c.face[hits], np.cumsum(step)])]

    offsets = np.searchsorted(c.pixel[hits], np.arange(len(stable) + 1))
    return AllCrossings(
        offsets=offsets,
        face=c.face[hits],
        depth=c.depth[hits],
        front=c.front[hits],
        certain=c.certain[hits],
        stable=stable.reshape(view.shape),
    )
