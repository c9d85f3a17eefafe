"""PolygonWork: the time that the polygons of one file may take, and which come out wrong."""

from __future__ import annotations

from collections.abc import Callable

from ..._text import counted

__all__ = ["PolygonWork"]


class PolygonWork:
    """Time that is left for cutting the polygons of a file, whatever their number.

    A small file can hold polygons that take hours. Files that make sense need a part of this.

    Attributes:
        seconds: time left for earcut, of outlines of more than a few corners.
        is_spent: whether a polygon was given up.

    Args:
        steps: steps of about 15 ns that repairs may take.
        seconds: time that earcut may take.
    """

    def __init__(self, steps: int = 150_000_000, seconds: float = 8.0) -> None:
        self._steps = steps
        self.seconds = seconds
        self.is_spent = False
        self._crossing = self._given_up = 0

    def spend(self, steps: int) -> bool:
        """Take steps; return whether so many were left."""
        if steps > self._steps:
            self.is_spent = True
            return False
        self._steps -= steps
        return True

    def note(self, count: int) -> None:
        """Count polygons that do not come out right."""
        if self.is_spent:
            self._given_up += count
        else:
            self._crossing += count

    def tell(self, leave_out: Callable[[str], None]) -> None:
        """Tell how many polygons did not come out right.

        Args:
            leave_out: `MeshFolder.leave_out`.
        """
        if self._crossing:
            leave_out(f"exact shape of {_polygons(self._crossing)} that cross themselves")
        if self._given_up:
            leave_out(f"exact shape of {_polygons(self._given_up)} that take too long: fans")


def _polygons(count: int) -> str:
    return f"the outlines of {counted(count, 'polygon')}"
