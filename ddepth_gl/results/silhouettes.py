"""The rule for silhouettes where a back face comes out a little before its front; see docs/conventions.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..camera.camera import Camera

__all__ = ["swap_limits", "fix_silhouettes"]

Float32Array = npt.NDArray[np.float32]

# How far planes can have crossed 1/128 pixel outside of their faces: two faces a twentieth of a degree from
# edge-on, 1 / tan(0.05 deg) = 1000 pixel footprints a pixel each.
_SWAP_FOOTPRINTS = 2 * 1000 / 128
# Over a whole block of 2x2 pixels they cross only where bodies are as small as pixels. What is crossed there
# by more than this is the thickness of a body that is wound inward.
_BLOCK_FOOTPRINTS = 1.0


def fix_silhouettes(
    entry: Float32Array, exit_: Float32Array, camera: Camera, is_oriented: Callable[[], bool]
) -> None:
    """Set entry and exit to their mean at silhouettes where the exit has come out a little nearer.

    Where a front and a back face meet at a silhouette, the rasterizer covers pixels up to a fraction of
    a pixel outside of both, where their planes have crossed. The truth, the depth of the edge that they
    share, lies in between. On a closed mesh that is wound outward every other entry is before its exit;
    on any other mesh nothing is changed. Nor is it where a body of its own is wound inward: there the
    two are far apart, or apart by more than a pixel's footprint over two pixels and more. For images that
    are not cropped: a crop may leave the back of one part and the front of the next.

    Args:
        entry, exit_: (H, W) depth, C-contiguous; changed in place.
        camera: of the image.
        is_oriented: returns whether the mesh is closed and wound outward; called only if it matters.
    """
    crossed = entry > exit_
    pixels = np.flatnonzero(crossed)
    if not len(pixels) or not is_oriented():
        return
    near, far = exit_.ravel()[pixels], entry.ravel()[pixels]
    depths = np.float64(1.0) if camera.is_orthographic else near.astype(np.float64)
    apart = (far - near).astype(np.float64)
    farthest, farthest_in_block = swap_limits(camera)
    meet = apart <= farthest * depths
    meet &= (apart <= farthest_in_block * depths) | ~_in_a_block(crossed, pixels)
    pixels, middle = pixels[meet], ((near + far) / 2)[meet]
    entry.ravel()[pixels] = middle
    exit_.ravel()[pixels] = middle


def swap_limits(camera: Camera) -> tuple[float, float]:
    """Return how far exit and entry may have crossed at a silhouette, and in a block of 2x2 such pixels.

    Mesh units; in perspective at a depth of 1, to which they are in proportion. In double precision, and
    shared with the device, which has to decide the same.
    """
    footprint = float(camera.pixel_footprint(np.ones(1, np.float64))[0])
    return _SWAP_FOOTPRINTS * footprint, _BLOCK_FOOTPRINTS * footprint


def _in_a_block(
    mask: npt.NDArray[np.bool_], pixels: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.bool_]:
    """For each of `pixels` (row-major indices), whether some 2x2 block that it is in is all of `mask`."""
    height, width = mask.shape
    rows, columns = np.divmod(pixels, width)

    def neighbor(down: int, right: int) -> npt.NDArray[np.bool_]:
        row, column = rows + down, columns + right
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        at: npt.NDArray[np.bool_] = mask[row.clip(0, height - 1), column.clip(0, width - 1)]
        at &= inside
        return at

    beside = {(d, r): neighbor(d, r) for d in (-1, 0, 1) for r in (-1, 0, 1)}
    blocks = [beside[d, 0] & beside[0, r] & beside[d, r] for d in (-1, 1) for r in (-1, 1)]
    return blocks[0] | blocks[1] | blocks[2] | blocks[3]
