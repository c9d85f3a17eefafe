"""How much memory this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = ["host_memory"]

_PROC, _CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def host_memory() -> int:
    """Bytes: the machine's memory, or less if a control group (a container, a batch job) allows less."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_limits_of_groups()])


def _limits_of_groups() -> Iterator[int]:
    """The limits of the process's group and of every group around it, versions 1 and 2 of control groups.

    https://docs.kernel.org/admin-guide/cgroup-v2.html, cgroup-v1/memory.html; a group that is not seen from
    inside a container has no file here.
    """
    try:
        lines = _PROC.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds == "":
            root, name = _CGROUPS, "memory.max"
        elif "memory" in kinds.split(","):
            root, name = _CGROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        for each in (group, *group.parents):
            try:
                limit = (root / each / name).read_text(encoding="ascii").strip()
            except OSError:
                continue
            if limit.isdigit():  # else "max"
                yield int(limit)
