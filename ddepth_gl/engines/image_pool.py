"""Images that were rendered to, kept for the next image of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ..camera import Camera
from ..scene import Scene
from .sheets import SheetRequest

__all__ = ["ImagePool", "Pending"]


class _Images(Protocol):
    kind: tuple[Any, ...]

    def release(self) -> None: ...


Images = TypeVar("Images", bound=_Images)


@dataclass(frozen=True)
class Pending(Generic[Images]):
    """What an engine has submitted and not yet collected, and the images it was rendered to."""

    images: Images
    scene: Scene
    cameras: tuple[Camera, ...]
    request: SheetRequest


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
