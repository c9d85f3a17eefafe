"""Tasks of Ray, one for each shard, on one machine or a cluster that shares the folder."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..._checks import one_line
from ..._packages import import_needed
from ...errors import DatasetError, DDepthError
from ..child import RendererChild
from ..job import ShardJob
from ..machine import child_environment
from ..shard import MeshDone, ShardResult

if TYPE_CHECKING:
    from ..config import DatasetConfig
    from ..progress import Progress

__all__ = ["RayExecutor"]

_WORKERS_PER_GPU = 4
_ATTEMPTS = 5  # of a shard whose process is lost
_CLAIMED_SECONDS = 10.0
_POLL_SECONDS = 1.0


class RayExecutor:
    """Tasks of Ray. A task takes a CPU, or a quarter of a GPU where the cluster has some.

    Args:
        workers: most tasks at a time; None for as many as the cluster has room for.
        address: of the cluster; None starts Ray on this machine, or takes RAY_ADDRESS.

    Raises:
        DatasetError: Ray is not installed or cannot be reached.
    """

    def __init__(self, workers: int | None, address: str | None) -> None:
        self._ray = ray = import_needed("ray", "--executor ray", DatasetError, "ray")
        self._owns_ray = not ray.is_initialized()
        if self._owns_ray:
            try:
                ray.init(
                    address=address,
                    log_to_driver=False,
                    include_dashboard=False if address is None else None,
                    logging_level=logging.ERROR,
                )
            except (ConnectionError, RuntimeError, ValueError) as error:
                reason = one_line(error, 200)
                raise DatasetError(f"Ray cannot be reached ({reason}); check --address") from error
        resources = ray.cluster_resources()
        gpus = resources.get("GPU", 0)
        self._options = {"num_gpus": 1 / _WORKERS_PER_GPU} if gpus else {"num_cpus": 1}
        slots = gpus * _WORKERS_PER_GPU if gpus else resources.get("CPU", 1)
        self.workers = workers or max(1, int(slots))
        self._versions: dict[str, str] | None = None

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        if self._owns_ray:
            self._ray.shutdown()

    def prepare(self, config: DatasetConfig, engine: str) -> dict[str, str]:
        """Return the versions of what renders on the cluster."""
        if self._versions is not None:
            return self._versions
        task = self._ray.remote(max_retries=_ATTEMPTS, **self._options)(_probe)
        try:
            versions, error = self._ray.get(task.remote(config, engine))
        except self._ray.exceptions.RayError as lost:
            raise DatasetError(f"Ray lost its first task ({one_line(lost, 200)})") from lost
        if error:
            raise DatasetError(error)
        self._versions = dict(versions)
        return self._versions

    def run(self, job: ShardJob, indices: Sequence[int], progress: Progress) -> list[int]:
        """Render shards until all of them are finished; return an empty list.

        Args:
            job: what is rendered, and how; its folder must be the same on all machines.
            indices: shards, in the order in which they are begun.
            progress: counts meshes and shards, as shards are finished.

        Raises:
            DatasetError: a shard cannot be rendered.
        """
        remote = self._ray.remote(max_retries=_ATTEMPTS, **self._options)(_render)
        _Tasks(self._ray, remote, job, indices, self.workers, progress).run()
        return []


class _Tasks:
    """The tasks of a run: some running, others to be started."""

    def __init__(
        self,
        ray: Any,
        remote: Any,
        job: ShardJob,
        indices: Sequence[int],
        most: int,
        progress: Progress,
    ) -> None:
        self._ray, self._remote, self._most = ray, remote, most
        self._job, self._progress = job, progress
        self._shared = ray.put(job)
        self._left = deque(indices)
        self._running: dict[Any, int] = {}
        self._claimed: list[tuple[float, int]] = []  # and when to try again
        self._lost: dict[int, int] = {}

    def run(self) -> None:
        """Render all shards."""
        try:
            while self._left or self._running or self._claimed:
                self._start()
                if not self._running:
                    time.sleep(_POLL_SECONDS)
                    continue
                done, _ = self._ray.wait([*self._running], timeout=_POLL_SECONDS)
                for task in done:
                    self._take(task, self._running.pop(task))
        finally:
            for task in self._running:
                self._ray.cancel(task, force=True)

    def _start(self) -> None:
        now = time.monotonic()
        self._left.extend(index for when, index in self._claimed if when <= now)
        self._claimed = [each for each in self._claimed if each[0] > now]
        while self._left and len(self._running) < self._most:
            index = self._left.popleft()
            self._running[self._remote.remote(self._shared, index)] = index

    def _take(self, task: Any, index: int) -> None:
        try:
            result, meshes, error = self._ray.get(task)
        except self._ray.exceptions.RayTaskError as failed:  # by code, not by a lost process
            raise DatasetError(
                f"the task of shard {index} failed ({one_line(failed.cause, 200)})"
            ) from failed
        except self._ray.exceptions.RayError as lost:
            self._lost[index] = self._lost.get(index, 0) + 1
            if self._lost[index] >= _ATTEMPTS:
                raise DatasetError(
                    f"Ray lost the task of shard {index} ({one_line(lost, 200)})"
                ) from lost
            self._left.append(index)
            return
        if error:
            raise DatasetError(error)
        if result.state == "claimed":  # by another run, or by a process that was lost
            self._claimed.append((time.monotonic() + _CLAIMED_SECONDS, index))
            return
        for mesh in meshes:
            self._progress.add_mesh(mesh)
        others = len(self._job.plan.shards[index]) if result.state == "there" else 0
        self._progress.add_shard(result.marker.peak_memory if result.marker else 0, others)


def _device() -> str | None:
    """Return the GPU that Ray has given to this task; OpenGL does not see CUDA_VISIBLE_DEVICES."""
    gpus = import_needed("ray", "--executor ray", DatasetError, "ray").get_gpu_ids()
    return f"cuda:{gpus[0]}" if gpus else None


def _probe(config: DatasetConfig, engine: str) -> tuple[dict[str, str], str]:
    """Return the versions of a renderer in a process of Ray, and an error message."""
    try:
        with RendererChild(config, engine=engine, device=_device()) as child:
            return {str(k): str(v) for k, v in child.start()["versions"].items()}, ""
    except DDepthError as error:
        return {}, str(error)


def _render(job: ShardJob, index: int) -> tuple[ShardResult | None, list[MeshDone], str]:
    """Render a shard in a process of Ray; return the result, the meshes and an error message."""
    job = replace(job, environment={**child_environment(1), "LP_NUM_THREADS": "1"})
    meshes: list[MeshDone] = []
    try:
        with job.child(_device()) as child:
            return job.run(index, child, meshes.append), meshes, ""
    except DDepthError as error:  # of which Ray would make a class of its own
        return None, [], str(error)
