"""Requests of clients: the newest of each kind is served, older ones are dropped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

from ..._text import printable
from ...errors import DDepthError

__all__ = ["Requests", "one_line"]

_logger = logging.getLogger(__name__)
_THREADS = 4

Key = tuple[Hashable, str]
Request = tuple[Callable[[], None], Callable[[str], None]]


class Requests:
    """Threads that serve clients, one request of a client and kind at a time.

    A new request replaces one of the same client and kind that has not started, and keeps its place
    in the queue. So a client that asks often does not delay others, and one that is slow gets
    fewer images.
    """

    def __init__(self) -> None:
        self._waiting: dict[Key, Request] = {}  # in the order of their turns
        self._served: set[Key] = set()
        self._lock = threading.Lock()
        self._is_closed = False
        self._threads = ThreadPoolExecutor(_THREADS, "ddepth-serve")

    @property
    def is_idle(self) -> bool:
        """Boolean: nothing is being served or waits."""
        with self._lock:
            return not self._waiting and not self._served

    def submit(
        self,
        client: Hashable,
        kind: str,
        serve: Callable[[], None],
        fail: Callable[[str], None],
    ) -> None:
        """Queue a request.

        Args:
            client, kind: what it replaces an earlier request of.
            serve: called in one of the threads.
            fail: called with one line if `serve` raises.
        """
        with self._lock:
            self._waiting[client, kind] = serve, fail
            self._start()

    def discard(self, client: Hashable) -> None:
        """Drop all requests of a client that have not started."""
        with self._lock:
            for key in [key for key in self._waiting if key[0] == client]:
                del self._waiting[key]

    def close(self) -> None:
        """Drop what waits, and wait for what is being served. Idempotent."""
        with self._lock:
            self._is_closed = True
            self._waiting.clear()
        self._threads.shutdown()

    def _start(self) -> None:
        """Start what can be served; the lock is held."""
        for key in list(self._waiting):
            if self._is_closed or len(self._served) == _THREADS:
                return
            if key not in self._served:
                self._served.add(key)
                self._threads.submit(self._serve, key, *self._waiting.pop(key))

    def _serve(self, key: Key, serve: Callable[[], None], fail: Callable[[str], None]) -> None:
        try:
            serve()
        except Exception as error:
            try:
                if not self._is_closed:
                    fail(one_line(error))
            except Exception:
                _logger.exception("an error of the viewer cannot be shown")
        finally:
            with self._lock:
                self._served.discard(key)
                self._start()


def one_line(error: Exception) -> str:
    """Return an error as one line; errors that nobody expects are logged, too."""
    text = " ".join(printable(str(error)).split())
    if isinstance(error, (DDepthError, OSError)):
        return text
    _logger.error("unexpected error in the viewer", exc_info=error)
    return f"unexpected {type(error).__name__}: {text}"
