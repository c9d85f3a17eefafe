"""The index of a data set: one row per sample, merged from those of the finished shards."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._checks import one_line
from .._packages import import_needed
from ..errors import DatasetError
from ..io.atomic import atomic_write
from .merging import merge_parquet

__all__ = [
    "FAILURES",
    "INDEX",
    "SHARDS",
    "IndexCounts",
    "finished_shards",
    "index_columns",
    "index_rows",
    "merge_index",
    "row_count",
    "rows_at",
    "sample_rows",
]

INDEX = "index.parquet"
FAILURES = "failures.parquet"
SHARDS = "shards"  # the folder of tars, markers and rows

_MARKER = re.compile(r"shard-[0-9]{5,9}\.json")


@dataclass(frozen=True)
class IndexCounts:
    """Numbers of what an index holds."""

    shards: int
    samples: int
    failures: int


def finished_shards(folder: str | os.PathLike[str]) -> list[str]:
    """Return the names of the shards that have a marker, such as ``shard-00012``, in their order.

    Args:
        folder: of the data set.

    Raises:
        DatasetError: there is no such folder, or it holds no shards.
    """
    shards = Path(folder) / SHARDS
    try:
        names = [name for name in os.listdir(shards) if _MARKER.fullmatch(name)]  # noqa: PTH208
    except OSError as error:
        raise DatasetError(
            f"{shards} cannot be listed ({error.strerror}); give the folder that ddepth dataset "
            "wrote to"
        ) from error
    return sorted((name.removesuffix(".json") for name in names), key=_number)


def _number(shard: str) -> int:
    return int(shard.rpartition("-")[2])


def merge_index(folder: str | os.PathLike[str], into: Path | None = None) -> IndexCounts:
    """Write ``index.parquet`` and ``failures.parquet`` from the rows of all finished shards.

    Rows are in the order of the shards. Both files appear complete or not at all, replace earlier
    ones, and have the same bytes each time they are made from the same shards. See `merge_parquet`
    for columns that differ between shards.

    Args:
        folder: of the data set.
        into: folder for the two files; None for that of the data set.

    Returns:
        The numbers of shards, samples and failures.

    Raises:
        DatasetError: the folder holds no shards, or a shard's rows cannot be read.
        OutputError: a file cannot be written.
    """
    root = Path(folder)
    pa = import_needed("pyarrow", "an index", DatasetError, "dataset")
    shards = finished_shards(root)
    text = pa.string()
    samples = _merge(
        (into or root) / INDEX,
        [root / SHARDS / f"{shard}.parquet" for shard in shards],
        [("id", text), ("view", pa.int64()), ("key", text), ("shard", text)],
    )
    failures = _merge(
        (into or root) / FAILURES,
        # A shard without failures may have no file of them.
        [
            path
            for shard in shards
            if (path := root / SHARDS / f"{shard}.failures.parquet").exists()
        ],
        [("id", text), ("shard", text), ("kind", text), ("message", text)],
    )
    return IndexCounts(len(shards), samples, failures)


def _merge(target: Path, sources: Sequence[Path], columns: Sequence[tuple[str, Any]]) -> int:
    with atomic_write(target) as file:
        return merge_parquet(sources, file, columns)


@contextmanager
def _opened_index(path: Path) -> Iterator[Any]:
    """Open a Parquet file of the data set; raise DatasetError if it is missing or broken."""
    parquet = import_needed("pyarrow.parquet", "an index", DatasetError, "dataset")
    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except DatasetError:
        raise
    except Exception as error:  # on a damaged file, pyarrow raises nearly anything
        raise DatasetError(
            f"{path} is not an index ({one_line(error, 200)}); ddepth dataset --finish writes it"
        ) from error


def index_columns(path: Path) -> list[str]:
    """Return the names of the columns of an index, or of the failures.

    Raises:
        DatasetError: the file is missing or not a Parquet file, or pyarrow is not installed.
    """
    with _opened_index(path) as file:
        return list(file.schema_arrow.names)


def row_count(path: Path) -> int:
    """Return the number of rows of an index.

    Raises:
        DatasetError: see `index_columns`.
    """
    with _opened_index(path) as file:
        return int(file.metadata.num_rows)


def index_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of an index, or of the failures, as dicts.

    Args:
        path: the Parquet file.
        columns: those to read, if the file has them; None reads all.

    Raises:
        DatasetError: see `index_columns`.
    """
    with _opened_index(path) as file:
        names = set(file.schema_arrow.names)
        chosen = None if columns is None else [name for name in columns if name in names]
        for batch in file.iter_batches(8_192, columns=chosen):
            yield from batch.to_pylist()


def sample_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of an index that have a sample; those of views left out have none.

    Args:
        path, columns: see `index_rows`.

    Raises:
        DatasetError: see `index_columns`.
    """
    for row in index_rows(path, None if columns is None else (*columns, "left_out")):
        if not row.get("left_out"):
            yield row


def rows_at(path: Path, numbers: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return some rows of an index by their numbers, counted from 0.

    Raises:
        DatasetError: see `index_columns`.
    """
    wanted = sorted(numbers)
    found: dict[int, dict[str, Any]] = {}
    with _opened_index(path) as file:
        start = 0
        for batch in file.iter_batches(8_192):
            stop = start + batch.num_rows
            here = [number for number in wanted if start <= number < stop]
            rows = batch.take([number - start for number in here]).to_pylist() if here else []
            found |= dict(zip(here, rows, strict=True))
            start = stop
    return found
