"""Check of what is made from finished shards: index, failures, settings, card and cameras."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .._packages import import_needed
from .._text import counted
from ..errors import DatasetError, DDepthError
from .card import CARD, SETTINGS
from .finishing import write_finished
from .index import FAILURES, INDEX, index_columns, sample_rows
from .merging import merge_parquet
from .plan import Plan
from .transforms import TRANSFORMS

__all__ = ["finished_problems"]

# Lines of the card that depend on more than the samples: names, and whether there is a preview.
_FREE = ("pretty_name: ", "# ", "![")
_MAX_TEXT = 1 << 26


def finished_problems(root: Path, plan: Plan, samples: dict[str, int]) -> Iterator[str]:
    """Yield where files differ from what the finished shards give.

    Rows must be the same. Of the card, every line must be there: people add text of their own.

    Args:
        root: folder of the data set.
        plan: its plan.
        samples: number of samples of each shard.
    """
    names = [name for name in (INDEX, FAILURES, SETTINGS, CARD) if not (root / name).exists()]
    for name in names:
        yield f"{name} is missing; ddepth dataset --finish -o {root} writes it"
    if INDEX in names:
        return
    for problem in _counts(root, samples):
        yield problem
        return
    with tempfile.TemporaryDirectory(prefix="ddepth-") as folder:
        made = Path(folder)
        try:
            write_finished(root, plan, made)
        except (DDepthError, OSError) as error:
            yield f"the index cannot be made again to compare it: {error}"
            return
        stale = [
            *(name for name in (INDEX, FAILURES) if _differs(root / name, made / name)),
            *_other_settings(root, plan),
            *_other_card(root, made),
            *_other_cameras(root, made),
        ]
    for name in stale:
        if name not in names:
            yield (
                f"{name} is not what the finished shards give; ddepth dataset --finish -o {root} "
                "writes it again"
            )


def _counts(root: Path, samples: dict[str, int]) -> Iterator[str]:
    """Yield which shards have other samples in the index, which says more than that it differs."""
    counts = dict.fromkeys(samples, 0)
    try:
        if "shard" not in index_columns(root / INDEX):
            yield f"{INDEX} has no column shard"
            return
        for row in sample_rows(root / INDEX, ("shard",)):
            counts[str(row["shard"])] = counts.get(str(row["shard"]), 0) + 1
    except DatasetError as error:
        yield str(error)
        return
    wrong = sorted(name for name in counts if counts[name] != samples.get(name))
    if wrong:
        yield (
            f"{INDEX} has other samples than {counted(len(wrong), 'shard')}, such as "
            f"{wrong[0]:.40}; ddepth dataset --finish -o {root} writes it again"
        )


def _differs(there: Path, made: Path) -> bool:
    """Return whether two Parquet files have other rows, or in another order."""
    if not there.exists() or _is_same(there, made):
        return not there.exists()
    # Another version of pyarrow writes the same rows as other bytes.
    both = (there, made.with_name("there.parquet")), (made, made.with_name("made.parquet"))
    try:
        for source, target in both:
            with target.open("wb") as file:
                merge_parquet([source], file)
    except DatasetError:
        return True
    return not _is_same(both[0][1], both[1][1])


def _is_same(first: Path, second: Path) -> bool:
    with first.open("rb") as one, second.open("rb") as other:
        while (part := one.read(1 << 20)) == other.read(1 << 20):
            if not part:
                return True
    return False


def _text(path: Path) -> str:
    """Return the text of a file; nothing if it is missing, or is no text."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_TEXT).decode("utf-8")
    except (OSError, ValueError):
        return ""


def _other_settings(root: Path, plan: Plan) -> Iterator[str]:
    from .config import DatasetConfig

    import_needed("yaml", "reading settings", DatasetError, "dataset")
    try:
        there = _compared(DatasetConfig.from_yaml(root / SETTINGS))
    except (DDepthError, OSError, ValueError):
        there = None
    if there != _compared(plan.config):
        yield SETTINGS


def _compared(config: Any) -> dict[str, Any]:
    """Return all settings but limits, which may change from run to run."""
    settings: dict[str, Any] = config.model_dump(mode="json", exclude={"limits"})
    return settings


def _other_card(root: Path, made: Path) -> Iterator[str]:
    there = set(_text(root / CARD).splitlines())
    lines = _text(made / CARD).splitlines()
    if any(line not in there and not line.startswith(_FREE) for line in lines):
        yield CARD


def _other_cameras(root: Path, made: Path) -> Iterator[str]:
    for path in sorted((made / TRANSFORMS).rglob("*.json")):
        there = root / path.relative_to(made)
        if not there.is_file() or not _is_same(there, path):
            yield there.relative_to(root).as_posix()
