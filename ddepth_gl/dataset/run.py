"""One run of a data set: it makes or reads the plan, renders what is missing, merges the index."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from .._log import logger
from ..errors import DatasetError
from .assumed_up import assumed_up_count
from .claims import remove_stale_claims
from .entry_paths import check_paths
from .executors.local import LocalExecutor
from .executors.ranks import find_rank, in_order_of_rank
from .executors.ray import RayExecutor
from .finishing import check_is_free, finish_dataset, is_index_current
from .job import ShardJob
from .marker import Marker, finished
from .plan import Plan, extend_plan, make_plan, read_plan, write_plan
from .plan_file import PLAN_NAME
from .progress import Counts, Progress, percentile
from .sources import find_meshes
from .storage import Storage, open_storage

if TYPE_CHECKING:
    from .config import DatasetConfig

__all__ = ["RunOptions", "RunReport", "finished_shards", "run_dataset"]

_log = logger(__name__)

_READERS = 16


@dataclass(frozen=True)
class RunOptions:
    """Options of a run that do not change what is rendered.

    Attributes:
        workers: number of renderer processes; None for as many as the machine can use.
        executor: "local" or "ray".
        address: of Ray's cluster.
        rank, world_size: of this process among others of a job; None for what the job scheduler's
            variables say.
        engine, device: see `DepthRenderer`; an existing plan has the engine.
        extend: add meshes that the plan does not have.
        retry: render shards with failures again, as a whole.
        allow_mixed: render although versions differ from those of the plan.
    """

    workers: int | None = None
    executor: Literal["local", "ray"] = "local"
    address: str | None = None
    rank: int | None = None
    world_size: int | None = None
    engine: str = "auto"
    device: int | str | None = None
    extend: bool = False
    retry: bool = False
    allow_mixed: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


@dataclass(frozen=True)
class RunReport:
    """The outcome of a run.

    Attributes:
        counts: numbers of this run.
        is_complete: whether all shards of the data set are finished.
        claimed: number of shards that other processes are at work on.
        failures: number of meshes of the whole data set that failed, in finished shards.
        left_out: views of the whole data set whose photos overlap less than `PhotosConfig.min_iou`.
        seconds_p50, seconds_p99: wall time of a mesh in this run: half, and 99 % of them took less.
        peak_memory: the most memory of a renderer process in this run, in bytes.
        assumed_up: meshes of the whole data set with z up because their formats do not say.
    """

    counts: Counts
    is_complete: bool
    claimed: int
    failures: int
    left_out: int
    seconds_p50: float
    seconds_p99: float
    peak_memory: int
    assumed_up: int

    def as_dict(self) -> dict[str, Any]:
        """Return the values as a plain dict, ready for JSON."""
        values = asdict(self)
        counts = values.pop("counts")
        del counts["pending_meshes"]  # of a run at work
        return {**counts, **values}


def run_dataset(
    config: DatasetConfig | None,
    out: str | os.PathLike[str],
    options: RunOptions | None = None,
    *,
    progress: Progress | None = None,
    tell: Callable[[str], None] = _log.warning,
) -> RunReport:
    """Render the meshes of a data set that are missing in a folder.

    The same call goes on after an interruption. Several processes, also of several machines, may
    run it at the same time.

    Args:
        config: all settings; None goes on with those of the plan in `out`.
        out: folder, or an address that fsspec opens.
        options: how to run.
        progress: counts that another thread may show.
        tell: called with one line for each kind of source that is left out.

    Returns:
        The report. Meshes that failed do not raise an error; see ``failures.parquet``.

    Raises:
        DatasetError, OutputError: nothing can be rendered or written; the folder holds another data
            set; or a source is missing.
        ContextError: there is no OpenGL context.
    """
    options = options or RunOptions()
    progress = progress or Progress()
    storage = open_storage(out)
    rank, world_size = find_rank(options.rank, options.world_size, options.environment)
    with _executor(options) as executor:
        plan = _planned(storage, config, options, executor, world_size, tell)
        storage.remove_leftovers()
        remove_stale_claims(storage)
        done = finished_shards(storage, plan)
        failed = {i: marker for i, marker in done.items() if options.retry and marker.failures}
        missing = [i for i in range(len(plan.shards)) if i not in done or i in failed]
        progress.begin(
            shards=len(plan.shards) - len(missing),
            all_shards=len(plan.shards),
            all_meshes=sum(map(len, plan.shards)),
            pending_meshes=sum(len(plan.shards[index]) for index in missing),
        )
        claimed: list[int] = []
        if missing:
            executor.prepare(plan.config, plan.versions.get("engine", options.engine))
            job = ShardJob(storage, plan, failed, options.allow_mixed)
            claimed = executor.run(job, in_order_of_rank(missing, rank, world_size), progress)
            done = finished_shards(storage, plan)
    is_complete = len(done) == len(plan.shards)
    if is_complete and (missing or not is_index_current(storage, plan)):
        finish_dataset(storage, plan)
    return RunReport(
        # Other processes may have finished some.
        counts=replace(progress.counts(), shards=len(done)),
        is_complete=is_complete,
        claimed=len([index for index in claimed if index not in done]),
        failures=sum(marker.failures for marker in done.values()),
        left_out=sum(marker.left_out for marker in done.values()),
        seconds_p50=percentile(progress.mesh_seconds, 50),
        seconds_p99=percentile(progress.mesh_seconds, 99),
        peak_memory=progress.peak_memory,
        assumed_up=assumed_up_count(plan),
    )


def finished_shards(storage: Storage, plan: Plan) -> dict[int, Marker]:
    """Return the markers of all finished shards of a plan, by their numbers."""
    files = storage.files("shards")
    with ThreadPoolExecutor(_READERS) as pool:  # a remote file takes a while, however small
        found = pool.map(
            lambda index: (index, finished(storage, plan, index, files)), range(len(plan.shards))
        )
        return {index: marker for index, marker in found if marker is not None}


def _executor(options: RunOptions) -> Any:
    if options.executor == "ray":
        if options.device is not None:
            raise DatasetError("--device has no effect with --executor ray, which assigns GPUs")
        return RayExecutor(options.workers, options.address)
    if options.address is not None:
        raise DatasetError("--address is that of a Ray cluster; add --executor ray")
    return LocalExecutor(options.workers, options.device)


def _check_engine(storage: Storage, plan: Plan, engine: str) -> None:
    held = plan.versions.get("engine", engine)
    if engine not in ("auto", held):
        raise DatasetError(
            f"{storage.address} was begun with the engine {held}, which decides bits; leave "
            f"--engine {engine} out, or give another -o"
        )


def _planned(
    storage: Storage,
    config: DatasetConfig | None,
    options: RunOptions,
    executor: Any,
    world_size: int,
    tell: Callable[[str], None],
) -> Plan:
    """Return the plan of the folder; it is written if there is none."""
    there = read_plan(storage) if config is None or storage.read(PLAN_NAME) else None
    if there is not None:
        _check_engine(storage, there, options.engine)
    else:
        check_is_free(storage)
    if config is None:
        if options.extend:
            raise DatasetError("--extend needs sources; give those of the new meshes")
        return there  # type: ignore[return-value]
    entries = find_meshes(config.sources, tell, split_column=config.split.column)
    check_paths(config, entries)
    # Each renderer process compares its versions with the plan's.
    versions = there.versions if there else executor.prepare(config, options.engine)
    plan = make_plan(config, entries, max(1, executor.workers) * world_size, versions)
    write = extend_plan if options.extend and there else write_plan
    held = write(storage, plan, allow_mixed=options.allow_mixed)
    return replace(held, config=held.config.model_copy(update={"limits": config.limits}))
