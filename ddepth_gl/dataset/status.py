"""The state of a data set, from its plan and its markers alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from .._text import counted, size_text
from .claims import claim_owners
from .finishing import is_index_current
from .plan import read_plan
from .progress import left_out_text, percentile, times_text
from .run import finished_shards
from .storage import open_storage

__all__ = ["DatasetStatus", "read_status"]


@dataclass(frozen=True)
class DatasetStatus:
    """The state of a data set.

    Attributes:
        shards, meshes: number of finished shards, and of the meshes whose samples are there.
        all_shards, all_meshes: of the whole data set.
        images: number of samples.
        failures: number of meshes that failed.
        left_out: number of views whose photos were left out.
        bytes: of the samples.
        claims: who is at work: host and process of each claim, and when it last showed that.
        is_index_current: whether the index has all finished shards.
        seconds_p50, seconds_p99: wall time of a mesh: half, and 99 % of them took less.
        peak_memory: the most memory of a renderer process, in bytes.
    """

    shards: int
    all_shards: int
    meshes: int
    all_meshes: int
    images: int
    failures: int
    left_out: int
    bytes: int
    claims: tuple[str, ...]
    is_index_current: bool
    seconds_p50: float
    seconds_p99: float
    peak_memory: int

    def as_dict(self) -> dict[str, Any]:
        """Return the values as a plain dict, ready for JSON."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield the state in plain words."""
        tried = self.meshes + self.failures
        yield (
            f"{self.shards} of {counted(self.all_shards, 'shard')} and {tried} of "
            f"{counted(self.all_meshes, 'mesh', 'meshes')} are done: "
            f"{counted(self.images, 'image')}, {size_text(self.bytes)}"
        )
        if self.failures:
            yield f"{counted(self.failures, 'mesh', 'meshes')} failed"
        if self.left_out:
            yield left_out_text(self.left_out)
        if self.meshes:
            memory = f"{self.peak_memory / 1e6:,.0f} MB of memory"
            yield times_text(self.meshes, self.seconds_p50, self.seconds_p99, memory)
        yield from self.claims
        if not self.is_index_current:
            run_merges = self.claims or self.shards < self.all_shards
            when = "the run merges it at its end" if run_merges else "--finish merges it"
            yield f"the index lacks shards; {when}"


def read_status(out: str | os.PathLike[str]) -> DatasetStatus:
    """Return the state of the data set in a folder.

    Raises:
        DatasetError: it is not a data set, or cannot be read.
    """
    storage = open_storage(out)
    plan = read_plan(storage)
    markers = finished_shards(storage, plan).values()
    seconds = [each for marker in markers for each in marker.mesh_seconds]
    claims = [_text(name, *claim) for name, claim in claim_owners(storage).items()]
    return DatasetStatus(
        shards=len(markers),
        all_shards=len(plan.shards),
        meshes=sum(marker.meshes for marker in markers),
        all_meshes=sum(map(len, plan.shards)),
        images=sum(marker.samples for marker in markers),
        failures=sum(marker.failures for marker in markers),
        left_out=sum(marker.left_out for marker in markers),
        bytes=sum(marker.sample_bytes for marker in markers),
        claims=tuple(claims),
        is_index_current=is_index_current(storage, plan),
        seconds_p50=percentile(seconds, 50),
        seconds_p99=percentile(seconds, 99),
        peak_memory=max((marker.peak_memory for marker in markers), default=0),
    )


def _text(name: str, owner: dict[str, Any], seconds: float) -> str:
    who = "unknown"
    if "pid" in owner and "host" in owner:
        who = f"process {owner['pid']} on {owner['host']}"
    age = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    return f"{name}: {who}, last sign of life {age} ago"
