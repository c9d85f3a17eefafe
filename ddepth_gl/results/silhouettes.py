"""The fix for silhouette pixels whose entry and exit came out swapped; see docs/conventions.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..camera.camera import Camera

__all__ = ["exchange", "fix_silhouettes", "has_inside_out", "inside_out", "swap_limits"]

Float32Array = npt.NDArray[np.float32]

# The largest swap, in pixel footprints: of two faces a twentieth of a degree from edge-on, whose
# depths change by 1 / tan(0.05 deg) = 1000 footprints per pixel, 1/128 pixel outside both.
_MAX_SWAP = 2 * 1000 / 128
# A whole block of 2x2 pixels is swapped only where bodies are as small as pixels. A larger swap
# there is the thickness of a body that is wound inward.
_MAX_SWAP_IN_BLOCK = 1.0


def fix_silhouettes(
    entry: Float32Array,
    exit_: Float32Array,
    camera: Camera,
    is_oriented: Callable[[], bool],
    by_geometry: bool = False,
) -> npt.NDArray[np.intp]:
    """Replace entry and exit by their mean where they are swapped at a silhouette.

    A pixel is swapped if its exit is nearer than its entry. Where a front face and a back face meet
    at a silhouette, the rasterizer covers pixels up to a fraction of a pixel outside both. The
    planes of the two faces have passed through each other there. The true depth, that of the shared
    edge, lies between them.

    On a closed mesh wound outward, entry is nearer than exit at all other pixels. Images of any
    other mesh stay as they are. So do large swaps, and blocks of 2x2 pixels swapped by more than
    a pixel footprint: those are bodies wound inward. If geometry decided how faces count, it is a
    body that overlaps itself and is inside out there, and entry and exit are exchanged. Cropped
    images must not be passed: a crop may leave the back of one part and the front of the next.

    Args:
        entry, exit_: (H, W) depth, C-contiguous; changed in place.
        camera: of the image.
        is_oriented: returns whether the mesh is closed and wound outward; called only if needed.
        by_geometry: all faces that count by facing belong to closed bodies; `is_oriented` is not
            called.

    Returns:
        (N,) pixels, row * width + column, whose entry and exit were exchanged, for the caller to
        exchange their attributes.
    """
    swapped = entry > exit_
    pixels = np.flatnonzero(swapped)
    if not len(pixels) or not (by_geometry or is_oriented()):
        return pixels[:0]
    near, far = exit_.ravel()[pixels], entry.ravel()[pixels]
    fixed = ~inside_out(camera, pixels, near, far)
    mean, others = ((near + far) / 2)[fixed], ~fixed & by_geometry
    entry.ravel()[pixels[fixed]] = exit_.ravel()[pixels[fixed]] = mean
    entry.ravel()[pixels[others]], exit_.ravel()[pixels[others]] = near[others], far[others]
    return pixels[others]


def exchange(pair: Sequence[npt.NDArray[Any]], pixels: npt.NDArray[np.intp]) -> None:
    """Exchange the values of entry and exit at some pixels, in place.

    Args:
        pair: two arrays (H, W) or (H, W, channels), C-contiguous.
        pixels: (N,) row * width + column.
    """
    entry, exit_ = (array.reshape(-1, *array.shape[2:]) for array in pair)
    entry[pixels], exit_[pixels] = exit_[pixels], entry[pixels]


def inside_out(
    camera: Camera, pixels: npt.NDArray[np.integer[Any]], near: Float32Array, far: Float32Array
) -> npt.NDArray[np.bool_]:
    """Return (N,) bool: where a back before its front is no silhouette, see `fix_silhouettes`.

    Args:
        camera: of the image.
        pixels: (N,) row * width + column, of all pairs of a back and the front behind it.
        near, far: (N,) depth of the back and of the front.
    """
    swapped = np.zeros((camera.height, camera.width), np.bool_)
    swapped.reshape(-1)[pixels] = True
    difference = far.astype(np.float64) - near
    limit, limit_in_block = (
        limit * (np.float64(1.0) if camera.is_orthographic else near.astype(np.float64))
        for limit in swap_limits(camera)
    )
    in_block = (difference > limit_in_block) & _in_full_block(swapped, pixels)
    return np.asarray((difference > limit) | in_block)


def has_inside_out(camera: Camera, entry: Float32Array, exit_: Float32Array) -> bool:
    """Return whether `inside_out` is true for a pixel of an image.

    Args:
        camera: of the image.
        entry, exit_: (H, W) depth, C-contiguous.
    """
    pixels = np.flatnonzero(entry > exit_)
    near, far = exit_.ravel()[pixels], entry.ravel()[pixels]
    _, limit = swap_limits(camera)
    # Nearly always, all swaps are far below the smaller limit.
    if not (far - near > 0.5 * limit * (1.0 if camera.is_orthographic else near)).any():
        return False
    return bool(inside_out(camera, pixels, near, far).any())


def swap_limits(camera: Camera) -> tuple[float, float]:
    """Return the largest swap at a silhouette, and the largest in a block of 2x2 swapped pixels.

    Both are in mesh units; for a perspective camera at depth 1, and proportional to depth. The
    shader that fixes images on the GPU takes them from here, in double precision, so that both
    decide alike.
    """
    # `Camera.pixel_footprint` at depth 1, without its checks: this runs for every image.
    footprint = 1.0 / float(min(camera.K[0, 0], camera.K[1, 1]))
    return _MAX_SWAP * footprint, _MAX_SWAP_IN_BLOCK * footprint


def _in_full_block(
    mask: npt.NDArray[np.bool_], pixels: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.bool_]:
    """Return for each pixel (row-major index) whether a 2x2 block around it is all in the mask."""
    height, width = mask.shape
    rows, columns = np.divmod(pixels, width)

    def neighbor(down: int, right: int) -> npt.NDArray[np.bool_]:
        row, column = rows + down, columns + right
        is_inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        is_set: npt.NDArray[np.bool_] = mask[row.clip(0, height - 1), column.clip(0, width - 1)]
        is_set &= is_inside
        return is_set

    neighbors = {(d, r): neighbor(d, r) for d in (-1, 0, 1) for r in (-1, 0, 1)}
    blocks = [neighbors[d, 0] & neighbors[0, r] & neighbors[d, r] for d in (-1, 1) for r in (-1, 1)]
    return blocks[0] | blocks[1] | blocks[2] | blocks[3]
