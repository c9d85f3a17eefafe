"""`verify_dataset`: whether a data set is whole, can be read, and shows its meshes."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._checks import checked_count, checked_number
from .._text import counted
from ..errors import DatasetError, DDepthError, RequestError
from .decoding import decoded_sample
from .entries import MeshEntry
from .finished_check import finished_problems
from .index import SHARDS, finished_shards, row_count
from .plan import Plan, read_plan
from .shard_check import (
    checked_contents,
    file_problems,
    marker_problems,
    row_problems,
    stray_problems,
)

if TYPE_CHECKING:
    from .config import DatasetConfig
    from .verify_rays import RayCheck

__all__ = ["VerifyReport", "verify_dataset"]

_MAX_PROBLEMS = 1_000  # that are kept
_DECODED = 20_000  # samples, if nothing is asked for: some minutes


@dataclass
class VerifyReport:
    """The result of `verify_dataset`.

    Attributes:
        shards: finished shards that were checked.
        missing_shards: shards of the plan that are not finished.
        samples: samples of all shards.
        decoded: samples that were decoded.
        pixels: pixels that were compared with float64 rays.
        meshes: meshes that these rays were cast at.
        absent: meshes that were to be compared and cannot be read any more.
        problem_count: number of problems.
        problems: the first of them, one line each.
    """

    shards: int = 0
    missing_shards: int = 0
    samples: int = 0
    decoded: int = 0
    pixels: int = 0
    meshes: int = 0
    absent: int = 0
    problem_count: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """True if all shards are there, and nothing is wrong with them."""
        return not (self.problem_count or self.missing_shards)

    def add(self, problem: str) -> None:
        """Add a problem."""
        self.problem_count += 1
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(problem)

    def as_dict(self) -> dict[str, Any]:
        """Return the values as a plain dict, ready for JSON."""
        return {**asdict(self), "is_good": self.is_good}

    def lines(self) -> list[str]:
        """Return the report as lines of text, problems first."""
        lines = list(self.problems)
        more = self.problem_count - len(lines)
        if more:
            lines.append(f"... and {counted(more, 'more problem')}")
        lines.append(
            f"{counted(self.shards, 'shard')} with {counted(self.samples, 'sample')} checked, "
            f"{self.decoded:,} decoded, {counted(self.pixels, 'pixel')} of "
            f"{counted(self.meshes, 'mesh', 'meshes')} compared with float64 rays"
        )
        if self.absent:
            absent = counted(self.absent, "mesh", "meshes")
            lines.append(f"{absent} to compare with cannot be read any more")
        if self.missing_shards:
            missing = counted(self.missing_shards, "shard")
            lines.append(f"{missing} not finished; run the command again")
        lines.append(
            counted(self.problem_count, "problem") if self.problem_count else "no problems"
        )
        if self.missing_shards:
            lines[-1] += " with what is there"
        return lines


def verify_dataset(
    folder: str | os.PathLike[str],
    *,
    decode: float | None = None,
    meshes: int = 20,
    rays: int = 256,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> VerifyReport:
    """Check a data set: checksums, structure of the shards, files, and depths by float64 rays.

    - Every file of a finished shard has the size and the SHA-256 that its marker says.
    - Tars hold whole samples with the same files, times and owners of 0; the rows of each shard
      name the same samples at the same places. Markers are of the plan and have the right counts.
    - The index, the failures, the settings, the card and the cameras are what the shards give.
    - Files decode to arrays of the image's size.
    - Depths and layers of random pixels are where float64 rays meet the mesh, if it is still there;
      see `explained` for what counts at borders of faces.

    Args:
        folder: of the data set, a local one.
        decode: share of the samples to decode, 0 to 1; None decodes all, or about 20,000 of more.
        meshes: number of meshes whose views are compared with rays; 0 for none.
        rays: number of pixels of each of these views.
        progress: called with the numbers of shards that are done, and of all.

    Raises:
        DatasetError: it is not a data set, or not in a local folder.
        RequestError: an argument has a value that is not allowed.
    """
    share = None if decode is None else checked_number("decode", decode)
    if share is not None and not 0.0 <= share <= 1.0:
        raise RequestError(f"decode must be a share from 0 to 1, not {share:g}")
    mesh_count = meshes and checked_count("meshes", meshes)
    ray_count = checked_count("rays", rays)
    if "://" in os.fspath(folder):
        raise DatasetError(f"{os.fspath(folder)} is not a local folder; copy the data set first")
    root = Path(folder)
    plan = read_plan(root)
    report = VerifyReport()
    shards = finished_shards(root)
    if share is None:
        share = _DECODED / max(_DECODED, _row_count(root, shards), 1)
    report.missing_shards = max(0, len(plan.shards) - len(shards))
    judge = _RayJudge(plan.config, _chosen(plan.entries(), mesh_count), ray_count, report)
    samples: dict[str, int] = {}
    for done, shard in enumerate(shards):
        progress(done, len(shards))
        samples[shard] = _check_shard(root, plan, shard, share, judge, report)
    progress(len(shards), len(shards))
    for problem in (*stray_problems(root, plan), *finished_problems(root, plan, samples)):
        report.add(problem)
    if report.shards and not (report.samples or report.missing_shards or report.problem_count):
        reason = "meshes failed, see failures.parquet"
        if _row_count(root, shards):
            reason = "views were left out, see mask_iou in the index and photos.min_iou"
        report.add(f"no samples: all {reason}")
    return report


def _row_count(root: Path, shards: list[str]) -> int:
    """Return the number of samples; shards whose rows cannot be read count nothing here."""
    total = 0
    for shard in shards:
        with suppress(DatasetError):
            total += row_count(root / SHARDS / f"{shard}.parquet")
    return total


def _chosen(entries: Any, count: int) -> dict[str, MeshEntry]:
    """Return some meshes by id, chosen by a hash so that they are the same each time."""
    ordered = sorted(entries, key=lambda entry: (zlib.crc32(entry.id.encode()), entry.id))
    return {entry.id: entry for entry in ordered[:count]}


def _check_shard(
    root: Path, plan: Plan, shard: str, share: float, judge: _RayJudge, report: VerifyReport
) -> int:
    """Add what is wrong with a shard to the report; return the number of its samples."""
    report.shards += 1
    for problem in file_problems(root, shard):
        report.add(f"{shard}: {problem}")
    problems: list[str] = []
    places = []
    try:
        for key, files, placed in checked_contents(root, shard, problems):
            places.append((key, placed))
            id = key.rpartition("_")[0]
            if zlib.crc32(key.encode()) < share * 2**32 or id in judge.entries:
                report.decoded += 1
                try:
                    decoded_sample(files)
                    judge.check(id, key, files)
                except DDepthError as error:
                    report.add(f"{shard}: {key}: {error}")
        problems += row_problems(root, shard, iter(places))
        problems += marker_problems(root, plan, shard)
    except DatasetError as error:
        problems.append(str(error))
    for problem in problems:
        report.add(f"{shard}: {problem}")
    report.samples += len(places)
    return len(places)


class _RayJudge:
    """Compares samples of some meshes with rays; keeps one mesh in memory."""

    def __init__(
        self,
        config: DatasetConfig,
        entries: dict[str, MeshEntry],
        rays: int,
        report: VerifyReport,
    ) -> None:
        self.entries = entries
        self._config, self._rays, self._report = config, rays, report
        self._id = ""
        self._check: RayCheck | None = None

    def check(self, id: str, key: str, files: dict[str, bytes]) -> None:
        """Add what is wrong with the depths of a sample to the report."""
        if id not in self.entries:
            return
        from .verify_rays import RayCheck, mesh_of

        if id != self._id:
            self._id, self._check = id, None
            try:
                mesh = mesh_of(self.entries[id], self._config)
            except DDepthError:
                self._report.absent += 1
                return
            self._report.meshes += 1
            self._check = RayCheck(mesh, self._config, self._rays)
        if self._check is not None:
            before = self._check.pixels
            problem = self._check.problem(key, files)
            self._report.pixels += self._check.pixels - before
            if problem:
                self._report.add(problem)
