"""The merged index: order, types that differ, bytes that repeat, files that are broken."""

import hashlib
import json

import pytest
from dataset_folders import pa, pq, write_shard

from ddepth_gl.dataset.index import FAILURES, INDEX, IndexCounts, finished_shards, merge_index
from ddepth_gl.errors import DatasetError, OutputError


def sample(id, view, **columns):
    row = {"id": id, "view": view, **columns}
    return f"{id}_{view:03d}", {"json": json.dumps(row, default=repr).encode()}, row


def index_of(folder):
    return pq.read_table(folder / INDEX)


def test_rows_are_in_the_order_of_the_shards(tmp_path):
    # Numbers with six digits sort behind those with five.
    for number, name in ((100_000, "c"), (1, "b"), (0, "a")):
        write_shard(tmp_path, number, [sample(name, view) for view in range(2)])
    assert finished_shards(tmp_path) == ["shard-00000", "shard-00001", "shard-100000"]
    assert merge_index(tmp_path) == IndexCounts(shards=3, samples=6, failures=0)
    table = index_of(tmp_path)
    assert table["key"].to_pylist() == ["a_000", "a_001", "b_000", "b_001", "c_000", "c_001"]
    assert table["shard"].to_pylist()[-1] == "shard-100000"


def test_shards_without_a_marker_are_left_out(tmp_path):
    write_shard(tmp_path, 0, [sample("a", 0)])
    write_shard(tmp_path, 1, [sample("b", 0)]).with_suffix(".json").unlink()
    assert merge_index(tmp_path).samples == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1, 2), [1, 2]),
        ((1, None), [1, None]),
        ((None, None), [None, None]),
        ((1, 2.5), [1.0, 2.5]),
        ((2**53 + 1, 0.5), ["9007199254740993", "0.5"]),  # float64 has no 2^53 + 1
        ((1, "x"), ["1", "x"]),
        ((True, 3), ["true", "3"]),
        ((["a"], "b"), ['["a"]', "b"]),
        (({"b": 1, "a": None}, ["x"]), ['{"a": null, "b": 1}', '["x"]']),
        ((b"\xff", 1), ["\\xff", "1"]),
        (([], ["a"]), [[], ["a"]]),
        (([1], [0.5]), [[1.0], [0.5]]),
    ],
)
def test_types_that_differ(tmp_path, values, expected):
    for number, value in enumerate(values):
        write_shard(tmp_path, number, [sample("m", number, passed=value)])
    merge_index(tmp_path)
    assert index_of(tmp_path)["passed"].to_pylist() == expected


def test_int32_and_int64_and_dictionaries(tmp_path):
    tables = (
        pa.table({"n": pa.array([1], pa.int32()), "t": pa.array(["x"]).dictionary_encode()}),
        pa.table({"n": pa.array([2**40], pa.int64()), "t": pa.array(["y"])}),
    )
    for number, table in enumerate(tables):
        tar = write_shard(tmp_path, number, [sample("m", number)])
        pq.write_table(table, tar.with_suffix(".parquet"))
    merge_index(tmp_path)
    merged = index_of(tmp_path)
    assert (merged["n"].to_pylist(), merged["t"].to_pylist()) == ([1, 2**40], ["x", "y"])
    assert merged.schema.field("t").type == pa.string()


def test_columns_of_one_shard_are_null_in_the_others(tmp_path):
    write_shard(tmp_path, 0, [sample("a", 0, license="by")])
    write_shard(tmp_path, 1, [sample("b", 0, category="chair")])
    merge_index(tmp_path)
    table = index_of(tmp_path)
    assert table["license"].to_pylist() == ["by", None]
    assert table["category"].to_pylist() == [None, "chair"]
    assert table.column_names[:4] == ["id", "view", "key", "shard"]


def test_failures(tmp_path):
    failure = {"id": "bad", "kind": "timeout", "message": "more than 300 s"}
    write_shard(tmp_path, 0, [sample("a", 0)])
    assert merge_index(tmp_path).failures == 0
    assert pq.read_table(tmp_path / FAILURES).column_names == ["id", "shard", "kind", "message"]
    write_shard(tmp_path, 1, [sample("b", 0)], [failure])
    assert merge_index(tmp_path).failures == 1
    assert pq.read_table(tmp_path / FAILURES).to_pylist() == [{**failure, "shard": "shard-00001"}]


def test_the_same_bytes_each_time(tmp_path):
    def digest():
        merge_index(tmp_path)
        files = (tmp_path / INDEX, tmp_path / FAILURES)
        return [hashlib.sha256(file.read_bytes()).digest() for file in files]

    for number in range(3):
        write_shard(tmp_path, number, [sample("m", number, depth_min=0.1 * number)])
    assert digest() == digest()


def test_row_groups_are_large_however_small_the_shards(tmp_path, monkeypatch):
    from ddepth_gl.dataset import merging

    monkeypatch.setattr(merging, "_ROWS_PER_GROUP", 5)
    for number in range(7):
        write_shard(tmp_path, number, [sample("m", view) for view in range(3)])
    assert merge_index(tmp_path).samples == 21
    groups = pq.ParquetFile(tmp_path / INDEX).metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [6, 6, 6, 3]


def test_an_empty_data_set(tmp_path):
    (tmp_path / "shards").mkdir()
    assert merge_index(tmp_path) == IndexCounts(0, 0, 0)
    assert index_of(tmp_path).num_rows == 0


def test_a_folder_without_shards(tmp_path):
    with pytest.raises(DatasetError, match=r"shards cannot be listed .*ddepth dataset"):
        merge_index(tmp_path)


def test_rows_that_are_broken_or_missing(tmp_path):
    tar = write_shard(tmp_path, 0, [sample("a", 0)])
    merge_index(tmp_path)
    before = (tmp_path / INDEX).read_bytes()
    tar.with_suffix(".parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match=r"shard-00000\.parquet is not a whole Parquet file"):
        merge_index(tmp_path)
    tar.with_suffix(".parquet").unlink()
    with pytest.raises(DatasetError, match=r"shard-00000\.parquet is not a whole Parquet file"):
        merge_index(tmp_path)
    assert (tmp_path / INDEX).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [FAILURES, INDEX, "shards"]


def test_a_target_that_cannot_be_written(tmp_path):
    write_shard(tmp_path, 0, [sample("a", 0)])
    (tmp_path / INDEX).mkdir()
    with pytest.raises(OutputError, match=r"index\.parquet is a folder"):
        merge_index(tmp_path)
