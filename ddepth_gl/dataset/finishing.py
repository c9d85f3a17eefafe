"""The end of a run: the index of all finished shards, the card, and cameras as files."""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .._checks import shown
from ..errors import DatasetError
from ..io.owners import part_name
from . import card
from .claims import remove_stale_claims
from .index import FAILURES, INDEX, finished_shards, merge_index
from .layout_files import replace_folder
from .marker import read_marker, shard_name
from .plan_file import PLAN_NAME
from .storage import LocalStorage, Storage, unusable
from .transforms import TRANSFORMS, write_transforms

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["check_is_free", "finish_dataset", "is_index_current", "write_finished"]

# In the order in which they appear: whoever sees the index sees all others.
_FILES = (FAILURES, card.SETTINGS, card.CARD, INDEX)
_PREVIEW = (card.PREVIEW_PNG, card.PREVIEW_HTML)


def check_is_free(storage: Storage) -> None:
    """Check that a folder without a plan has no file that a run would replace.

    Raises:
        DatasetError: it has one.
    """
    there = storage.files("")
    taken = [name for name in (*_FILES, *_PREVIEW) if name in there]
    # Another process may have written the plan, and all of its data set, meanwhile.
    if taken and storage.read(PLAN_NAME) is None:
        name = f"{storage.address.rstrip('/')}/{taken[0]}"
        raise DatasetError(f"{name} is not of a data set; give another -o")


def is_index_current(storage: Storage, plan: Plan) -> bool:
    """Return whether index, failures, settings, card and cameras are there, and no shard is newer.

    Cameras are those that `plan` asks for, in a local folder: replacing them takes two steps there.
    """
    files = storage.files("")
    shards = storage.files("shards").items()
    markers = {name.removesuffix(".json"): f for name, f in shards if name.endswith(".json")}
    if plan.config.store.transforms and isinstance(storage, LocalStorage):
        folder = storage.folder / TRANSFORMS
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
        cameras = [path for path in sorted((made / TRANSFORMS).rglob("*")) if path.is_file()]
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
    if any(_is_other(root / name, made / name) for name in (INDEX, FAILURES)):
        for name in _PREVIEW:  # it shows what is no longer so
            (root / name).unlink(missing_ok=True)
        card.write_card(root, None, made)
    if (made / TRANSFORMS).is_dir():
        (root / TRANSFORMS).mkdir(exist_ok=True)
        for path in sorted((made / TRANSFORMS).iterdir()):
            replace_folder(path, root / TRANSFORMS / path.name)
    for name in _FILES:
        # A shard that was finished meanwhile is newer, whether or not it was seen.
        os.utime(made / name, ns=(start, start))
        (made / name).replace(root / name)
        storage.sync_folder(root)


def _is_other(there: Path, made: Path) -> bool:
    return not there.exists() or not filecmp.cmp(there, made, shallow=False)


def _fetch(storage: Storage, plan: Plan, mirror: Path) -> None:
    """Copy everything but samples; tars become empty files of the same sizes."""
    (mirror / "shards").mkdir()
    if there := storage.read(card.CARD):
        (mirror / card.CARD).write_bytes(there)
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
    merge_index(folder, into)
    card.write_settings(into, plan.config.model_dump(mode="json"), plan.versions)
    card.write_card(folder, name, into)
    if plan.config.store.transforms:
        write_transforms(folder, into)
        for shard in finished_shards(folder):  # of those without samples, too; see above
            (into / TRANSFORMS / shard).mkdir(parents=True, exist_ok=True)
