"""The end of a run: the index of all finished shards, the card, and cameras as files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .._checks import shown
from ..errors import DatasetError
from ..io.owners import part_name
from .claims import remove_stale_claims
from .layout_files import replace_folder
from .marker import read_marker, shard_name
from .storage import LocalStorage, Storage, unusable

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["finish_dataset", "is_index_current", "write_finished"]

# In the order in which they appear: whoever sees the index sees all others.
_FILES = ("failures.parquet", "dataset.yaml", "README.md", "index.parquet")
_TRANSFORMS = "transforms"


def is_index_current(storage: Storage, plan: Plan) -> bool:
    """Return whether index, failures, settings, card and cameras are there, and no shard is newer.

    Cameras are those that `plan` asks for, in a local folder: replacing them takes two steps there.
    """
    files = storage.files("")
    shards = storage.files("shards").items()
    markers = {name.removesuffix(".json"): f for name, f in shards if name.endswith(".json")}
    if plan.config.store.transforms and isinstance(storage, LocalStorage):
        folder = storage.folder / _TRANSFORMS
        if not all((folder / shard).is_dir() for shard in markers):
            return False
    newest = max((marker.modified for marker in markers.values()), default=0.0)
    return all(name in files and files[name].modified >= newest for name in _FILES)


def finish_dataset(storage: Storage, plan: Plan) -> None:
    """Merge the index of all finished shards, and write the card and what else belongs to it.

    All files are made before the first of them replaces an earlier one. The index is the last, so
    a run that ends in between leaves one that is not current.

    Raises:
        DatasetError, OutputError: a file cannot be read or written.
    """
    remove_stale_claims(storage)
    if isinstance(storage, LocalStorage):
        _finish_local(storage, plan)
        return
    with (
        tempfile.TemporaryDirectory(prefix="ddepth-") as folder,
        tempfile.TemporaryDirectory(prefix="ddepth-") as into,
    ):
        _fetch(storage, plan, Path(folder))
        made = Path(into)
        write_finished(Path(folder), plan, made, storage.address.rstrip("/").rpartition("/")[2])
        cameras = [path for path in sorted((made / _TRANSFORMS).rglob("*")) if path.is_file()]
        for path in (*cameras, *(made / name for name in _FILES)):
            storage.write(path.relative_to(made).as_posix(), path.read_bytes())


def _finish_local(storage: LocalStorage, plan: Plan) -> None:
    root = storage.folder
    try:
        storage.remove_leftovers()
        made = root / part_name("index")
        made.mkdir()
        try:
            _replace_files(storage, plan, made)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise unusable(root, error) from error


def _replace_files(storage: LocalStorage, plan: Plan, made: Path) -> None:
    root = storage.folder
    start = made.stat().st_mtime_ns  # by the clock that gives the markers their times
    write_finished(root, plan, made)
    if (made / _TRANSFORMS).is_dir():
        (root / _TRANSFORMS).mkdir(exist_ok=True)
        for path in sorted((made / _TRANSFORMS).iterdir()):
            replace_folder(path, root / _TRANSFORMS / path.name)
    for name in _FILES:
        # A shard that was finished meanwhile is newer, whether or not it was seen.
        os.utime(made / name, ns=(start, start))
        (made / name).replace(root / name)
        storage.sync_folder(root)


def _fetch(storage: Storage, plan: Plan, mirror: Path) -> None:
    """Copy everything but samples; tars become empty files of the same sizes."""
    (mirror / "shards").mkdir()
    for index in range(len(plan.shards)):
        marker = read_marker(storage, index)
        if marker is None:
            continue
        (mirror / "shards" / f"{shard_name(index)}.json").write_bytes(marker.content())
        for name, (size, _) in marker.files.items():
            folder, _, inner = name.rpartition("/")
            if folder not in ("", shard_name(index)) or inner in ("", ".", ".."):
                raise DatasetError(f"{storage.address}: the marker of a shard names {shown(name)}")
            path = mirror / "shards" / name
            path.parent.mkdir(exist_ok=True)
            if name.endswith(".parquet"):
                path.write_bytes(storage.read(f"shards/{name}") or b"")
            else:
                path.touch()
                os.truncate(path, size)


def write_finished(folder: Path, plan: Plan, into: Path, name: str | None = None) -> None:
    """Write everything that is made from finished shards.

    Args:
        folder: of the data set.
        plan: its plan.
        into: folder for the files.
        name: of the data set; None takes that of its folder.

    Raises:
        DatasetError, OutputError: a file cannot be read or written.
    """
    from .card import write_card, write_settings
    from .index import finished_shards, merge_index
    from .transforms import write_transforms

    merge_index(folder, into)
    write_settings(into, plan.config.model_dump(mode="json"), plan.versions)
    write_card(folder, name, into)
    if plan.config.store.transforms:
        write_transforms(folder, into)
        for shard in finished_shards(folder):  # of those without samples, too; see above
            (into / _TRANSFORMS / shard).mkdir(parents=True, exist_ok=True)
