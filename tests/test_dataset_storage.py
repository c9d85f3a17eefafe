"""Storages of data sets: a local folder, and S3 as moto's server has it."""

from __future__ import annotations

import errno
import os
import pickle
import time
from pathlib import Path

import pytest
from programs import run_script
from s3_server import s3, s3_server  # noqa: F401 - fixtures

import ddepth_gl as dd
from ddepth_gl.dataset import claims
from ddepth_gl.dataset.claims import claimed
from ddepth_gl.dataset.storage import LocalStorage, open_storage
from ddepth_gl.io import atomic
from ddepth_gl.io.owners import part_name


@pytest.fixture(params=["local", "s3"])
def storage(request, tmp_path):
    if request.param == "local":
        return open_storage(tmp_path / "set")
    return open_storage(request.getfixturevalue("s3"))


def test_files_come_and_go(storage):
    assert storage.read("plan.parquet") is None
    assert storage.files("shards") == {}
    assert storage.create("plan.parquet", b"one")
    assert not storage.create("plan.parquet", b"two")
    assert storage.read("plan.parquet") == b"one"
    storage.write("plan.parquet", b"three")
    assert storage.read("plan.parquet") == b"three"
    with storage.writing("shards/shard-00000.tar") as file:
        file.write(b"abcdef")
        file.seek(3)
        file.truncate()
        assert "shard-00000.tar" not in storage.files("shards")
    assert storage.read("shards/shard-00000.tar") == b"abc"
    entry = storage.files("shards")["shard-00000.tar"]
    assert entry.size == 3
    assert abs(entry.modified - time.time()) < 60
    assert set(storage.files("")) == {"plan.parquet"}
    storage.remove("plan.parquet")
    storage.remove("plan.parquet")
    assert storage.read("plan.parquet") is None


def test_a_killed_upload_leaves_no_temporary_file(s3, tmp_path, monkeypatch):  # noqa: F811
    storage = open_storage(s3)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    content = bytes(range(256)) * 40_000  # more than one part of an upload
    with storage.writing("shards/shard-00000.tar") as file:
        file.write(content)
        file.flush()
        assert list(tmp_path.iterdir()) == []
    assert storage.read("shards/shard-00000.tar") == content


def test_tasks_of_ray_get_it(storage):
    storage.write("a", b"x")
    assert pickle.loads(pickle.dumps(storage)).read("a") == b"x"


def test_an_error_leaves_nothing(storage):
    storage.write("shards/a.tar", b"old")
    with pytest.raises(KeyError), storage.writing("shards/a.tar") as file:
        file.write({}[b"half"])
    assert set(storage.files("shards")) == {"a.tar"}
    assert storage.read("shards/a.tar") == b"old"


def test_folders(storage):
    for text in (b"one", b"two"):  # the second replaces the first
        with storage.writing_folder("shards/shard-00000") as folder:
            (folder / "mesh").mkdir(parents=True)
            (folder / "mesh" / "000.json").write_bytes(text)
            (folder / "SHA256SUMS").write_bytes(b"sums")
        assert storage.read("shards/shard-00000/mesh/000.json") == text
    assert set(storage.files("shards/shard-00000")) == {"SHA256SUMS"}
    assert storage.files("shards") == {}


def test_clock_and_touch(storage):
    assert abs(storage.now() - time.time()) < 60
    assert storage.files("claims") == {}
    storage.create("claims/a", b"x")
    before = storage.files("claims")["a"].modified
    time.sleep(1.1)  # S3 counts seconds
    storage.touch("claims/a", b"x")
    assert storage.files("claims")["a"].modified > before


def test_claims(storage, monkeypatch):
    with claimed(storage, "shard-00000") as claim, claimed(storage, "shard-00000") as second:
        assert claim is not None
        assert second is None
        monkeypatch.setattr(claims, "_REFRESH_SECONDS", 0.0)
        claim.refresh()
        assert claim.is_held()
    assert storage.files("claims") == {}


def test_stale_claims(storage, monkeypatch):
    storage.create("claims/shard-00000", b"{}")
    with claimed(storage, "shard-00000") as claim:
        assert claim is None
    now = storage.now()
    monkeypatch.setattr(type(storage), "now", lambda _: now + claims.STALE_SECONDS + 60)
    with claimed(storage, "shard-00000") as claim:
        assert claim is not None
    assert storage.files("claims") == {}


def test_a_claim_is_removed_with_what_is_unfinished(tmp_path):
    """As the command does when a signal ends it: other machines need not wait for ten minutes."""
    storage = LocalStorage(tmp_path)
    with claimed(storage, "shard-00000"):
        atomic.remove_unfinished()
        assert storage.files("claims") == {}
    assert not atomic._unfinished


def test_folders_of_processes(tmp_path):
    """Those of processes that ended go at once, those of processes at work never."""
    storage = LocalStorage(tmp_path)
    code = "from ddepth_gl.io.owners import part_name as p; print(p('a'), p('a', 'old'))"
    ended = run_script(code, tmp_path).out.split()
    for place in ("shards", "transforms"):
        for name in (*ended, part_name("b"), part_name("b", "old"), ".of-another-machine.part"):
            (tmp_path / place / name).mkdir(parents=True)
    with storage.writing_folder("shards/shard-00000") as folder:
        folder.mkdir()
        os.utime(folder, (1, 1))
        # Another process of this machine renders the shard, too.
        with LocalStorage(tmp_path).writing_folder("shards/shard-00000") as other:
            other.mkdir()
            storage.remove_leftovers()
            assert folder.is_dir()
            assert other.is_dir()
    for place in ("shards", "transforms"):
        left = {path.name for path in (tmp_path / place).iterdir()}
        assert not left & set(ended)
        assert len(left - {"shard-00000"}) == 3


def test_leftovers_of_killed_processes(tmp_path):
    """On file systems without unnamed files; those of a process at work are younger."""
    storage = LocalStorage(tmp_path)
    storage.write("shards/shard-00000.tar", b"")
    storage.write("claims/shard-00000", b"")
    kept = {"shards/.ddepth-1.part", "shards/shard-00000.tar", "claims/shard-00000"}
    for name in (".ddepth-0.part", "shards/.ddepth-0.part", "claims/.0.part", *kept):
        (tmp_path / name).touch()
        if "-1." not in name:
            os.utime(tmp_path / name, (time.time() - 90_000,) * 2)
    storage.remove_leftovers()
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == kept


def test_addresses(tmp_path):
    assert open_storage(f"file://{tmp_path}").address == str(tmp_path)
    assert open_storage(storage := LocalStorage(tmp_path)) is storage
    (tmp_path / "file").touch()
    with pytest.raises(dd.DatasetError, match="is a file; give a folder"):
        open_storage(tmp_path / "file")
    with pytest.raises(dd.DatasetError, match="cannot be opened"):
        open_storage("nosuch://bucket")


def test_a_server_that_is_not_there(s3, monkeypatch):  # noqa: F811 - the fixture
    import fsspec
    import s3fs

    storage = open_storage(s3)
    bad = open_storage("s3://no-such-bucket-at-all/x")
    with pytest.raises(dd.DatasetError, match="cannot be used"):
        bad.write("a", b"")
    assert storage.read("a") is None
    config = {"client_kwargs": {"endpoint_url": "http://127.0.0.1:9"}}
    config["config_kwargs"] = {"retries": {"max_attempts": 0}, "connect_timeout": 1}
    monkeypatch.setitem(fsspec.config.conf, "s3", config)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(dd.DatasetError, match=r"plan\.parquet cannot be used"):
        open_storage(s3).write("plan.parquet", b"")


def full_disk(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["create", "write", "touch folder"])
def test_a_full_disk(tmp_path, monkeypatch, call):
    storage = LocalStorage(tmp_path)
    if call == "create":
        monkeypatch.setattr(Path, "open", full_disk)
        with pytest.raises(dd.DatasetError, match="No space left on device"):
            storage.create("a", b"x")
    elif call == "write":
        monkeypatch.setattr(os, "fsync", full_disk)
        with pytest.raises(dd.OutputError, match="No space left on device"):
            storage.write("a", b"x")
    else:
        monkeypatch.setattr(Path, "mkdir", full_disk)
        with pytest.raises(dd.DatasetError, match="No space left on device"):
            storage.write("a/b", b"x")
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


def test_paths_below_a_file(tmp_path):
    (tmp_path / "file").touch()
    storage = LocalStorage(tmp_path)
    for call in (
        lambda: storage.read("file/x"),
        lambda: storage.files("file"),
        lambda: storage.create("file/x", b""),
        lambda: storage.remove("file/x"),
        lambda: storage.remove_if("file/x", b""),
    ):
        with pytest.raises(dd.DatasetError, match="cannot be used"):
            call()


def test_a_folder_that_parquet_cannot_open():
    with pytest.raises(dd.DatasetError, match=r"^o_\\xfe is not UTF-8.*give another folder"):
        open_storage("o_\udcfe")
