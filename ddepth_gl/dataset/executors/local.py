"""Worker threads of this process, each with a renderer process of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import DatasetError
from ...gl.workers import usable_cpus
from ..child import RendererChild, RunStoppedError
from ..job import ShardJob
from ..machine import child_environment, default_workers, memory_per_worker

if TYPE_CHECKING:
    from ..config import DatasetConfig
    from ..progress import Progress

__all__ = ["LocalExecutor"]

_STOP_SECONDS = 10.0


class LocalExecutor:
    """Threads of this process, each with a renderer process of its own.

    Args:
        workers: number of threads; None for as many as this machine can use.
        device: of all renderer processes; None shares out the GPUs, if there are any.
    """

    def __init__(self, workers: int | None, device: int | str | None) -> None:
        self._device = device
        self._devices: Sequence[int | str | None] = (device,)
        self._versions: dict[str, str] | None = None
        self._first: RendererChild | None = None
        self.workers = workers or 0

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        if self._first is not None:
            self._first.close()

    def prepare(self, config: DatasetConfig, engine: str) -> dict[str, str]:
        """Return the versions of what renders here, and choose devices and number of workers."""
        if self._versions is not None:
            return self._versions
        # Of the likely settings of the first worker, which takes it over then.
        count = self.workers or default_workers(0)
        self._first = RendererChild(
            config,
            engine=engine,
            device=self._device,
            environment=child_environment(count),
            encoders=_encoders(count),
        )
        facts: dict[str, Any] = self._first.start()
        gpus = [index for index in facts.get("gpus") or () if isinstance(index, int)]
        if gpus and self._device is None and not facts.get("is_software"):
            self._devices = gpus
        self.workers = self.workers or default_workers(
            0 if facts.get("is_software") else max(1, len(gpus))
        )
        self._versions = {str(k): str(text) for k, text in (facts.get("versions") or {}).items()}
        return self._versions

    def take_first(self) -> RendererChild:
        """Return the process that told the versions; the caller closes it.

        Raises:
            DatasetError: `prepare` was not called, or the process was taken before.
        """
        first, self._first = self._first, None
        if first is None:
            raise DatasetError("no renderer process was started; call prepare first")
        return first

    def run(self, job: ShardJob, indices: Sequence[int], progress: Progress) -> list[int]:
        """Render shards; return those that other processes are at work on.

        The first error stops all workers at once; what they have not finished is dropped. So does
        an exception of this thread, such as KeyboardInterrupt.

        Args:
            job: what is rendered, and how.
            indices: shards, in the order in which they are begun.
            progress: counts meshes and shards.

        Raises:
            DatasetError, OutputError, ContextError: see `run_shard`.
        """
        count = max(1, min(self.workers, len(indices)))
        memory = memory_per_worker(count, job.plan.config.limits.memory_mb)
        job = replace(
            job,
            environment=child_environment(count),
            memory=memory,
            encoders=_encoders(count),
        )
        pool = _Pool(job, indices, progress, self._first)
        threads = [
            # Daemons: the interpreter may end while one of them waits for a disk.
            threading.Thread(
                target=pool.work, args=(self._devices[number % len(self._devices)],), daemon=True
            )
            for number in range(count)
        ]
        started = ended = 0
        try:
            for thread in threads:
                thread.start()
                started += 1
            while ended < started:
                # Not Thread.join: once interrupted, it takes the thread for one that has ended.
                pool.ended.acquire()
                ended += 1
        finally:
            pool.stop.set()
            while ended < started and pool.ended.acquire(timeout=_STOP_SECONDS):
                ended += 1
        if pool.error is not None:
            raise pool.error
        return sorted(pool.claimed)


def _encoders(workers: int) -> int:
    """Return the encoding threads of a worker: one of its CPUs renders or keeps the GPU busy."""
    return max(0, usable_cpus() // workers - 1)


class _Pool:
    """The shards that are left, and the first error.

    Args:
        job, indices, progress: see `LocalExecutor.run`.
        first: a renderer process to take over, if there is one.
    """

    def __init__(
        self,
        job: ShardJob,
        indices: Sequence[int],
        progress: Progress,
        first: RendererChild | None,
    ) -> None:
        self._job, self._progress = job, progress
        self._left = deque(indices)
        self._first = first
        self._lock = threading.Lock()
        self.stop = threading.Event()
        self.ended = threading.Semaphore(0)  # counts threads that have ended
        self.claimed: set[int] = set()
        self.error: BaseException | None = None

    def work(self, device: int | str | None) -> None:
        """Render shards until none is left."""
        try:
            with self._job.child(device, self._watch) as child:
                if spare := self._first_process():
                    child.take_over(spare)
                    spare.close()  # if it does not fit
                while (index := self._next()) is not None:
                    self._render(index, child)
        except RunStoppedError:
            return
        except BaseException as error:
            with self._lock:
                self.error = self.error or error
            self.stop.set()
        finally:
            self.ended.release()

    def _first_process(self) -> RendererChild | None:
        with self._lock:
            first, self._first = self._first, None
            return first

    def _next(self) -> int | None:
        with self._lock:
            return self._left.popleft() if self._left and not self.stop.is_set() else None

    def _watch(self) -> None:
        if self.stop.is_set():
            raise RunStoppedError("the run ends")

    def _render(self, index: int, child: RendererChild) -> None:
        result = self._job.run(index, child, self._progress.add_mesh)
        if result.state == "claimed":
            with self._lock:
                self.claimed.add(index)
            return
        others = len(self._job.plan.shards[index]) if result.state == "there" else 0
        self._progress.add_shard(child.peak_memory, others)
