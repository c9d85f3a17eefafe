"""Runs of consecutive cameras that can be rendered together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from .camera import Camera

__all__ = ["camera_runs"]

Kind = TypeVar("Kind")


def camera_runs(
    cameras: Iterable[Camera],
    kind_of: Callable[[Camera], Kind],
    max_length_of: Callable[[Camera], int],
) -> Iterator[tuple[Kind, tuple[Camera, ...]] | Exception]:
    """Yield runs of consecutive cameras of one kind, in order.

    An exception of `cameras` or `kind_of` is yielded last instead of raised, so the caller can
    finish earlier runs first.

    Args:
        cameras: read no further than the first camera after a run before that run is yielded.
        kind_of: returns the kind of a camera.
        max_length_of: returns the maximum length of a run, given its first camera.

    Yields:
        The kind and the cameras of a run.
    """
    run: list[Camera] = []
    run_kind: Any = None
    max_length = 0
    iterator = iter(cameras)
    while True:
        try:
            camera = next(iterator)
            kind = kind_of(camera)
        except StopIteration:
            failure = None
            break
        except Exception as error:
            failure = error
            break
        if run and kind != run_kind:
            yield run_kind, tuple(run)
            run = []
        if not run:
            run_kind, max_length = kind, max_length_of(camera)
        run.append(camera)
        if len(run) >= max_length:
            yield run_kind, tuple(run)
            run = []
    if run:
        yield run_kind, tuple(run)
    if failure is not None:
        try:
            yield failure
        finally:
            del failure  # its traceback would keep this frame alive, and with it the cameras
