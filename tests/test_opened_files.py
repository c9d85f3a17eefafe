"""Files replaced while they are loaded: the checked file is read, and nothing waits."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from shapes import box

import ddepth_gl as dd
from ddepth_gl.io.opened_files import opened

RED = b"newmtl paint\nKd 1 0 0\n"
SECRET = b"newmtl paint\nKd 0 0 1\n"
POSE = b'{"0": {"cam_K": [9, 0, 4, 0, 9, 4, 0, 0, 1]}}'

_swaps: dict[str, object] = {}


def _before_open(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        swap = _swaps.pop(Path(os.fsdecode(arguments[0])).name, None)
        if swap is not None:
            swap()


sys.addaudithook(_before_open)  # cannot be removed; without swaps it does nothing


@contextmanager
def just_before_opening(name, swap):
    """Call `swap` once, just before a file of this name is opened."""
    _swaps[name] = swap
    try:
        yield
        assert name not in _swaps, f"{name} was never opened"
    finally:
        _swaps.clear()


@contextmanager
def at_most(seconds):
    """Fail instead of waiting forever."""

    def late(*_):
        pytest.fail("still waiting")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a mesh and its material; a secret lies beside the folder."""
    (tmp_path / "secret.mtl").write_bytes(SECRET)
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "a.mtl").write_bytes(RED)
    (inside / "sub" / "a.mtl").write_bytes(RED)
    write_obj(inside, "a.mtl")
    return inside


def write_obj(folder, material):
    lines = [f"mtllib {material}", "usemtl paint"]
    lines += ["v {} {} {}".format(*vertex) for vertex in box().vertices]
    lines += ["f {} {} {}".format(*(face + 1)) for face in box().faces]
    (folder / "a.obj").write_text("\n".join(lines) + "\n")


def color(folder):
    colors = dd.load_mesh(folder / "a.obj").colors
    return None if colors is None else tuple(colors[0, :3])


def replace_by_link(path, target):
    link = path.with_name("link")
    link.symlink_to(target)
    link.replace(path)


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
@pytest.mark.parametrize("target", ["../secret.mtl", "absolute"])
def test_a_link_that_replaces_the_file_before_it_is_opened(folder, target):
    assert color(folder) == (255, 0, 0)
    target = folder.parent / "secret.mtl" if target == "absolute" else target
    with just_before_opening("a.mtl", lambda: replace_by_link(folder / "a.mtl", target)):
        assert color(folder) is None


def test_a_subfolder_that_becomes_a_link(folder):
    (folder.parent / "elsewhere").mkdir()
    (folder.parent / "elsewhere" / "a.mtl").write_bytes(SECRET)
    write_obj(folder, "sub/a.mtl")
    assert color(folder) == (255, 0, 0)

    def swap():
        (folder / "sub").rename(folder / "moved")
        (folder / "sub").symlink_to("../elsewhere")

    # The folder is opened first; the file, if the whole path is opened at once.
    _swaps["a.mtl"] = lambda: _swaps.pop("sub", swap)() if "sub" in _swaps else None
    with just_before_opening("sub", swap):
        assert color(folder) in (None, (255, 0, 0))


def test_the_folder_itself_that_becomes_a_link(folder):
    (folder.parent / "elsewhere").mkdir()
    (folder.parent / "elsewhere" / "a.mtl").write_bytes(SECRET)

    def swap():
        folder.rename(folder.with_name("moved"))
        folder.symlink_to("elsewhere")

    with just_before_opening("a.mtl", swap):
        assert color(folder) in (None, (255, 0, 0))


def test_links_that_stay_inside_are_followed(folder):
    replace_by_link(folder / "a.mtl", "sub/a.mtl")
    assert color(folder) == (255, 0, 0)
    (folder / "also").symlink_to("sub", target_is_directory=True)
    write_obj(folder, "also/a.mtl")
    assert color(folder) == (255, 0, 0)


def test_a_mesh_file_may_be_a_link_to_anywhere(folder):
    (folder / "a.obj").rename(folder.parent / "model.obj")
    (folder / "a.obj").symlink_to("../model.obj")
    assert color(folder) == (255, 0, 0)  # side files are looked up beside the link


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
def test_a_file_replaced_as_fast_as_possible(folder):
    """Run the race itself, for long enough that the first version lost it dozens of times."""
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            replace_by_link(folder / "a.mtl", "../secret.mtl")
            (folder / "new").write_bytes(RED)
            (folder / "new").replace(folder / "a.mtl")

    # Switch threads as often as possible. At the default interval the race hardly ever happens.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    swapping = threading.Thread(target=swap)
    swapping.start()
    found = set()
    try:
        end = time.monotonic() + 2.0
        while time.monotonic() < end:
            found.add(color(folder))
    finally:
        stop.set()
        swapping.join()
        sys.setswitchinterval(interval)
    assert found <= {(255, 0, 0), None}


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
@pytest.mark.parametrize(
    ("name", "load"),
    [
        ("a.mtl", color),
        ("a.obj", lambda folder: refused(dd.MeshError, dd.load_mesh, folder / "a.obj")),
        (
            "views.json",
            lambda folder: refused(dd.CameraError, dd.load_cameras, folder / "views.json"),
        ),
        (
            "camera.json",
            lambda folder: refused(dd.CameraError, dd.load_cameras, folder / "views.json"),
        ),
        (
            "cameras.txt",
            lambda folder: refused(dd.CameraError, dd.load_cameras, folder / "images.txt"),
        ),
    ],
)
def test_a_pipe_that_replaces_the_file_before_it_is_opened(folder, name, load):
    (folder / "views.json").write_bytes(POSE)
    (folder / "camera.json").write_bytes(b'{"width": 8, "height": 8}')
    (folder / "cameras.txt").write_bytes(b"1 PINHOLE 8 8 9 9 4 4\n")

    def swap():
        (folder / name).unlink()
        os.mkfifo(folder / name)

    with at_most(10.0), just_before_opening(name, swap):
        load(folder)


def refused(error, load, path):
    with pytest.raises(error, match=r"not a (regular|plain) file"):
        load(path)


@pytest.mark.parametrize("name", ["a.obj", "a.mtl"])
def test_a_larger_file_that_replaces_the_file_before_it_is_opened(folder, name):
    limit = (folder / "a.obj").stat().st_size

    def swap():
        (folder / "large").write_bytes((folder / name).read_bytes() + b"#" * 1_000_000)
        (folder / "large").replace(folder / name)

    with (
        just_before_opening(name, swap),
        pytest.raises(dd.MeshError, match=f"10.* bytes, the limit is {limit}"),
    ):
        dd.load_mesh(folder / "a.obj", max_file_bytes=limit)


def test_a_camera_file_that_grows_before_it_is_opened(folder):
    path = folder / "views.json"
    path.write_bytes(POSE)
    with (
        just_before_opening("views.json", lambda: path.write_bytes(POSE + b" " * 1000)),
        pytest.raises(dd.CameraError, match="more than the limit of 100"),
    ):
        dd.load_cameras(path, width=8, height=8, max_file_bytes=100)


@pytest.mark.parametrize("size", [0, 5, 15])
def test_a_file_that_grows_or_shrinks_while_it_is_read(tmp_path, size):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with opened(path) as file:
        assert file.is_regular
        assert file.size == 10
        assert file.read() == b"0123456789"
    with opened(path) as file:
        os.truncate(path, size)
        assert file.read() is None


def test_a_mesh_that_is_being_written_is_refused(folder, monkeypatch):
    monkeypatch.setattr("ddepth_gl.io.opened_files.OpenedFile.read", lambda self: None)
    with pytest.raises(dd.MeshError, match="so it is being written; load it once it is complete"):
        dd.load_mesh(folder / "a.obj")
    (folder / "views.json").write_bytes(POSE)
    with pytest.raises(dd.CameraError, match="is being written; load it once it is whole"):
        dd.load_cameras(folder / "views.json")


def test_no_descriptor_is_left_open(folder):
    write_obj(folder, "sub/a.mtl")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("a.obj", "none.obj", "sub", "a.mtl"):
        for _ in range(3):
            try:
                dd.load_mesh(folder / name)
            except dd.MeshError:
                continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before
