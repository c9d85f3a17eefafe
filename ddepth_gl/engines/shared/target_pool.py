"""Images that were rendered to, kept for the next image of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["ImagePool", "PooledImages"]


class PooledImages(Protocol):
    """What is lent.

    Attributes:
        kind: the arguments that it was made with.
    """

    kind: tuple[Any, ...]

    def release(self) -> None: ...  # noqa: D102


Images = TypeVar("Images", bound=PooledImages)


class ImagePool(Generic[Images]):
    """Lends images, and owns those that are not lent.

    Args:
        make: makes some, given what becomes their `kind`.
    """

    def __init__(self, make: Callable[..., Images]) -> None:
        self._make = make
        self._idle: list[Images] = []

    def take(self, *kind: Any) -> Images:
        """Images of that kind; to be handed to `give_back`.

        Raises:
            DeviceMemoryError: they do not fit.
        """
        for images in self._idle:
            if images.kind == kind:
                self._idle.remove(images)
                return images
        self.trim(keep=1)
        return self._make(*kind)

    def give_back(self, images: Images) -> None:
        """Ends a loan."""
        self._idle.append(images)

    @contextmanager
    def returning(self, images: Images) -> Iterator[None]:
        """Gives the images back at its end, however that comes about."""
        try:
            yield
        finally:
            self.give_back(images)

    @contextmanager
    def returning_on_error(self, images: Images) -> Iterator[None]:
        """Gives the images back if what is done with them raises."""
        try:
            yield
        except BaseException:
            self.give_back(images)
            raise

    def trim(self, keep: int) -> None:
        """Frees idle images beyond the last `keep`."""
        while len(self._idle) > keep:
            self._idle.pop(0).release()
