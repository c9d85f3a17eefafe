"""The marker of a finished shard: sizes and hashes of its files, counts, and times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .storage import Storage, StoredFile

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["Marker", "finished", "read_marker", "shard_fingerprint", "shard_name"]


def shard_name(index: int) -> str:
    """Return the name of a shard, such as ``shard-00012``."""
    return f"shard-{index:05d}"


@dataclass(frozen=True)
class Marker:
    """The content of the marker of a shard.

    Attributes:
        plan: `shard_fingerprint` of what was rendered.
        files: size in bytes and SHA-256 of each file, by its name in the folder ``shards``. In the
            layout "files", ``shard-00012/SHA256SUMS`` stands for all files of samples.
        sample_bytes: of the samples, in tars with headers.
        meshes: number of meshes whose samples are there.
        samples: number of samples.
        failures: number of meshes that failed.
        seconds: wall time of the whole shard.
        mesh_seconds: wall time of each mesh that did not fail.
        peak_memory: the most memory of a renderer process, in bytes.
        left_out: number of views whose photos were left out; they have rows and no files.
    """

    plan: str
    files: dict[str, tuple[int, str]]
    sample_bytes: int
    meshes: int
    samples: int
    failures: int
    seconds: float
    mesh_seconds: tuple[float, ...]
    peak_memory: int
    left_out: int = 0

    def content(self) -> bytes:
        """Return the file's content."""
        return (json.dumps(asdict(self), sort_keys=True, indent=1) + "\n").encode()


def shard_fingerprint(plan: Plan, index: int) -> str:
    """Return the hash of everything that decides the shard's samples."""
    content = [plan.config.fingerprint(), [entry.id for entry in plan.shards[index]]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def read_marker(storage: Storage, index: int) -> Marker | None:
    """Return the marker of a shard; None if there is none, or if it is damaged."""
    return _parsed(storage.read(f"shards/{shard_name(index)}.json"))


def _parsed(content: bytes | None) -> Marker | None:
    try:
        values: dict[str, Any] = json.loads(content or b"")
        return Marker(
            plan=str(values["plan"]),
            files={str(k): (int(size), str(sha)) for k, (size, sha) in values["files"].items()},
            sample_bytes=int(values["sample_bytes"]),
            meshes=int(values["meshes"]),
            samples=int(values["samples"]),
            failures=int(values["failures"]),
            seconds=float(values["seconds"]),
            mesh_seconds=tuple(float(each) for each in values["mesh_seconds"]),
            peak_memory=int(values["peak_memory"]),
            left_out=int(values.get("left_out", 0)),  # not of earlier versions
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def finished(
    storage: Storage, plan: Plan, index: int, files: Mapping[str, StoredFile] | None = None
) -> Marker | None:
    """Return the marker of a shard that is finished: its files have the sizes that it says.

    Args:
        storage: folder of the data set.
        plan: plan of the data set.
        index: number of the shard.
        files: files of the folder ``shards``, if the caller has listed them.
    """
    files = storage.files("shards") if files is None else files
    if f"{shard_name(index)}.json" not in files:
        return None
    marker = read_marker(storage, index)
    if marker is None or marker.plan != shard_fingerprint(plan, index):
        return None
    for name, (size, _) in marker.files.items():
        folder, _, inner = name.rpartition("/")
        there = storage.files(f"shards/{folder}") if folder else files
        if inner not in there or there[inner].size != size:
            return None
    return marker
