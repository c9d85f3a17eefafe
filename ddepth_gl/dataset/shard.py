"""One shard: its meshes rendered in order into a tar, then its rows, then its marker."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .._checks import printable
from .._packages import import_needed
from ..errors import DatasetError
from .child import MeshFailedError, RendererChild
from .claims import Claim, claimed
from .columns import column_array, plain_value
from .entries import MeshEntry
from .layout_files import SUMS, FilesWriter
from .marker import Marker, finished, shard_fingerprint, shard_name
from .storage import Storage, open_storage
from .tar_file import TarWriter

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["MeshDone", "ShardResult", "run_shard"]

# What a fresh process may do better.
_RETRIED = ("crash", "timeout", "memory")


@dataclass(frozen=True)
class ShardResult:
    """The outcome of `run_shard`.

    Attributes:
        index: number of the shard.
        state: "rendered"; "there" if it was finished already; "claimed" if another process is at
            work on it.
        marker: marker of the finished shard; None for "claimed".
    """

    index: int
    state: Literal["rendered", "there", "claimed"]
    marker: Marker | None = None


@dataclass(frozen=True)
class MeshDone:
    """A mesh that was rendered or failed.

    Attributes:
        id: of the mesh.
        samples: number of its samples, without photos that were left out; 0 if it failed.
        bytes: of its samples.
        seconds: wall time.
        failure: message of the failure, empty if there is none.
    """

    id: str
    samples: int
    bytes: int
    seconds: float
    failure: str = ""


@dataclass
class _Contents:
    """Everything of a shard but its tar."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class _SupersededError(DatasetError):
    """Another process has finished the shard meanwhile."""


def run_shard(
    folder: Any,
    plan: Plan,
    index: int,
    child: RendererChild | None = None,
    *,
    replace: Marker | None = None,
    report: Callable[[MeshDone], None] = lambda _: None,
) -> ShardResult:
    """Render a shard of a plan, unless it is finished or another process is at work on it.

    Args:
        folder: path or address of the data set, or its Storage.
        plan: plan of the data set.
        index: number of the shard.
        child: the renderer process to use; one is started for this call if it is None.
        replace: marker of the finished shard that is rendered again and replaced; one with another
            marker stays.
        report: called after each mesh.

    Raises:
        DatasetError, OutputError: the shard cannot be written, or nothing can be rendered here.
        ContextError: there is no OpenGL context.
        RunStoppedError: raised by the child's `watch`.
    """
    storage = open_storage(folder)
    marker = finished(storage, plan, index)
    if marker and marker != replace:
        return ShardResult(index, "there", marker)
    with claimed(storage, shard_name(index)) as claim:
        if claim is None:
            return ShardResult(index, "claimed")
        earlier = finished(storage, plan, index)  # perhaps meanwhile
        if earlier and earlier != replace:
            return ShardResult(index, "there", earlier)
        if child is None:
            with RendererChild(plan.config, versions=plan.versions) as own:
                return _Shard(storage, plan, index, own, claim, report).render(earlier)
        return _Shard(storage, plan, index, child, claim, report).render(earlier)


class _Shard:
    """A shard at work."""

    def __init__(
        self,
        storage: Storage,
        plan: Plan,
        index: int,
        child: RendererChild,
        claim: Claim,
        report: Callable[[MeshDone], None],
    ) -> None:
        self._storage, self._plan, self._index = storage, plan, index
        self._child, self._claim, self._report = child, claim, report
        self._name = shard_name(index)

    def render(self, earlier: Marker | None) -> ShardResult:
        start = time.monotonic()
        watch = self._child.watch

        def watch_all() -> None:
            watch()
            self._claim.refresh()

        self._child.watch = watch_all
        contents = _Contents()
        try:
            self._child.start()
            with self._writer() as writer:
                for entry in self._plan.shards[self._index]:
                    self._render_mesh(entry, writer, contents)
                writer.finish()
                files = self._file_of(writer)
                self._make_way(earlier)
        except _SupersededError:
            return ShardResult(
                self._index, "there", finished(self._storage, self._plan, self._index)
            )
        finally:
            self._child.watch = watch
        for name, rows in (
            (f"{self._name}.parquet", contents.rows),
            (f"{self._name}.failures.parquet", contents.failures),
        ):
            content = _parquet(rows)
            self._storage.write(f"shards/{name}", content)
            files[name] = len(content), hashlib.sha256(content).hexdigest()
        samples = _sample_count(contents.rows)
        marker = Marker(
            plan=shard_fingerprint(self._plan, self._index),
            files=files,
            sample_bytes=writer.size,
            meshes=len(contents.seconds),
            samples=samples,
            failures=len(contents.failures),
            seconds=round(time.monotonic() - start, 3),
            mesh_seconds=tuple(round(each, 3) for each in contents.seconds),
            peak_memory=self._child.peak_memory,
            left_out=len(contents.rows) - samples,
        )
        if not self._storage.create(f"shards/{self._name}.json", marker.content()):
            # The other process wrote the same bytes, or its marker does not fit them any more.
            there = finished(self._storage, self._plan, self._index)
            if there is None:
                self._storage.write(f"shards/{self._name}.json", marker.content())
        return ShardResult(self._index, "rendered", marker)

    @contextmanager
    def _writer(self) -> Iterator[TarWriter | FilesWriter]:
        """Return the writer of the layout; what it wrote appears as the block ends."""
        if self._plan.config.layout == "files":
            with self._storage.writing_folder(f"shards/{self._name}") as folder:
                self._sums = folder / SUMS
                yield FilesWriter(folder)
        else:
            with self._storage.writing(f"shards/{self._name}.tar") as file:
                yield TarWriter(file)

    def _file_of(self, writer: TarWriter | FilesWriter) -> dict[str, tuple[int, str]]:
        """Return name, size and hash of the file that stands for all samples."""
        if isinstance(writer, TarWriter):
            return {f"{self._name}.tar": (writer.size, writer.sha256)}
        return {f"{self._name}/{SUMS}": (self._sums.stat().st_size, writer.sha256)}

    def _make_way(self, earlier: Marker | None) -> None:
        """Remove an earlier marker before anything that it speaks of is replaced."""
        if finished(self._storage, self._plan, self._index) != earlier:
            raise _SupersededError("the shard has been finished by another process")
        self._storage.remove(f"shards/{self._name}.json")

    def _render_mesh(
        self, entry: MeshEntry, writer: TarWriter | FilesWriter, contents: _Contents
    ) -> None:
        """Add a mesh to the shard, or its failure."""
        before, size, rows = writer.position(), writer.size, len(contents.rows)
        start = time.monotonic()
        for attempt in (1, 2):
            try:
                contents.rows += self._rows(entry, writer)
                break
            except MeshFailedError as failure:
                writer.return_to(before)  # type: ignore[arg-type]
                if failure.kind in _RETRIED and attempt == 1:
                    self._child.close()  # so the mesh is alone in a fresh process
                    continue
                message = str(failure)
                contents.failures.append(
                    {
                        "id": entry.id,
                        "shard": self._name,
                        "address": entry.address,
                        "kind": failure.kind,
                        "message": message,
                    }
                )
                self._report(MeshDone(entry.id, 0, 0, time.monotonic() - start, message))
                return
        seconds = time.monotonic() - start
        contents.seconds.append(seconds)
        samples = _sample_count(contents.rows[rows:])
        self._report(MeshDone(entry.id, samples, writer.size - size, seconds))

    def _rows(self, entry: MeshEntry, writer: TarWriter | FilesWriter) -> list[dict[str, Any]]:
        """Add the samples of a mesh to the tar; return their rows of the index."""
        rows = []
        with closing(self._child.samples(entry)) as samples:
            for sample in samples:
                row = {**sample.row, **entry.columns, "shard": self._name, "key": sample.key}
                for ending, content in sample.files.items():
                    offset = writer.add(f"{sample.key}.{ending}", len(content), [content])
                    row |= {f"offset.{ending}": offset, f"size.{ending}": len(content)}
                rows.append(row)
        return rows


def _sample_count(rows: Sequence[dict[str, Any]]) -> int:
    return sum(not row.get("left_out") for row in rows)


def _parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return rows as a Parquet file: all columns that any row has, in the order of appearance."""
    pa = import_needed("pyarrow", "a data set", DatasetError, "dataset")
    parquet = import_needed("pyarrow.parquet", "a data set", DatasetError, "dataset")
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: _column(pa, [row.get(name) for row in rows]) for name in names})
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _utf8(value: Any) -> Any:
    """Return a value with texts that Parquet can hold; names on disk may be any bytes."""
    if isinstance(value, list):
        return [_utf8(each) for each in value]
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return printable(value)
    return value


def _column(pa: Any, values: list[Any]) -> Any:
    """Return values as an array; those of different types become text."""
    values = [_utf8(value) for value in values]
    try:
        return column_array(values)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        plain = [plain_value(value) for value in values]
        texts = [v if v is None or isinstance(v, str) else json.dumps(v) for v in plain]
        return pa.array(texts, pa.string())
