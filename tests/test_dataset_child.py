"""Renderer processes: limits on each mesh, what their crashes leave, and when they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from dataset_runs import fake_plan, fake_renderer, use_fakes
from fake_child import VERSIONS, VIEWS, content_of
from programs import ROOT

import ddepth_gl as dd
from ddepth_gl.dataset import child_process as module
from ddepth_gl.dataset.child import MeshFailedError, RendererChild, RunStoppedError
from ddepth_gl.dataset.entries import MeshEntry
from ddepth_gl.dataset.wire import message_head

GOOD = MeshEntry("good", "good")


@pytest.fixture(autouse=True)
def _fakes(monkeypatch):
    use_fakes(monkeypatch)


@pytest.fixture
def renderer():
    with fake_renderer(fake_plan(["good"])) as renderer:
        yield renderer


def ends(condition, seconds=20.0):
    for _ in range(int(seconds * 50)):
        if condition():
            return True
        time.sleep(0.02)
    return False


def check_good(renderer):
    samples = list(renderer.samples(GOOD))
    assert [sample.key for sample in samples] == ["good_000", "good_001", "good_002"]
    for view, sample in enumerate(samples):
        assert sample.files == {"data.bin": content_of("good", view), "json": b"{}"}
        assert sample.row == {"id": "good", "view": view, "coverage": view / 3}


def test_a_mesh_after_another(renderer):
    for _ in range(3):
        check_good(renderer)
    assert 2**20 < renderer.peak_memory < 2**30


FAILURES = {
    "error_a.obj": ("error", "a.obj is no mesh"),
    "bug": ("error", "KeyError: 'x'"),
    "missing_a.obj": ("error", "a.obj cannot be read (No such file)"),
    "full": ("memory", "rendering ran out of memory"),
    "context": ("crash", "the device is lost"),
    "crash": ("crash", "the renderer process was ended by SIGSEGV"),
    "exit": ("crash", "the renderer process ended with exit status 3"),
    "garbage": ("crash", "a renderer process sent what is not a message"),
    "temporary": ("error", "a.obj is no mesh"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_mesh_that_fails(renderer, name):
    received = []
    with pytest.raises(MeshFailedError) as caught:
        received += renderer.samples(MeshEntry("bad", name))
    assert (caught.value.kind, str(caught.value)) == FAILURES[name]
    check_good(renderer)


def test_time_limit():
    plan = fake_plan(["good"], limits={"seconds_per_mesh": 1.0})
    with fake_renderer(plan) as renderer:
        renderer.start()
        start = time.monotonic()
        with pytest.raises(MeshFailedError, match="longer than 1 s") as caught:
            list(renderer.samples(MeshEntry("bad", "sleep")))
        assert caught.value.kind == "timeout"
        assert 0.9 < time.monotonic() - start < 10
        check_good(renderer)


def test_a_slow_reader_is_not_the_fault_of_the_mesh():
    plan = fake_plan(["good"], limits={"seconds_per_mesh": 0.5})
    with fake_renderer(plan) as renderer:
        keys = []
        for sample in renderer.samples(GOOD):
            time.sleep(0.4)
            keys.append(sample.key)
        assert len(keys) == VIEWS


def test_memory_limit():
    with fake_renderer(fake_plan(["good"]), memory=300 * 2**20) as renderer:
        with pytest.raises(MeshFailedError, match="more than 300 MiB") as caught:
            list(renderer.samples(MeshEntry("bad", "large")))
        assert caught.value.kind == "memory"
        assert renderer.peak_memory > 300 * 2**20
        check_good(renderer)


def test_what_drivers_print_does_not_disturb(renderer, capfd):
    assert len(list(renderer.samples(MeshEntry("x", "print")))) == VIEWS
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("a driver prints this\n")


def test_samples_of_another_mesh_are_refused(renderer, monkeypatch):
    """A mesh that takes over its process must not write into samples of others."""
    with pytest.raises(MeshFailedError, match="not a sample of this mesh"):
        renderer._sample({"key": "other_000", "row": {}, "files": []}, GOOD)
    renderer.start()
    renderer._deadline = time.monotonic() + 9
    for files in ([["../x", 1]], [["a", -1]], [["a", 2**60]], [["a"]], ["a"], [["a", 0], ["a", 0]]):
        with pytest.raises(MeshFailedError, match="a file without a name"):
            renderer._sample({"key": "good_000", "row": {}, "files": files}, GOOD)


def test_an_abandoned_mesh_does_not_disturb_the_next(renderer):
    with closing(renderer.samples(GOOD)) as samples:
        next(samples)
    check_good(renderer)


def test_watch_may_end_it(renderer):
    def stop():
        raise RunStoppedError("enough")

    renderer.start()
    renderer.watch = stop
    with pytest.raises(RunStoppedError):
        list(renderer.samples(MeshEntry("x", "sleep")))
    assert renderer.pid is None


def test_a_process_that_is_killed_between_two_meshes(renderer):
    check_good(renderer)
    os.kill(renderer.pid, signal.SIGKILL)
    with pytest.raises(MeshFailedError, match="ended by SIGKILL; the system may have run out"):
        check_good(renderer)
    check_good(renderer)


def test_signals_to_the_process_are_ignored(renderer):
    renderer.start()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(renderer.pid, number)
    check_good(renderer)


@pytest.mark.parametrize("start", ["no context", "crash"])
def test_a_process_that_does_not_start(start):
    errors = {
        "no context": (dd.ContextError, "no device works"),
        "crash": (dd.DatasetError, "does not start: the renderer process ended with exit status 7"),
    }
    kind, message = errors[start]
    with fake_renderer(fake_plan(["x"]), environment={"FAKE_START": start}) as renderer:
        with pytest.raises(kind, match=message):
            renderer.start()
        assert renderer.pid is None


def test_a_missing_interpreter(renderer, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(dd.DatasetError, match=r"does not start \(/no/python: No such file"):
        renderer.start()


def test_versions_must_be_those_of_the_plan():
    plan = fake_plan(["x"])
    other = {**VERSIONS, "driver": "another"}
    with (
        fake_renderer(plan, versions=other) as renderer,
        pytest.raises(dd.DatasetError, match=r"driver is none 1\.0, not another; --allow-mixed"),
    ):
        renderer.start()
    with fake_renderer(plan, versions=None) as renderer:
        check_good(renderer)


def test_nothing_is_left(tmp_path, monkeypatch):
    """No process, no descriptor and no temporary file, whatever happened to the process."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(module.tempfile, "tempdir", None)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with fake_renderer(fake_plan(["x"])) as renderer:
        for name in ("temporary", "crash", "garbage"):
            with pytest.raises(MeshFailedError):
                list(renderer.samples(MeshEntry("x", name)))
        check_good(renderer)
        pid = renderer.pid
    assert not psutil.pid_exists(pid)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert not list(tmp_path.iterdir())


PARENT = """
import sys, time
from dataset_runs import fake_plan, fake_renderer
from ddepth_gl.dataset import child
from ddepth_gl.dataset.entries import MeshEntry
from ddepth_gl.dataset.wire import message_head
child._ENTRY = "fake_child"
renderer = fake_renderer(fake_plan(["x"]))
renderer.start()
print(renderer.pid, renderer._process.folder, flush=True)
if sys.argv[1] != "idle":
    list(renderer.samples(MeshEntry("x", sys.argv[1])))
time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("state", ["idle", "sleep", "hold"])
def test_the_process_ends_with_its_parent(state):
    """Even if that is killed while the mesh takes forever, or compiled code holds the process."""
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, state],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as parent:
        pid, folder = parent.stdout.readline().split()
        time.sleep(0.3)
        parent.kill()
    assert ends(lambda: not psutil.pid_exists(int(pid)))
    if state != "hold":
        assert not Path(folder).exists()
    with RendererChild(fake_plan(["x"]).config) as other:
        check_good(other)


@pytest.mark.parametrize("engine", ["auto", "compute"])
def test_a_process_is_taken_over(engine):
    plan = fake_plan(["good"])
    environment = {"LP_NUM_THREADS": "1"}
    with fake_renderer(plan, environment=environment, engine=engine) as first:
        first.start()
        pid = first.pid
        options = {"engine": "compute", "environment": environment}
        with fake_renderer(plan, **options) as second:
            second.take_over(first)
            assert (first.pid, second.pid, second.start()) == (None, pid, first.facts)
            check_good(second)
        first.close()
    assert not psutil.pid_exists(pid)


OTHERS = {
    "environment": {"environment": {"LP_NUM_THREADS": "2"}},
    "threads": {"encoders": 1},
    "engine": {"engine": "raster"},
    "device": {"device": 1},
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_process_of_other_settings_stays(other):
    plan = fake_plan(["good"])
    with fake_renderer(plan) as first:
        first.start()
        with fake_renderer(plan, **{"engine": "compute", **OTHERS[other]}) as second:
            second.take_over(first)
            assert second.pid is None
        check_good(first)


def test_a_process_that_ended_or_never_began_is_not_taken_over():
    plan = fake_plan(["good"])
    with fake_renderer(plan) as first, fake_renderer(plan, engine="compute") as second:
        second.take_over(first)
        check_good(second)


def test_the_versions_of_a_process_that_is_taken_over_are_checked():
    plan = fake_plan(["good"])
    with (
        fake_renderer(plan, versions=None) as first,
        fake_renderer(plan, versions={"engine": "compute"}, engine="compute") as second,
    ):
        first.start()
        with pytest.raises(dd.DatasetError, match=r"driver is none 1\.0, not None"):
            second.take_over(first)
        assert first.pid is second.pid is None


def test_nothing_is_printed_when_the_run_is_gone(tmp_path):
    """Its answers reach nobody; that the other pipe is still open lets no other thread end it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    request_end, requests = os.pipe()
    answers, answer_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "fake_child", str(request_end), str(answer_end), str(folder)],
        pass_fds=(request_end, answer_end),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stderr=subprocess.PIPE,
    )
    for descriptor in (request_end, answer_end, answers):
        os.close(descriptor)
    os.write(requests, message_head({}))
    _, printed = process.communicate(timeout=60)
    os.close(requests)
    assert (process.returncode, printed) == (0, b"")
    assert not folder.exists()
