"""Threads of Mesa's software rasterizer, shared by worker processes."""

from __future__ import annotations

import os

from .._checks import checked_count

__all__ = ["worker_environment"]

# Number of llvmpipe's threads in a process; read when the process creates its first renderer.
_VARIABLE = "LP_NUM_THREADS"


def worker_environment(processes: int) -> dict[str, str]:
    """Return the environment variables to set for worker processes that render on this machine.

    By default, Mesa's software rasterizer starts a thread per CPU in each process. Several
    processes then have more threads than there are CPUs, and wait for each other. This shares the
    CPUs that the calling process may use. Rendering on a GPU is not affected.

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
    return {_VARIABLE: str(max(1, _usable_cpus() // processes))}


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
