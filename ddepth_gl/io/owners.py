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

__all__ = ["has_ended", "is_of_ended_process", "part_name", "start_of", "this_process"]

_PART = re.compile(r"\..*-([0-9a-f]{16})-([0-9]+)-([0-9]+)-[0-9a-f]{16}\.part", re.DOTALL)


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
    """Return what tells this process from all others: machine, boot, number and start."""
    return {**_this_machine(), "pid": os.getpid(), "start": start_of(os.getpid())}


def has_ended(owner: dict[str, Any]) -> bool | None:
    """Return whether a process, as `this_process` describes it, has ended; None elsewhere."""
    if any(owner.get(key) != value for key, value in _this_machine().items()):
        return None
    return not _runs(owner.get("pid"), owner.get("start"))


def part_name(stem: str) -> str:
    """Return a temporary name that no other caller gets, and that tells its owner."""
    return f".{stem}-{_machine_digest()}-{_process_text(os.getpid())}-{secrets.token_hex(8)}.part"


@functools.cache
def _process_text(pid: int) -> str:
    return f"{pid}-{start_of(pid) or 0}"


def is_of_ended_process(name: str) -> bool:
    """Return whether a temporary name is that of a process of this machine that has ended."""
    match = _PART.fullmatch(name)
    return (
        match is not None
        and match[1] == _machine_digest()
        and not _runs(int(match[2]), int(match[3]))
    )


def start_of(pid: int) -> int | None:
    """Return when a process was started, in ticks since the boot; None if there is none.

    Times in seconds would change with the clock. See proc(5), /proc/pid/stat.
    """
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 and fields[0] not in "ZX" else None


def _runs(pid: Any, start: Any) -> bool:
    return isinstance(pid, int) and start_of(pid) == start is not None


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
