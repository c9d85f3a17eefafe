"""The one thread that uses OpenGL, for all clients in turns."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from ...errors import ContextClosedError

__all__ = ["RenderThread"]

OwnedT = TypeVar("OwnedT")
ResultT = TypeVar("ResultT")


class RenderThread(Generic[OwnedT]):
    """A thread with everything that uses OpenGL; other threads call functions in it, in turns.

    Args:
        make: called in the thread; returns what functions get.
        release: called in the thread at the end, with what `make` returned.

    Raises:
        Exception: what `make` raises.
    """

    def __init__(self, make: Callable[[], OwnedT], release: Callable[[OwnedT], None]) -> None:
        self._calls: deque[tuple[Callable[[OwnedT], Any], Future[Any]]] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        made: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(make, release, made), name="ddepth-render", daemon=True
        )
        self._thread.start()
        made.result()

    def call(self, function: Callable[[OwnedT], ResultT]) -> ResultT:
        """Return what a function returns in the thread, or raise what it raises.

        Raises:
            ContextClosedError: the thread has ended.
        """
        future: Future[ResultT] = Future()
        with self._changed:
            if self._is_closed:
                raise ContextClosedError("the viewer is closed; open another one")
            self._calls.append((function, future))
            self._changed.notify()
        return future.result()

    def close(self) -> None:
        """End the thread after the call that it does, and free what it owns. Idempotent."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _run(
        self,
        make: Callable[[], OwnedT],
        release: Callable[[OwnedT], None],
        made: Future[None],
    ) -> None:
        try:
            owned = make()
        except BaseException as error:
            made.set_exception(error)
            return
        made.set_result(None)
        try:
            while (call := self._take()) is not None:
                function, future = call
                try:
                    future.set_result(function(owned))
                except BaseException as error:
                    future.set_exception(error)
                # Results may be large: the next call comes when it comes.
                del call, function, future
        finally:
            for _, future in self._calls:
                future.set_exception(ContextClosedError("the viewer was closed meanwhile"))
            self._calls.clear()
            release(owned)

    def _take(self) -> tuple[Callable[[OwnedT], Any], Future[Any]] | None:
        """Return the next call, or None at the end; wait for one."""
        with self._changed:
            while not self._is_closed:
                if self._calls:
                    return self._calls.popleft()
                self._changed.wait()
        return None
