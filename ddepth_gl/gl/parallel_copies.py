"""Copies of staged results to the caller's arrays, by several threads if they are large.

A GPU writes to the CPU's memory several times as fast as one CPU core copies from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .workers import usable_cpus

__all__ = ["copy_arrays"]

# Bytes for each thread, at least: with less, waking a thread takes longer than it saves.
_MIN_BYTES_PER_THREAD = 1 << 19
_MAX_THREADS = 4  # more of them wait for memory
_CPUS_PER_THREAD = 4  # the others may have other work, such as further processes that render
_CACHE_LINE = 64  # bytes; shares hold whole ones, and so whole elements

_Copy = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def copy_arrays(copies: Sequence[_Copy]) -> None:
    """Copy arrays.

    Args:
        copies: for each a C-contiguous array to fill, and one of the same shape; all of one dtype.
    """
    total = sum(target.nbytes for target, _ in copies)
    threads = min(_MAX_THREADS, usable_cpus() // _CPUS_PER_THREAD, total // _MIN_BYTES_PER_THREAD)
    if threads <= 1:
        _copy(copies)
        return
    first, *others = _shares(copies, total, threads)
    waiting = [_executor().submit(_copy, share) for share in others]
    _copy(first)
    for each in waiting:
        each.result()


@cache
def _executor() -> ThreadPoolExecutor:
    # A process that was forked from this one never comes here: it cannot use OpenGL.
    return ThreadPoolExecutor(_MAX_THREADS - 1, thread_name_prefix="ddepth copies")


def _shares(copies: Sequence[_Copy], total: int, count: int) -> list[list[_Copy]]:
    """Return copies of `total` bytes in up to `count` shares; arrays are cut where one ends."""
    size = _CACHE_LINE * -(-total // (_CACHE_LINE * count))
    shares: list[list[_Copy]] = [[]]
    room = size
    for target, source in copies:
        target, source = target.reshape(-1), source.reshape(-1)
        while len(target):
            if not room:
                shares.append([])
                room = size
            fitting = min(len(target), room // target.itemsize)
            shares[-1].append((target[:fitting], source[:fitting]))
            target, source = target[fitting:], source[fitting:]
            room -= fitting * target.itemsize
    return shares


def _copy(copies: Sequence[_Copy]) -> None:
    for target, source in copies:
        np.copyto(target, source)
