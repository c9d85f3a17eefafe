"""whole_file: a file appears whole or not at all, whatever goes wrong while it is written."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

import ddepth_gl as dd
from ddepth_gl.io.results import atomic as module
from ddepth_gl.io.results.atomic import atomic_write, remove_unfinished


@pytest.fixture(autouse=True, params=["without a name", "with a name"])
def way(request, monkeypatch):
    """Files are written without a name, or with one of their own where the file system knows no others."""
    if request.param == "with a name":
        monkeypatch.setattr(module, "_open_unnamed", lambda _: None)
    return request.param


@pytest.fixture
def old(tmp_path):
    """A file that is already there."""
    path = tmp_path / "result.npz"
    path.write_bytes(b"old")
    return path


def half_written(path: Path, error: BaseException) -> None:
    with atomic_write(path) as file:
        file.write(b"half")
        raise error


def alone(path: Path) -> bool:
    """Whether nothing but `path` is in its folder, hidden files included."""
    return [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_takes_its_name_when_the_block_ends(tmp_path):
    path = tmp_path / "result.npz"
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert alone(path)


def test_what_is_beside_it_meanwhile(old, way):
    file = atomic_write(old)
    file.__enter__().write(b"half")
    beside = [entry.name for entry in old.parent.iterdir() if entry != old]
    if way == "without a name" and beside:
        pytest.skip(
            "the file system of the temporary folder has no files without a name (O_TMPFILE)"
        )
    assert len(beside) == (way == "with a name")
    remove_unfinished()
    assert alone(old)
    assert not file.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert alone(old)
    assert old.read_bytes() == b"old"
    assert not module._unfinished


def test_replaces_what_was_there(old):
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
    # /dev/full takes the place of the new file: writes go to its buffer and fail when that is emptied.
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    monkeypatch.setattr(module, "_open_unnamed", lambda _: None)
    opened = []

    def open_full(path, mode):
        opened.append((path, mode))
        return open("/dev/full", "wb")  # noqa: PTH123 - Path.open is what is replaced

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(dd.OutputError, match="No space left"), atomic_write(old) as file:
        file.write(b"x" * 100_000)
    monkeypatch.undo()
    assert opened[0][1] == "xb"
    assert old.read_bytes() == b"old"


def test_an_error_without_a_number_is_told_in_its_own_words(old):
    with pytest.raises(dd.OutputError, match="the cable is out"), atomic_write(old):
        raise OSError("the cable is out")


@pytest.mark.parametrize("place", ["missing/result.npz", "file/result.npz"])
def test_folder_that_cannot_be_written(tmp_path, place):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(dd.OutputError) as caught, atomic_write(tmp_path / place):
        raise AssertionError("the block must not run")
    assert str(tmp_path / place) in str(caught.value)
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


def test_the_longest_name_there_is(tmp_path):
    path = tmp_path / ("n" * 251 + ".npz")
    with atomic_write(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    too_long = tmp_path / ("n" * 252 + ".npz")
    with pytest.raises(dd.OutputError, match="File name too long"), atomic_write(too_long) as file:
        file.write(b"new")
    assert alone(path)


def test_a_hundred_at_once_do_not_meet(tmp_path):
    files = [atomic_write(tmp_path / f"{number}.bin") for number in range(100)]
    handles = [file.__enter__() for file in files]
    for number, handle in enumerate(handles):
        handle.write(b"%d" % number)
    for file in files:
        file.__exit__(None, None, None)
    assert sorted(int(path.read_bytes()) for path in tmp_path.iterdir()) == list(range(100))
