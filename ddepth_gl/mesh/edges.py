"""Edges of a mesh, and the faces that they connect."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Edges", "connected", "sorted_edges"]


class Edges(NamedTuple):
    """The sides of all faces, sorted so that those at the same edge are neighbors.

    Attributes:
        face: (3F,) face of each side.
        first: (E,) first side of each edge.
        sizes: (E,) number of sides.
        balance: (E,) sides in one direction minus sides in the other.
        links: pairs of faces, two (n,) arrays, that connect all faces at each edge.
    """

    face: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    balance: npt.NDArray[np.int32]
    links: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]


def sorted_edges(corners: npt.NDArray[np.int32]) -> Edges:
    """Return the edges of faces with the positions `corners`, (F, 3), of three different ones."""
    start, end = corners.reshape(-1), corners[:, [1, 2, 0]].reshape(-1)
    low, high, count = np.minimum(start, end), np.maximum(start, end), int(corners.max()) + 1
    edge = low.astype(np.int64) * count + high
    if count <= 1 << 16:  # NumPy sorts 16-bit numbers in linear time
        order = np.lexsort((high.astype(np.uint16), low.astype(np.uint16)))
        edge = edge[order]
    else:
        edge, order = _sorted_with_order(edge)
    is_same = edge[1:] == edge[:-1]
    same = np.flatnonzero(is_same)
    first = np.append(0, np.flatnonzero(~is_same) + 1)
    face = (order // 3).astype(np.int32)
    direction = np.where(start < end, np.int32(1), np.int32(-1))[order]
    return Edges(
        face,
        first,
        np.diff(first, append=len(edge)),
        np.add.reduceat(direction, first),
        (face[same], face[same + 1]),
    )


def _sorted_with_order(
    numbers: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the numbers, at least 0, in sorted order, and their indices."""
    bits = len(numbers).bit_length()
    if int(numbers.max()) < 2 ** (63 - bits):  # one sort of both takes half as long as argsort
        both = np.sort(numbers << bits | np.arange(len(numbers)))
        return both >> bits, both & (2**bits - 1)
    order = np.argsort(numbers)
    return numbers[order], order


def connected(
    count: int, first: npt.NDArray[np.int32], second: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Return (count,) labels: the smallest number that each is connected with through the pairs.

    Every root with a smaller neighbor hooks onto the smallest one, then all paths are compressed.
    A root that is smaller than its neighbors has hooked or been hooked onto one round later, so two
    rounds at least halve the number of roots that still have neighbors.
    """
    label: npt.NDArray[np.int32] = np.arange(count, dtype=np.int32)
    while len(first):
        low, high = np.minimum(first, second), np.maximum(first, second)
        np.minimum.at(label, high, low)
        while True:
            jumped = label[label]
            if (jumped == label).all():
                break
            label = jumped
        first, second = label[low], label[high]
        differs = first != second
        first, second = first[differs], second[differs]
    return label
