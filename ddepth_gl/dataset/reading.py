"""DatasetReader: random access to the samples of a data set, without torch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._checks import checked_choice, checked_count, is_integer, one_line, shown
from .._packages import import_needed
from ..errors import DatasetError, RequestError
from .decoding import decoded_camera, decoded_sample
from .shard_files import FilePlace, opened_shards

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

__all__ = ["DatasetReader", "checked_sample"]

IntArray = npt.NDArray[np.integer[Any]]

_INDEX = "index.parquet"
# Columns of the index for each file of a sample: its place in the shard.
_OFFSET, _SIZE = "offset.", "size."
_SPLITS = ("train", "val", "test")


class DatasetReader:
    """The samples of a data set that ``ddepth dataset`` wrote, by number.

    ::

        reader = DatasetReader("sofas", split="train")
        reader.read(17)["photo"]

    Samples keep the order of the index. They are read by byte offset, so any order is fast. Readers
    can be pickled, used after fork, and by several threads. What is read may come from anywhere:
    nothing in it is executed, and sizes are checked.

    Args:
        address: the folder, or an address that fsspec opens, such as ``s3://bucket/sofas``.
        split: "train", "val" or "test"; None takes all samples.
        where: a `pyarrow.compute` expression on columns of the index, such as
            ``pc.field("closed") & (pc.field("coverage") > 0.05)``; None takes all samples.
        max_bytes: maximum size of each file of a sample.
        max_open: number of shards to keep open, of a local folder.

    Attributes:
        endings: those of each sample's files, such as ``"photo.png"``.

    Raises:
        DatasetError: there is no index, it has no sample at all or none of `split`, or pyarrow is
            not installed.
        RequestError: an argument has a value that is not allowed.
    """

    def __init__(
        self,
        address: str | os.PathLike[str],
        *,
        split: str | None = None,
        where: pc.Expression | None = None,
        max_bytes: int = 1 << 32,
        max_open: int = 16,
    ) -> None:
        try:
            self.address = os.fsdecode(address)
        except TypeError:
            raise RequestError(
                f"address must be a folder or an address of fsspec, not {shown(address)}"
            ) from None
        self.split = split if split is None else checked_choice("split", split, _SPLITS)
        self.where = where
        self._limits = checked_count("max_bytes", max_bytes), checked_count("max_open", max_open)
        self._shards = opened_shards(self.address, *self._limits)
        self._version = self._shards.version_of(_INDEX)
        self._read_index()

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process reads the index again: that is faster than sending it.
        return _reopened, (self.address, self.split, self.where, *self._limits, self._version)

    def _read_index(self) -> None:
        with self._opened_index() as index:
            names = index.schema_arrow.names
            self._check_samples(index)
        self.endings = tuple(
            ending
            for name in names
            if name.startswith(_OFFSET) and _SIZE + (ending := name.removeprefix(_OFFSET)) in names
        )
        if not ({"key", "shard"} <= set(names) and self.endings):
            raise DatasetError(
                f"{self.address}: {_INDEX} does not say where files are; give the folder that "
                "ddepth dataset wrote to"
            )
        places = {ending: (_OFFSET + ending, _SIZE + ending) for ending in self.endings}
        table = self.table(["key", "shard", *(name for pair in places.values() for name in pair)])
        if self.split is not None and not len(table):
            self._check_split()
        shards = table["shard"].combine_chunks().dictionary_encode()
        self._keys = table["key"].combine_chunks()
        self._shard_names: list[str] = shards.dictionary.to_pylist()
        self._shard_of: IntArray = shards.indices.to_numpy()
        # Ending to offset and size of each sample; -1 where it has no such file.
        self._places: dict[str, list[IntArray]] = {
            ending: [table[name].fill_null(-1).to_numpy() for name in pair]
            for ending, pair in places.items()
        }
        del table, shards
        # Otherwise Arrow would keep what the tables took: four times of what is left.
        arrow = import_needed("pyarrow", "an index", DatasetError, "dataset")
        arrow.default_memory_pool().release_unused()

    def _check_samples(self, index: Any) -> None:
        """Raise DatasetError if the index of a data set has no sample at all."""
        names, reason = index.schema_arrow.names, None
        if not {"key", "shard"} <= set(names):
            return
        if not index.metadata.num_rows:
            reason = "all meshes failed, see failures.parquet"
        elif "left_out" in names and all(index.read(["left_out"])["left_out"].to_pylist()):
            reason = "all views were left out, see mask_iou in the index and photos.min_iou"
        if reason:
            raise DatasetError(f"{self.address} has no samples: {reason}")

    def _check_split(self) -> None:
        """Raise DatasetError if the data set has other splits, and not this one."""
        with self._opened_index() as index:
            splits = index.read(["split"])["split"].unique().to_pylist()
        there = ", ".join(each for each in _SPLITS if each in splits)
        if there and self.split not in splits:
            raise DatasetError(
                f"{self.address} has no samples of split {self.split}, but of {there}; render "
                "with other shares, such as ddepth dataset --val 0.1 --test 0.1, or more meshes"
            )

    @contextmanager
    def _opened_index(self) -> Iterator[Any]:
        arrow = import_needed("pyarrow", "an index", DatasetError, "dataset")
        parquet = import_needed("pyarrow.parquet", "an index", DatasetError, "dataset")
        try:
            with parquet.ParquetFile(self._shards.index_source(_INDEX)) as index:
                yield index
        except (arrow.ArrowException, OSError) as error:
            raise DatasetError(
                f"{self.address}: index.parquet cannot be read ({one_line(error)}); ddepth dataset "
                f"--finish -o {self.address} writes it, while a run is unfinished as well: the "
                "index of what is there"
            ) from error

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return columns of the index, a row for each sample of this reader, in their order.

        Args:
            columns: their names; None returns all.

        Raises:
            DatasetError: a column does not exist, of these or in `where`.
        """
        compute = import_needed("pyarrow.compute", "an index", DatasetError, "dataset")
        wanted = self.where
        if self.split is not None:
            of_split = compute.field("split") == self.split
            wanted = of_split if wanted is None else of_split & wanted
        with self._opened_index() as index:
            if "left_out" in index.schema_arrow.names:
                # Views that the settings left out have a row and no files.
                left_out = compute.field("left_out")
                kept = left_out.is_null() | ~left_out
                wanted = kept if wanted is None else kept & wanted
            unknown = set(columns or ()) - set(index.schema_arrow.names)
            if unknown:
                raise DatasetError(
                    f"{self.address}: {_INDEX} has no column {shown(min(unknown))}, but "
                    f"{', '.join(index.schema_arrow.names)}"
                )
            arrow = import_needed("pyarrow", "an index", DatasetError, "dataset")
            parquet = import_needed("pyarrow.parquet", "an index", DatasetError, "dataset")
            try:
                return parquet.read_table(
                    self._shards.index_source(_INDEX), columns=columns, filters=wanted
                )
            except (arrow.ArrowInvalid, arrow.ArrowNotImplementedError) as error:
                raise DatasetError(
                    f"{self.address}: where={one_line(wanted)} cannot be applied to {_INDEX} "
                    f"({one_line(error)}); its columns are {', '.join(index.schema_arrow.names)}"
                ) from error

    def __len__(self) -> int:
        return len(self._shard_of)

    def __repr__(self) -> str:
        return f"<DatasetReader of {len(self)} samples in {self.address}>"

    @property
    def shard_sizes(self) -> npt.NDArray[np.int64]:
        """(shards,) int64: number of samples of each shard, in their order."""
        if not len(self):
            return np.zeros(0, np.int64)
        borders = np.flatnonzero(np.diff(self._shard_of)) + 1
        return np.diff(np.concatenate([[0], borders, [len(self)]])).astype(np.int64)

    def key(self, number: int) -> str:
        """Return the key of a sample: id of the mesh, ``_``, and the view.

        Raises:
            IndexError: there is no such sample.
            RequestError: `number` is not an integer.
        """
        key: str = self._keys[checked_sample(number, len(self))].as_py()
        return key

    def files(self, number: int, endings: Iterable[str] | None = None) -> dict[str, bytes]:
        """Return the files of a sample, undecoded, by ending.

        Args:
            number: of the sample, from 0; negative ones count from the end.
            endings: of the files, such as ``"photo.png"``; None returns all.

        Raises:
            IndexError: there is no such sample.
            RequestError: `number` is not an integer.
            DatasetError: the sample has no such file, or it cannot be read.
        """
        number = checked_sample(number, len(self))
        key = self.key(number)
        places = {}
        for ending in self.endings if endings is None else endings:
            columns = self._places.get(ending)
            place = (-1, -1) if columns is None else (int(each[number]) for each in columns)
            offset, size = place
            if offset >= 0:
                places[f"{key}.{ending}"] = FilePlace(offset, size)
            elif endings is not None:
                raise DatasetError(
                    f"{self.address}: {key} has no file {shown(ending)}, but "
                    f"{', '.join(self.endings)}; render the data set with that output"
                )
        contents = self._shards.read(self._shard_names[self._shard_of[number]], places)
        return {name.removeprefix(f"{key}."): content for name, content in contents.items()}

    def read(self, number: int, endings: Iterable[str] | None = None) -> dict[str, Any]:
        """Return the arrays of a sample by name; see `decoded_sample`.

        Args:
            number: of the sample, from 0; negative ones count from the end.
            endings: of the files to decode, such as ``"photo.png"``; None decodes all.

        Returns:
            The arrays, and ``camera``, a Camera.

        Raises:
            IndexError, RequestError, DatasetError: see `files`.
        """
        files = self.files(
            number, None if endings is None else {"json": None, **dict.fromkeys(endings)}
        )
        try:
            return {**decoded_sample(files), "camera": decoded_camera(files)}
        except DatasetError as error:
            raise DatasetError(f"{self.address}: {self.key(number)}.{error}") from None

    def close(self) -> None:
        """Close all files. Idempotent; what is read later opens them again."""
        self._shards.close()


def checked_sample(number: Any, count: int) -> int:
    """Return the number of a sample, from 0; negative ones count from the end.

    Raises:
        RequestError: it is not an integer.
        IndexError: there is no such sample.
    """
    if not is_integer(number):
        raise RequestError(f"the number of a sample must be an integer, not {shown(number)}")
    if not -count <= number < count:
        raise IndexError(f"there are {count} samples, and none with number {number}")
    return int(number) % count


def _reopened(
    address: str,
    split: str | None,
    where: Any,
    max_bytes: int,
    max_open: int,
    version: tuple[object, ...],
) -> DatasetReader:
    """Return the reader that was pickled; its numbers must be those of the same samples."""
    reader = DatasetReader(
        address, split=split, where=where, max_bytes=max_bytes, max_open=max_open
    )
    if reader._version != version:
        raise DatasetError(
            f"{address}: {_INDEX} was replaced while it was in use; open the data set again"
        )
    return reader
