"""Pace: when the image is rendered at a lower resolution."""

from __future__ import annotations

import time

__all__ = ["Pace"]

_STILL_SECONDS = 0.15  # without movement, the image is rendered at full resolution
_SLOW_MS = 40.0  # an image that takes longer makes movements jerky
_REDUCTIONS = (1, 2, 4)  # pixels of the window for each pixel of the image, along each side


class Pace:
    """Resolution of the image: full when the camera is still, lower while it moves if need be."""

    def __init__(self) -> None:
        self._moving_until = 0.0
        self._full_ms = 0.0
        self._reduction = 1

    def move(self) -> None:
        """Note that the camera has moved."""
        now = time.monotonic()
        if now >= self._moving_until:  # a new movement: try what the last full image promises
            # Time grows with the number of pixels at most.
            self._reduction = next(
                (each for each in _REDUCTIONS if self._full_ms <= _SLOW_MS * each**2),
                _REDUCTIONS[-1],
            )
        self._moving_until = now + _STILL_SECONDS

    @property
    def is_moving(self) -> bool:
        """True if the camera has moved lately."""
        return time.monotonic() < self._moving_until

    @property
    def still_at(self) -> float:
        """Seconds of `time.monotonic` at which the camera counts as still."""
        return self._moving_until

    @property
    def reduction(self) -> int:
        """Pixels of the window for each pixel of the image, along each side, now."""
        return self._reduction if self.is_moving else 1

    def note(self, milliseconds: float, *, is_full: bool) -> None:
        """Learn from how long an image took, until the device had finished it."""
        if is_full:
            self._full_ms = milliseconds
        if milliseconds > _SLOW_MS and self._reduction < _REDUCTIONS[-1]:
            self._reduction *= 2
