"""Sheets of every object of an image: the crossings of each object are searched on their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .crossing_rows import outermost, per_crossing
from .depth_maps import DepthMaps

__all__ = ["ObjectMaps", "Sheet", "sheets_by_object"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class Sheet(NamedTuple):
    """The pixels that have a crossing in a sheet, and those crossings, (N,) int64 each."""

    pixels: IntArray
    crossings: IntArray


class ObjectMaps(Mapping[int, DepthMaps]):
    """The DepthMaps of each object of an image, by object id, in increasing order.

    The maps are built each time they are accessed, since an image per object may exceed the memory:
    loop over ``items()`` and keep what you need.
    """

    def __init__(
        self,
        sheets: Mapping[int, tuple[Sheet, Sheet]],
        make: Callable[[int, tuple[Sheet, Sheet]], DepthMaps],
    ) -> None:
        self._sheets, self._make = sheets, make

    def __getitem__(self, object_id: int) -> DepthMaps:
        return self._make(object_id, self._sheets[object_id])

    def __contains__(self, object_id: object) -> bool:
        return object_id in self._sheets  # Mapping's own would build the maps

    def __iter__(self) -> Iterator[int]:
        return iter(self._sheets)

    def __len__(self) -> int:
        return len(self._sheets)

    def __repr__(self) -> str:
        shown = [*map(str, list(self)[:8]), *["..."] * (len(self) > 8)]
        return f"<ObjectMaps of {len(self)} objects: {', '.join(shown)}>"


def sheets_by_object(
    offsets: IntArray, object_id: npt.NDArray[np.int32], entering: BoolArray, exiting: BoolArray
) -> dict[int, tuple[Sheet, Sheet]]:
    """Return the entries and the exits of each object that has crossings, by increasing id.

    A stable sort by object makes each pair of an object and a pixel one row of crossings, nearest
    first. Both sheets of all objects are then found at once.

    Args:
        offsets: (P + 1,) for P pixels, see `crossing_rows`.
        object_id: (M,), of each crossing.
        entering, exiting: (M,) bool, the crossings that count as entries and as exits.
    """
    if not len(object_id):
        return {}
    order = np.argsort(object_id, kind="stable")
    ids = object_id[order]
    pixel = per_crossing(offsets, np.arange(len(offsets) - 1))[order]
    is_new_object = np.diff(ids) != 0
    row_starts = _starts(is_new_object | (np.diff(pixel) != 0))
    row_offsets = np.append(row_starts, len(order))
    object_starts = _starts(is_new_object)
    first_rows = np.searchsorted(row_starts, object_starts)

    def slices(rows: IntArray, crossings: IntArray) -> list[Sheet]:
        sheet = Sheet(pixel[row_starts[rows]], order[crossings])
        ends = np.append(np.searchsorted(rows, first_rows), len(rows)).tolist()
        return [Sheet(*(part[first:last] for part in sheet)) for first, last in pairwise(ends)]

    entries = slices(*outermost(row_offsets, entering[order], "nearest"))
    exits = slices(*outermost(row_offsets, exiting[order], "farthest"))
    pairs = zip(entries, exits, strict=True)
    return dict(zip(ids[object_starts].tolist(), pairs, strict=True))


def _starts(is_new: BoolArray) -> IntArray:
    """Return the indices where runs start, from whether each element but the first starts one."""
    return np.flatnonzero(np.concatenate(([True], is_new)))
