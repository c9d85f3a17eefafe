"""Worker processes for every start method: they work or are refused at once, and never hang.

Also threads in which another library's GLX context is current.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re

import pytest
from programs import ROOT, lines_of, run_script
from shapes import box, torus

import ddepth_gl as dd
from ddepth_gl.gl import egl, workers
from ddepth_gl.gl.devices import devices
from ddepth_gl.io.results.ply import write_mesh

METHODS = ("fork", "spawn", "forkserver")

# Use of OpenGL before the workers start, as Python code.
BEFORE = {
    "nothing": "",
    "no such device": "refused(lambda: dd.DepthRenderer(device=99))",
    "closed": "dd.DepthRenderer().close()",
    "open": "renderer = dd.DepthRenderer(); scene = renderer.upload(box()); images(renderer)",
    "failed half way": "refused(half_a_renderer)",
    "inspected": "from ddepth_gl.gl.inspection import inspect_devices; inspect_devices()",
}
USES_GL = ("closed", "open", "failed half way", "inspected")

POOL = """
import multiprocessing, sys

import numpy as np
import ddepth_gl as dd
from ddepth_gl import pipeline as module

def box():
    return dd.Mesh(
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]
    )

def refused(make):
    try:
        make()
    except dd.ContextError:
        return
    raise SystemExit("a renderer was created where that should fail")

def half_a_renderer():
    # The context exists already when the engine fails.
    def engine(context):
        raise dd.ContextError("the engine fails")
    originals = module.ComputeEngine, module.RasterEngine
    module.ComputeEngine = module.RasterEngine = engine
    try:
        dd.DepthRenderer()
    finally:
        module.ComputeEngine, module.RasterEngine = originals

def images(renderer):
    cameras = dd.Camera.orbit(box(), views=3, width=40, height=30)
    return [maps.thickness for maps in renderer.entry_exit_many(renderer.upload(box()), cameras)]

def work(number):
    try:
        with dd.DepthRenderer() as renderer:
            return sum(float(np.nansum(image)) for image in images(renderer))
    except dd.ContextError as error:
        return error

if __name__ == "__main__":
    method, before = sys.argv[1:]
    exec(before)
    with multiprocessing.get_context(method).Pool(2) as pool:
        for result in pool.map(work, range(4), chunksize=1):
            print(type(result).__name__, result)
    if before.startswith("renderer"):
        renderer.close()
"""


@pytest.mark.parametrize(
    ("method", "before"),
    [("fork", before) for before in BEFORE]
    + [
        pytest.param(method, before, marks=pytest.mark.slow)
        for method in ("spawn", "forkserver")
        for before in ("nothing", "open")
    ],
)
def test_renderers_in_a_pool(tmp_path, method, before):
    lines = lines_of(run_script(POOL, tmp_path, method, BEFORE[before]))
    assert len(lines) == 4
    has_gpu = not all(device.is_software for device in devices())
    if method == "fork" and (before in USES_GL or (before == "no such device" and has_gpu)):
        for line in lines:
            assert line.startswith("ContextError OpenGL does not survive fork")
            for word in ("'spawn'", "'forkserver'", "DataLoader"):
                assert word in line
    else:
        assert len(set(lines)) == 1
        assert float(lines[0].removeprefix("float ")) > 0


INHERITED = """
import gc, os, sys, time, warnings

import ddepth_gl as dd

# Python 3.12 and later warn about a fork beside threads. llvmpipe has threads, and this test forks.
warnings.filterwarnings("ignore", "This process", DeprecationWarning)

mesh = dd.Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
camera = dd.Camera.look_at((0.2, 0.2, 3), (0.2, 0.2, 0), (0, 1, 0), width=40, height=30)
renderer = dd.DepthRenderer(engine="compute")
scene = renderer.upload(mesh)
closed_renderer = dd.DepthRenderer()
closed_renderer.close()
maps = renderer.entry_exit(scene, camera, output="gpu")
images = renderer.entry_exit_many(scene, [camera] * 60)
next(images)

def gl_in_child():
    for call in (
        lambda: renderer.entry_exit(scene, camera),
        lambda: renderer.upload(mesh),
        lambda: renderer.peel(scene, camera),
        lambda: renderer.info,
        lambda: closed_renderer.info,
        lambda: next(images),
        lambda: maps.numpy(),
        lambda: maps.entry.numpy(),
        lambda: renderer.__enter__(),
        dd.DepthRenderer,
    ):
        try:
            call()
        except dd.ContextError as error:
            assert "'spawn' or 'forkserver'" in str(error), error
        else:
            raise SystemExit("the call was not refused")

def collected():
    global renderer, scene, maps, images, closed_renderer
    del renderer, scene, maps, images, closed_renderer
    gc.collect()

actions = {
    "use": gl_in_child,
    "close": lambda: [renderer.close(), renderer.close(), closed_renderer.close(), gl_in_child()],
    "release": lambda: [scene.release(), maps.release(), maps.release()],
    "generator": lambda: images.close(),
    "repr": lambda: [repr(renderer), repr(scene), repr(maps)],
    "collected": collected,
    "leave": lambda: None,
    "exit": lambda: sys.exit(),
}
child = 0
renderer.__enter__()
maps.__enter__()
child = os.fork()
if child == 0:
    actions[sys.argv[1]]()
    if sys.argv[1] == "leave":
        renderer.__exit__(None, None, None)
        maps.__exit__(None, None, None)
    sys.exit(7)  # collects all remaining objects
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == (0 if sys.argv[1] == "exit" else 7), status

# The parent's objects still work and yield the same.
assert sum(1 for _ in images) == 59
before = maps.numpy()
after = renderer.entry_exit(scene, camera)
assert after.entry.tobytes() == before.entry.tobytes()
assert after.mask.tobytes() == before.mask.tobytes()
renderer.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "action", ["use", "close", "release", "generator", "repr", "collected", "leave", "exit"]
)
def test_inherited_objects_belong_to_the_parent(tmp_path, action):
    done = run_script(INHERITED, tmp_path, action)
    assert (done.status, done.err) == (0, "")


# Threads of llvmpipe


def test_the_cpus_are_shared_by_the_processes(monkeypatch):
    monkeypatch.delenv("LP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(7)))
    threads = [
        int(dd.worker_environment(processes)["LP_NUM_THREADS"]) for processes in (1, 2, 3, 7, 8, 99)
    ]
    assert threads == [7, 3, 2, 1, 1, 1]
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert dd.worker_environment(2) == {"LP_NUM_THREADS": "2"}
    monkeypatch.setenv("LP_NUM_THREADS", "3")
    assert dd.worker_environment(2) == {}
    monkeypatch.setenv("LP_NUM_THREADS", "")
    assert dd.worker_environment(2) == {"LP_NUM_THREADS": "2"}


def test_a_worker_has_as_many_threads_as_it_is_told(tmp_path, monkeypatch):
    """A count of the threads that Mesa names so, in a process with three of them."""
    with dd.DepthRenderer() as renderer:
        if not renderer.info.is_software:
            pytest.skip("a GPU renders")
    monkeypatch.delenv("LP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    for name, value in dd.worker_environment(2).items():
        monkeypatch.setenv(name, value)
    script = """
import time
from pathlib import Path
import ddepth_gl as dd
with dd.DepthRenderer():
    time.sleep(1.0)  # each thread gives itself its name
    for _ in range(100):
        names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
        count = sum(name.startswith("llvmpipe-") for name in names)
        if count >= 3:
            break
        time.sleep(0.1)
print(count)
"""
    assert lines_of(run_script(script, tmp_path)) == ["3"]


# PyTorch's DataLoader, with the example of docs/processes.md


@pytest.fixture
def loader_script(tmp_path):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed; .ci/run installs a CPU build of it")
    for number in range(3):
        write_mesh(tmp_path / f"{number}.ply", torus(steps=24 + number, sides=12))
    (script,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/processes.md").read_text(encoding="utf-8"), re.S
    )
    assert script.count('"spawn"') == 1
    assert script.count("    sheets = RenderedDataset(") == 1
    return script


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_data_loader_with_two_workers(tmp_path, loader_script, method):
    done = run_script(loader_script.replace('"spawn"', repr(method)), tmp_path, limit=120)
    lines = lines_of(done)
    assert len(lines) == 3
    assert all(line.startswith("torch.Size([1, 2, 48, 64]) ") for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_data_loader_after_a_renderer_in_the_parent(tmp_path, loader_script, method):
    script = loader_script.replace('"spawn"', repr(method))
    script = script.replace(
        "    sheets = RenderedDataset(",
        "    dd.DepthRenderer().close()\n    sheets = RenderedDataset(",
    )
    done = run_script(script, tmp_path, limit=120)
    if method == "fork":
        assert done.status == 1
        assert "ContextError" in done.err
        assert "OpenGL does not survive fork" in done.err
    else:
        assert len(lines_of(done)) == 3


# Another library's X11 window in the same process

WINDOW = """
import moderngl
import ddepth_gl as dd
from ddepth_gl.gl.inspection import inspect_devices

def print_error(call):
    try:
        call()
    except dd.ContextError as error:
        print(error)
    else:
        print("no error")

window = moderngl.create_context(standalone=True, libgl="libGL.so.1", libx11="libX11.so.6")
print_error(dd.DepthRenderer)
print(inspect_devices()[0].error)
window.release()
"""

WINDOW_FIRST = """
import ctypes, threading
import ddepth_gl as dd

# A renderer works in a thread without a window while another thread has one.
import moderngl
window = moderngl.create_context(standalone=True, libgl="libGL.so.1", libx11="libX11.so.6")
found = []

def work():
    with dd.DepthRenderer() as renderer:
        found.append(renderer.info.renderer)

thread = threading.Thread(target=work)
thread.start()
thread.join()
assert found
window.release()
"""


def test_a_window_of_another_library_is_named(tmp_path, display):
    lines = lines_of(run_script(WINDOW, tmp_path, DISPLAY=display))
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("another library's GLX context")
        assert "thread" in line
        assert "apt-get" not in line


def test_a_window_in_another_thread_does_no_harm(tmp_path, display):
    done = run_script(WINDOW_FIRST, tmp_path, DISPLAY=display)
    assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize("library", ["libGLX.so.0", "libGL.so.1"])
def test_a_refusal_beside_a_simulated_glx_context(monkeypatch, library):
    """libglvnd reports EGL_BAD_ACCESS while a GLX context is current."""
    current = ctypes.CFUNCTYPE(ctypes.c_void_p)(lambda: 0x1234)

    class Loaded:
        glXGetCurrentContext = current  # noqa: N815 - GLX's name

    def only_if_loaded(name, mode=0):
        assert mode & os.RTLD_NOLOAD
        if name != library:
            raise OSError(f"{name}: cannot open shared object file")
        return Loaded

    with dd.DepthRenderer() as renderer:
        scene = renderer.upload(box())
        camera = dd.Camera.orbit(box(), views=1, width=8, height=8)[0]
        expected = renderer.entry_exit(scene, camera)
        library_of_egl = egl.load()
        with monkeypatch.context() as patched:
            patched.setattr(egl.ctypes, "CDLL", only_if_loaded)
            patched.setattr(library_of_egl, "_make_current", lambda *_: 0)
            patched.setattr(library_of_egl, "_get_error", lambda: 0x3002)
            for call in (dd.DepthRenderer, lambda: renderer.entry_exit(scene, camera)):
                with pytest.raises(dd.ContextError) as caught:
                    call()
                message = str(caught.value)
                assert message.startswith("another library's GLX context")
                assert "(EGL_BAD_ACCESS)" in message
                assert "apt-get" not in message
                assert "\n" not in message
        # Without the window it works again.
        again = renderer.entry_exit(scene, camera)
        assert again.entry.tobytes() == expected.entry.tobytes()


def test_a_refusal_without_glx_does_not_mention_it(monkeypatch):
    library = egl.load()
    monkeypatch.setattr(egl, "glx_is_current", lambda: False)
    monkeypatch.setattr(library, "_make_current", lambda *_: 0)
    monkeypatch.setattr(library, "_get_error", lambda: 0x3002)
    with pytest.raises(dd.ContextError, match=r"cannot be made current \(EGL_BAD_ACCESS\)"):
        dd.DepthRenderer()


# CPUs of containers


CGROUPS = {
    "none": ({}, "0::/", []),
    "v2, a container's root": ({"cpu.max": "150000 100000"}, "0::/", [1.5]),
    "v2, no limit": ({"cpu.max": "max 100000"}, "0::/", []),
    "v2, nested": (
        {
            "a/cpu.max": "400000 100000",
            "a/b/cpu.max": "max 100000",
            "a/b/c/cpu.max": "200000 50000",
        },
        "0::/a/b/c",
        [4.0, 4.0],
    ),
    "v2 beside v1": ({"unified/x/cpu.max": "100000 100000"}, "0::/x\n3:memory:/y", [1.0]),
    "v1": (
        {"cpu,cpuacct/a/cpu.cfs_quota_us": "250000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"},
        "4:cpu,cpuacct:/a\n3:memory:/b",
        [2.5],
    ),
    "v1, a container's root": (
        {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"},
        "4:cpuacct,cpu:/docker/1234",
        [3.0],
    ),
    "v1, no limit": ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "1"}, "1:cpu:/", []),
    "damaged": ({"cpu.max": "many 0"}, "nonsense\n\n0::/", []),
    "a period of 0": ({"cpu.max": "5 0"}, "0::/", []),
}


@pytest.mark.parametrize("case", CGROUPS)
def test_limits_of_cgroups(tmp_path, case):
    files, own, expected = CGROUPS[case]
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    assert workers._quotas(tmp_path / "fs", tmp_path / "own") == expected


def test_threads_are_shared_within_a_cgroup(tmp_path, monkeypatch):
    monkeypatch.delenv("LP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(workers, "_CGROUPS", tmp_path)
    (tmp_path / "cpu.max").write_text("750000 100000")
    assert workers.usable_cpus() == 8
    assert dd.worker_environment(4) == {"LP_NUM_THREADS": "2"}
    (tmp_path / "cpu.max").write_text("1000 100000")
    assert workers.usable_cpus() == 1
