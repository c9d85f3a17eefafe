"""The one thread that uses OpenGL, for all clients in turns."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..._text import printable
from ...errors import DDepthError

__all__ = ["Job", "RenderThread"]

_logger = logging.getLogger(__name__)
_SENDERS = 4  # threads that encode and send

OwnerT = TypeVar("OwnerT")
Key = tuple[Hashable, str]


@dataclass(frozen=True)
class Job:
    """Something to render for a client, and what happens to it then.

    Attributes:
        render: called in the renderer thread, with what the thread owns; returns the result.
        deliver: called with the result in another thread. The next job with the same key waits
            until it returns.
        fail: called with one line if either of them raises.
    """

    render: Callable[[Any], Any]
    deliver: Callable[[Any], None]
    fail: Callable[[str], None]


class RenderThread(Generic[OwnerT]):
    """A thread with everything that uses OpenGL; it takes the newest job of each key, in turns.

    A key is a client and a kind of job. A new job replaces one with the same key that has not
    started, and keeps its place in the queue; so a client that asks often does not delay others,
    and a client that is slow to take results gets fewer of them.

    Args:
        make: called in the thread; returns what jobs get.
        release: called in the thread at the end, with what `make` returned.

    Raises:
        Exception: what `make` raises.
    """

    def __init__(self, make: Callable[[], OwnerT], release: Callable[[OwnerT], None]) -> None:
        self._jobs: dict[Key, Job] = {}  # in the order of their turns
        self._delivering: set[Key] = set()
        self._changed = threading.Condition()
        self._is_closed = False
        self._failure: BaseException | None = None
        self._senders = ThreadPoolExecutor(_SENDERS, "ddepth-send")
        started = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(make, release, started), name="ddepth-render", daemon=True
        )
        self._thread.start()
        started.wait()
        if self._failure is not None:
            self._thread.join()
            self._senders.shutdown()
            raise self._failure

    def submit(self, client: Hashable, kind: str, job: Job) -> None:
        """Queue a job, in place of one of the same client and kind that has not started."""
        with self._changed:
            if not self._is_closed:
                self._jobs[client, kind] = job
                self._changed.notify()

    def discard(self, client: Hashable) -> None:
        """Drop all jobs of a client that have not started."""
        with self._changed:
            for key in [key for key in self._jobs if key[0] == client]:
                del self._jobs[key]

    def close(self) -> None:
        """End the thread after the job that it does, and free what it owns; idempotent."""
        with self._changed:
            self._is_closed = True
            self._jobs.clear()
            self._changed.notify()
        self._thread.join()
        self._senders.shutdown()

    def _run(
        self,
        make: Callable[[], OwnerT],
        release: Callable[[OwnerT], None],
        started: threading.Event,
    ) -> None:
        try:
            owned = make()
        except BaseException as error:
            self._failure = error
            return
        finally:
            started.set()
        try:
            while (taken := self._take()) is not None:
                self._do(owned, *taken)
        finally:
            release(owned)

    def _take(self) -> tuple[Key, Job] | None:
        """Return the next job, or None at the end; wait for one."""
        with self._changed:
            while not self._is_closed:
                for key in self._jobs:
                    if key not in self._delivering:
                        self._delivering.add(key)
                        return key, self._jobs.pop(key)
                self._changed.wait()
        return None

    def _do(self, owned: OwnerT, key: Key, job: Job) -> None:
        try:
            result = job.render(owned)
        except Exception as error:
            self._finish(key, job, error)
        else:
            self._senders.submit(self._deliver, key, job, result)

    def _deliver(self, key: Key, job: Job, result: Any) -> None:
        error = None
        try:
            job.deliver(result)
        except Exception as raised:
            error = raised
        self._finish(key, job, error)

    def _finish(self, key: Key, job: Job, error: Exception | None) -> None:
        if error is not None:
            try:
                job.fail(one_line(error))
            except Exception:
                _logger.exception("the viewer cannot show an error")
        with self._changed:
            self._delivering.discard(key)
            self._changed.notify()


def one_line(error: BaseException) -> str:
    """Return an error as one line, without the name of its class if it is meant for users."""
    text = " ".join(printable(str(error)).split())
    if isinstance(error, DDepthError | OSError):
        return text
    _logger.error("unexpected error in the viewer", exc_info=error)
    return f"unexpected {type(error).__name__}: {text}"
