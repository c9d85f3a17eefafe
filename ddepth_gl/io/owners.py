"""Owners of files: a process of a machine, and whether it still runs."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import secrets
import socket
from pathlib import Path
from typing import Any

__all__ = ["has_ended", "owner_has_ended", "part_name", "start_of", "this_process"]

_PART = re.compile(r"\..*-([0-9a-f]{16})-([0-9]+)-([0-9]+)-[0-9a-f]{16}\.(?:part|old)", re.DOTALL)


@functools.cache
def _this_machine() -> dict[str, str]:
    return {
        "host": socket.gethostname(),
        "boot": _text(Path("/proc/sys/kernel/random/boot_id")),
        # Containers of one machine count their processes separately.
        "pids": _link(Path("/proc/self/ns/pid")),
    }


@functools.cache
def _machine_digest() -> str:
    return hashlib.sha256(json.dumps(_this_machine()).encode()).hexdigest()[:16]


def this_process() -> dict[str, Any]:
    """Return what tells this process from all others: machine, boot, number and start.

    The start is None where /proc does not tell it.
    """
    return {**_this_machine(), "pid": os.getpid(), "start": _own_start()}


def has_ended(owner: dict[str, Any]) -> bool | None:
    """Return whether a process, as `this_process` describes it, has ended.

    None if that cannot be told: it is of another machine, or /proc does not show its processes.
    """
    if any(owner.get(key) != value for key, value in _this_machine().items()):
        return None
    return _has_ended(owner.get("pid"), owner.get("start"))


def part_name(stem: str, ending: str = "part") -> str:
    """Return a temporary name that no other caller gets, and that tells its owner.

    Args:
        stem: what is written.
        ending: "part" for what is not finished, "old" for what it replaces.
    """
    owner = f"{_machine_digest()}-{_process_text(os.getpid())}"
    return f".{stem}-{owner}-{secrets.token_hex(8)}.{ending}"


@functools.cache
def _process_text(pid: int) -> str:
    return f"{pid}-{_own_start() or 0}"


def owner_has_ended(name: str) -> bool | None:
    """Return whether the process that a temporary name tells has ended; None as in `has_ended`."""
    match = _PART.fullmatch(name)
    if match is None or match[1] != _machine_digest():
        return None
    return _has_ended(int(match[2]), int(match[3]) or None)


def start_of(pid: int) -> int | None:
    """Return when a process was started, in ticks since the boot; None if there is none.

    Times in seconds would change with the clock. See proc(5), /proc/pid/stat.
    """
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 and fields[0] not in "ZX" else None


def _own_start() -> int | None:
    """Return when this process was started; None if /proc counts processes as others do.

    It is that of another namespace after ``unshare --pid`` without ``--mount-proc``, for example.
    """
    pid = os.getpid()
    return start_of(pid) if _link(Path("/proc/self")) == str(pid) else None


def _has_ended(pid: Any, start: Any) -> bool | None:
    if _own_start() is None:
        return None
    there = start_of(pid) if isinstance(pid, int) else None
    if there is None or start is None:
        return True if there is None else None
    return bool(there != start)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - pathlib would make a path of it
    except OSError:
        return ""
