"""Shards: rows that find their samples, failures that are named, and what a second writer does."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import tarfile
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from dataset_runs import fake_plan, fake_renderer, rows, sums, use_fakes
from fake_child import VERSIONS, VIEWS, content_of

import ddepth_gl as dd
from ddepth_gl.dataset import shard as module
from ddepth_gl.dataset.child import RunStoppedError
from ddepth_gl.dataset.columns import column_array, column_values
from ddepth_gl.dataset.config import DatasetConfig
from ddepth_gl.dataset.entries import MeshEntry
from ddepth_gl.dataset.marker import finished, read_marker
from ddepth_gl.dataset.merging import merge_parquet
from ddepth_gl.dataset.plan_file import Plan, plan_bytes, plan_of_bytes
from ddepth_gl.dataset.shard import run_shard
from ddepth_gl.dataset.storage import LocalStorage

GOOD = ("a", "b", "c")


@pytest.fixture(autouse=True)
def _fakes(monkeypatch):
    use_fakes(monkeypatch)


def render(out, plan, index=0, renderer=None, **options):
    with fake_renderer(plan) as own:
        return run_shard(out, plan, index, renderer or own, **options)


def files(out):
    return sorted(path.name for path in (out / "shards").iterdir())


ALL = ["shard-00000.failures.parquet", "shard-00000.json", "shard-00000.parquet", "shard-00000.tar"]


def test_samples_are_where_their_rows_say(tmp_path):
    plan = fake_plan(GOOD)
    result = render(tmp_path, plan)
    assert result.state == "rendered"
    assert files(tmp_path) == ALL
    data = (tmp_path / "shards" / "shard-00000.tar").read_bytes()
    found = rows(tmp_path / "shards" / "shard-00000.parquet")
    assert [row["key"] for row in found] == [f"{id}_00{view}" for id in GOOD for view in range(3)]
    for row in found:
        start = row["offset.data.bin"]
        content = data[start : start + row["size.data.bin"]]
        assert content == content_of(row["id"], row["view"])
        assert data[row["offset.json"] :][: row["size.json"]] == b"{}"
        assert row["shard"] == "shard-00000"
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert len(tar.getnames()) == 2 * len(found)
    assert rows(tmp_path / "shards" / "shard-00000.failures.parquet") == []
    assert list((tmp_path / "claims").iterdir()) == []


def test_the_marker(tmp_path):
    plan = fake_plan(GOOD)
    render(tmp_path, plan)
    marker = json.loads((tmp_path / "shards" / "shard-00000.json").read_text())
    for name, (size, sha) in marker["files"].items():
        data = (tmp_path / "shards" / name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (size, sha)
    assert set(marker["files"]) == set(ALL) - {"shard-00000.json"}
    assert (marker["meshes"], marker["samples"], marker["failures"]) == (3, 9, 0)
    assert len(marker["mesh_seconds"]) == 3
    assert marker["peak_memory"] > 2**20


BAD = {
    "bug": ("error", "KeyError: 'x'"),
    "crash": ("crash", "the renderer process was ended by SIGSEGV"),
    "error_x": ("error", "x is no mesh"),
    "exit": ("crash", "the renderer process ended with exit status 3"),
    "full": ("memory", "rendering ran out of memory"),
    "garbage": ("crash", "a renderer process sent what is not a message"),
    "sleep": ("timeout", "rendering takes longer than 1 s (limits.seconds_per_mesh)"),
}


def test_bad_meshes_are_named_and_good_ones_there(tmp_path):
    names = sorted([*BAD, *GOOD, "once", "zebra"])
    plan = fake_plan(names, folder=tmp_path, limits={"seconds_per_mesh": 1.0})
    reports = []
    result = render(tmp_path / "out", plan, report=reports.append)
    shards = tmp_path / "out" / "shards"
    failures = rows(shards / "shard-00000.failures.parquet")
    assert {row["id"]: (row["kind"], row["message"]) for row in failures} == BAD
    assert {row["address"] for row in failures} == {str(tmp_path / name) for name in BAD}
    good = [*GOOD, "once", "zebra"]
    assert [row["id"] for row in rows(shards / "shard-00000.parquet")] == [
        id for id in good for _ in range(VIEWS)
    ]
    # Nothing of the bad ones is left in the tar: it is that of the good ones alone.
    alone = fake_plan(good, folder=tmp_path)
    render(tmp_path / "alone", alone)
    name = "shards/shard-00000.tar"
    assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    assert (result.marker.meshes, result.marker.failures) == (len(good), len(BAD))
    assert [report.id for report in reports] == names
    assert {report.id: report.failure for report in reports if report.failure} == {
        id: message for id, (_, message) in BAD.items()
    }
    assert (
        sum(report.bytes for report in reports) + 1024 == (shards / Path(name).name).stat().st_size
    )


def typed_table():
    """A table with a column of each type that pyarrow's guess from Python values would change."""
    moment = pa.array([1_600_000_000_123_456_789, None, -1], pa.timestamp("ns", "UTC"))
    return pa.table(
        {
            "day": pa.array([date(2020, 1, 2), None, date(1969, 1, 1)]),
            "moment": moment,
            "seconds": pa.array([1, 2, None], pa.timestamp("s")),
            "span": pa.array([1, 2, None], pa.duration("ns")),
            "clock": pa.array([1, 2, None], pa.time32("s")),
            "clock64": pa.array([1, 2, None], pa.time64("ns")),
            "price": pa.array([Decimal("1.50"), None, Decimal("-3")], pa.decimal128(9, 2)),
            "raw": pa.array([b"\0\xff", None, b""]),
            "raw2": pa.array([b"\0\xff", None, b"ab"], pa.binary(2)),
            "large": pa.array([2**64 - 1, None, 0], pa.uint64()),
            "byte": pa.array([1, None, -1], pa.int8()),
            "share": pa.array([0.1, None, float("nan")], pa.float32()),
            "half": pa.array([0.5, None, 2.0], pa.float16()),
            "words": pa.array(["a", None, ""], pa.large_string()),
            "tags": pa.array([["x"], None, []]),
            "box": pa.array([{"a": 1, "b": None}, None, {"a": 2, "b": "x"}]),
            "pairs": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int32())),
            "none": pa.array([None, None, None], pa.int16()),
            "lines": ["a\nb", None, "é"],
        }
    )


def test_columns_of_tables_keep_their_types(tmp_path):
    pq.write_table(typed_table(), tmp_path / "table.parquet")
    table = pq.read_table(tmp_path / "table.parquet")
    values = {name: column_values(table[name], name) for name in table.column_names}
    entries = [
        MeshEntry(id, id, columns={name: each[row] for name, each in values.items()})
        for row, id in enumerate(GOOD)
    ]
    # Also where a shard has nulls only, and after the plan was read again.
    plan = Plan(DatasetConfig(), (tuple(entries[:1]), tuple(entries[1:])), VERSIONS)
    plan = plan_of_bytes(plan_bytes(pickle.loads(pickle.dumps(plan))))
    for index in range(2):
        render(tmp_path, plan, index)
    with (tmp_path / "index.parquet").open("wb") as file:
        paths = [tmp_path / "shards" / f"shard-0000{index}.parquet" for index in range(2)]
        merge_parquet(paths, file)
    index = pq.read_table(tmp_path / "index.parquet").filter(pc.field("view") == 0)
    for name in table.column_names:
        assert index[name].type == table[name].type, name
        assert index[name].combine_chunks().to_string() == table[name].combine_chunks().to_string()


def test_types_that_cannot_be_kept_are_refused():
    moments = pa.chunked_array([pa.array([[1]], pa.list_(pa.timestamp("ns")))])
    union = pa.chunked_array([pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])])
    with pytest.raises(dd.DatasetError, match=r"column 'v' has the type sparse_union.*leave it ou"):
        column_values(union, "v")
    # With pandas, Python has times of nanoseconds.
    with suppress(dd.DatasetError):
        values = column_values(moments, "v")
        assert column_array(values).equals(moments.combine_chunks())


def test_names_that_are_not_utf_8(tmp_path):
    name = "error_caf\udce9.obj"
    result = render(tmp_path, fake_plan([name, "a"]))
    assert (result.marker.meshes, result.marker.failures) == (1, 1)
    (row,) = rows(tmp_path / "shards" / "shard-00000.failures.parquet")
    assert row["address"] == r"error_caf\xe9.obj"
    assert row["message"] == r"caf\xe9.obj is no mesh"


def test_a_shard_without_any_good_mesh(tmp_path):
    render(tmp_path, fake_plan(["error_a", "error_b"]))
    assert rows(tmp_path / "shards" / "shard-00000.parquet") == []
    assert len(rows(tmp_path / "shards" / "shard-00000.failures.parquet")) == 2


def test_a_finished_shard_stays(tmp_path):
    plan = fake_plan(GOOD)
    first = render(tmp_path, plan)
    again = run_shard(tmp_path, plan, 0)  # starts no process
    assert (again.state, again.marker) == ("there", first.marker)


@pytest.mark.parametrize("name", ALL)
def test_a_shard_with_a_missing_or_short_file_is_rendered_again(tmp_path, name):
    plan = fake_plan(GOOD)
    render(tmp_path, plan)
    before = sums(tmp_path)
    path = tmp_path / "shards" / name
    for damage in (path.unlink, lambda: path.write_bytes(path.read_bytes()[:-5])):
        damage()
        assert render(tmp_path, plan).state == "rendered"
        assert sums(tmp_path) == before


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"files": {"a": 3}}', b"[" * 10**5]
)
def test_a_damaged_marker(tmp_path, content):
    plan = fake_plan(GOOD)
    render(tmp_path, plan)
    (tmp_path / "shards" / "shard-00000.json").write_bytes(content)
    assert read_marker(LocalStorage(tmp_path), 0) is None
    assert render(tmp_path, plan).state == "rendered"


def test_a_shard_of_another_plan_is_not_finished(tmp_path):
    render(tmp_path, fake_plan(GOOD))
    storage = LocalStorage(tmp_path)
    assert finished(storage, fake_plan(GOOD), 0)
    assert not finished(storage, fake_plan(("a", "b")), 0)
    assert not finished(storage, fake_plan(GOOD, views={"count": 3}), 0)
    # Limits and places do not change what is rendered.
    assert finished(storage, fake_plan(GOOD, folder=Path("/moved"), limits={"memory_mb": 9}), 0)


def test_a_claimed_shard(tmp_path):
    plan = fake_plan(GOOD)
    with module.claimed(LocalStorage(tmp_path), "shard-00000"):
        assert run_shard(tmp_path, plan, 0).state == "claimed"
    assert not (tmp_path / "shards").exists()


def test_retry_replaces_a_whole_shard(tmp_path):
    plan = fake_plan(["a", "exit"], folder=tmp_path)
    assert render(tmp_path, plan).marker.failures == 1
    repaired = fake_plan(["a", "exit"], folder=tmp_path / "elsewhere")
    object.__setattr__(repaired.shards[0][1], "address", "b")
    first = finished(LocalStorage(tmp_path), plan, 0)
    result = render(tmp_path, repaired, replace=first)
    assert (result.state, result.marker.failures) == ("rendered", 0)
    assert [row["id"] for row in rows(tmp_path / "shards" / "shard-00000.parquet")] == (
        ["a"] * VIEWS + ["exit"] * VIEWS
    )
    assert rows(tmp_path / "shards" / "shard-00000.failures.parquet") == []
    # Another process that was to replace the first one has nothing to do any more.
    assert run_shard(tmp_path, repaired, 0, replace=first).state == "there"


def test_whoever_is_later_leaves_the_first_shard(tmp_path):
    """A process whose claim was taken over finds the shard finished when it is done itself."""
    plan = fake_plan(GOOD)

    def finish_it(report):
        if report.id == "b":
            (tmp_path / "claims" / "shard-00000").unlink()
            render(tmp_path, plan)
            times.append((tmp_path / "shards" / "shard-00000.tar").stat().st_mtime_ns)

    times = []
    result = render(tmp_path, plan, report=finish_it)
    assert result.state == "there"
    assert (tmp_path / "shards" / "shard-00000.tar").stat().st_mtime_ns == times[0]
    assert files(tmp_path) == ALL


class Ended(BaseException):
    """What a process that is killed would do: nothing more."""


COMMITS = ["tar", "parquet", "failures.parquet", "json"]


@pytest.mark.parametrize("rewrite", [False, True])
@pytest.mark.parametrize("ending", COMMITS)
def test_an_end_before_each_file_appears(tmp_path, monkeypatch, ending, rewrite):
    plan = fake_plan(GOOD)
    render(tmp_path / "whole", plan)
    out = tmp_path / "out"
    first = render(out, plan).marker if rewrite else None

    def write(method):
        def end(self, name, *arguments):
            if name == f"shards/shard-00000.{ending}":
                raise Ended
            return method(self, name, *arguments)

        return end

    with monkeypatch.context() as patch:
        for name in ("create", "write"):
            patch.setattr(LocalStorage, name, write(getattr(LocalStorage, name)))
        if ending == "tar":
            patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(Ended))
        with pytest.raises(Ended):
            render(out, plan, replace=first)
    storage = LocalStorage(out)
    if not (rewrite and ending == "tar"):
        assert finished(storage, plan, 0) is None
    assert not [name for name in files(out) if name.endswith(".part")]
    render(out, plan)
    assert sums(out) == sums(tmp_path / "whole")
    assert finished(storage, plan, 0)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    plan = fake_plan(GOOD)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(dd.OutputError, match=r"shard-00000\.tar cannot .*No space left"):
            render(tmp_path, plan)
    assert files(tmp_path) == []
    assert list((tmp_path / "claims").iterdir()) == []
    assert render(tmp_path, plan).state == "rendered"


def test_a_stop_drops_the_shard(tmp_path):
    plan = fake_plan(["a", "sleep"])

    def stop():
        raise RunStoppedError("the run ends")

    with fake_renderer(plan) as renderer:
        renderer.start()

        def after_the_first(_report):
            renderer.watch = stop

        watch = renderer.watch
        with pytest.raises(RunStoppedError):
            run_shard(tmp_path, plan, 0, renderer, report=after_the_first)
        assert renderer.watch is watch
    assert files(tmp_path) == []


def test_columns_of_any_type(tmp_path):
    plan = fake_plan(["a", "b", "c"])
    values = [1, "x", None]
    for entry, value in zip(plan.shards[0], values, strict=True):
        columns = {"mixed": value, "number": 1 if value is None else 2.5}
        object.__setattr__(entry, "columns", columns)
    render(tmp_path, plan)
    found = rows(tmp_path / "shards" / "shard-00000.parquet")
    assert [row["mixed"] for row in found[::VIEWS]] == ["1", "x", None]
    assert [row["number"] for row in found[::VIEWS]] == [2.5, 2.5, 1.0]


def test_the_layout_of_plain_files(tmp_path):
    plan = fake_plan([*GOOD, "exit"], layout="files")
    for _ in range(2):
        result = render(tmp_path, plan)
        assert result.state == "rendered"
        folder = tmp_path / "shards" / "shard-00000"
        lines = (folder / "SHA256SUMS").read_text().splitlines()
        for line in lines:
            digest, _, name = line.partition("  ")
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        assert len(lines) == 2 * VIEWS * len(GOOD)
        assert (folder / "a" / "000.data.bin").read_bytes() == content_of("a", 0)
        assert not (folder / "exit").exists()
        assert run_shard(tmp_path, plan, 0).state == "there"
        (folder / "SHA256SUMS").unlink()  # what a deleted folder would look like
        assert finished(LocalStorage(tmp_path), plan, 0) is None
    row = rows(tmp_path / "shards" / "shard-00000.parquet")[0]
    assert (row["offset.data.bin"], row["size.data.bin"]) == (0, 96000)
