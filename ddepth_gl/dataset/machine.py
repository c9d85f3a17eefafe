"""Memory and CPUs of this machine, shared out among renderer processes."""

from __future__ import annotations

from pathlib import Path

from .._packages import import_needed
from ..errors import DatasetError
from ..gl.workers import usable_cpus, worker_environment

__all__ = ["child_environment", "default_workers", "memory_per_worker"]

_CGROUPS = Path("/sys/fs/cgroup")
_LEAST = 2**30
_SHARE = 0.85  # of the memory; the rest is for the run itself and the system
# Of workers that nobody asked for: each has a process of its own with meshes and images.
_USUAL_MEMORY = 2 * 2**30
_WORKERS_PER_GPU = 4


def default_workers(gpus: int) -> int:
    """Return how many renderer processes use this machine well.

    Args:
        gpus: number of GPUs; 0 renders in software.
    """
    cpus = usable_cpus()
    wanted = min(cpus, _WORKERS_PER_GPU * gpus) if gpus else cpus
    return max(1, min(wanted, int(_SHARE * _usable_memory()) // _USUAL_MEMORY))


def child_environment(workers: int) -> dict[str, str]:
    """Return the variables of a renderer process beside so many others on this machine."""
    threads = str(max(1, usable_cpus() // workers))
    libraries = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**dict.fromkeys(libraries, threads), **worker_environment(workers)}


def memory_per_worker(workers: int, memory_mb: int | None) -> int:
    """Return the memory limit of a renderer process in bytes.

    Args:
        workers: number of processes.
        memory_mb: limit of the settings in MiB; None shares what the machine has.
    """
    if memory_mb is not None:
        return memory_mb * 2**20
    return max(_LEAST, int(_SHARE * _usable_memory()) // workers)


def _usable_memory() -> int:
    """Return the memory of this machine, or of this container, in bytes."""
    psutil = import_needed("psutil", "a data set", DatasetError, "dataset")
    limits = [int(psutil.virtual_memory().total)]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (_CGROUPS / name).read_text().strip()
        except OSError:
            continue
        if text.isdecimal():
            limits.append(int(text))
    return min(limits)
