"""Plans of data sets: shards, splits, who writes the plan, who is refused, what is appended."""

from __future__ import annotations

import hashlib
import json
import math
import random
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ddepth_gl as dd
from ddepth_gl.dataset.assumed_up import assumed_up_text
from ddepth_gl.dataset.config import DatasetConfig, Layout, Output, SplitConfig
from ddepth_gl.dataset.dry_run import DryRun, dry_run
from ddepth_gl.dataset.entries import MeshEntry, Sample
from ddepth_gl.dataset.plan import (
    Plan,
    extend_plan,
    make_plan,
    read_plan,
    renderer_versions,
    write_plan,
)
from ddepth_gl.dataset.plan_file import plan_bytes, plan_of_bytes
from ddepth_gl.dataset.shard_sizes import bytes_per_sample, meshes_per_shard
from ddepth_gl.dataset.split import split_of
from ddepth_gl.dataset.storage import LocalStorage

VERSIONS = {"engine": "compute", "numpy": "2.0"}


def entries(count, start=0):
    return [MeshEntry(f"m{i:05d}", f"/meshes/{i}.obj") for i in range(start, start + count)]


def planned(count=20, workers=2, versions=VERSIONS, **settings):
    return make_plan(DatasetConfig(**settings), entries(count), workers, versions)


def refused(call, *arguments, **options):
    with pytest.raises(dd.DatasetError) as raised:
        call(*arguments, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def position(purpose, id):
    """The fraction of an id, by hand."""
    digest = hashlib.sha256(purpose.encode() + b"\0" + id.encode()).hexdigest()
    return int(digest[:16], 16) / 2**64


def test_meshes_go_to_shards_by_the_hash_of_their_ids():
    plan = planned(20, shards={"meshes": 6})
    by_hash = sorted((f"m{i:05d}" for i in range(20)), key=lambda id: position("shard", id))
    expected = [
        sorted(by_hash[first:last]) for first, last in ((0, 5), (5, 10), (10, 15), (15, 20))
    ]
    assert [[entry.id for entry in shard] for shard in plan.shards] == expected


def test_the_order_of_the_entries_does_not_matter():
    config = DatasetConfig(split={"val": 0.3})
    shuffled = entries(50)
    random.Random(1).shuffle(shuffled)
    assert make_plan(config, shuffled, 2) == make_plan(config, entries(50), 2)


@pytest.mark.parametrize(
    ("meshes", "workers", "shards", "per_shard"),
    [
        (1000, 1, {"meshes": 7}, 7),
        (1000, 10, {"min_per_worker": 4}, 25),  # 40 shards
        (30, 10, {}, 1),  # fewer meshes than shards were asked for
        (10**6, 8, {}, None),  # by size
    ],
)
def test_the_number_of_meshes_in_a_shard(meshes, workers, shards, per_shard):
    config = DatasetConfig(shards=shards)
    if per_shard is None:
        per_shard = math.floor(256e6 / (24 * bytes_per_sample(config)))
        assert 10 < per_shard < 100
    assert meshes_per_shard(config, meshes, workers) == per_shard


def test_at_least_so_many_shards_for_each_worker():
    for count in (7, 8, 9, 63, 64, 65, 1000):
        plan = planned(count, workers=4)
        assert len(plan.shards) >= min(count, 16)
        assert max(map(len, plan.shards)) - min(map(len, plan.shards)) <= 1


@pytest.mark.parametrize("output", ["photo", "distance", "layers", "normal", "points", "objects"])
def test_more_views_pixels_and_stores_make_larger_samples(output):
    plain = DatasetConfig(store={"outputs": ["depth"]})
    more = DatasetConfig(store={"outputs": ["depth", output]})
    assert bytes_per_sample(more) > bytes_per_sample(plain)
    larger = DatasetConfig(store={"outputs": ["depth"]}, views={"size": 1024})
    assert 3 < bytes_per_sample(larger) / bytes_per_sample(plain) < 4
    twice = DatasetConfig(store={"outputs": ["depth"]}, views={"count": 48})
    assert meshes_per_shard(twice, 10**6, 1) * 2 == pytest.approx(
        meshes_per_shard(plain, 10**6, 1), abs=2
    )


def test_everything_that_can_be_stored_has_a_size():
    for field, values in (("outputs", Output), ("layouts", Layout)):
        for value in get_args(values):
            assert bytes_per_sample(DatasetConfig(store={field: [value]})) > 5000
    for codec in ("packed", "deflate", "none", "png16", "exr"):
        assert bytes_per_sample(DatasetConfig(store={"codec": codec})) > 100_000


@pytest.mark.slow
@pytest.mark.parametrize("outputs", [("photo", "depth"), ("depth",), ("depth", "normal")])
def test_the_formula_is_near_what_is_written(tmp_path, outputs):
    """Within a factor of two for a mesh that fills a third of the image."""
    import imageio.v3 as iio

    mesh = dd.demo_mesh()
    config = DatasetConfig(store={"outputs": outputs}, views={"size": 256})
    sizes = []
    with dd.DepthRenderer() as renderer:
        attributes = ("normal",) if "normal" in outputs else ()
        for camera in dd.Camera.orbit(mesh, views=3, width=256, height=256, seed=0):
            frame = renderer.render(renderer.upload(mesh), camera, attributes=attributes)
            dd.write_npz(tmp_path / "a.npz", frame.maps)
            sizes.append((tmp_path / "a.npz").stat().st_size)
            if "photo" in outputs:
                sizes[-1] += len(iio.imwrite("<bytes>", frame.image, extension=".png"))
    mean = sum(sizes) / len(sizes)
    assert mean / 2 < bytes_per_sample(config) < mean * 2


def test_splits_follow_the_hash_of_the_id_alone():
    config = SplitConfig(val=0.2, test=0.1, seed=3)
    for entry in entries(200):
        where = position("split 3", entry.id)
        expected = "test" if where < 0.1 else "val" if where < 0.3 else "train"
        assert split_of(config, entry) == expected
    counts = Counter(split_of(config, entry) for entry in entries(20_000))
    # Within five standard deviations of a binomial distribution.
    for split, share in (("train", 0.7), ("val", 0.2), ("test", 0.1)):
        assert abs(counts[split] - 20_000 * share) < 5 * math.sqrt(20_000 * share * (1 - share))
    other = SplitConfig(val=0.2, test=0.1, seed=4)
    assert any(split_of(other, entry) != split_of(config, entry) for entry in entries(50))


def test_all_or_nothing_splits():
    everything = {split_of(SplitConfig(val=1.0), entry) for entry in entries(500)}
    assert everything == {"val"}
    assert {split_of(SplitConfig(), entry) for entry in entries(500)} == {"train"}


def test_a_column_may_decide_the_split():
    config = SplitConfig(column="split")
    assert split_of(config, MeshEntry("a", "/a.obj", columns={"split": "val"})) == "val"
    message = refused(split_of, config, MeshEntry("a", "/a.obj", columns={"split": "dev"}))
    assert message == "the column 'split' of mesh a is 'dev'; give one of train, val, test"
    assert "is None" in refused(split_of, config, MeshEntry("a", "/a.obj"))


def test_all_meshes_of_a_shard_are_in_one_split():
    plan = planned(200, split={"val": 0.2, "test": 0.1}, shards={"meshes": 8})
    of_shards = []
    for index, shard in enumerate(plan.shards):
        assert {split_of(plan.config.split, entry) for entry in shard} == {plan.split(index)}
        of_shards.append(plan.split(index))
    assert list(dict.fromkeys(of_shards)) == ["train", "val", "test"]
    assert plan.entries() == entries(200)


def test_a_plan_is_written_once_and_read_back(tmp_path):
    plan = planned(20, split={"val": 0.25})
    assert write_plan(tmp_path / "new" / "out", plan) == plan
    assert read_plan(tmp_path / "new" / "out") == plan
    assert [path.name for path in (tmp_path / "new" / "out").iterdir()] == ["plan.parquet"]
    # Another number of workers continues the same shards.
    other = planned(20, workers=9, split={"val": 0.25})
    assert other.shards != plan.shards
    assert write_plan(tmp_path / "new" / "out", other) == plan
    # Limits do not change what is rendered.
    limits = planned(20, split={"val": 0.25}, limits={"seconds_per_mesh": 5})
    assert write_plan(tmp_path / "new" / "out", limits).config.limits.seconds_per_mesh == 5


def test_everything_in_an_entry_survives(tmp_path):
    values = {
        "n": 3, "x": 0.5, "text": "é", "flag": True, "day": date(2026, 1, 2), "tags": ["a", "b"],
        "raw": b"\xff", "nan": math.nan,
    }  # fmt: skip
    first = MeshEntry("a", "/a.obj", None, values, "/c.json", ("/p 1.png", "/p2.png"))
    second = MeshEntry("b%2E", "s3://b/c.tar", "x/y.glb", {})
    third = MeshEntry("c", "/caf\udce9.obj", "bytes:1", {"n": 4})
    plan = make_plan(DatasetConfig(shards={"meshes": 3}), [first, second, third], 1, VERSIONS)
    ((one, two, three),) = plan_of_bytes(plan_bytes(plan)).shards
    assert math.isnan(one.columns.pop("nan"))
    assert math.isnan(values.pop("nan"))
    assert one == first
    assert two == replace(second, columns=dict.fromkeys((*values, "nan")))
    assert (three.address, three.member) == (third.address, third.member)
    # Values that are missing or not a number are no differences.
    write_plan(tmp_path, plan)
    write_plan(tmp_path, make_plan(plan.config, [first, second, third], 1, VERSIONS))


def test_the_file_can_be_read_by_others(tmp_path):
    write_plan(tmp_path, planned(9, shards={"meshes": 3}))
    table = pq.read_table(tmp_path / "plan.parquet")
    assert table.column_names == [
        "shard", "split", "id", "address", "member", "cameras", "photos"
    ]  # fmt: skip
    assert table["shard"].to_pylist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert set(table["split"].to_pylist()) == {"train"}
    about = json.loads(table.schema.metadata[b"ddepth"])
    assert about["versions"] == VERSIONS
    assert about["workers"] == 2
    assert about["fingerprint"] == DatasetConfig(shards={"meshes": 3}).fingerprint()


def test_columns_of_several_types_are_refused(tmp_path):
    mixed = [
        MeshEntry("a", "/a", columns={"n": 1}),
        MeshEntry("b", "/b", columns={"n": "two"}),
    ]
    plan = make_plan(DatasetConfig(), mixed, 1)
    assert refused(write_plan, tmp_path, plan).startswith(
        "the column 'n' has values that do not fit together"
    )


def test_other_settings_are_refused_with_each_difference(tmp_path):
    write_plan(tmp_path, planned())
    other = planned(views={"count": 12, "fov_deg": [30, 60]}, store={"codec": "none"})
    assert refused(write_plan, tmp_path, other) == (
        f"{tmp_path} holds another data set: views.count is 24 there and 12 here; "
        "views.fov_deg is 40.0 there and [30.0, 60.0] here; "
        "store.codec is 'packed' there and 'none' here; "
        "give another -o, or the same settings and sources"
    )
    photos = planned(photos={"folder": "x"})
    assert "photos" in refused(write_plan, tmp_path, photos)
    assert read_plan(tmp_path) == planned()


def test_other_meshes_are_refused(tmp_path):
    write_plan(tmp_path, planned(20))
    assert refused(write_plan, tmp_path, planned(25)) == (
        f"{tmp_path} holds another data set: 5 meshes are new here (m00020, m00021, m00022, ...); "
        "give another -o or the same sources; --extend adds new meshes"
    )
    assert "1 mesh is missing here (m00019)" in refused(write_plan, tmp_path, planned(19))
    moved = [replace(entry, address=f"/other{entry.address}") for entry in entries(20)]
    message = refused(write_plan, tmp_path, make_plan(DatasetConfig(), moved, 2, VERSIONS))
    assert "of mesh m00000, address is '/meshes/0.obj' there and '/other/meshes/0.obj' here" in (
        message
    )
    assert "so it is for 17 more meshes" in message
    (first, *others) = entries(20)
    changed = [replace(first, columns={"license": "CC0"}), *others]
    message = refused(write_plan, tmp_path, make_plan(DatasetConfig(), changed, 2, VERSIONS))
    assert "of mesh m00000, column license is None there and 'CC0' here" in message


def test_other_versions_are_refused_unless_they_are_allowed(tmp_path):
    plan = write_plan(tmp_path, planned())
    other = planned(versions={"engine": "raster", "numpy": "2.0", "new": "1"})
    for call in (write_plan, extend_plan):
        assert refused(call, tmp_path, other) == (
            f"{tmp_path} was begun with other versions: engine is 'compute' there and 'raster' "
            "here; use the same, or --allow-mixed for shards that differ in their last bits"
        )
        assert call(tmp_path, other, allow_mixed=True) == plan


def test_extending_appends_shards_and_leaves_the_others(tmp_path):
    settings = {"shards": {"meshes": 4}, "split": {"val": 0.3}}
    before = write_plan(tmp_path, planned(20, **settings))
    after = extend_plan(tmp_path, planned(33, workers=5, **settings))
    assert after == read_plan(tmp_path)
    assert after.shards[: len(before.shards)] == before.shards
    appended = [entry.id for shard in after.shards[len(before.shards) :] for entry in shard]
    assert sorted(appended) == [f"m{i:05d}" for i in range(20, 33)]
    assert max(map(len, after.shards)) == 4
    assert after.workers == 2
    # New sources alone; and nothing new.
    config = DatasetConfig(**settings)
    alone = extend_plan(tmp_path, make_plan(config, entries(3, 40), 1, VERSIONS))
    assert alone.shards[: len(after.shards)] == after.shards
    assert sum(map(len, alone.shards)) == 36
    assert extend_plan(tmp_path, planned(20, **settings)) == alone
    # The longer command works on the whole from now on.
    everything = entries(33) + entries(3, 40)
    assert write_plan(tmp_path, make_plan(config, everything, 1, VERSIONS)) == alone


def test_an_extended_plan_has_all_sources(tmp_path):
    def config(*paths, **others):
        return DatasetConfig(sources={"paths": paths, **others}, shards={"meshes": 4})

    first, more = entries(8), entries(3, 40)
    write_plan(tmp_path, make_plan(config("a"), first, 1, VERSIONS))
    extended = extend_plan(tmp_path, make_plan(config("b"), more, 1, VERSIONS))
    assert read_plan(tmp_path).config.sources.paths == ("a", "b")
    assert extended.config == read_plan(tmp_path).config
    # Any of the commands goes on with the whole, but not with other meshes.
    for paths, found in ((["a"], first), (["b"], more), (["a", "b"], first + more)):
        assert write_plan(tmp_path, make_plan(config(*paths), found, 1, VERSIONS)) == extended
    message = refused(write_plan, tmp_path, make_plan(config("a"), entries(9), 1, VERSIONS))
    assert "1 mesh is new here (m00008)" in message
    message = refused(write_plan, tmp_path, make_plan(config("a", "b"), first, 1, VERSIONS))
    assert "3 meshes are missing here" in message
    message = refused(write_plan, tmp_path, make_plan(config("c"), first, 1, VERSIONS))
    assert "3 meshes are missing here" in message
    # Tables bring the names of their columns.
    tables = make_plan(config(tables=["t"], id_column="uid"), entries(1, 60), 1, VERSIONS)
    assert extend_plan(tmp_path, tables).config.sources.id_column == "uid"
    others = make_plan(config("x.csv"), entries(1, 70), 1, VERSIONS)
    assert refused(extend_plan, tmp_path, others).startswith("the tables of one data set need the ")
    again = make_plan(config("a", tables=["t"], id_column="uid"), entries(1, 80), 1, VERSIONS)
    assert extend_plan(tmp_path, again).config.sources.paths == ("a", "b")


def test_what_cannot_be_extended(tmp_path):
    assert "has no plan.parquet" in refused(extend_plan, tmp_path, planned())
    write_plan(tmp_path, planned())
    message = refused(extend_plan, tmp_path, planned(25, views={"count": 3}))
    assert f"{tmp_path} cannot be extended: views.count is 24 there and 3 here; " in message
    assert f"ddepth dataset {tmp_path}/dataset.yaml MORE -o {tmp_path} --extend" in message
    taken = [MeshEntry("m00000", "/elsewhere.obj")]
    message = refused(extend_plan, tmp_path, make_plan(DatasetConfig(), taken, 2, VERSIONS))
    assert (
        "of mesh m00000, address is '/meshes/0.obj' there and '/elsewhere.obj' here; give"
        in message
    )


def test_of_threads_that_start_at_once_one_writes(tmp_path):
    plans = [planned(500, workers) for workers in range(1, 9)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda plan: write_plan(tmp_path / "out", plan), plans))
    assert answers == [read_plan(tmp_path / "out")] * 8
    assert answers[0] in plans
    assert len(list((tmp_path / "out").iterdir())) == 1


@pytest.mark.slow
def test_of_processes_that_start_at_once_one_writes(tmp_path):
    code = """if True:
        import sys, time
        from ddepth_gl.dataset.config import DatasetConfig
        from ddepth_gl.dataset.entries import MeshEntry
        from ddepth_gl.dataset.plan import make_plan, write_plan
        workers, out, start = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
        entries = [MeshEntry(f"m{i}", f"/{i}.obj") for i in range(2000)]
        plan = make_plan(DatasetConfig(), entries, workers)
        time.sleep(max(0, start - time.time()))
        print(write_plan(out, plan).workers)
    """
    start = time.time() + 4
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(workers), str(tmp_path / "out"), str(start)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for workers in (1, 2, 3, 4)
    ]
    answers = {child.communicate(timeout=120)[0].strip() for child in children}
    assert [child.returncode for child in children] == [0] * 4
    assert answers == {str(read_plan(tmp_path / "out").workers)}
    assert len(list((tmp_path / "out").iterdir())) == 1


@pytest.fixture
def memory():
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()


def test_plans_on_other_storage(memory):
    plan = write_plan("memory://out", planned(20))
    assert read_plan("memory://out") == plan
    assert memory.ls("/out", detail=False) == ["/out/plan.parquet"]
    assert write_plan("memory://out", planned(20, workers=5)) == plan
    assert len(extend_plan("memory://out", planned(30)).entries()) == 30
    message = refused(write_plan, "memory://out", planned(20, views={"count": 3}))
    assert message.startswith("memory://out holds another data set: views.count is 24 there")


class Slow(LocalStorage):
    """A folder in which another process is first, after this one has looked."""

    first = b""

    def create(self, name, content):
        self.write(name, self.first)
        return super().create(name, content)


def test_whoever_comes_second_compares(tmp_path):
    store = Slow(tmp_path)
    other = planned(20, workers=1)
    store.first = plan_bytes(other)
    assert write_plan(store, planned(20)) == other
    (tmp_path / "plan.parquet").unlink()
    store.first = plan_bytes(planned(20, views={"count": 3}))
    message = refused(write_plan, store, planned(20))
    assert "holds another data set: views.count is 3 there and 24 here" in message


def damaged_table(change=None, metadata=None, **columns):
    """The bytes of a plan of two meshes with other columns or metadata."""
    table = pq.read_table(pa.BufferReader(plan_bytes(planned(2, shards={"meshes": 1}))))
    about = json.loads(table.schema.metadata[b"ddepth"])
    if change is not None:
        change(about)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, [values])
    text = json.dumps(about) if metadata is None else metadata
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({b"ddepth": text}), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (lambda: b"", "is damaged or is not a plan"),
        (lambda: b"PAR1" * 10, "is damaged or is not a plan"),
        (lambda: plan_bytes(planned(5))[:-9], "is damaged or is not a plan"),
        (lambda: damaged_table(metadata="{"), "is damaged or is not a plan"),
        (lambda: damaged_table(metadata="[]"), "of another version"),
        (lambda: damaged_table(lambda about: about.update(layout="2")), "of another version"),
        (lambda: damaged_table(lambda about: about.pop("versions")), "lacks versions or workers"),
        (lambda: damaged_table(lambda about: about.pop("workers")), "lacks versions or workers"),
        (
            lambda: damaged_table(lambda about: about["config"].update(new=1)),
            "p/plan.parquet: new is unknown",
        ),
        (
            lambda: damaged_table(lambda about: about["config"]["views"].update(count=0)),
            "p/plan.parquet: views.count is 0",
        ),
        (lambda: damaged_table(id=["a", "a"]), "is damaged in row 2"),
        (lambda: damaged_table(id=["a", "../b"]), "is damaged in row 2"),
        (lambda: damaged_table(id=["a", None]), "is damaged in row 2"),
        (lambda: damaged_table(id=[1, 2]), "is damaged in row 1"),
        (lambda: damaged_table(address=[None, "b"]), "is damaged in row 1"),
        (lambda: damaged_table(photos=[[None], []]), "is damaged in row 1"),
        (lambda: damaged_table(photos=[None, None]), "is damaged"),
        (lambda: damaged_table(shard=[0, 2]), "its shards are not in order"),
        (lambda: damaged_table(shard=[1, 0]), "its shards are not in order"),
        (lambda: damaged_table(shard=[-1, 0]), "is damaged"),
        (lambda: damaged_table(shard=["a", "b"]), "is damaged"),
        (
            lambda: damaged_table(
                lambda about: about["config"]["split"].update(train=0.5, val=0.5), shard=[0, 0],
                id=["m00000", "m00001"],
            ),
            "a shard has meshes of two of",
        ),
    ],
)  # fmt: skip
def test_plans_that_are_damaged(data, expected):
    if "two of" in expected:  # the two ids are in different splits
        both = {split_of(SplitConfig(val=0.5), entry) for entry in entries(2)}
        assert both == {"train", "val"}
    assert expected in refused(plan_of_bytes, data(), "p/plan.parquet")


def test_random_damage_of_the_rows_is_noticed():
    plan = planned(6)
    data = plan_bytes(plan)
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    generator = random.Random(5)
    noticed = 0
    for _ in range(150):
        damaged = bytearray(data)
        damaged[generator.randrange(footer)] ^= 1 << generator.randrange(8)
        try:
            found = plan_of_bytes(bytes(damaged))
        except dd.DatasetError:
            noticed += 1
        else:
            # A byte of a page's header that nobody reads.
            assert found == plan
    assert noticed > 75


def test_random_damage_of_the_footer_is_an_error_of_its_own():
    data = plan_bytes(planned(6))
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    generator = random.Random(6)
    for _ in range(150):
        damaged = bytearray(data)
        damaged[generator.randrange(footer, len(data))] = generator.randrange(256)
        with suppress(dd.DatasetError):
            assert isinstance(plan_of_bytes(bytes(damaged)), Plan)


def test_folders_that_cannot_be_used(tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert "is a file; give a folder for the data set" in refused(write_plan, file, planned())
    assert "has no plan.parquet, so it is not a data set" in refused(read_plan, tmp_path)
    (tmp_path / "plan.parquet").mkdir()
    assert "cannot be used" in refused(read_plan, tmp_path)
    assert refused(make_plan, DatasetConfig(), [], 1) == (
        "there are no meshes; give sources that have some"
    )


def test_versions_of_a_renderer():
    with dd.DepthRenderer() as renderer:
        versions = renderer_versions(renderer, DatasetConfig())
        with_exr = renderer_versions(renderer, DatasetConfig(store={"codec": "exr"}))
        info = renderer.info
    assert versions["engine"] == info.engine
    assert versions["driver"] == info.renderer
    assert versions["gl"] == info.gl_version
    assert versions["ddepth_gl"] == dd.__version__
    assert {"numpy", "moderngl", "pillow", "zlib"} <= versions.keys()
    assert with_exr == {**versions, "OpenEXR": version("OpenEXR")}
    assert all(isinstance(text, str) for text in versions.values())


def test_a_dry_run_extrapolates_from_three_meshes(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("ddepth_gl.dataset.dry_run.time.perf_counter", lambda: clock[0])
    tried = []

    def render(entry):
        clock[0] += 2.0 if tried else 50.0  # shaders are compiled
        tried.append(entry.id)
        if len(tried) == 3:
            raise dd.MeshError("it is empty")
        for view in range(5):
            # 1 byte takes a block of the tar and its header, as does an empty file its header.
            yield Sample(f"{entry.id}_{view}", {"a.npz": b"1", "json": b""}, {})

    config = DatasetConfig(split={"val": 0.5}, shards={"meshes": 25})
    run = dry_run(config, entries(200), render, workers=4)
    by_hash = sorted((entry.id for entry in entries(200)), key=lambda id: position("dry run", id))
    assert tried == [by_hash[0], *by_hash[:4]]
    assert run.rendered == tuple(by_hash[i] for i in (0, 2, 3))
    assert run.failures == {by_hash[1]: "it is empty"}
    assert run.mesh_bytes == (5 * 1536,) * 3
    assert run.total_bytes == 200 * 5 * 1536
    assert run.images == 1000
    # Two seconds each, by four workers.
    assert run.seconds == 200 * 2 / 4
    lines = list(run.lines())
    assert lines.pop(1) == assumed_up_text(200)
    assert "if the settings have normalization.up, set normalization.mesh_up: y" in (
        assumed_up_text(2)
    )
    assert lines[0].startswith("200 meshes, about 1,000 images in ")
    assert f"in {len(run.plan.shards)} shards of " in lines[0]
    assert lines[1].startswith("train ")
    assert lines[2] == f"{by_hash[1]} failed: it is empty"
    assert lines[3].startswith("about 1.5 MB, ")
    assert lines[3].endswith(", 1.5 kB a view")
    assert lines[4] == "about 100 seconds with 4 workers, 2.00 s a mesh"
    assert lines[5] == f"from 3 meshes: {', '.join(run.rendered)}"


def test_a_dry_run_of_quick_meshes(monkeypatch):
    """Ten meshes, or as many as 20 seconds allow; and how far apart they are."""
    clock = [0.0]
    monkeypatch.setattr("ddepth_gl.dataset.dry_run.time.perf_counter", lambda: clock[0])
    takes = iter([9.0, 0.25, 0.5, 1.0, 0.25, *[0.5] * 5, 4.0])

    def render(entry):
        clock[0] += next(takes, 3.0)
        yield Sample(entry.id, {"json": b"{}"}, {})

    run = dry_run(DatasetConfig(), entries(100), render)
    assert run.mesh_seconds == (0.25, 0.5, 1.0, 0.25, *[0.5] * 5, 4.0)
    error = 2 * np.std(run.mesh_seconds, ddof=1) / np.sqrt(10) / np.mean(run.mesh_seconds)
    assert run.seconds_error == pytest.approx(error, rel=1e-12)
    end = f"0.85 s a mesh (0.25 to 4.00), so give or take {100 * error:.0f} %"
    assert list(run.lines())[-2] == f"about 85 seconds with 1 worker, {end}"
    slow = dry_run(DatasetConfig(), entries(100), render)  # 3 s each, and the first one twice
    assert len(slow.mesh_seconds) == 6


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.001, "less than a second"),
        (1.0, "about 1 second"),
        (30.0, "about 30 seconds"),
        (300.0, "about 5 minutes"),
    ],
)
def test_times_of_a_dry_run(seconds, text):
    plan = make_plan(DatasetConfig(), entries(1), 1)
    run = DryRun(plan, ("a",), {}, (1024,), (seconds,), (1,))
    assert list(run.lines())[-2] == f"{text} with 1 worker, {seconds:.2f} s a mesh"


def test_a_dry_run_of_few_or_bad_meshes():
    def fail(entry):
        raise dd.MeshError("no")

    run = dry_run(DatasetConfig(), entries(10), fail)
    assert len(run.failures) == 3
    assert run.total_bytes is None
    assert run.seconds is None
    assert run.images == 240
    assert list(run.lines())[-1].startswith("no mesh could be rendered")
    run = dry_run(DatasetConfig(), entries(2), lambda entry: [Sample("a", {"json": b"{}"}, {})])
    assert len(run.rendered) == 2
    assert run.total_bytes == 2 * 1024
    assert next(run.lines()) == "2 meshes, about 2 images in 2 shards of 1 mesh"


def test_the_plan_of_a_run_is_that_of_its_dry_run(tmp_path):
    config = DatasetConfig()
    run = dry_run(config, entries(50), lambda entry: [], workers=3)
    assert run.plan.shards == make_plan(config, entries(50), 3).shards
    assert not list(Path(tmp_path).iterdir())
