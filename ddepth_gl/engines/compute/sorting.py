"""Sorting of each pixel's crossings: on the device, or by NumPy if a pixel has too many."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...gl.staging import Staging
from ..shared.crossing_keys import IntArray
from ..shared.crossing_memory import BYTES_PER_KEY
from .programs import ComputePrograms

__all__ = ["sort_crossings", "sort_listed"]

# Crossings of a pixel up to which the device sorts by insertion, and at all: see decision 7.
_INSERTION_LIMIT, _SORT_LIMIT = 24, 2048


def sort_crossings(
    programs: ComputePrograms,
    staging: Staging,
    offsets: IntArray,
    max_count: int,
    range_ends: Any,
    crossings: Any,
) -> None:
    """Sort the crossings of each pixel by (depth, face), in place.

    Args:
        programs, staging: of the context, which is current.
        offsets: (n + 1,) int64, where the crossings of each of n pixels begin, and where the last
            ones end; counted from anywhere.
        max_count: largest number of crossings of a pixel.
        range_ends: buffer of (n,) uint32, where the crossings of each pixel end, counted from 0.
        crossings: buffer of all crossings, see shaders/include/compute_pass.glsl.
    """
    # Rows above and below the object have nothing to sort.
    first = int(np.searchsorted(offsets, offsets[0], side="right")) - 1
    end = int(np.searchsorted(offsets, offsets[-1], side="left"))
    _sort_on_device(programs, (first, end), max_count, range_ends, crossings)
    if max_count > _SORT_LIMIT:
        _sort_longest(staging, offsets, crossings)


def sort_listed(
    programs: ComputePrograms,
    staging: Staging,
    pixels: int,
    max_count: int,
    range_ends: Any,
    crossings: Any,
) -> None:
    """Sort as `sort_crossings`, without offsets on the CPU unless a pixel has too many crossings.

    Args:
        programs, staging, max_count, range_ends, crossings: see `sort_crossings`.
        pixels: number of pixels.
    """
    _sort_on_device(programs, (0, pixels), max_count, range_ends, crossings)
    if max_count > _SORT_LIMIT:
        with staging.reading(range_ends, np.uint32, pixels) as ends:
            offsets = np.concatenate([[0], ends.astype(np.int64)])
        _sort_longest(staging, offsets, crossings)


def _sort_on_device(
    programs: ComputePrograms,
    pixels: tuple[int, int],
    max_count: int,
    range_ends: Any,
    crossings: Any,
) -> None:
    first, end = pixels
    range_ends.bind_to_storage_buffer(0)
    crossings.bind_to_storage_buffer(1)
    for heap_sort in range((max_count > 1) + (max_count > _INSERTION_LIMIT)):
        program = programs.get(
            "compute_sort",
            INSERTION_LIMIT=_INSERTION_LIMIT,
            SORT_LIMIT=_SORT_LIMIT,
            HEAP_SORT=heap_sort,
        )
        program["first_pixel"], program["end_pixel"] = first, end
        programs.dispatch(program, end - first)
    programs.barrier()


def _sort_longest(staging: Staging, offsets: IntArray, crossings: Any) -> None:
    """Sort the crossings of pixels with more than _SORT_LIMIT."""
    for pixel in np.flatnonzero(np.diff(offsets) > _SORT_LIMIT):
        first, end = (int(offset - offsets[0]) for offset in offsets[pixel : pixel + 2])
        with staging.reading(crossings, np.int64, end - first, first) as keys:
            ordered = np.sort(keys)
        crossings.write(ordered, offset=BYTES_PER_KEY * first)
