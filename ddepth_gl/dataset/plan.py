"""Plans of data sets: made, written once by the first process, compared by others, extended."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from .._version import __version__
from ..errors import DatasetError
from .blend_photos import blender_versions
from .plan_differences import differing_meshes, differing_settings, differing_versions
from .plan_file import PLAN_NAME, Plan, plan_bytes, plan_of_bytes
from .shard_sizes import meshes_per_shard, shard_count
from .split import SPLITS, hash_fraction, split_of
from .storage import Storage, open_storage

if TYPE_CHECKING:
    from ..renderer import DepthRenderer
    from .config import DatasetConfig
    from .entries import MeshEntry

__all__ = [
    "Plan",
    "extend_plan",
    "make_plan",
    "read_plan",
    "renderer_versions",
    "write_plan",
]


def make_plan(
    config: DatasetConfig,
    entries: Sequence[MeshEntry],
    workers: int = 1,
    versions: Mapping[str, str] | None = None,
) -> Plan:
    """Return the plan of a data set: its meshes, divided into shards.

    Meshes are put in the order of a hash of their ids, each split for itself, and cut into shards
    of equal numbers, give or take one. See `meshes_per_shard` for the number.

    Args:
        config: all settings.
        entries: meshes with unique ids.
        workers: number of workers of the run.
        versions: result of `renderer_versions`.

    Raises:
        DatasetError: there are no meshes, or a mesh's column names no split.
    """
    if not entries:
        raise DatasetError("there are no meshes; give sources that have some")
    per_shard = meshes_per_shard(config, len(entries), workers)
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


def write_plan(
    out: str | os.PathLike[str] | Storage, plan: Plan, *, allow_mixed: bool = False
) -> Plan:
    """Write a plan into a folder, or compare it with the one that is there.

    Of several processes that start at once, one writes; the others compare. A plan that is there
    stays as it is: another number of workers does not change its shards. Of a plan that was
    extended, some of the sources are enough.

    Args:
        out: the folder, or its address for fsspec.
        plan: plan of the present command.
        allow_mixed: whether other versions than those of the plan are allowed.

    Returns:
        The plan that holds, with the limits of the present command.

    Raises:
        DatasetError: the plan that is there has other settings, meshes or versions. The message has
            each difference.
    """
    store = open_storage(out)
    if store.read(PLAN_NAME) is None and store.create(PLAN_NAME, plan_bytes(plan)):
        return plan
    there = read_plan(store)
    meshes = there.entries()
    if plan.config.sources.is_part_of(there.config.sources):  # the plan was extended since
        given = {entry.id for entry in plan.entries()}
        meshes = [entry for entry in meshes if entry.id in given]
    differences = [
        *differing_settings(there.config, plan.config),
        *differing_meshes(meshes, plan.entries()),
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


def extend_plan(
    out: str | os.PathLike[str] | Storage, plan: Plan, *, allow_mixed: bool = False
) -> Plan:
    """Append shards for meshes that a plan does not have; its shards stay as they are.

    Args:
        out: folder of the plan.
        plan: plan of the present command. Meshes that the plan has already are left out.
        allow_mixed: whether other versions than those of the plan are allowed.

    Returns:
        The extended plan, which is written.

    Raises:
        DatasetError: there is no plan, it has other settings or versions, another mesh of the
            same id, or tables with other columns.
    """
    store = open_storage(out)
    there = read_plan(store)
    old = {entry.id for entry in there.entries()}
    differences = differing_settings(there.config, plan.config)
    if not differences:
        known = [entry for entry in plan.entries() if entry.id in old]
        of_these = {entry.id for entry in known}
        before = [entry for entry in there.entries() if entry.id in of_these]
        differences = differing_meshes(before, known)
    if differences:
        advice = "give new meshes other ids"
        if differing_settings(there.config, plan.config):
            advice = f"ddepth dataset {store.address}/dataset.yaml MORE -o {store.address} --extend"
            advice += " takes the settings that it has"
        raise DatasetError(
            f"{store.address} cannot be extended: {'; '.join(differences)}; {advice}"
        )
    _check_versions(store.address, there, plan, allow_mixed)
    new = [entry for entry in plan.entries() if entry.id not in old]
    if not new:
        return _with_limits(there, plan)
    per_shard = meshes_per_shard(plan.config, len(new), plan.workers)
    sources = there.config.sources.joined(plan.config.sources)
    extended = replace(
        there,
        config=there.config.model_copy(update={"sources": sources}),
        shards=(*there.shards, *_divided(plan.config, new, per_shard)),
    )
    store.write(PLAN_NAME, plan_bytes(extended))
    return _with_limits(extended, plan)


def read_plan(out: str | os.PathLike[str] | Storage) -> Plan:
    """Return the plan in a folder.

    Raises:
        DatasetError: there is none, or it is damaged.
    """
    store = open_storage(out)
    data = store.read(PLAN_NAME)
    if data is None:
        raise DatasetError(
            f"{store.address} has no plan.parquet, so it is not a data set of ddepth; "
            "check the path, or wait if its run has just started"
        )
    return plan_of_bytes(data, f"{store.address}/{PLAN_NAME}")


def _check_versions(address: str, there: Plan, plan: Plan, allow_mixed: bool) -> None:
    differences = differing_versions(there.versions, plan.versions)
    if differences and not allow_mixed:
        raise DatasetError(
            f"{address} was begun with other versions: {'; '.join(differences)}; "
            "use the same, or --allow-mixed for shards that differ in their last bits"
        )


def renderer_versions(renderer: DepthRenderer, config: DatasetConfig) -> dict[str, str]:
    """Return what decides bytes besides settings and meshes: engine, driver, libraries.

    Raises:
        DatasetError: Blender is to render the photos, and cannot.
    """
    info = renderer.info
    versions = {
        "engine": info.engine,
        "driver": info.renderer,
        "gl": info.gl_version,
        "ddepth_gl": __version__,
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
    }
    if config.blender.photo != "own":
        versions |= blender_versions(config.blender.photo)
    packages = ["numpy", "moderngl", "pillow"]
    if config.store.codec == "exr":
        packages.append("OpenEXR")
    for package in packages:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions
