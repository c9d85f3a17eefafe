"""The memory of an image's crossings: how much they need, and how much they may take."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import DeviceMemoryError

__all__ = ["BYTES_PER_KEY", "check_crossings_fit", "default_memory_limit"]

# Of a crossing that is returned: key, whose memory becomes that of the face; depth; facing.
_BYTES_PER_CROSSING = 8 + 4 + 1
BYTES_PER_KEY = 8


def default_memory_limit(memory: int, max_per_row: int, attribute_bytes: int) -> int:
    """Return the bytes that the crossings of an image may take if the caller sets no limit.

    That is a quarter of the memory, but at least what one row needs: a control group may allow
    very little memory.

    Args:
        memory: bytes, `GLContext.memory`.
        max_per_row: largest number of crossings in a row.
        attribute_bytes: bytes of the attributes of a crossing.
    """
    needed = max_per_row * (_BYTES_PER_CROSSING + attribute_bytes + BYTES_PER_KEY)
    return max(memory // 4, needed)


def check_crossings_fit(
    returned: int,
    listed: int,
    layer_count: Callable[[], int],
    attribute_bytes: int,
    memory_limit: int,
) -> int:
    """Return the bytes that remain besides the crossings that are returned.

    Args:
        returned: number of crossings that are returned.
        listed: smallest number of further keys that must be in memory at once, on the GPU or to
            select from.
        layer_count: returns the largest number of crossings of a pixel, for the message.
        attribute_bytes: bytes of the attributes of a crossing.
        memory_limit: bytes that all of these may take.

    Raises:
        DeviceMemoryError: they take more.
    """
    returned_bytes = returned * (_BYTES_PER_CROSSING + attribute_bytes)
    needed = returned_bytes + listed * BYTES_PER_KEY
    if needed > memory_limit:
        raise DeviceMemoryError(
            f"{returned:,} crossings ({layer_count()} layers) take {needed:,} bytes, more than the "
            f"memory_limit of {memory_limit:,}; reduce the image size, pass a small max_layers= or "
            "a larger memory_limit= (ddepth render: --size, --max-layers, --memory-limit)"
        )
    return memory_limit - returned_bytes
