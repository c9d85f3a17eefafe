"""The end of a run: the index of all finished shards, the card, and cameras as files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .marker import read_marker, shard_name
from .storage import LocalStorage, Storage

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["finish_dataset", "is_index_current"]

_INDEX = "index.parquet"


def is_index_current(storage: Storage) -> bool:
    """Return whether the index is there, and no shard has been finished since."""
    index = storage.files("").get(_INDEX)
    markers = [f for name, f in storage.files("shards").items() if name.endswith(".json")]
    return index is not None and all(marker.modified <= index.modified for marker in markers)


def finish_dataset(storage: Storage, plan: Plan) -> None:
    """Merge the index of all finished shards, and write the card and what else belongs to it.

    Raises:
        DatasetError, OutputError: a file cannot be read or written.
    """
    if isinstance(storage, LocalStorage):
        _finish(storage.folder, plan)
        return
    with tempfile.TemporaryDirectory(prefix="ddepth-") as folder:
        mirror = Path(folder)
        _fetch(storage, plan, mirror)
        before = {path for path in mirror.rglob("*") if path.is_file()}
        _finish(mirror, plan, storage.address.rstrip("/").rpartition("/")[2])
        for path in sorted(mirror.rglob("*")):
            if path.is_file() and path not in before:
                storage.write(path.relative_to(mirror).as_posix(), path.read_bytes())


def _fetch(storage: Storage, plan: Plan, mirror: Path) -> None:
    """Copy everything but samples; tars become empty files of the same sizes."""
    (mirror / "shards").mkdir()
    for index in range(len(plan.shards)):
        marker = read_marker(storage, index)
        if marker is None:
            continue
        (mirror / "shards" / f"{shard_name(index)}.json").write_bytes(marker.content())
        for name, (size, _) in marker.files.items():
            path = mirror / "shards" / os.path.basename(name)  # noqa: PTH119
            if name.endswith(".parquet"):
                path.write_bytes(storage.read(f"shards/{name}") or b"")
            else:
                path.touch()
                os.truncate(path, size)


def _finish(folder: Path, plan: Plan, name: str | None = None) -> None:
    from .card import write_card, write_settings
    from .index import merge_index
    from .transforms import write_transforms

    merge_index(folder)
    write_settings(folder, plan.config.model_dump(mode="json"), plan.versions)
    write_card(folder, name)
    if plan.config.store.transforms:
        write_transforms(folder)
