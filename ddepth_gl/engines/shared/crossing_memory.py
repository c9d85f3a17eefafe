"""How much memory the crossings of an image may take, and whether they fit into it."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import DeviceMemoryError

__all__ = ["BYTES_PER_KEY", "check_crossings_fit", "default_memory_limit"]

_BYTES_PER_CROSSING = (
    8 + 4 + 1
)  # of one that is handed over: its key, which becomes its face; depth; facing
BYTES_PER_KEY = 8  # of one more key in a list


def default_memory_limit(memory: int, most_in_row: int, more_bytes_per_crossing: int) -> int:
    """Return the bytes that the crossings of an image may take where the caller sets no limit.

    A quarter of the memory, however little a control group allows; but what one row needs in any case.

    Args:
        memory: bytes, `GLContext.memory`.
        most_in_row: crossings of the row that has most.
        more_bytes_per_crossing: what the attributes of one take.
    """
    needed = most_in_row * (_BYTES_PER_CROSSING + more_bytes_per_crossing + BYTES_PER_KEY)
    return max(memory // 4, needed)


def check_crossings_fit(
    kept: int,
    listed: int,
    layers: Callable[[], int],
    more_bytes_per_crossing: int,
    memory_limit: int,
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
    needed = needed_here + listed * BYTES_PER_KEY
    if needed > memory_limit:
        raise DeviceMemoryError(
            f"{kept:,} crossings ({layers()} layers) take {needed:,} bytes, more than the memory_limit of "
            f"{memory_limit:,}; reduce the image size, pass a small max_layers= or a larger memory_limit= "
            "(ddepth render: --size, --max-layers, --memory-limit)"
        )
    return memory_limit - needed_here
