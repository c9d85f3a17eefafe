"""Cameras in the order they come, neighbors together that can be rendered together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from .camera import Camera

__all__ = ["camera_runs"]

Kind = TypeVar("Kind")


def camera_runs(
    cameras: Iterable[Camera], kind_of: Callable[[Camera], Kind], most_of: Callable[[Camera], int]
) -> Iterator[tuple[Kind, tuple[Camera, ...]] | Exception]:
    """Runs of neighbors that are of one kind; last the error that `cameras` or `kind_of` raises, if any.

    The error is not raised, so that whoever has runs under way can finish them first.

    Args:
        cameras: is read up to the first camera after a run before that run comes.
        kind_of: what cameras of one run have in common.
        most_of: how many cameras a run has at most, given its first.
    """
    run: list[Camera] = []
    kind: Any = None
    most = 0
    given = iter(cameras)
    while True:
        try:
            camera = next(given)
            its_kind = kind_of(camera)
        except StopIteration:
            failed = None
            break
        except Exception as error:
            failed = error
            break
        if run and its_kind != kind:
            yield kind, tuple(run)
            run = []
        if not run:
            kind, most = its_kind, most_of(camera)
        run.append(camera)
        if len(run) >= most:
            yield kind, tuple(run)
            run = []
    if run:
        yield kind, tuple(run)
    if failed is not None:
        try:
            yield failed
        finally:
            del failed  # else its traceback would keep this frame, and that the cameras
