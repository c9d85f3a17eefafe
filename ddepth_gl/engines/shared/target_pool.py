"""Targets that were rendered to, kept for the next image of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["PooledTargets", "TargetPool"]


class PooledTargets(Protocol):
    """What is lent.

    Attributes:
        kind: the arguments that it was made with.
    """

    key: tuple[Any, ...]

    def release(self) -> None: ...  # noqa: D102


Targets = TypeVar("Targets", bound=PooledTargets)


class TargetPool(Generic[Targets]):
    """Lends images, and owns those that are not lent.

    Args:
        make: makes some, given what becomes their `kind`.
    """

    def __init__(self, make: Callable[..., Targets]) -> None:
        self._make = make
        self._idle: list[Targets] = []

    def take(self, *kind: Any) -> Targets:
        """Targets of that kind; to be handed to `give_back`.

        Raises:
            DeviceMemoryError: they do not fit.
        """
        for images in self._idle:
            if images.key == kind:
                self._idle.remove(images)
                return images
        self.trim(max_idle=1)
        return self._make(*kind)

    def give_back(self, images: Targets) -> None:
        """Ends a loan."""
        self._idle.append(images)

    @contextmanager
    def returning(self, images: Targets) -> Iterator[None]:
        """Gives the images back at its end, however that comes about."""
        try:
            yield
        finally:
            self.give_back(images)

    @contextmanager
    def returning_on_error(self, images: Targets) -> Iterator[None]:
        """Gives the images back if what is done with them raises."""
        try:
            yield
        except BaseException:
            self.give_back(images)
            raise

    def trim(self, max_idle: int) -> None:
        """Frees idle images beyond the last `max_idle`."""
        while len(self._idle) > max_idle:
            self._idle.pop(0).release()
