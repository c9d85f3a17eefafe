"""Memory of freed results: kept in the process for the next image."""

from __future__ import annotations

import numpy as np

__all__ = ["keep_freed_memory"]

# The largest block that glibc learns from is 32 MiB on 64-bit systems, its own header included.
_LARGEST_BLOCK = (1 << 25) - (1 << 16)


def keep_freed_memory() -> None:
    """Make the C library keep up to 64 MB of freed memory, if it is glibc.

    glibc returns freed memory to the kernel beyond twice the largest block that the process has
    freed so far. The kernel clears every page anew when the next result is written: a third of the
    time of an image with attributes. Freeing one block, never touched, raises that limit.
    """
    np.empty(_LARGEST_BLOCK, np.uint8)
