"""Stitches the two sheets of a double depth map into one closed surface."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import checked_number
from ..camera.camera import Camera
from ..errors import MeshError

__all__ = ["stitch"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


# Pixels this thin are left out: this part of the largest coordinate, 32 steps of float32 there. So entry and
# exit stay apart in files of float32, and with `jump` at its default no wall next to a sheet ten times as
# steep is flattened.
_LEAST_THICKNESS = 2.0**-18
# Far from the origin float32 cannot hold the mould: no more than this part of a footprint is asked for.
_MOST_FOOTPRINTS = 0.125

# Seen from a pixel, the eighths of a turn that a triangle covers at each of its corners, as bits: clockwise
# from right. Of the block a b / c d the four triangles that it may be cut into.
_EIGHTHS = {
    "abd": (0b00000001, 0b00001100, 0b00100000),
    "adc": (0b00000010, 0b00010000, 0b11000000),
    "abc": (0b00000011, 0b00001000, 0b01000000),
    "bdc": (0b00000100, 0b00110000, 0b10000000),
}


def stitch(
    camera: Camera,
    entry: npt.NDArray[Any],
    exit_: npt.NDArray[Any],
    mask: BoolArray,
    jump: float,
) -> tuple[npt.NDArray[np.float64], IntArray]:
    """Return vertices and faces of the mould.

    The pixels of `mask` are triangulated once, in the image: each 2x2 block gives two triangles, or one where
    a corner is missing. Every triangle is a prism between its entry and its exit side; prisms that share
    an edge are open toward each other, and an edge that only one of them has gets a wall. So the surface
    is closed and consistently wound whatever the mask is. It is a 2-manifold, by index and by position:
    pixels without thickness are left out, and where parts touch in a single pixel all but one of them lose
    the triangles that meet there.

    Args:
        camera: of the image.
        entry, exit_: (H, W) depth.
        mask: (H, W), where both exist.
        jump: pixels are not joined across a depth difference of more than this many pixel footprints.

    Returns:
        (V, 3) float64 world frame, the nearer sheet before the farther, and (F, 3) int64, outward.

    Raises:
        MeshError: nothing can be joined, or `jump` is not positive.
    """
    jump = checked_number("jump", jump, MeshError)
    if not jump > 0.0:
        raise MeshError(f"jump must be positive (a number of pixel footprints), not {jump}")
    near, far = (
        np.fmin(entry, exit_),
        np.fmax(entry, exit_),
    )  # a body that is inside out is left first
    centers = camera.pixel_centers()[mask]
    points = [camera.unproject(centers, sheet[mask]) for sheet in (near, far)]
    least = _least_thickness(camera, near[mask], points)
    solid = mask.copy()
    solid[mask] = far[mask] - near[mask] > least
    triangles = _unpinched(*_triangulate(_joined_pairs(camera, near, far, solid, jump)), mask.shape)
    if not len(triangles):
        thin = int(mask.sum() - solid.sum())
        raise MeshError(
            f"no mould: no three of the {int(mask.sum())} covered pixels are neighbors within jump={jump:g}"
            + (f", and thicker than {least:.2g} (of which {thin} are not)" if thin else "")
        )
    used, corner = np.unique(triangles, return_inverse=True)
    back = corner.reshape(-1, 3)  # clockwise as seen from the camera: the outside of the far sheet
    offset = len(used)
    start, end = _border(back, offset)
    walls = np.stack(
        [start, end, end + offset, start, end + offset, start + offset], axis=1
    ).reshape(-1, 3)
    row = np.cumsum(mask.reshape(-1))[used] - 1
    vertices = np.concatenate([sheet[row] for sheet in points])
    return vertices, np.concatenate([back[:, ::-1], back + offset, walls])


def _least_thickness(
    camera: Camera, near: npt.NDArray[Any], points: list[npt.NDArray[np.float64]]
) -> float:
    """Return the thickness, mesh units, up to which pixels count as having none; 0 if there are no pixels."""
    if not len(near):
        return 0.0
    footprint = float(camera.pixel_footprint(near.astype(np.float64)).min())
    largest = max(float(np.abs(sheet).max()) for sheet in points)
    return min(_LEAST_THICKNESS * largest, _MOST_FOOTPRINTS * footprint)


def _joined_pairs(
    camera: Camera, near: npt.NDArray[Any], far: npt.NDArray[Any], mask: BoolArray, jump: float
) -> dict[str, BoolArray]:
    """For each 2x2 block (H-1, W-1), which pairs of its corners a b / c d may be joined."""

    def joined(first: tuple[slice, slice], second: tuple[slice, slice]) -> BoolArray:
        result = mask[first] & mask[second]
        for sheet in (near, far):
            one, other = sheet[first].astype(np.float64), sheet[second].astype(np.float64)
            footprint = camera.pixel_footprint(np.fmin(one, other))
            with np.errstate(invalid="ignore"):
                result &= np.abs(one - other) <= jump * footprint
        return result

    low, high = slice(None, -1), slice(1, None)
    a, b, c, d = (low, low), (low, high), (high, low), (high, high)
    return {"ab": joined(a, b), "cd": joined(c, d), "ac": joined(a, c), "bd": joined(b, d),
            "ad": joined(a, d), "bc": joined(b, c)}  # fmt: skip


def _triangulate(joined: dict[str, BoolArray]) -> tuple[IntArray, IntArray]:
    """Triangulate each block along whichever diagonal gives more triangles.

    Args:
        joined: see `_joined_pairs`.

    Returns:
        (T, 3) pixel indices, clockwise as seen, and (T, 3) the `_EIGHTHS` of each corner.
    """
    height, width = joined["ab"].shape
    index = np.arange((height + 1) * (width + 1)).reshape(height + 1, width + 1)
    corners = {"a": index[:-1, :-1], "b": index[:-1, 1:], "c": index[1:, :-1], "d": index[1:, 1:]}
    abd = joined["ab"] & joined["bd"] & joined["ad"]
    adc = joined["ad"] & joined["cd"] & joined["ac"]
    abc = joined["ab"] & joined["bc"] & joined["ac"]
    bdc = joined["bd"] & joined["cd"] & joined["bc"]
    along_ad = abd.astype(np.int8) + adc >= abc.astype(np.int8) + bdc
    chosen = {
        "abd": abd & along_ad,
        "adc": adc & along_ad,
        "abc": abc & ~along_ad,
        "bdc": bdc & ~along_ad,
    }
    triangles = [
        np.stack([corners[name][keep] for name in names], 1) for names, keep in chosen.items()
    ]
    eighths = [
        np.tile(_EIGHTHS[names], (len(made), 1))
        for names, made in zip(chosen, triangles, strict=True)
    ]
    return np.concatenate(triangles), np.concatenate(eighths)


def _unpinched(triangles: IntArray, eighths: IntArray, shape: tuple[int, ...]) -> IntArray:
    """Return the triangles without those that meet others in a pixel alone.

    At each pixel the fan that covers the largest angle stays. Leaving out triangles may part a fan elsewhere,
    so this goes on until no pixel has two.

    Args:
        triangles, eighths: as `_triangulate` returns them.
        shape: of the image.
    """
    count = shape[0] * shape[1]
    while True:
        covered = np.bincount(triangles.reshape(-1), eighths.reshape(-1), count).astype(np.uint8)
        pinched = _FANS[covered] > 1
        if not pinched.any():
            return triangles
        # Four sets of pixels, one after the other: no two pixels of a set have a triangle in common, so none
        # takes away what another keeps.
        touching = np.flatnonzero(pinched[triangles].any(axis=1))
        corners, parts = triangles[touching], eighths[touching]
        row, column = np.divmod(corners, shape[1])
        stays = np.ones(len(touching), bool)
        for parity in range(4):
            ours = pinched[corners] & (2 * (row % 2) + column % 2 == parity) & stays[:, None]
            covered = np.bincount(corners[ours], parts[ours], count).astype(np.uint8)
            stays &= ~(ours & (parts & _LARGEST_FAN[covered[corners]] == 0)).any(axis=1)
        triangles, eighths = (
            np.delete(each, touching[~stays], axis=0) for each in (triangles, eighths)
        )


def _fans(covered: int) -> list[int]:
    """Return the runs of bits set in a byte whose ends meet, each as the byte of its bits."""
    if covered == 255:
        return [covered]
    runs = []
    for first in range(8):
        if covered >> first & 1 and not covered >> (first - 1) % 8 & 1:
            run, bit = 0, first
            while covered >> bit & 1:
                run |= 1 << bit
                bit = (bit + 1) % 8
            runs.append(run)
    return runs


# Of each set of eighths that are covered: how many fans of triangles that is, and the largest of them.
_FANS = np.array([len(_fans(covered)) for covered in range(256)])
_LARGEST_FAN = np.array(
    [max(_fans(covered), key=int.bit_count, default=0) for covered in range(256)]
)


def _border(triangles: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Directed edges (start, end) of the triangles that no other triangle has the other way round."""
    start = triangles.reshape(-1)
    end = np.roll(triangles, -1, axis=1).reshape(-1)
    alone = ~np.isin(start * count + end, end * count + start)
    return start[alone], end[alone]
