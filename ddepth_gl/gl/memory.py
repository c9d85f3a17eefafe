"""The amount of host memory that this process may use."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = ["host_memory"]

_PROC, _CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def host_memory() -> int:
    """Return the bytes that this process may use.

    That is the machine's memory, or less if a control group (a container, a batch job) limits it.
    """
    if sys.platform == "win32":
        return _windows_memory()
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_cgroup_limits()])


def _windows_memory() -> int:
    """Return the bytes of the machine's memory: MEMORYSTATUSEX.ullTotalPhys of the Windows API."""
    status = (ctypes.c_uint64 * 8)()
    ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] = ctypes.sizeof(status)
    ctypes.CDLL("kernel32").GlobalMemoryStatusEx(status)
    return int(status[1])


def _cgroup_limits() -> Iterator[int]:
    """Yield the limits of the process's control group and all its ancestors, in versions 1 and 2.

    Sources: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html. A group
    that is not visible inside a container has no file here.
    """
    try:
        lines = _PROC.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2
            root, file_name = _CGROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, file_name = _CGROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        for folder in (group, *group.parents):
            try:
                limit = (root / folder / file_name).read_text(encoding="ascii").strip()
            except OSError:
                continue
            if limit.isdigit():  # "max" means no limit
                yield int(limit)
