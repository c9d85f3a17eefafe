"""The number of the epoch, which the workers of a DataLoader see when it changes."""

from __future__ import annotations

from .._checks import is_integer, shown
from ..errors import RequestError
from .package import torch

__all__ = ["SharedEpoch"]


class SharedEpoch:
    """An integer in memory that workers share, so that ``persistent_workers=True`` works.

    A copy by `pickle` alone, outside of a DataLoader, does not share it.
    """

    def __init__(self) -> None:
        self._value = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def value(self) -> int:
        """The epoch, from 0."""
        return int(self._value)

    def set(self, epoch: int) -> None:
        """Set the epoch.

        Raises:
            RequestError: it is not an integer, at least 0.
        """
        if not is_integer(epoch) or not 0 <= epoch < 1 << 62:
            raise RequestError(f"epoch must be an integer, at least 0, not {shown(epoch)}")
        self._value.fill_(int(epoch))
