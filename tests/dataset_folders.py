"""Folders as `ddepth dataset` writes them, made by hand from the contract of docs/dataset.md."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow", reason="the package pyarrow is missing")
pq = pytest.importorskip("pyarrow.parquet")

Samples = Sequence[tuple[str, Mapping[str, bytes], Mapping[str, Any]]]  # key, files, row


def write_tar(path: Path, members: Mapping[str, bytes]) -> list[tuple[int, int]]:
    """Write a tar as WebDataset reads it; return the offset and size of each member's content."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    with tarfile.open(path) as tar:
        return [(member.offset_data, member.size) for member in tar]


def write_shard(
    folder: Path, number: int, samples: Samples, failures: Sequence[Mapping[str, Any]] = ()
) -> Path:
    """Write a shard, its rows, its failures and its marker; return the path of the tar."""
    shards = folder / "shards"
    shards.mkdir(parents=True, exist_ok=True)
    name = f"shard-{number:05d}"
    members = {
        f"{key}.{ending}": content for key, files, _ in samples for ending, content in files.items()
    }
    tar = shards / f"{name}.tar"
    places = iter(write_tar(tar, members))
    rows = []
    for key, files, row in samples:
        offsets = {ending: next(places) for ending in files}
        rows.append(
            {
                **row,
                "key": key,
                "shard": name,
                **{f"offset.{ending}": place[0] for ending, place in offsets.items()},
                **{f"size.{ending}": place[1] for ending, place in offsets.items()},
            }
        )
    tables = {f"{name}.parquet": rows}
    if failures:
        tables[f"{name}.failures.parquet"] = [{**failure, "shard": name} for failure in failures]
    for file, table in tables.items():
        pq.write_table(pa.Table.from_pylist(table), shards / file)
    write_marker(folder, number, [tar.name, *tables])
    return tar


def write_marker(folder: Path, number: int, names: Sequence[str] = (), **values: Any) -> None:
    """Write the marker of a shard for its files as they are; without names, for all of them.

    Other values of a marker that is there stay, unless they are given.
    """
    shards = folder / "shards"
    shard = f"shard-{number:05d}"
    files = {}
    for name in names or (f"{shard}.tar", f"{shard}.parquet"):
        content = (shards / name).read_bytes()
        files[name] = [len(content), hashlib.sha256(content).hexdigest()]
    marker = shards / f"{shard}.json"
    before = json.loads(marker.read_text()) if marker.exists() else {}
    marker.write_text(json.dumps({**before, **values, "files": files}))
