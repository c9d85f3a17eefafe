"""Claims on shards, which save work: two processes that render the same shard write the same bytes.

A claim is a small file that names its owner. It is created by one process only, gets the present
time while the work goes on, and is removed at its end. A claim is stale if its owner was a process
of this machine that no longer runs, or if it is ten minutes old by the clock of the file server.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from ..io.atomic import removed_if_ended
from ..io.owners import has_ended, this_process
from .storage import LocalStorage, Storage

__all__ = ["Claim", "claim_owners", "claimed", "remove_stale_claims"]

STALE_SECONDS = 600.0
_REFRESH_SECONDS = 60.0

_owned: set[str] = set()  # tokens of the claims that this process holds
_lock = threading.Lock()


class Claim:
    """A claim that this process holds."""

    def __init__(self, storage: Storage, name: str, content: bytes) -> None:
        self._storage, self._name, self._content = storage, name, content
        self._refreshed = time.monotonic()

    def refresh(self) -> None:
        """Show now and then that the work goes on."""
        now = time.monotonic()
        if now - self._refreshed > _REFRESH_SECONDS and self.is_held():
            self._refreshed = now
            self._storage.touch(self._name, self._content)

    def is_held(self) -> bool:
        """Return whether no other process has taken over the claim."""
        return self._storage.read(self._name) == self._content


@contextmanager
def claimed(storage: Storage, name: str) -> Iterator[Claim | None]:
    """Claim a shard during a block; None if another process has.

    Args:
        storage: folder of the data set.
        name: name of the shard.

    Raises:
        DatasetError: the storage does not work.
    """
    path = f"claims/{name}"
    token = secrets.token_hex(16)
    content = json.dumps({"token": token, **this_process()}, sort_keys=True).encode()
    with _lock:
        _owned.add(token)
    try:
        if not _taken(storage, path, content):
            yield None
            return
        ended = (
            removed_if_ended(storage.folder / path)
            if isinstance(storage, LocalStorage)
            else nullcontext()
        )
        with ended:
            try:
                yield Claim(storage, path, content)
            finally:
                if storage.read(path) == content:
                    storage.remove(path)
    finally:
        with _lock:
            _owned.discard(token)


def remove_stale_claims(storage: Storage) -> None:
    """Remove claims that nobody holds, also of finished shards, and what `Storage.now` left.

    Raises:
        DatasetError: the storage does not work.
    """
    there = {name: f for name, f in storage.files("claims").items() if not name.startswith(".")}
    now = storage.now() if there else 0.0
    for name, file in there.items():
        path = f"claims/{name}"
        content = storage.read(path)
        if content is None:  # released meanwhile
            continue
        ended = None if name.startswith("clock-") else _owner_has_ended(content)
        if now - file.modified > STALE_SECONDS if ended is None else ended:
            storage.remove_if(path, content)


def claim_owners(storage: Storage) -> dict[str, tuple[dict[str, Any], float]]:
    """Return the owners of all claims by shard, but those that are known to have ended.

    Returns:
        Each owner, and how long ago it last showed that it works, in seconds.

    Raises:
        DatasetError: the storage does not work.
    """
    files = storage.files("claims")
    names = sorted(name for name in files if name.startswith("shard-"))
    contents = {name: storage.read(f"claims/{name}") for name in names}
    now = time.time()  # not the file server's, which only a file that is written tells
    return {
        name: (_owner(content), max(0.0, now - files[name].modified))
        for name, content in contents.items()
        if content is not None and not _owner_has_ended(content)
    }


def _taken(storage: Storage, path: str, content: bytes) -> bool:
    for _ in range(3):
        if storage.create(path, content):
            return True
        there = storage.read(path)
        if there is None:  # released meanwhile
            continue
        if not _is_stale(storage, path, there):
            return False
        storage.remove_if(path, there)
    return False


def _is_stale(storage: Storage, path: str, content: bytes) -> bool:
    if (ended := _owner_has_ended(content)) is not None:
        return ended
    entry = storage.files("claims").get(path.rpartition("/")[2])
    return entry is not None and storage.now() - entry.modified > STALE_SECONDS


def _owner(content: bytes) -> dict[str, Any]:
    try:
        owner = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _owner_has_ended(content: bytes) -> bool | None:
    owner = _owner(content)
    ended = has_ended(owner)
    return ended or _is_forgotten(owner) if ended is not None else None


def _is_forgotten(owner: dict[str, Any]) -> bool:
    """Return whether a claim names this process, which does not hold it."""
    with _lock:
        return owner.get("pid") == os.getpid() and owner.get("token") not in _owned
