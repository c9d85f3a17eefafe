"""DeviceCrossings: all crossings of an image, kept on the device, one layer after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

__all__ = ["DeviceCrossings"]


class DeviceCrossings(Protocol):
    """All crossings of an image.

    Attributes:
        counts: texture of integers, the number of crossings of each pixel.
        max_count: largest of them.
    """

    counts: Any
    max_count: int

    def layers(self, stop: int | None = None) -> Iterator[Any]:
        """Yield the layers up to `stop`, nearest first; None for all.

        A layer is a texture of the keys of crossings, see crossing_keys.py. It holds anything at
        pixels that do not have the layer, and is lent until the next one.
        """
