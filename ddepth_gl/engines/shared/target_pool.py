"""TargetPool: targets that were rendered to, kept for the next image of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["PooledTargets", "TargetPool"]


class PooledTargets(Protocol):
    """Targets that a pool can lend.

    Attributes:
        key: the arguments that they were allocated with.
    """

    key: tuple[Any, ...]

    def release(self) -> None: ...  # noqa: D102


Targets = TypeVar("Targets", bound=PooledTargets)


class TargetPool(Generic[Targets]):
    """A pool that lends targets, and owns those that are not lent.

    Args:
        allocate: allocates targets; its arguments become their `key`.
    """

    def __init__(self, allocate: Callable[..., Targets]) -> None:
        self._allocate = allocate
        self._idle: list[Targets] = []

    def take(self, *key: Any) -> Targets:
        """Return targets with this key; the caller must give them back.

        Raises:
            DeviceMemoryError: they do not fit into the device's memory.
        """
        for targets in self._idle:
            if targets.key == key:
                self._idle.remove(targets)
                return targets
        self.trim(max_idle=1)
        return self._allocate(*key)

    def give_back(self, targets: Targets) -> None:
        """Take back targets that were lent."""
        self._idle.append(targets)

    @contextmanager
    def returning(self, targets: Targets) -> Iterator[None]:
        """Return a context that gives the targets back at its end, also after an error."""
        try:
            yield
        finally:
            self.give_back(targets)

    @contextmanager
    def returning_on_error(self, targets: Targets) -> Iterator[None]:
        """Return a context that gives the targets back if an error is raised in it."""
        try:
            yield
        except BaseException:
            self.give_back(targets)
            raise

    def trim(self, max_idle: int) -> None:
        """Free all idle targets but the last `max_idle`."""
        while len(self._idle) > max_idle:
            self._idle.pop(0).release()
