"""`verify_dataset`: a whole data set is good, and everything that is changed in one is found."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from functools import partial

import numpy as np
import pytest
from dataset_folders import pq, write_marker, write_shard
from shapes import box, sphere

import ddepth_gl as dd
from ddepth_gl.dataset import verify
from ddepth_gl.dataset.config import DatasetConfig
from ddepth_gl.dataset.finishing import finish_dataset
from ddepth_gl.dataset.layout_files import FilesWriter
from ddepth_gl.dataset.marker import shard_fingerprint
from ddepth_gl.dataset.plan import make_plan, read_plan, write_plan
from ddepth_gl.dataset.samples import MeshRenderer
from ddepth_gl.dataset.sources import find_meshes
from ddepth_gl.dataset.storage import LocalStorage
from ddepth_gl.dataset.verify import verify_dataset
from ddepth_gl.errors import DatasetError, RequestError
from ddepth_gl.io.results.ply import write_mesh


def made(folder, renderer, **settings):
    """Write a data set of two meshes in two shards, two views each; return its folder."""
    meshes = folder / "meshes"
    meshes.mkdir(parents=True)
    write_mesh(meshes / "ball.ply", sphere(1.0, 12, 24))
    write_mesh(meshes / "two.ply", both(box((-1, -1, -1), (0, 0, 0)), box((0.2, 0, 0), (1, 1, 1))))
    settings = {
        "sources": {"paths": [str(meshes)]},
        "views": {"count": 2, "size": 40},
        "store": {"outputs": ["photo", "depth", "layers"], **settings.pop("store", {})},
        "shards": {"meshes": 1},
        **settings,
    }
    config = DatasetConfig.from_settings(settings)
    plan = make_plan(config, find_meshes(config.sources))
    out = folder / "out"
    out.mkdir()
    write_plan(out, plan)
    renders = MeshRenderer(config, renderer)
    for number, entries in enumerate(plan.shards):
        samples = [
            (sample.key, sample.files, sample.row)
            for entry in entries
            for sample in renders.samples(entry, meshes / f"{entry.id.partition('%')[0]}.ply")
        ]
        tar = write_shard(out, number, samples)
        write_marker(
            out,
            number,
            plan=shard_fingerprint(plan, number),
            sample_bytes=tar.stat().st_size,
            meshes=len(entries),
            samples=len(samples),
            failures=0,
            seconds=2.0,
            mesh_seconds=[1.0] * len(entries),
            peak_memory=1,
        )
    finish_dataset(LocalStorage(out), plan)
    return out


def both(first, second):
    faces = np.concatenate([first.faces, second.faces + len(first.vertices)])
    return dd.Mesh(np.concatenate([first.vertices, second.vertices]), faces)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    with dd.DepthRenderer() as renderer:
        yield made(tmp_path_factory.mktemp("verified"), renderer)


@pytest.fixture
def out(original, tmp_path):
    """Return a copy of the data set, whose meshes are there."""
    return shutil.copytree(original, tmp_path / "out")


def problems(out, **options):
    report = verify_dataset(out, **options)
    assert report.is_good == (not report.problems and not report.missing_shards)
    return report.problems


def rewrite(out, change, number=0):
    """Write a shard's tar again with other members, and a marker that fits it."""
    path = out / f"shards/shard-{number:05d}.tar"
    with tarfile.open(path) as tar:
        members = [(each, tar.extractfile(each).read()) for each in tar]
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for info, content in change(members):
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    write_marker(out, number)


def test_a_whole_data_set_is_good(out, monkeypatch):
    done = []
    report = verify_dataset(out, progress=lambda *numbers: done.append(numbers))
    assert report.problems == []
    assert (report.shards, report.samples, report.decoded, report.meshes) == (2, 4, 4, 2)
    assert 2 * 200 < report.pixels <= 4 * 256
    assert (report.absent, report.missing_shards) == (0, 0)
    assert report.lines()[-1] == "no problems"
    assert report.as_dict()["is_good"] is True
    assert done == [(0, 2), (1, 2), (2, 2)]
    # All samples of a small data set are decoded, else a share; all those that rays are cast at.
    monkeypatch.setattr(verify, "_DECODED", 0)
    assert verify_dataset(out, meshes=0).decoded == 0
    assert verify_dataset(out, decode=0.0, meshes=0).decoded == 0
    assert verify_dataset(out, decode=0.0, meshes=1).decoded == 2


@pytest.mark.parametrize(
    "settings",
    [
        {"store": {"codec": "png16"}},
        {"store": {"codec": "deflate", "depth_tolerance": 1e-4}},
        {"store": {"outputs": ["distance"]}},
        {"store": {"outputs": ["depth"], "near": 3.0, "far": 4.5}},
        {"store": {"outputs": ["layers"], "max_layers": 1}},
        {"store": {"outputs": ["depth"], "surfaces": "any"}},
    ],
    ids=lambda settings: str(settings["store"]),
)
def test_other_settings_are_good(tmp_path, renderer, settings):
    out = made(tmp_path, renderer, **settings)
    report = verify_dataset(out)
    assert report.problems == []
    assert report.pixels > 400


@pytest.mark.parametrize("name", ["shard-00000.tar", "shard-00001.parquet"])
def test_a_bit_that_flipped(out, name):
    path = out / "shards" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert f"{name[:11]}: {name} does not have the SHA-256 of the marker" in problems(out)


def test_files_that_are_shorter_or_missing(out):
    tar = out / "shards/shard-00000.tar"
    tar.write_bytes(tar.read_bytes()[:3000])
    found = problems(out)
    assert any("has 3000 bytes, the marker says" in line for line in found)
    assert any("is not a whole tar" in line or "only in the rows" in line for line in found)
    tar.unlink()
    assert any("shard-00000.tar cannot be read" in line for line in problems(out))


def test_markers_that_are_damaged(out):
    marker = out / "shards/shard-00000.json"
    good = json.loads(marker.read_text())
    for content in ("", "[]", '{"files": {"a": 1}}', '{"files": 3}', "[" * 100_000):
        marker.write_text(content)
        assert any("the marker shard-00000.json cannot be read" in line for line in problems(out))
    marker.write_text(json.dumps({"files": {**good["files"], "../../plan.parquet": [1, "x"]}}))
    assert any("which is no file of this shard" in line for line in problems(out))
    del good["files"]["shard-00000.tar"]
    marker.write_text(json.dumps(good))
    assert any("names no samples" in line for line in problems(out))


def without(members, *numbers):
    return [member for number, member in enumerate(members) if number not in numbers]


def timed(members):
    members[1][0].mtime = 1
    return members


def renamed(members):
    members[1][0].name = "../x.png"
    return members


def swapped(members):
    # json of the first view behind the first file of the second
    return [*members[:3], members[4], members[3], *members[5:]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda members: without(members, 1), "has the files photo.png, "),
        (lambda members: without(members, 0, 1, 2, 3), "1 only in the rows, 0 only in the samples"),
        (lambda members: [*members, members[0]], "its files are not beside each other"),
        (lambda members: [members[0], *members], "photo.png is there twice"),
        (timed, "has a time or an owner"),
        (renamed, "'../x.png' is not the name of a sample's file"),
        (swapped, "its files are not beside each other"),
    ],
)
def test_tars_of_another_structure(out, change, message):
    rewrite(out, change)
    assert any(message in line for line in problems(out)), problems(out)


def test_members_that_are_no_files(out):
    def linked(members):
        info = tarfile.TarInfo("x_000.json")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        return [(info, b""), *members]

    rewrite(out, linked)
    assert any("'x_000.json' is not a file" in line for line in problems(out))


def test_bytes_behind_the_end(out):
    with (out / "shards/shard-00000.tar").open("ab") as file:
        file.write(b"more")
    write_marker(out, 0)
    assert any("does not end after its last member" in line for line in problems(out))


def test_rows_that_name_other_places(out):
    path = out / "shards/shard-00000.parquet"
    table = pq.read_table(path)
    moved = [value + 512 for value in table["offset.sheets.npz"].to_pylist()]
    place = table.column_names.index("offset.sheets.npz")
    pq.write_table(table.set_column(place, "offset.sheets.npz", [moved]), path)
    write_marker(out, 0)
    assert any(".sheets.npz: is at (" in line for line in problems(out))


def test_files_that_do_not_decode(out):
    def damaged(members):
        info, content = members[1]
        assert info.name.endswith("sheets.npz")
        members[1] = info, content[:100] + bytes(len(content) - 100)
        return members

    rewrite(out, damaged)
    assert any(": sheets.npz: " in line for line in problems(out))
    assert problems(out, decode=0.0, meshes=0) == []


@pytest.mark.parametrize("sheets", ["depth", "layers"])
def test_depths_that_are_off(out, original, sheets, tmp_path):
    """A mesh that is 1 % larger than the one that was rendered stands for depths that are off."""
    meshes = original.parent / "meshes"
    ball = meshes / "ball.ply"
    before = ball.read_bytes()
    try:
        write_mesh(ball, sphere(1.01, 12, 24))
        found = problems(out)
    finally:
        ball.write_bytes(before)
    assert len(found) == 2
    assert all("are not where float64 rays meet the mesh, such as row" in line for line in found)


def test_meshes_that_are_gone(out, original):
    ball = original.parent / "meshes/ball.ply"
    before = ball.read_bytes()
    try:
        ball.unlink()
        report = verify_dataset(out)
    finally:
        ball.write_bytes(before)
    assert (report.meshes, report.absent, report.problems) == (1, 1, [])
    assert "1 mesh to compare with cannot be read any more" in report.lines()


def test_shards_that_are_missing(out):
    (out / "shards/shard-00001.json").unlink()
    report = verify_dataset(out)
    assert report.missing_shards == 1
    assert any("index.parquet has other samples than 1 shard" in line for line in report.problems)
    finish_dataset(LocalStorage(out), read_plan(out))
    report = verify_dataset(out)
    assert (report.problems, report.is_good) == ([], False)
    assert report.as_dict()["is_good"] is False
    assert report.lines()[-2:] == [
        "1 shard not finished; run the command again",
        "no problems with what is there",
    ]


def test_an_index_that_is_missing_or_broken(out):
    (out / "index.parquet").write_bytes(b"x")
    assert any("index.parquet is not an index" in line for line in problems(out))
    (out / "index.parquet").unlink()
    assert any("index.parquet is missing" in line for line in problems(out))


def changed_rows(path, change):
    """Change the rows of a Parquet file, and nothing else."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(type(table).from_pylist(rows, table.schema), path, compression="zstd")


def test_an_index_whose_bytes_alone_differ_is_good(out):
    before = (out / "index.parquet").read_bytes()
    pq.write_table(pq.read_table(out / "index.parquet"), out / "index.parquet", compression="none")
    assert (out / "index.parquet").read_bytes() != before
    assert problems(out, decode=0.0, meshes=0) == []


@pytest.mark.parametrize(
    "column",
    [
        *("key", "id", "view", "camera", "coverage", "offset.sheets.npz", "size.sheets.npz"),
        *("split", "width", "offset.photo.png"),
    ],
)
def test_an_index_with_values_of_another_row(out, column):
    def exchange(rows):
        other = next(row for row in rows if row[column] != rows[0][column])
        rows[0][column], other[column] = other[column], rows[0][column]

    def set_another(rows):
        rows[0][column] = {"split": "test", "width": 7}[column]

    change = set_another if column in ("split", "width") else exchange
    changed_rows(out / "index.parquet", change)
    [line] = problems(out, decode=0.0, meshes=0)
    assert line.startswith("index.parquet is not what the finished shards give; ddepth dataset --f")


def test_an_index_with_rows_in_another_order_or_twice(out):
    def double(rows):
        rows[1] = rows[0]

    for change in (list.reverse, double):
        changed_rows(out / "index.parquet", change)
        [line] = problems(out, decode=0.0, meshes=0)
        assert line.startswith("index.parquet is not what the finished shards give")
        finish_dataset(LocalStorage(out), read_plan(out))
        assert problems(out, decode=0.0, meshes=0) == []


@pytest.mark.parametrize("name", ["failures.parquet", "dataset.yaml", "README.md"])
def test_files_beside_the_index(out, name):
    path = out / name
    good = path.read_bytes()
    path.unlink()
    [line] = problems(out, decode=0.0, meshes=0)
    assert line.startswith(f"{name} is missing; ddepth dataset --finish")
    # In a Parquet file, a number may be that of its writer's version.
    number = b"" if name.endswith(".parquet") else good.replace(b"2", b"3")
    for stale in (b"", b"\xff", number, good.replace(b"id", b"jd")):
        assert stale != good
        path.write_bytes(stale)
        [line] = problems(out, decode=0.0, meshes=0)
        assert line.startswith(f"{name} is not what the finished shards give")


def test_a_card_with_more_text_is_good(out):
    card = out / "README.md"
    card.write_text(card.read_text().replace("# out\n", "# Sofas\n\nFrom the attic.\n"))
    finish = out.rename(out.with_name("renamed"))
    assert problems(finish, decode=0.0, meshes=0) == []


def test_limits_of_the_last_run_are_good(out):
    path = out / "dataset.yaml"
    text = path.read_text()
    path.write_text(text.replace("seconds_per_mesh: 300", "seconds_per_mesh: 7"))
    assert path.read_text() != text
    assert problems(out, decode=0.0, meshes=0) == []


def test_cameras_as_files(tmp_path, renderer):
    out = made(tmp_path, renderer, store={"transforms": True})
    [first, _] = sorted((out / "transforms").rglob("*.json"))
    assert problems(out, decode=0.0, meshes=0) == []
    first.write_bytes(first.read_bytes() + b" ")
    [line] = problems(out, decode=0.0, meshes=0)
    assert line.startswith(f"{first.relative_to(out)} is not what the finished shards give")


def test_samples_that_the_plan_does_not_have(out):
    shutil.copy(out / "shards/shard-00000.tar", out / "shards/shard-00099.tar")
    (out / "shards/shard-00098").mkdir()
    assert problems(out, decode=0.0, meshes=0) == [
        "shards/'shard-00098' is no shard of the plan; remove it",
        "shards/'shard-00099.tar' is no shard of the plan; remove it",
    ]
    (out / "shards/shard-00098").rmdir()
    for ending in ("json", "parquet"):
        shutil.copy(out / f"shards/shard-00000.{ending}", out / f"shards/shard-00099.{ending}")
    assert "shard-00099: the plan has no such shard; remove its files" in problems(out)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"plan": "0"}, "the marker is of other meshes or settings"),
        ({"samples": 3}, "the marker says 3 rows, there are 2"),
        ({"failures": 1}, "the marker says 1 failures, there are 0"),
        ({"meshes": 2}, "the marker says 2 meshes, there are 1"),
        ({"mesh_seconds": []}, "the marker says 0 times of meshes, there are 1"),
        ({"sample_bytes": 3}, "the marker says 3 bytes of samples, there are "),
        ({"seconds": None}, "the marker shard-00000.json lacks values"),
    ],
)
def test_markers_with_other_values(out, value, message):
    write_marker(out, 0, **value)
    [line] = problems(out, decode=0.0, meshes=0)
    assert line.startswith(f"shard-00000: {message}")


@pytest.mark.parametrize("name", ["shards/shard-00000.parquet", "index.parquet"])
def test_any_damaged_byte_of_a_parquet_file_is_a_problem(out, name):
    """Damaged names are no UTF-8, lengths are negative, columns are missing."""
    path = out / name
    good = path.read_bytes()
    if name == "index.parquet":
        head, tail = range(4, 64, 7), range(len(good) - 9, len(good))
    else:
        head, tail = range(24, 48), range(len(good) - 400, len(good), 13)
    for place in (*head, *tail):
        content = bytearray(good)
        content[place] ^= 0x80
        path.write_bytes(content)
        found = problems(out, decode=0.0, meshes=0)
        assert found or name == "index.parquet", place


def test_the_layout_of_files(out):
    for number in (0, 1):
        shard = f"shard-{number:05d}"
        tar = out / f"shards/{shard}.tar"
        writer = FilesWriter(out / "shards" / shard)
        with tarfile.open(tar) as members:
            for member in members:
                content = members.extractfile(member).read()
                writer.add(member.name, len(content), [content])
        writer.finish()
        tar.unlink()
        path = out / f"shards/{shard}.parquet"
        table = pq.read_table(path)
        for place, name in enumerate(table.column_names):
            if name.startswith("offset."):
                table = table.set_column(place, name, [[0] * len(table)])
        pq.write_table(table, path)
        write_marker(out, number, [f"{shard}/SHA256SUMS", f"{shard}.parquet"])
    finish_dataset(LocalStorage(out), read_plan(out))
    report = verify_dataset(out)
    assert report.problems == []
    assert (report.samples, report.meshes) == (4, 2)
    [first, *_] = sorted((out / "shards/shard-00000").glob("*/000.sheets.npz"))
    first.write_bytes(first.read_bytes() + b"x")
    found = problems(out)
    assert any("000.sheets.npz does not have the SHA-256 of SHA256SUMS" in line for line in found)
    first.unlink()
    assert any("000.sheets.npz cannot be read" in line for line in problems(out))


def test_what_is_no_data_set(tmp_path):
    with pytest.raises(DatasetError, match=r"has no plan\.parquet"):
        verify_dataset(tmp_path)
    with pytest.raises(DatasetError, match="is not a local folder; copy the data set first"):
        verify_dataset("s3://bucket/x")
    with pytest.raises(RequestError, match="decode must be a share from 0 to 1, not 2"):
        verify_dataset(tmp_path, decode=2)
    with pytest.raises(RequestError, match="rays must be an integer"):
        verify_dataset(tmp_path, rays=0)


@pytest.fixture
def ddepth(ddepth):
    """Run `ddepth dataset`."""
    return partial(ddepth, "dataset")


@pytest.mark.slow
def test_a_set_whose_meshes_all_failed_is_not_good(tmp_path, monkeypatch, ddepth):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.ply").write_text("ply\nnonsense")
    status, _, _ = ddepth("bad.ply", "-o", "empty", "--views", 1, "--size", 16, "--workers", 1)
    assert status == 3
    status, text, error = ddepth("--verify", "empty")
    assert (status, error) == (1, [])
    lines = text.splitlines()
    assert lines[0] == "no samples: all meshes failed, see failures.parquet"
    assert lines[-1] == "1 problem"
    status, text, _ = ddepth("--status", "empty")
    assert status == 0
    assert "0 images, 1." in text.splitlines()[0]
    assert text.splitlines()[0].endswith(" kB")


def test_the_command(out, ddepth):
    status, text, error = ddepth("--verify", out)
    assert (status, error, text.splitlines()[-1]) == (0, [], "no problems")
    status, text, error = ddepth("-o", out, "--finish", "--preview")
    assert (status, error) == (0, [])
    assert text.splitlines()[1:] == [
        f"wrote {out / 'preview.png'}",
        f"wrote {out / 'preview.html'}",
    ]
    with (out / "shards/shard-00001.tar").open("r+b") as file:
        file.write(b"x")
    status, text, _ = ddepth("--verify", out)
    assert status == 1
    assert "shard-00001: shard-00001.tar does not have the SHA-256 of the marker" in text
    status, text, _ = ddepth("--verify", out, "--json")
    assert (status, json.loads(text)["is_good"]) == (1, False)
    status, _, [line] = ddepth("-o", "memory://x", "--finish", "--preview")
    assert (status, "--preview needs a local folder" in line) == (1, True)
    status, _, [line] = ddepth("--verify", out / "none")
    assert (status, "has no plan.parquet" in line) == (1, True)
