"""Numbers of a data set, counted over its index for the card and the preview."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .index import FAILURES, INDEX, SHARDS, finished_shards, index_columns, index_rows, sample_rows

__all__ = ["DatasetSummary", "summarize"]

_LICENSE = re.compile(r"(\w+[_.-])?licen[cs]es?([_.-](id|name|type))?", re.IGNORECASE)
_MAX_KINDS = 1_000  # of licenses and of warnings: in a column of free text each may be its own


@dataclass
class DatasetSummary:
    """Numbers of a data set.

    Attributes:
        shards, meshes, samples, failures: how many there are.
        bytes: size of all files with samples.
        splits: samples of each split.
        shard_splits: the splits of each shard's samples.
        licenses: for each column of licenses, meshes with each value; "" for none.
        failure_kinds: failures of each kind.
        warnings: samples with each warning.
        sizes: samples of each image size, (width, height).
        max_layers: most crossings of a pixel; 0 if unknown.
        open_meshes: meshes that are not closed.
        has_layers: whether layers were rendered.
        truncated: samples with pixels that have more layers than are stored.
        columns: names of the index's columns.
    """

    shards: int = 0
    meshes: int = 0
    samples: int = 0
    failures: int = 0
    bytes: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    shard_splits: dict[str, set[str]] = field(default_factory=dict)
    licenses: dict[str, Counter[str]] = field(default_factory=dict)
    failure_kinds: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    max_layers: int = 0
    open_meshes: int = 0
    has_layers: bool = False
    truncated: int = 0
    columns: tuple[str, ...] = ()


def summarize(folder: str | os.PathLike[str], made: Path | None = None) -> DatasetSummary:
    """Count what a data set holds, over its index.

    Args:
        folder: of the data set.
        made: folder of the index; None for that of the data set.

    Raises:
        DatasetError: the index is missing or cannot be read.
    """
    root = Path(folder)
    made = made or root
    summary = DatasetSummary()
    summary.columns = tuple(index_columns(made / INDEX))
    licenses = [name for name in summary.columns if _LICENSE.fullmatch(name)]
    summary.licenses = {name: Counter() for name in licenses}
    used = ("id", "shard", "split", "width", "height", "layers", "closed", "warnings")
    mesh = None
    for row in sample_rows(made / INDEX, (*used, "truncated_share", *licenses)):
        summary.samples += 1
        _count_sample(summary, row)
        if (row.get("shard"), row.get("id")) != mesh:  # the views of a mesh follow each other
            mesh = (row.get("shard"), row.get("id"))
            summary.meshes += 1
            summary.open_meshes += row.get("closed") is False
            for name in licenses:
                _count(summary.licenses[name], str(row[name] or ""))
    for row in index_rows(made / FAILURES, ("kind",)):
        summary.failures += 1
        _count(summary.failure_kinds, str(row.get("kind")))
    for shard in finished_shards(root):
        summary.shards += 1
        summary.bytes += _size(root / SHARDS / shard)
    return summary


def _count_sample(summary: DatasetSummary, row: dict[str, Any]) -> None:
    split = str(row.get("split") or "train")
    summary.splits[split] += 1
    summary.shard_splits.setdefault(str(row.get("shard")), set()).add(split)
    summary.sizes[(row.get("width") or 0, row.get("height") or 0)] += 1
    summary.max_layers = max(summary.max_layers, row.get("layers") or 0)
    summary.has_layers |= row.get("truncated_share") is not None
    summary.truncated += (row.get("truncated_share") or 0) > 0
    warnings = row.get("warnings") or ()
    for warning in [warnings] if isinstance(warnings, str) else warnings:
        _count(summary.warnings, str(warning))


def _count(counter: Counter[str], value: str) -> None:
    """Count a value; from a thousand different ones on, all others count as one."""
    counter[value if value in counter or len(counter) < _MAX_KINDS else "(others)"] += 1


def _size(shard: Path) -> int:
    tar = shard.with_name(f"{shard.name}.tar")
    if tar.is_file():
        return tar.stat().st_size
    return sum(
        Path(folder, name).stat().st_size for folder, _, names in os.walk(shard) for name in names
    )
