"""Whether the crossings of an image fit into the memory that they may take."""

from __future__ import annotations

from ..errors import DeviceMemoryError

__all__ = ["check_crossings_fit"]

# What a crossing takes while it is found and handed over: its key, depth, face, facing.
_BYTES_PER_CROSSING = 8 + 4 + 8 + 1


def check_crossings_fit(crossings: int, layers: int, more_bytes_per_crossing: int, memory_limit: int) -> None:
    """Raises unless the crossings fit.

    Args:
        crossings: how many there are.
        layers: the most of one pixel.
        more_bytes_per_crossing: what their attributes take.
        memory_limit: bytes that they may take.

    Raises:
        DeviceMemoryError: they take more.
    """
    needed = crossings * (_BYTES_PER_CROSSING + more_bytes_per_crossing)
    if needed > memory_limit:
        raise DeviceMemoryError(
            f"{crossings:,} crossings ({layers} layers) take {needed / 2**20:.0f} MiB, more than the limit "
            f"of {memory_limit / 2**20:.0f} MiB; reduce the image size, pass max_layers=, or raise "
            "memory_limit="
        )
