"""Check of a shard's files: checksums, the tar's structure, and rows that agree with it."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DatasetError
from .index import SHARDS, row_count, sample_rows
from .layout_files import SUMS, file_path
from .marker import read_marker, shard_fingerprint, shard_name
from .storage import LocalStorage

if TYPE_CHECKING:
    from .plan import Plan

__all__ = [
    "checked_contents",
    "file_problems",
    "marker_problems",
    "row_problems",
    "stray_problems",
]

_BLOCK = 512
_MAX_END = 22 * _BLOCK  # two empty blocks, and those that fill up a record of 20
_PART = 1 << 20
_MAX_MARKER = 1 << 24
# Members are held in memory while they are checked.
_MAX_FILE = 1 << 30
_MEMBER = re.compile(r"([A-Za-z0-9_%-]+)\.([A-Za-z0-9_-][A-Za-z0-9_.-]*)")


def file_problems(root: Path, shard: str) -> Iterator[str]:
    """Yield what is wrong with the files that the marker of a shard names: sizes and SHA-256."""
    marker = root / SHARDS / f"{shard}.json"
    try:
        with marker.open("rb") as file:
            files = json.loads(file.read(_MAX_MARKER))["files"]
        named = {str(name): (int(size), str(digest)) for name, (size, digest) in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        yield f"the marker {marker.name} cannot be read ({type(error).__name__})"
        return
    data = {f"{shard}.tar", f"{shard}/{SUMS}"}
    if not data & set(named):
        yield f"the marker {marker.name} names no samples"
    allowed = {*data, f"{shard}.parquet", f"{shard}.failures.parquet"}
    for name in sorted(named):
        if name not in allowed:
            yield f"the marker names {name!r:.100}, which is no file of this shard"
            continue
        size, digest = named[name]
        try:
            found, sum = _digest(root / SHARDS / name)
        except OSError as error:
            yield f"{name} cannot be read ({error.strerror})"
            continue
        if found != size:
            yield f"{name} has {found} bytes, the marker says {size}"
        elif sum != digest:
            yield f"{name} does not have the SHA-256 of the marker"


def _digest(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while part := file.read(_PART):
            digest.update(part)
            size += len(part)
    return size, digest.hexdigest()


def stray_problems(root: Path, plan: Plan) -> Iterator[str]:
    """Yield samples beside those of the plan, which all who read ``*.tar`` would find."""
    names = {shard_name(index) for index in range(len(plan.shards))}
    for path in sorted((root / SHARDS).iterdir()):
        is_data = path.suffix == ".tar" or path.is_dir()
        if is_data and path.name.removesuffix(".tar") not in names and path.name[0] != ".":
            yield f"{SHARDS}/{path.name!a:.100} is no shard of the plan; remove it"


def marker_problems(root: Path, plan: Plan, shard: str) -> Iterator[str]:
    """Yield what is wrong with the values of a marker.

    Args:
        root: folder of the data set.
        plan: its plan.
        shard: its name.

    Raises:
        DatasetError: the rows or the failures cannot be read.
    """
    index = int(shard.rpartition("-")[2])
    if index >= len(plan.shards) or shard_name(index) != shard:
        yield "the plan has no such shard; remove its files"
        return
    marker = read_marker(LocalStorage(root), index)
    if marker is None:
        yield f"the marker {shard}.json lacks values; run the command again"
        return
    if marker.plan != shard_fingerprint(plan, index):
        yield "the marker is of other meshes or settings; run the command again"
    failures = root / SHARDS / f"{shard}.failures.parquet"
    failed = row_count(failures) if failures.exists() else 0
    counts: dict[str, tuple[int, int]] = {
        "rows": (
            marker.samples + marker.left_out,
            row_count(root / SHARDS / f"{shard}.parquet"),
        ),
        "failures": (marker.failures, failed),
        "meshes": (marker.meshes, len(plan.shards[index]) - failed),
        "times of meshes": (len(marker.mesh_seconds), len(plan.shards[index]) - failed),
    }
    tar = root / SHARDS / f"{shard}.tar"
    if tar.is_file():
        counts["bytes of samples"] = marker.sample_bytes, tar.stat().st_size
    for name, (told, found) in counts.items():
        if told != found:
            yield f"the marker says {told} {name}, there are {found}"


def row_problems(root: Path, shard: str, samples: Iterator[tuple[str, Any]]) -> Iterator[str]:
    """Yield where the rows of a shard and its samples disagree.

    Args:
        root: folder of the data set.
        shard: its name.
        samples: key, and offset and size by ending, of each sample; see `checked_contents`.
    """
    try:
        rows = list(sample_rows(root / SHARDS / f"{shard}.parquet"))
    except DatasetError as error:
        yield str(error)
        return
    found = dict(samples)
    keys = [str(row.get("key")) for row in rows]
    if keys != list(found):
        missing, extra = sorted(set(keys) - set(found)), sorted(set(found) - set(keys))
        example = f", such as {(missing or extra)[0]:.100}" if missing or extra else ""
        yield (
            f"rows and samples differ: {len(missing)} only in the rows, {len(extra)} only in the "
            f"samples{example}" + ("" if missing or extra else ", in another order")
        )
    for key, row in zip(keys, rows, strict=True):
        if row.get("shard") != shard:
            yield f"{key:.100}: the row names the shard {row.get('shard')!r:.40}"
        for ending, place in found.get(key, {}).items():
            told = (row.get(f"offset.{ending}"), row.get(f"size.{ending}"))
            if told != place:
                yield f"{key:.100}.{ending}: is at {place}, and at {told} by its row"


def checked_contents(
    root: Path, shard: str, problems: list[str]
) -> Iterator[tuple[str, dict[str, bytes], dict[str, tuple[int, int]]]]:
    """Yield the samples of a shard, and add what is wrong with its structure to `problems`.

    Yields:
        Key, contents by ending, and offset and size by ending.
    """
    tar = root / SHARDS / f"{shard}.tar"
    members = _tar_members(tar, problems) if tar.is_file() else _folder_files(root, shard, problems)
    key = ""
    contents: dict[str, bytes] = {}
    places: dict[str, tuple[int, int]] = {}
    seen: set[str] = set()
    first: tuple[str, ...] = ()
    for name, offset, content in members:
        match = _MEMBER.fullmatch(name)
        if match is None:
            problems.append(f"{name!r:.100} is not the name of a sample's file")
            continue
        if match[1] != key:
            if contents:
                yield key, contents, places
            key, contents, places = match[1], {}, {}
            if key in seen:
                problems.append(f"{key:.100}: its files are not beside each other")
            seen.add(key)
        if match[2] in contents:
            problems.append(f"{name:.100} is there twice")
        contents[match[2]], places[match[2]] = content, (offset, len(content))
        if match[2] == "json":  # the last file of each sample
            first = first or tuple(contents)
            if tuple(contents) != first:
                problems.append(f"{key:.100}: has the files {', '.join(contents)}")
    if contents:
        yield key, contents, places


def _tar_members(path: Path, problems: list[str]) -> Iterator[tuple[str, int, bytes]]:
    """Yield name, offset and content of each member; check what makes the bytes deterministic."""
    end = 0
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it keeps all of them
                if not member.isreg() or member.size > _MAX_FILE:
                    problems.append(f"{member.name!r:.100} is not a file of at most 1 GB")
                    continue
                if member.mtime or member.uid or member.gid:
                    problems.append(f"{member.name!r:.100} has a time or an owner")
                content = tar.extractfile(member)
                yield member.name, member.offset_data, b"" if content is None else content.read()
                end = member.offset_data + -(-member.size // _BLOCK) * _BLOCK
            file.seek(end)
            rest = file.read(_MAX_END + 1)
            if not 2 * _BLOCK <= len(rest) <= _MAX_END or any(rest):
                problems.append(f"{path.name} does not end after its last member")
    except (OSError, tarfile.TarError, EOFError) as error:
        problems.append(f"{path.name} is not a whole tar ({type(error).__name__})")


def _folder_files(root: Path, shard: str, problems: list[str]) -> Iterator[tuple[str, int, bytes]]:
    """Yield the files of a shard in the layout "files", with the names that they have in tars."""
    folder = root / SHARDS / shard
    keys: Mapping[str, str] = {
        file_path(f"{row['key']}.x").with_suffix("").as_posix(): str(row["key"])
        for row in sample_rows(root / SHARDS / f"{shard}.parquet", ("key",))
        if "key" in row
    }
    try:
        lines = (folder / SUMS).read_text("ascii").splitlines()
    except (OSError, ValueError) as error:
        problems.append(f"{shard}/{SUMS} cannot be read ({type(error).__name__})")
        return
    for line in lines:
        digest, _, name = line.partition("  ")
        view, _, ending = name.rpartition("/")[2].partition(".")
        key = keys.get(f"{name.rpartition('/')[0]}/{view}")
        if key is None:
            problems.append(f"{shard}/{name!r:.100} is of no sample")
            continue
        try:
            content = (folder / file_path(f"{key}.{ending}")).read_bytes()
        except OSError as error:
            problems.append(f"{shard}/{name} cannot be read ({error.strerror})")
            continue
        if hashlib.sha256(content).hexdigest() != digest:
            problems.append(f"{shard}/{name} does not have the SHA-256 of {SUMS}")
        yield f"{key}.{ending}", 0, content
