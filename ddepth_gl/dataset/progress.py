"""Progress of a run: counts that many threads add to, and their snapshot for whoever shows them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

from .._text import counted
from .shard import MeshDone

__all__ = ["Counts", "Progress", "left_out_text", "percentile", "times_text"]

_MAX_FAILURES = 8


@dataclass(frozen=True)
class Counts:
    """Numbers of a run at one time; of this run only, unless they say otherwise.

    Attributes:
        meshes: meshes that were rendered.
        failures: meshes that failed.
        images: samples.
        bytes: of the samples.
        shards: shards of the data set that are finished, by any run.
        all_shards, all_meshes: of the data set.
        pending_meshes: meshes of shards that this run set out to render.
        seconds: since the start.
    """

    meshes: int = 0
    failures: int = 0
    images: int = 0
    bytes: int = 0
    shards: int = 0
    all_shards: int = 0
    all_meshes: int = 0
    pending_meshes: int = 0
    seconds: float = 0.0

    @property
    def images_per_second(self) -> float:
        """Images per second so far."""
        return self.images / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time that the rest takes at this rate; None while the rate is unknown."""
        tried = self.meshes + self.failures
        return self.seconds / tried * max(0, self.pending_meshes - tried) if tried else None


@dataclass
class Progress:
    """Counts of a run; threads may add to them at the same time.

    Attributes:
        mesh_seconds: wall time of each mesh that did not fail.
        failures: messages of the first meshes that failed.
        peak_memory: the most memory of a renderer process, in bytes.
    """

    mesh_seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    peak_memory: int = 0

    def __post_init__(self) -> None:
        self._counts = Counts()
        self._lock = threading.Lock()
        self._start = time.monotonic()

    def begin(self, *, shards: int, all_shards: int, all_meshes: int, pending_meshes: int) -> None:
        """Set what the plan tells, and start the clock."""
        with self._lock:
            self._start = time.monotonic()
            self._counts = replace(
                self._counts,
                shards=shards,
                all_shards=all_shards,
                all_meshes=all_meshes,
                pending_meshes=pending_meshes,
            )

    def add_mesh(self, done: MeshDone) -> None:
        """Count a mesh."""
        with self._lock:
            before = self._counts
            self._counts = replace(
                before,
                meshes=before.meshes + (not done.failure),
                failures=before.failures + bool(done.failure),
                images=before.images + done.samples,
                bytes=before.bytes + done.bytes,
            )
            if not done.failure:
                self.mesh_seconds.append(done.seconds)
            elif len(self.failures) < _MAX_FAILURES:
                self.failures.append(f"{done.id}: {done.failure}")

    def add_shard(self, peak_memory: int = 0, pending_meshes: int = 0) -> None:
        """Count a finished shard.

        Args:
            peak_memory: of its renderer process.
            pending_meshes: number of its meshes if another process has rendered them.
        """
        with self._lock:
            self._counts = replace(
                self._counts,
                shards=self._counts.shards + 1,
                pending_meshes=self._counts.pending_meshes - pending_meshes,
            )
            self.peak_memory = max(self.peak_memory, peak_memory)

    def counts(self) -> Counts:
        """Return the numbers of now."""
        with self._lock:
            return replace(self._counts, seconds=time.monotonic() - self._start)


def percentile(values: list[float], percent: float) -> float:
    """Return the nearest-rank percentile of values; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(percent / 100 * len(ordered)))] if ordered else 0.0


def left_out_text(count: int) -> str:
    """Return a line about so many views that were left out."""
    verb = "was" if count == 1 else "were"
    return (
        f"{counted(count, 'view')} {verb} left out, as the mesh and the photo overlap less than "
        "photos.min_iou; see mask_iou in the index"
    )


def times_text(meshes: int, p50: float, p99: float, memory: str) -> str:
    """Return a line about the time and memory of so many meshes."""
    if meshes == 1:
        return f"the mesh took {p50:.2f} s and {memory}"
    return f"a mesh took {p50:.2f} s (p50), {p99:.2f} s (p99), and at most {memory}"
