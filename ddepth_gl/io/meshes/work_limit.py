"""The limit on how much arithmetic one file may ask for, whatever its size."""

from __future__ import annotations

from ...errors import MeshError

__all__ = ["WorkLimit"]

_CALL = 500  # steps that pass in the time of one call into NumPy


class WorkLimit:
    """A number of steps that are spent one after another.

    A short file can refer to the same data very often. Its size then limits memory, but not time.

    Args:
        steps: steps that may be spent: about 50 ns each.
        doing: what takes them, for the error.
        advice: what to do about it.
    """

    def __init__(
        self,
        steps: int,
        doing: str = "posing its skins and morph targets",
        advice: str = "export fewer instances of them",
    ) -> None:
        self._doing, self._advice = doing, advice
        self._steps = self._left = steps

    def spend(self, count: int) -> None:
        """Spend the steps of one call into NumPy.

        Args:
            count: its steps.

        Raises:
            MeshError: not so many are left.
        """
        self._left -= count + _CALL
        if self._left < 0:
            raise MeshError(f"{self._doing} takes more than {self._steps:,} steps; {self._advice}")
