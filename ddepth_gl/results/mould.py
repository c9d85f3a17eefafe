"""The mould: both sheets of a double depth map stitched into one closed surface."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import checked_number
from ..camera.camera import Camera
from ..errors import MeshError, RequestError

__all__ = ["stitch"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

# Pixels thinner than this fraction of the largest coordinate, 32 float32 steps there, are left out.
# So entry and exit stay apart in float32 files. With the default `jump`, a sheet may rise by ten
# pixel footprints from one pixel to the next; rounding does not flatten the walls beside it either.
_MIN_THICKNESS_PER_COORDINATE = 2.0**-18
# But no pixel has to be thicker than this fraction of a pixel footprint. Where that is less, far
# from the origin, float32 cannot hold the mould anyway.
_MIN_THICKNESS_PER_FOOTPRINT = 0.125

# The four triangles that a 2x2 block of pixels, a b in its first row and c d in its second, can be
# cut into. For each corner of a triangle: the octants around that pixel that the triangle covers,
# as bits. Octants are counted clockwise in the image, starting at the right.
_OCTANTS = {
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
    """Return the vertices and faces of the mould.

    The pixels of `mask` are triangulated once, in the image: each 2x2 block yields two triangles,
    or one if a corner is missing. Each triangle spans a prism between entry and exit. Prisms that
    share an edge are open toward each other; an edge of a single prism gets a wall. So the surface
    is closed and consistently wound for any mask.

    It is a 2-manifold, by index and by position: pixels without thickness are left out. Where parts
    touch in a single pixel, all but one of them lose their triangles at that pixel.

    Args:
        camera: of the image.
        entry, exit_: (H, W) depth.
        mask: (H, W) bool, where both exist.
        jump: largest depth difference, in pixel footprints, across which pixels are joined.

    Returns:
        (V, 3) float64 vertices in the world frame, the nearer sheet first, and (F, 3) int64 faces,
        wound outward.

    Raises:
        MeshError: no pixels can be joined.
        RequestError: `jump` is not a positive number.
    """
    jump = checked_number("jump", jump)
    if not jump > 0.0:
        raise RequestError(f"jump must be positive (a number of pixel footprints), not {jump}")
    # The ray exits a body that is wound inward before it enters it.
    near, far = np.fmin(entry, exit_), np.fmax(entry, exit_)
    centers = camera.pixel_centers()[mask]
    points = [camera.unproject(centers, sheet[mask]) for sheet in (near, far)]
    min_thickness = _min_thickness(camera, near[mask], points)
    solid = mask.copy()
    solid[mask] = far[mask] - near[mask] > min_thickness
    triangles = _without_pinches(
        *_triangulate(_joined_pairs(camera, near, far, solid, jump)), mask.shape
    )
    if not len(triangles):
        covered = int(mask.sum())
        if not covered:
            raise MeshError(
                "no mould: no pixel has both an entry and an exit; aim the camera at the mesh, or "
                'use surfaces="any" if the mesh is not closed'
            )
        thin = covered - int(solid.sum())
        thickness = f" and thicker than {min_thickness:.2g} ({thin} are not)" if thin else ""
        raise MeshError(
            f"no mould: no three of the {covered} covered pixels are neighbors within "
            f"jump={jump:g}{thickness}"
        )
    used, corner = np.unique(triangles, return_inverse=True)
    clockwise = corner.reshape(-1, 3)  # in the image
    # Vertices of the far sheet follow those of the near sheet.
    offset = len(used)
    start, end = _boundary_edges(clockwise, offset)
    walls = np.stack(
        [start, end, end + offset, start, end + offset, start + offset], axis=1
    ).reshape(-1, 3)
    point_index = np.cumsum(mask.reshape(-1))[used] - 1
    vertices = np.concatenate([sheet[point_index] for sheet in points])
    # Outward is counter-clockwise in the image on the near sheet, clockwise on the far sheet.
    return vertices, np.concatenate([clockwise[:, ::-1], clockwise + offset, walls])


def _min_thickness(
    camera: Camera, near: npt.NDArray[Any], points: list[npt.NDArray[np.float64]]
) -> float:
    """Return the thickness, in mesh units, that pixels must exceed; 0 if there are no pixels."""
    if not len(near):
        return 0.0
    footprint = float(camera.pixel_footprint(near.astype(np.float64)).min())
    largest = max(float(np.abs(sheet).max()) for sheet in points)
    return min(_MIN_THICKNESS_PER_COORDINATE * largest, _MIN_THICKNESS_PER_FOOTPRINT * footprint)


def _joined_pairs(
    camera: Camera, near: npt.NDArray[Any], far: npt.NDArray[Any], mask: BoolArray, jump: float
) -> dict[str, BoolArray]:
    """Return which pairs of pixels of each 2x2 block can be joined: pair to (H-1, W-1) bool.

    The pixels of a block are named a b in its first row, c d in its second.
    """

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
    """Return the triangles of all blocks, each cut along the diagonal that yields more triangles.

    Args:
        joined: from `_joined_pairs`.

    Returns:
        (T, 3) pixel indices, clockwise in the image, and (T, 3) `_OCTANTS` of each corner.
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
        np.stack([corners[name][in_block] for name in names], 1)
        for names, in_block in chosen.items()
    ]
    octants = [
        np.tile(_OCTANTS[names], (len(some), 1))
        for names, some in zip(chosen, triangles, strict=True)
    ]
    return np.concatenate(triangles), np.concatenate(octants)


def _without_pinches(triangles: IntArray, octants: IntArray, shape: tuple[int, ...]) -> IntArray:
    """Return the triangles after removing fans until each pixel has at most one.

    A pixel with two or more fans of triangles is pinched: a non-manifold vertex. The fan that
    covers the largest angle stays. Removing triangles may split a fan elsewhere, hence the loop.

    Args:
        triangles, octants: from `_triangulate`.
        shape: (H, W) of the image.
    """
    count = shape[0] * shape[1]
    while True:
        # Triangles cover different octants of a pixel, so the sum of their bits is the union.
        covered = np.bincount(triangles.reshape(-1), octants.reshape(-1), count).astype(np.uint8)
        pinched = _FAN_COUNT[covered] > 1
        if not pinched.any():
            return triangles
        # Four sets of pixels, by parity of row and column, one after the other. Pixels of one set
        # share no triangle, so none removes a triangle that another one keeps.
        touching = np.flatnonzero(pinched[triangles].any(axis=1))
        corners, sectors = triangles[touching], octants[touching]
        row, column = np.divmod(corners, shape[1])
        stays = np.ones(len(touching), bool)
        for parity in range(4):
            in_set = pinched[corners] & (2 * (row % 2) + column % 2 == parity) & stays[:, None]
            covered = np.bincount(corners[in_set], sectors[in_set], count).astype(np.uint8)
            stays &= ~(in_set & (sectors & _LARGEST_FAN[covered[corners]] == 0)).any(axis=1)
        triangles, octants = (
            np.delete(each, touching[~stays], axis=0) for each in (triangles, octants)
        )


def _fans(covered: int) -> list[int]:
    """Return the runs of set bits of a byte, read as a ring; each run is a byte of its own."""
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


# For each set of covered octants: the number of fans and the largest fan.
_FAN_COUNT = np.array([len(_fans(covered)) for covered in range(256)])
_LARGEST_FAN = np.array(
    [max(_fans(covered), key=int.bit_count, default=0) for covered in range(256)]
)


def _boundary_edges(triangles: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Return the directed edges (start, end) whose opposite (end, start) is in no triangle.

    Args:
        triangles: (T, 3) indices.
        count: larger than every index.
    """
    start = triangles.reshape(-1)
    end = np.roll(triangles, -1, axis=1).reshape(-1)
    is_boundary = ~np.isin(start * count + end, end * count + start)
    return start[is_boundary], end[is_boundary]
