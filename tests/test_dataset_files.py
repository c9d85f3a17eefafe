"""The layout of plain folders: names, limits, and all or nothing."""

import hashlib
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from dataset_folders import pa, pq, write_shard
from shapes import box

import ddepth_gl as dd
from ddepth_gl.dataset import layout_files
from ddepth_gl.dataset.entries import escaped_id
from ddepth_gl.dataset.index import merge_index
from ddepth_gl.dataset.layout_files import FilesWriter, file_path, replace_folder
from ddepth_gl.dataset.transforms import write_transforms
from ddepth_gl.errors import DatasetError


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def add(files, name, content=b""):
    return files.add(name, len(content), [content[:1], content[1:]])


def test_a_folder_per_mesh(tmp_path):
    files = FilesWriter(tmp_path / "s")
    add(files, "chair_000.photo.png", b"png")
    add(files, "chair_000.json", b"{}")
    assert add(files, "a%2Fb_c_1000.json") == 0
    assert files.size == 5
    files.finish()
    expected = ["SHA256SUMS", "a%2Fb_c/1000.json", "chair/000.json", "chair/000.photo.png"]
    assert names(tmp_path / "s") == expected
    assert (tmp_path / "s/chair/000.photo.png").read_bytes() == b"png"
    sums = (tmp_path / "s/SHA256SUMS").read_bytes()
    assert files.sha256 == hashlib.sha256(sums).hexdigest()
    subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path / "s", check=True)


def test_return_to_a_position(tmp_path):
    files = FilesWriter(tmp_path / "s")
    add(files, "a_000.json", b"1")
    position, digest = files.position(), files.sha256
    for name in ("a_001.json", "b_000.json", "b_001.json"):
        add(files, name, b"22")
    files.return_to(position)
    assert (files.size, files.sha256) == (1, digest)
    assert names(tmp_path / "s") == ["a/000.json"]
    assert not (tmp_path / "s/b").exists()
    add(files, "b_000.json")
    files.finish()


def test_content_of_another_size(tmp_path):
    files = FilesWriter(tmp_path / "s")
    with pytest.raises(DatasetError, match=r"a_000\.json has 1 bytes, not 2 as announced"):
        files.add("a_000.json", 2, [b"x"])
    files.return_to(0)
    assert names(tmp_path / "s") == []


def test_a_second_folder_replaces_the_first(tmp_path):
    for content in (b"old", b"new"):
        files = FilesWriter(tmp_path / "part")
        add(files, "a_000.json", content)
        files.finish()
        replace_folder(tmp_path / "part", tmp_path / "s")
    assert (tmp_path / "s/a/000.json").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "part", tmp_path / "none/s")


def test_folders_that_replace_each_other_at_once(tmp_path):
    """As of several ranks that finish a data set: none fails, and one folder remains."""

    def replace(number):
        for turn in range(100):
            part = tmp_path / f"part-{number}-{turn}"
            part.mkdir()
            (part / "a.json").write_bytes(b"same")
            replace_folder(part, tmp_path / "s")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(replace, range(4)))  # raises what they raise
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
    assert (tmp_path / "s/a.json").read_bytes() == b"same"


def test_long_ids(tmp_path):
    # 100 characters of three bytes each: 900 characters once escaped.
    ids = [escaped_id("\N{EURO SIGN}" * 100 + end) for end in "ab"]
    paths = [file_path(f"{id}_000.json") for id in ids]
    assert paths[0] != paths[1]
    assert all(len(path.parts[0]) == 200 for path in paths)
    files = FilesWriter(tmp_path / "s")
    for id in ids:
        add(files, f"{id}_000.json")
    files.finish()
    assert len(names(tmp_path / "s")) == 3


@pytest.mark.parametrize(
    "name",
    ["", "a", "a_000", "a_00.json", "../a_000.json", "a_000.", "a_000.x/y", "a_000..", "_000.x"],
)
def test_names_that_are_no_sample(name):
    with pytest.raises(DatasetError, match="is not the name of a sample's file"):
        file_path(name)


def test_a_name_twice(tmp_path):
    files = FilesWriter(tmp_path / "s")
    add(files, "a_000.json")
    with pytest.raises(DatasetError, match=r"a_000\.json is in the shard already"):
        add(files, "a_000.json")


def test_too_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(layout_files, "MAX_FILES", 3)
    files = FilesWriter(tmp_path / "s")
    for name in ("a_000.json", "a_001.json", "a_002.json", "b_000.json"):
        add(files, name)
    for name in ("a_003.json", "c_000.json"):
        with pytest.raises(DatasetError, match="would be in a folder of more than 3 files"):
            add(files, name)
    files.finish()
    assert len(list((tmp_path / "s").iterdir())) == 3


@pytest.mark.parametrize("layout", ["webdataset", "files"])
def test_transforms_of_each_mesh(tmp_path, layout):
    mesh = box((-1, -1, -1), (1, 1, 1))
    cameras = dd.Camera.orbit(mesh, views=3, width=8, height=6)
    samples = []
    for id in ("a", "b%20c"):
        for view, camera in enumerate(cameras):
            row = {"id": id, "view": view, "camera": json.dumps(camera.to_dict())}
            samples.append((f"{id}_{view:03d}", {"json": b"{}"}, row))
    write_shard(tmp_path, 3, samples)
    if layout == "files":
        (tmp_path / "shards/shard-00003").mkdir()
    merge_index(tmp_path)
    for _ in range(2):
        assert write_transforms(tmp_path) == 2
    folder = tmp_path / "transforms/shard-00003"
    assert names(folder) == ["a.json", "b%20c.json"]
    loaded = dd.load_cameras(folder / "b%20c.json")
    assert loaded == cameras
    expected = {
        "webdataset": "b%20c_001.photo.png",
        "files": "../../shards/shard-00003/b%20c/001.photo.png",
    }
    assert loaded[1].name == expected[layout]


def test_transforms_of_what_is_no_index(tmp_path):
    with pytest.raises(DatasetError, match=r"index\.parquet is not an index"):
        write_transforms(tmp_path)
    camera = json.dumps(dd.Camera.orbit(box((0, 0, 0), (1, 1, 1)), views=1)[0].to_dict())
    for row, message in (
        ({"id": "a", "camera": "{"}, r"the camera of a_000 cannot be read"),
        ({"id": "a", "camera": None}, r"the camera of a_000 cannot be read"),
        (
            {"id": "a", "camera": camera, "key": "../a_000"},
            r"'\.\./a_000.* is not the name of a sa",
        ),
        ({"id": "a", "camera": camera, "shard": "../x"}, r"'\.\./x' is not the name of a shard"),
    ):
        tar = write_shard(tmp_path, 0, [("a_000", {"json": b""}, {"id": "a"})])
        rows = [{"key": "a_000", "shard": "shard-00000", **row}]
        pq.write_table(pa.Table.from_pylist(rows), tar.with_suffix(".parquet"))
        merge_index(tmp_path)
        with pytest.raises(DatasetError, match=message):
            write_transforms(tmp_path)
