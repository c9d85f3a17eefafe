"""Threads of Mesa's software rasterizer, shared by worker processes."""

from __future__ import annotations

import math
import os
from pathlib import Path

from .._checks import checked_count

__all__ = ["usable_cpus", "worker_environment"]

# Number of llvmpipe's threads in a process; read when the process creates its first renderer.
_VARIABLE = "LP_NUM_THREADS"
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


def worker_environment(processes: int) -> dict[str, str]:
    """Return the environment variables to set for worker processes that render on this machine.

    By default, Mesa's software rasterizer starts a thread per CPU in each process. Several
    processes then have more threads than there are CPUs, and wait for each other. This shares the
    CPUs that the calling process may use, also in a container with a limit (cgroups). Rendering on
    a GPU is not affected.

    ::

        os.environ.update(dd.worker_environment(4))   # before the processes are started

    Args:
        processes: number of processes that render at the same time.

    Returns:
        The variables; none if LP_NUM_THREADS is already set.

    Raises:
        RequestError: `processes` is not an integer, at least 1.
    """
    processes = checked_count("processes", processes)
    if os.environ.get(_VARIABLE):
        return {}
    return {_VARIABLE: str(max(1, usable_cpus() // processes))}


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use: those of its affinity and its cgroup.

    A fraction of a CPU counts as one.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, math.ceil(min([cpus or 1, *_quotas(_CGROUPS, _OWN_CGROUPS)])))


def _quotas(root: Path, own: Path) -> list[float]:
    """Return the numbers of CPUs that the process's cgroups and those around them may use.

    In a container, its own cgroup is the root. See the kernel's cgroup-v2.rst (cpu.max) and
    sched-bwc.rst (cpu.cfs_quota_us).

    Args:
        root: where cgroups are mounted.
        own: file with the cgroups of the process, one for each line ``ID:CONTROLLERS:PATH``.
    """
    found = []
    for line in (_text(own) or "0::/").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        bases = (root / controllers, root / "cpu") if controllers else (root, root / "unified")
        names = [name for name in path.split("/") if name not in ("", "..")]
        for base in bases:
            for depth in range(len(names) + 1):
                folder = base.joinpath(*names[:depth])
                if controllers:
                    limit = [_text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
                else:
                    limit = _text(folder / "cpu.max").split()
                if len(limit) == 2 and all(map(str.isdecimal, limit)) and int(limit[1]):
                    found.append(int(limit[0]) / int(limit[1]))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
