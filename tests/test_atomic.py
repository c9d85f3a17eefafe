"""atomic_write: a file appears complete or not at all, whatever fails during writing."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

import ddepth_gl as dd
from ddepth_gl.io import atomic as module
from ddepth_gl.io.atomic import atomic_write, remove_unfinished


@pytest.fixture(autouse=True, params=["unnamed", "named"])
def way(request, monkeypatch):
    """Write unnamed files, and named ones as on file systems without unnamed files."""
    if request.param == "named":
        monkeypatch.setattr(module, "_open_unnamed", lambda _: None)
    return request.param


@pytest.fixture
def old(tmp_path):
    """A file that already exists."""
    path = tmp_path / "result.npz"
    path.write_bytes(b"old")
    return path


def half_written(path: Path, error: BaseException) -> None:
    with atomic_write(path) as file:
        file.write(b"half")
        raise error


def alone(path: Path) -> bool:
    """Return whether `path` is the only file in its folder, hidden files included."""
    return [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "result.npz"
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert alone(path)


def test_the_temporary_file(old, way):
    file = atomic_write(old)
    file.__enter__().write(b"half")
    others = [entry.name for entry in old.parent.iterdir() if entry != old]
    if way == "unnamed" and others:
        pytest.skip(
            "the file system of the temporary folder has no files without a name (O_TMPFILE)"
        )
    assert len(others) == (way == "named")
    remove_unfinished()
    assert alone(old)
    assert not file.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert alone(old)
    assert old.read_bytes() == b"old"
    assert not module._unfinished


def test_an_existing_file_is_replaced(old):
    with atomic_write(old) as file:
        file.write(b"ne")
        assert old.read_bytes() == b"old"
        file.write(b"w")
    assert old.read_bytes() == b"new"
    assert alone(old)


@pytest.mark.parametrize(
    "error", [RuntimeError("mine"), KeyboardInterrupt(), SystemExit(3), MemoryError()]
)
def test_interrupted(old, error):
    with pytest.raises(type(error)) as caught:
        half_written(old, error)
    assert caught.value is error
    assert old.read_bytes() == b"old"
    assert alone(old)


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_full_disk(old, monkeypatch, call):
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full(*_args, **_kwargs):
        raise error

    if call == "write":
        with pytest.raises(dd.OutputError) as caught:
            half_written(old, error)
    else:
        monkeypatch.setattr(os if call == "fsync" else Path, call, full)
        with pytest.raises(dd.OutputError) as caught, atomic_write(old) as file:
            file.write(b"whole")
    message = str(caught.value)
    assert str(old) in message
    assert "No space left on device" in message
    assert "\n" not in message
    assert old.read_bytes() == b"old"
    assert alone(old)


def test_a_disk_that_is_really_full(old, monkeypatch):
    # /dev/full replaces the new file: writes go to the buffer and fail when it is flushed.
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    monkeypatch.setattr(module, "_open_unnamed", lambda _: None)
    opened = []

    def open_full(path, mode="r", **options):
        if mode != "xb":
            return open(path, mode, **options)  # noqa: PTH123 - Path.open is replaced
        opened.append(path)
        return open("/dev/full", "wb")  # noqa: PTH123

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(dd.OutputError, match="No space left"), atomic_write(old) as file:
        file.write(b"x" * 100_000)
    monkeypatch.undo()
    assert len(opened) == 1
    assert old.read_bytes() == b"old"


def test_an_error_without_a_number_keeps_its_text(old):
    with pytest.raises(dd.OutputError, match="the cable is out"), atomic_write(old):
        raise OSError("the cable is out")


@pytest.mark.parametrize("name", ["missing/result.npz", "file/result.npz"])
def test_folder_that_cannot_be_written(tmp_path, name):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(dd.OutputError) as caught, atomic_write(tmp_path / name):
        raise AssertionError("the block must not run")
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_target_is_a_folder(tmp_path):
    (tmp_path / "inside").mkdir()
    with pytest.raises(dd.OutputError, match="is a folder"), atomic_write(tmp_path / "inside"):
        raise AssertionError("the block must not run")
    assert alone(tmp_path / "inside")


def test_target_is_a_device(tmp_path):
    # Renaming a file over a device would remove the device.
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(dd.OutputError, match="is a device"), atomic_write(tmp_path / "pipe"):
        raise AssertionError("the block must not run")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert alone(tmp_path / "pipe")


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        with atomic_write(tmp_path / "result.npz") as file:
            file.write(b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "result.npz").stat().st_mode) == 0o666 & ~umask


def test_the_longest_possible_name(tmp_path):
    path = tmp_path / ("n" * 251 + ".npz")
    with atomic_write(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    too_long = tmp_path / ("n" * 252 + ".npz")
    with pytest.raises(dd.OutputError, match="File name too long"), atomic_write(too_long) as file:
        file.write(b"new")
    assert alone(path)


def test_a_hundred_files_at_once(tmp_path):
    files = [atomic_write(tmp_path / f"{number}.bin") for number in range(100)]
    handles = [file.__enter__() for file in files]
    for number, handle in enumerate(handles):
        handle.write(b"%d" % number)
    for file in files:
        file.__exit__(None, None, None)
    assert sorted(int(path.read_bytes()) for path in tmp_path.iterdir()) == list(range(100))
