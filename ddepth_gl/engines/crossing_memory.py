"""Whether the crossings of an image fit into the memory that they may take."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import DeviceMemoryError

__all__ = ["BYTES_PER_LISTED", "check_crossings_fit"]

_BYTES_PER_CROSSING = 8 + 4 + 1  # of one that is handed over: its key, which becomes its face; depth; facing
BYTES_PER_LISTED = 8  # of one more key in a list


def check_crossings_fit(
    kept: int, listed: int, layers: Callable[[], int], more_bytes_per_crossing: int, memory_limit: int
) -> int:
    """The bytes that are left beside the crossings of an image.

    Args:
        kept: how many will be handed over.
        listed: how many there are at once in lists besides, on the device or to choose from; at least.
        layers: gives the most of one pixel, for the message.
        more_bytes_per_crossing: what the attributes of one take.
        memory_limit: bytes that all this may take.

    Raises:
        DeviceMemoryError: it takes more.
    """
    needed_here = kept * (_BYTES_PER_CROSSING + more_bytes_per_crossing)
    needed = needed_here + listed * BYTES_PER_LISTED
    if needed > memory_limit:
        raise DeviceMemoryError(
            f"{kept:,} crossings ({layers()} layers) take {needed:,} bytes, more than the memory_limit of "
            f"{memory_limit:,}; reduce the image size, pass a small max_layers= or raise memory_limit="
        )
    return memory_limit - needed_here
