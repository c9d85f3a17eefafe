"""Plans of data sets: made, written once by the first process, compared by others, extended."""

from __future__ import annotations

import os
import secrets
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .._version import __version__
from ..errors import DatasetError
from .plan_differences import differing_meshes, differing_settings, differing_versions
from .plan_file import PLAN_NAME, Plan, plan_bytes, plan_of_bytes
from .shard_sizes import meshes_per_shard, shard_count
from .split import SPLITS, hash_fraction, split_of

if TYPE_CHECKING:
    from ..renderer import DepthRenderer
    from .config import DatasetConfig
    from .entries import MeshEntry

__all__ = [
    "Plan",
    "PlanStore",
    "extend_plan",
    "make_plan",
    "read_plan",
    "renderer_versions",
    "write_plan",
]


class PlanStore(Protocol):
    """Folder that a plan is kept in."""

    address: str

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if there is none."""

    def create(self, name: str, content: bytes) -> bool:
        """Create a file; return False if there is one already. Of several callers, one succeeds."""

    def write(self, name: str, content: bytes) -> None:
        """Create or replace a file; it appears whole."""


def make_plan(
    config: DatasetConfig,
    entries: Sequence[MeshEntry],
    workers: int = 1,
    versions: Mapping[str, str] | None = None,
    *,
    sample_bytes: float | None = None,
) -> Plan:
    """Return the plan of a data set: its meshes, divided into shards.

    Meshes are put in the order of a hash of their ids, each split for itself, and cut into shards
    of equal numbers, give or take one. See `meshes_per_shard` for the number.

    Args:
        config: all settings.
        entries: meshes with unique ids.
        workers: number of workers of the run.
        versions: result of `renderer_versions`.
        sample_bytes: bytes of a view if they are known.

    Raises:
        DatasetError: there are no meshes, or a mesh's column names no split.
    """
    if not entries:
        raise DatasetError("there are no meshes; give sources that have some")
    per_shard = meshes_per_shard(config, len(entries), workers, sample_bytes)
    return Plan(config, tuple(_divided(config, entries, per_shard)), dict(versions or {}), workers)


def _divided(
    config: DatasetConfig, entries: Sequence[MeshEntry], per_shard: int
) -> Iterator[tuple[MeshEntry, ...]]:
    by_split: dict[str, list[MeshEntry]] = {split: [] for split in SPLITS}
    for entry in entries:
        by_split[split_of(config.split, entry)].append(entry)
    for chosen in by_split.values():
        # Equal hashes are next to impossible; the id decides them.
        chosen.sort(key=lambda entry: (hash_fraction("shard", entry.id), entry.id))
        count = shard_count(len(chosen), per_shard)
        for index in range(count):
            first, last = (len(chosen) * edge // count for edge in (index, index + 1))
            yield tuple(sorted(chosen[first:last], key=lambda entry: entry.id))


def write_plan(out: Path | str | PlanStore, plan: Plan, *, allow_mixed: bool = False) -> Plan:
    """Write a plan into a folder, or compare it with the one that is there.

    Of several processes that start at once, one writes; the others compare. A plan that is there
    stays as it is: another number of workers does not change its shards.

    Args:
        out: the folder.
        plan: plan of the present command.
        allow_mixed: whether other versions than those of the plan are allowed.

    Returns:
        The plan that holds, with the limits of the present command.

    Raises:
        DatasetError: the plan that is there has other settings, meshes or versions. The message has
            each difference.
    """
    store = _store(out)
    if store.read(PLAN_NAME) is None and store.create(PLAN_NAME, plan_bytes(plan)):
        return plan
    there = read_plan(store)
    differences = [
        *differing_settings(there.config, plan.config),
        *differing_meshes(there.entries(), plan.entries()),
    ]
    if differences:
        advice = "give another -o, or the same settings and sources"
        if not differing_settings(there.config, plan.config):
            advice = "give another -o or the same sources; --extend adds new meshes"
        raise DatasetError(
            f"{store.address} holds another data set: {'; '.join(differences)}; {advice}"
        )
    _check_versions(store.address, there, plan, allow_mixed)
    return _with_limits(there, plan)


def _with_limits(there: Plan, plan: Plan) -> Plan:
    """Return a plan with the limits of the present command, which may differ."""
    config = there.config.model_copy(update={"limits": plan.config.limits})
    return replace(there, config=config)


def extend_plan(out: Path | str | PlanStore, plan: Plan, *, allow_mixed: bool = False) -> Plan:
    """Append shards for meshes that a plan does not have; its shards stay as they are.

    Args:
        out: folder of the plan.
        plan: plan of the present command. Meshes that the plan has already are left out.
        allow_mixed: whether other versions than those of the plan are allowed.

    Returns:
        The extended plan, which is written.

    Raises:
        DatasetError: there is no plan, it has other settings or versions, or another mesh of the
            same id.
    """
    store = _store(out)
    there = read_plan(store)
    old = {entry.id for entry in there.entries()}
    differences = differing_settings(there.config, plan.config)
    if not differences:
        known = [entry for entry in plan.entries() if entry.id in old]
        of_these = {entry.id for entry in known}
        before = [entry for entry in there.entries() if entry.id in of_these]
        differences = differing_meshes(before, known)
    if differences:
        raise DatasetError(
            f"{store.address} cannot be extended: {'; '.join(differences)}; "
            "give the same settings, and new meshes other ids"
        )
    _check_versions(store.address, there, plan, allow_mixed)
    new = [entry for entry in plan.entries() if entry.id not in old]
    if not new:
        return _with_limits(there, plan)
    per_shard = meshes_per_shard(plan.config, len(new), plan.workers)
    extended = replace(there, shards=(*there.shards, *_divided(plan.config, new, per_shard)))
    store.write(PLAN_NAME, plan_bytes(extended))
    return _with_limits(extended, plan)


def read_plan(out: Path | str | PlanStore) -> Plan:
    """Return the plan in a folder.

    Raises:
        DatasetError: there is none, or it is damaged.
    """
    store = _store(out)
    data = store.read(PLAN_NAME)
    if data is None:
        raise DatasetError(f"{store.address} has no {PLAN_NAME}, so it is not a data set of ddepth")
    return plan_of_bytes(data, f"{store.address}/{PLAN_NAME}")


def _check_versions(address: str, there: Plan, plan: Plan, allow_mixed: bool) -> None:
    differences = differing_versions(there.versions, plan.versions)
    if differences and not allow_mixed:
        raise DatasetError(
            f"{address} was begun with other versions: {'; '.join(differences)}; "
            "use the same, or --allow-mixed for shards that differ in their last bits"
        )


def renderer_versions(renderer: DepthRenderer) -> dict[str, str]:
    """Return what decides bytes besides settings and meshes: engine, driver, libraries."""
    info = renderer.info
    versions = {
        "engine": info.engine,
        "driver": info.renderer,
        "gl": info.gl_version,
        "ddepth_gl": __version__,
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
    }
    for package in ("numpy", "moderngl", "pillow"):
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def _store(out: Path | str | PlanStore) -> PlanStore:
    return _LocalFolder(Path(out)) if isinstance(out, (str, Path)) else out


class _LocalFolder:
    """A local folder as a PlanStore."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address = str(folder)

    def read(self, name: str) -> bytes | None:
        """See PlanStore."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error

    def create(self, name: str, content: bytes) -> bool:
        """See PlanStore."""
        return self._put(name, content, os.link)

    def write(self, name: str, content: bytes) -> None:
        """See PlanStore."""
        self._put(name, content, os.replace)

    def _put(self, name: str, content: bytes, place: Any) -> bool:
        part = self._folder / f".{secrets.token_hex(8)}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            place(part, self._folder / name)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._unusable(error) from error
        finally:
            part.unlink(missing_ok=True)
        return True

    def _unusable(self, error: OSError) -> DatasetError:
        return DatasetError(f"{self.address} cannot be used ({error.strerror}); check the folder")
