"""Reading of data sets by byte offset, against files of `write_npz` that `tarfile` packed."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="data sets need pyarrow, extra [dataset]")

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from dataset_shards import SIZE, rendered_samples, write_dataset
from s3_server import s3, s3_server  # noqa: F401 - fixtures

import ddepth_gl as dd
from ddepth_gl.dataset.reading import DatasetReader

SHARDS = [3, 6, 1, 8]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "npz").mkdir()
    samples = rendered_samples(folder / "npz")
    write_dataset(folder / "out", samples, SHARDS)
    return folder, samples


@pytest.fixture
def copied(made, tmp_path):
    return Path(shutil.copytree(made[0] / "out", tmp_path / "copy"))


def changed_index(folder, change):
    table = pq.read_table(folder / "index.parquet").to_pylist()
    change(table)
    pq.write_table(pa.Table.from_pylist(table), folder / "index.parquet")


def test_files_are_those_in_the_tars(made):
    folder, samples = made
    reader = DatasetReader(folder / "out")
    assert len(reader) == len(samples) == 18
    assert reader.shard_sizes.tolist() == SHARDS
    for number, (key, files, _) in enumerate(samples):
        assert reader.key(number) == key
        assert reader.files(number) == files
        assert reader.files(number, ["json"]) == {"json": files["json"]}
    assert reader.files(-1) == samples[-1][1]


def test_decoded_values_are_those_of_load_npz(made):
    folder, samples = made
    reader = DatasetReader(str(folder / "out"))
    for number, (key, _, _) in enumerate(samples):
        sample = reader.read(number)
        maps = dd.load_npz(folder / "npz" / f"{key}.npz")
        layers = dd.load_npz(folder / "npz" / f"{key}.layers.npz")
        assert sample["camera"] == maps.camera
        for name, expected in (
            ("entry", maps.entry),
            ("exit", maps.exit),
            ("entry_normal", maps.entry_normal),
            ("exit_face", maps.exit_face),
            ("layers_depth", layers.depth),
            ("layers_count", layers.count),
        ):
            np.testing.assert_array_equal(sample[name], expected)
            assert sample[name].dtype == expected.dtype


def test_splits_and_conditions(made):
    folder, samples = made
    for split in ("train", "val", "test"):
        reader = DatasetReader(folder / "out", split=split)
        expected = [number for number, each in enumerate(samples) if each[2]["split"] == split]
        assert [reader.key(number) for number in range(len(reader))] == [
            samples[number][0] for number in expected
        ]
        assert reader.files(0) == samples[expected[0]][1]
        assert reader.shard_sizes.sum() == len(reader)
    chosen = DatasetReader(folder / "out", split="val", where=pc.field("view") > 0)
    assert chosen.table(["view", "split"]).to_pylist() == [
        {"view": view, "split": "val"} for view in (1, 2, 1, 2)
    ]
    assert len(DatasetReader(folder / "out", where=pc.field("view") > 7)) == 0
    assert len(DatasetReader(folder / "out", split="val", where=pc.field("view") > 7)) == 0


def test_a_split_without_samples(copied):
    def of_train(rows):
        for row in rows:
            row["split"] = "train"

    changed_index(copied, of_train)
    assert len(DatasetReader(copied, split="train")) == 18
    with pytest.raises(dd.DatasetError, match="no samples of split val, but of train; render"):
        DatasetReader(copied, split="val")


def test_data_sets_without_samples(copied):
    """The merged index of shards without samples has no places of files."""
    rows = pq.read_table(copied / "index.parquet", columns=["id", "view", "key", "shard"])
    pq.write_table(rows.slice(0, 0), copied / "index.parquet")
    with pytest.raises(dd.DatasetError, match=r"copy has no samples: all meshes failed, see"):
        DatasetReader(copied, split="train")
    left_out = rows.append_column("left_out", pa.array([True] * len(rows)))
    pq.write_table(left_out, copied / "index.parquet")
    with pytest.raises(dd.DatasetError, match=r"copy has no samples: all views were left out"):
        DatasetReader(copied)


def open_files():
    """Yield what the descriptors of this process are open on."""
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since, by another thread or the listing itself
            yield link.readlink()


@pytest.mark.parametrize("max_open", [1, 2])
def test_few_files_are_open(made, max_open):
    folder, samples = made
    reader = DatasetReader(folder / "out", max_open=max_open)
    for number in np.random.default_rng(0).permutation(len(samples)):
        assert reader.files(number) == samples[number][1]
        opened = list(open_files())
        assert sum(folder in path.parents and path.suffix == ".tar" for path in opened) <= max_open
    reader.close()
    assert reader.files(0) == samples[0][1]


def test_threads(made):
    folder, samples = made
    reader = DatasetReader(folder / "out", max_open=1)
    numbers = np.random.default_rng(0).integers(0, len(samples), 400).tolist()
    with ThreadPoolExecutor(8) as pool:
        for number, files in zip(numbers, pool.map(reader.files, numbers), strict=True):
            assert files == samples[number][1]


def _read_all(reader, results):
    results.put([reader.files(number)["json"] for number in range(len(reader))])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes(made, method):
    folder, samples = made
    context = multiprocessing.get_context(method)
    reader = DatasetReader(folder / "out", max_open=2)
    reader.files(0)  # so that a shard is open
    results = context.Queue()
    processes = [context.Process(target=_read_all, args=(reader, results)) for _ in range(2)]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert found == [[files["json"] for _, files, _ in samples]] * 2


def test_pickled_reader_is_small_and_refuses_another_index(copied):
    reader = DatasetReader(copied, split="val", where=pc.field("view") > 0)
    pickled = pickle.dumps(reader)
    assert len(pickled) < 3000
    assert pickle.loads(pickled).key(1) == reader.key(1)
    changed_index(copied, lambda rows: rows.pop())
    with pytest.raises(dd.DatasetError, match="was replaced while it was in use"):
        pickle.loads(pickled)


def test_fsspec(made):
    fsspec = pytest.importorskip("fsspec", reason="other storage needs fsspec")
    folder, samples = made
    memory = fsspec.filesystem("memory")
    memory.put(str(folder / "out"), "/bucket/set", recursive=True)
    try:
        reader = DatasetReader("memory://bucket/set", split="test")
        expected = [each for each in samples if each[2]["split"] == "test"]
        assert [reader.files(number) for number in range(len(reader))] == [
            files for _, files, _ in expected
        ]
        assert pickle.loads(pickle.dumps(reader)).key(0) == reader.key(0)
        memory.rm("/bucket/set/shards/shard-00003.tar")
        with pytest.raises(dd.DatasetError, match=r"shards/shard-00003.tar cannot be read"):
            reader.files(len(reader) - 1)
    finally:
        memory.rm("/bucket", recursive=True)
    with pytest.raises(dd.DatasetError, match="cannot be read"):
        DatasetReader("nosuchprotocol://x")


def _read_two(reader, results):
    results.put([reader.files(0)["json"], reader.files(17)["json"]])


def test_s3(made, s3):  # noqa: F811
    """Also in a forked worker, after this process has used the connection."""
    import fsspec

    folder, samples = made
    fsspec.filesystem("s3").put(str(folder / "out") + "/", s3 + "/", recursive=True)
    reader = DatasetReader(s3)
    assert [reader.files(number) for number in range(18)] == [files for _, files, _ in samples]
    assert reader.read(3, ["photo.png"])["photo"].shape == (SIZE, SIZE + 4, 4)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    process = context.Process(target=_read_two, args=(reader, results))
    process.start()
    assert results.get(timeout=60) == [samples[0][1]["json"], samples[17][1]["json"]]
    process.join()
    assert pickle.loads(pickle.dumps(reader)).key(0) == reader.key(0)


def test_arguments_that_cannot_be_used(made):
    out = made[0] / "out"
    for arguments, words in (
        ({"split": "dev"}, "split must be"),
        ({"max_open": 0}, "max_open must be"),
        ({"max_bytes": -1}, "max_bytes must be"),
    ):
        with pytest.raises(dd.RequestError, match=words):
            DatasetReader(out, **arguments)
    with pytest.raises(dd.RequestError, match="address must be"):
        DatasetReader(3.5)
    with pytest.raises(dd.DatasetError, match=r"index.parquet cannot be read .*; give the folder"):
        DatasetReader(made[0])
    with pytest.raises(dd.DatasetError, match=r"where=.*nosuch.* cannot be applied"):
        DatasetReader(out, where=pc.field("nosuch") > 1)
    reader = DatasetReader(out)
    with pytest.raises(dd.DatasetError, match="no column 'nosuch', but"):
        reader.table(["nosuch"])
    with pytest.raises(dd.DatasetError, match=r"has no file 'depth.png', but photo.png"):
        reader.files(0, ["depth.png"])
    for number in (18, -19):
        with pytest.raises(IndexError, match="there are 18 samples"):
            reader.files(number)
    for number in ("0", 1.0, None, True):
        with pytest.raises(dd.RequestError, match="must be an integer"):
            reader.files(number)


def test_damaged_index(copied):
    index = copied / "index.parquet"
    index.write_bytes(index.read_bytes()[:-9])
    with pytest.raises(
        dd.DatasetError,
        match=r"index.parquet cannot be read .*; ddepth dataset --finish -o .* while a run",
    ):
        DatasetReader(copied)
    pq.write_table(pa.table({"key": ["a"], "shard": ["shard-00000"]}), index)
    with pytest.raises(dd.DatasetError, match="does not say where files are"):
        DatasetReader(copied)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"offset": 1024 * 1024}, "is not where index.parquet says"),
        ({"offset": 1536}, "is not where index.parquet says"),
        ({"offset": 100}, "has .* bytes at offset 100"),
        ({"size": 1 << 40}, "max_bytes"),
        ({"size": 1}, "is not where index.parquet says"),
        ({"size": -5}, "has -5 bytes"),
        ({"offset": 2048}, "is not where index.parquet says"),
    ],
)
def test_places_in_the_index_are_checked(copied, change, words):
    def edit(rows):
        rows[0] |= {f"{name}.json": value for name, value in change.items()}

    changed_index(copied, edit)
    reader = DatasetReader(copied)
    with pytest.raises(dd.DatasetError, match=words):
        reader.files(0)


@pytest.mark.parametrize("shard", ["../../secret", "shard-1", "/etc/passwd", "shard-00000.tar"])
def test_no_path_outside_of_the_data_set(copied, shard):
    changed_index(copied, lambda rows: rows[0].update(shard=shard))
    with pytest.raises(dd.DatasetError, match="the index names the shard"):
        DatasetReader(copied).files(0)


def test_shards_that_are_not_plain_files(copied):
    tar = copied / "shards" / "shard-00000.tar"
    tar.unlink()
    with pytest.raises(dd.DatasetError, match=r"shard-00000.tar cannot be read \(No such file"):
        DatasetReader(copied).files(0)
    os.mkfifo(tar)
    with pytest.raises(dd.DatasetError, match="not a plain file"):
        DatasetReader(copied).files(0)


def test_long_names(tmp_path):
    """Names of over 100 bytes have a pax header; the index leads to what follows it."""
    key = "a" * 150 + "_000"
    write_dataset(tmp_path, [(key, {"json": b"{}"}, {"id": key[:-4], "view": 0})], [1])
    assert DatasetReader(tmp_path).files(0) == {"json": b"{}"}


def test_layout_of_files(made, tmp_path):
    """A folder per mesh instead of a tar: offsets are 0, see `file_path`."""
    samples = made[1][:3]
    rows = []
    for key, files, row in samples:
        folder = tmp_path / "shards" / "shard-00000" / row["id"]
        folder.mkdir(parents=True, exist_ok=True)
        for ending, content in files.items():
            (folder / f"{row['view']:03d}.{ending}").write_bytes(content)
        row = {**row, "key": key, "shard": "shard-00000"}
        row |= {f"offset.{ending}": 0 for ending in files}
        rows.append(row | {f"size.{ending}": len(content) for ending, content in files.items()})
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "index.parquet")
    reader = DatasetReader(tmp_path)
    assert [reader.files(number) for number in range(3)] == [files for _, files, _ in samples]
    with (folder / "002.json").open("ab") as file:
        file.write(b" ")
    with pytest.raises(dd.DatasetError, match=r"_002.json is not where index.parquet says"):
        reader.files(2)


def test_files_that_are_far_apart(copied):
    """A large file between two others is not read."""
    key = "a_000"
    files = {"photo.png": b"p", "sheets.npz": bytes(1 << 20), "json": b"{}"}
    reader = DatasetReader(write_dataset(copied, [(key, files, {"id": "a", "view": 0})], [1]))
    sizes = []
    read = reader._shards.read_bytes
    reader._shards.read_bytes = lambda path, start, stop: (
        sizes.append(stop - start) or read(path, start, stop)
    )
    assert reader.files(0, ["photo.png", "json"]) == {"photo.png": b"p", "json": b"{}"}
    assert sum(sizes) < 2000
    assert reader.files(0) == files


def test_damaged_files_are_named(copied):
    def edit(rows):
        with (copied / "shards" / "shard-00000.tar").open("r+b") as file:
            file.seek(rows[0]["offset.sheets.npz"])
            file.write(b"x" * rows[0]["size.sheets.npz"])

    changed_index(copied, edit)
    with pytest.raises(dd.DatasetError, match=r"s%2F0_000.sheets.npz: "):
        DatasetReader(copied).read(0)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["webdataset", "files"])
@pytest.mark.parametrize("codec", ["packed", "png16"])
def test_what_a_run_wrote(tmp_path, layout, codec):
    """Every sample of a run, against images rendered here with its camera."""
    pytest.importorskip("pydantic", reason="data sets need pydantic, extra [dataset]")
    from ddepth_gl.dataset.config import DatasetConfig
    from ddepth_gl.dataset.run import run_dataset
    from ddepth_gl.mesh.demo import sphere_mesh

    meshes = {}
    for number in range(3):
        path = tmp_path / f"mesh {number}.ply"
        mesh = sphere_mesh(40 + 20 * number)
        dd.write_ply(path, mesh.vertices, faces=mesh.faces)
        meshes[f"mesh%20{number}%2Eply"] = dd.load_mesh(path)
    settings = {
        "sources": {"paths": [str(tmp_path)]},
        "views": {"count": 2, "size": [24, 16]},
        "store": {"outputs": ["photo", "depth", "normal"], "codec": codec, "samples": 1},
        "layout": layout,
    }
    out = tmp_path / "out"
    run_dataset(DatasetConfig.model_validate(settings), out)
    reader = DatasetReader(out)
    keys = {reader.key(number) for number in range(len(reader))}
    assert keys == {f"{id}_{view:03d}" for id in meshes for view in (0, 1)}
    with dd.DepthRenderer() as renderer:
        for number in range(len(reader)):
            sample = reader.read(number)
            mesh = meshes[reader.key(number).rpartition("_")[0]]
            frame = renderer.render(renderer.upload(mesh), sample["camera"], attributes=("normal",))
            np.testing.assert_array_equal(sample["photo"], frame.image)
            np.testing.assert_array_equal(sample["exit_normal"], frame.maps.exit_normal)
            tolerance = 0 if codec == "packed" else 1e-4
            np.testing.assert_allclose(sample["entry"], frame.maps.entry, rtol=tolerance)
            np.testing.assert_allclose(sample["exit"], frame.maps.exit, rtol=tolerance)
