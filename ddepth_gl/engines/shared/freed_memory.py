"""Memory of freed results: kept in the process for the next image."""

from __future__ import annotations

import ctypes
import os

__all__ = ["keep_freed_memory"]

# Numbers of malloc.h, and bytes: arrays up to the first size come from the heap, whose free end is
# returned to the kernel beyond the second. glibc refuses more than 32 MiB for the first.
_MMAP_THRESHOLD, _TRIM_THRESHOLD = (-3, 1 << 25), (-1, 1 << 27)


def keep_freed_memory() -> None:
    """Make the C library keep up to 128 MiB of freed memory, if it is glibc.

    By itself, glibc returns nearly all of it. The kernel clears every page anew when the next
    result is written: a third of the time of an image with attributes. Settings of the user in the
    environment stay as they are.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if "MALLOC_TRIM_THRESHOLD_" in os.environ or "trim_threshold" in tunables:
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    mallopt.argtypes = ctypes.c_int, ctypes.c_int
    for parameter, value in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
        mallopt(parameter, value)
