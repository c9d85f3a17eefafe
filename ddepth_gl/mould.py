"""Stitches the two sheets of a double depth map into one closed surface."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import checked_number
from .camera import Camera
from .errors import MeshError

__all__ = ["stitch"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def stitch(
    camera: Camera,
    entry: npt.NDArray[Any],
    exit_: npt.NDArray[Any],
    mask: BoolArray,
    jump: float,
) -> tuple[npt.NDArray[np.float64], IntArray]:
    """Vertices and faces of the mould.

    The pixels of `mask` are triangulated once, in the image: each 2x2 block gives two triangles, or one where
    a corner is missing. Every triangle is a prism between its entry and its exit side; prisms that share
    an edge are open towards each other, and an edge that only one of them has gets a wall. So the surface
    is closed and consistently wound whatever the mask is.

    Args:
        camera: of the image.
        entry, exit_: (H, W) depth.
        mask: (H, W), where both exist.
        jump: pixels are not joined across a depth difference of more than this many pixel footprints.

    Returns:
        (V, 3) float64 world frame and (F, 3) int64, outward.

    Raises:
        MeshError: nothing can be joined, or `jump` is not positive.
    """
    jump = checked_number("jump", jump, MeshError)
    if not jump > 0.0:
        raise MeshError(f"jump must be positive (a number of pixel footprints), not {jump}")
    triangles = _triangulate(_joined_pairs(camera, entry, exit_, mask, jump), mask.shape)
    if not len(triangles):
        raise MeshError(
            f"no mould: no three of the {int(mask.sum())} covered pixels are neighbours within jump={jump:g}"
        )
    used, corner = np.unique(triangles, return_inverse=True)
    back = corner.reshape(-1, 3)  # clockwise as seen from the camera: the outside of the far sheet
    offset = len(used)
    start, end = _border(back, offset)
    walls = np.stack([start, end, end + offset, start, end + offset, start + offset], axis=1).reshape(-1, 3)
    pixels = camera.pixel_centres().reshape(-1, 2)[used]
    vertices = [camera.unproject(pixels, sheet.reshape(-1)[used]) for sheet in (entry, exit_)]
    return np.concatenate(vertices), np.concatenate([back[:, ::-1], back + offset, walls])


def _joined_pairs(
    camera: Camera, entry: npt.NDArray[Any], exit_: npt.NDArray[Any], mask: BoolArray, jump: float
) -> dict[str, BoolArray]:
    """For each 2x2 block (H-1, W-1), which pairs of its corners a b / c d may be joined."""

    def joined(first: tuple[slice, slice], second: tuple[slice, slice]) -> BoolArray:
        result = mask[first] & mask[second]
        for sheet in (entry, exit_):
            one, other = sheet[first].astype(np.float64), sheet[second].astype(np.float64)
            footprint = camera.pixel_footprint(np.fmin(one, other))
            with np.errstate(invalid="ignore"):
                result &= np.abs(one - other) <= jump * footprint
        return result

    low, high = slice(None, -1), slice(1, None)
    a, b, c, d = (low, low), (low, high), (high, low), (high, high)
    return {"ab": joined(a, b), "cd": joined(c, d), "ac": joined(a, c), "bd": joined(b, d),
            "ad": joined(a, d), "bc": joined(b, c)}  # fmt: skip


def _triangulate(joined: dict[str, BoolArray], shape: tuple[int, ...]) -> IntArray:
    """Triangles (T, 3) of pixel indices, clockwise as seen; along whichever diagonal gives more of them."""
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    abd = joined["ab"] & joined["bd"] & joined["ad"]
    adc = joined["ad"] & joined["cd"] & joined["ac"]
    abc = joined["ab"] & joined["bc"] & joined["ac"]
    bdc = joined["bd"] & joined["cd"] & joined["bc"]
    along_ad = abd.astype(np.int8) + adc >= abc.astype(np.int8) + bdc
    chosen = [
        (abd & along_ad, (a, b, d)),
        (adc & along_ad, (a, d, c)),
        (abc & ~along_ad, (a, b, c)),
        (bdc & ~along_ad, (b, d, c)),
    ]
    return np.concatenate([np.stack([corner[keep] for corner in corners], 1) for keep, corners in chosen])


def _border(triangles: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Directed edges (start, end) of the triangles that no other triangle has the other way round."""
    start = triangles.reshape(-1)
    end = np.roll(triangles, -1, axis=1).reshape(-1)
    alone = ~np.isin(start * count + end, end * count + start)
    return start[alone], end[alone]
