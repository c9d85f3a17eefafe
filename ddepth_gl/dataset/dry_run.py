"""Dry runs: size and time of a data set, extrapolated from a few of its meshes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from .._text import counted
from ..errors import DDepthError
from .assumed_up import assumed_up_count, assumed_up_text
from .plan import make_plan
from .split import SPLITS, hash_fraction

if TYPE_CHECKING:
    from .config import DatasetConfig
    from .entries import MeshEntry, Sample
    from .plan import Plan

__all__ = ["DryRun", "dry_run"]

_MESHES, _MOST = 3, 10
_SECONDS = 20.0  # in which more than `_MESHES` are rendered
_BLOCK = 512  # of a tar


@dataclass(frozen=True)
class DryRun:
    """A plan, and what some of its meshes took.

    Attributes:
        plan: the plan that the run would have.
        rendered: ids of the meshes that were rendered.
        failures: messages of meshes that failed, by id.
        mesh_bytes: size of each rendered mesh's samples in a tar, in bytes.
        mesh_seconds: time of each.
        mesh_views: number of views of each.
    """

    plan: Plan
    rendered: Sequence[str] = ()
    failures: dict[str, str] = field(default_factory=dict)
    mesh_bytes: Sequence[int] = ()
    mesh_seconds: Sequence[float] = ()
    mesh_views: Sequence[int] = ()

    @property
    def meshes(self) -> int:
        """Number of meshes of the data set."""
        return sum(map(len, self.plan.shards))

    @property
    def images(self) -> int:
        """Estimated number of images."""
        views = fmean(self.mesh_views) if self.mesh_views else self.plan.config.views.count
        return round(self.meshes * views)

    @property
    def total_bytes(self) -> float | None:
        """Estimated size of all shards; None if no mesh could be rendered."""
        return fmean(self.mesh_bytes) * self.meshes if self.mesh_bytes else None

    @property
    def seconds(self) -> float | None:
        """Estimated time of the run with the plan's workers; None if no mesh could be rendered."""
        if not self.mesh_seconds:
            return None
        return fmean(self.mesh_seconds) * self.meshes / self.plan.workers

    @property
    def seconds_error(self) -> float | None:
        """Two standard errors of `seconds` as a fraction of it; None with fewer than two meshes.

        Meshes alone count, not what else the machine has to do.
        """
        if len(self.mesh_seconds) < 2 or not any(self.mesh_seconds):
            return None
        error = stdev(self.mesh_seconds) / math.sqrt(len(self.mesh_seconds))
        return 2.0 * error / fmean(self.mesh_seconds)

    def lines(self) -> Iterator[str]:
        """Yield the plan and the estimates, in plain words."""
        plan = self.plan
        sizes = [len(entries) for entries in plan.shards]
        yield (
            f"{counted(self.meshes, 'mesh', 'meshes')}, about {counted(self.images, 'image')} "
            f"in {counted(len(sizes), 'shard')} of {_range(sizes)}"
        )
        by_split = {split: 0 for split in SPLITS}
        for shard, size in enumerate(sizes):
            by_split[plan.split(shard)] += size
        if assumed := assumed_up_count(plan):
            yield assumed_up_text(assumed)
        if by_split["train"] != self.meshes:
            yield ", ".join(f"{split} {by_split[split]:,}" for split in SPLITS)
        for id, message in self.failures.items():
            yield f"{id} failed: {message}"
        if self.total_bytes is None or self.seconds is None:
            yield "no mesh could be rendered, so there is no estimate of size and time"
            return
        yield (
            f"about {_size(self.total_bytes)}, {_size(self.total_bytes / len(sizes))} a shard, "
            f"{_size(self.total_bytes / self.images)} a view"
        )
        low, high = (f"{bound(self.mesh_seconds):.2f}" for bound in (min, max))
        spread = ""
        if low != high and self.seconds_error is not None:
            spread = f" ({low} to {high}), so give or take {100 * self.seconds_error:.0f} %"
        yield (
            f"{_duration(self.seconds)} with {counted(plan.workers, 'worker')}, "
            f"{fmean(self.mesh_seconds):.2f} s a mesh{spread}"
        )
        yield f"from {counted(len(self.rendered), 'mesh', 'meshes')}: {', '.join(self.rendered)}"


def dry_run(
    config: DatasetConfig,
    entries: Sequence[MeshEntry],
    render: Callable[[MeshEntry], Iterable[Sample]],
    workers: int = 1,
) -> DryRun:
    """Render a few meshes and extrapolate from them; nothing is written.

    The meshes are chosen by hash, so the same ones every time, but more of them if they are quick:
    up to ten in 20 seconds, as a few of many meshes may take most of the time. For each that fails,
    another one is tried, up to three. The first one is rendered twice, and its second time counts.

    Args:
        config: all settings.
        entries: all meshes.
        render: renders a mesh, with the share of the machine that a worker of the run has.
        workers: number of workers of the run.

    Raises:
        DatasetError: see `make_plan`.
    """
    plan = make_plan(config, entries, workers)
    failures: dict[str, str] = {}
    rendered: dict[str, tuple[int, float, int]] = {}
    start = time.perf_counter()
    for entry in sorted(entries, key=lambda entry: hash_fraction("dry run", entry.id)):
        is_over = time.perf_counter() - start >= _SECONDS
        if len(rendered) >= (_MESHES if is_over else _MOST) or len(failures) == _MESHES:
            break
        try:
            if not rendered:
                _rendered(render, entry)  # the first images of a process take longer
            rendered[entry.id] = _rendered(render, entry)
        except DDepthError as error:
            failures[entry.id] = str(error)
    return DryRun(
        plan,
        tuple(rendered),
        failures,
        tuple(size for size, _, _ in rendered.values()),
        tuple(seconds for _, seconds, _ in rendered.values()),
        tuple(views for _, _, views in rendered.values()),
    )


def _rendered(
    render: Callable[[MeshEntry], Iterable[Sample]], entry: MeshEntry
) -> tuple[int, float, int]:
    """Return the bytes in a tar, seconds and number of views of a mesh."""
    start = time.perf_counter()
    size = views = 0
    for sample in render(entry):
        views += 1
        size += sum(_BLOCK + _padded(len(data)) for data in sample.files.values())
    return size, time.perf_counter() - start, views


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _range(sizes: Sequence[int]) -> str:
    low, high = min(sizes), max(sizes)
    return counted(high, "mesh", "meshes") if low == high else f"{low:,} to {high:,} meshes"


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "less than a second"
    if round(seconds) == 1:
        return "about 1 second"
    for limit, divisor, unit in (
        (120, 1, "seconds"),
        (7200, 60, "minutes"),
        (172800, 3600, "hours"),
    ):
        if seconds < limit:
            return f"about {seconds / divisor:.0f} {unit}"
    return f"about {seconds / 86400:.1f} days"
