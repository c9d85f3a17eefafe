"""Devices: how one is chosen, and what is said where none serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import ddepth_gl as dd
from ddepth_gl.gl import context as context_module
from ddepth_gl.gl import devices as devices_module
from ddepth_gl.gl import egl
from ddepth_gl.gl.context import GLContext
from ddepth_gl.gl.devices import Device, candidate_devices, devices
from ddepth_gl.gl.functions import GLFunctions
from ddepth_gl.gl.inspection import inspect_devices

# A made-up machine: software first, as some drivers list it.
MACHINE = [
    Device(0, 10, True, None, None),
    Device(1, 11, False, 1, "0000:3b:00.0"),
    Device(2, 12, False, 0, "0000:af:00.0"),
]


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.delenv("DDEPTH_DEVICE", raising=False)
    monkeypatch.setattr(devices_module, "devices", lambda: MACHINE)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("wanted", "indices"),
    [
        (None, [1, 2, 0]),
        ("auto", [1, 2, 0]),
        ("gpu", [1, 2]),
        ("software", [0]),
        (1, [1]),
        ("2", [2]),
        ("cuda:0", [2]),
        ("cuda:1", [1]),
        ("0000:AF:00.0", [2]),
        (" GPU ", [1, 2]),
    ],
)
def test_choice_of_device(wanted, indices):
    assert [device.index for device in candidate_devices(wanted, False)] == indices


@pytest.mark.usefixtures("machine")
def test_environment_is_the_default_and_an_argument_wins(monkeypatch):
    monkeypatch.setenv("DDEPTH_DEVICE", "cuda:0")
    assert [device.index for device in candidate_devices(None, False)] == [2]
    assert [device.index for device in candidate_devices(1, False)] == [1]
    monkeypatch.setenv("DDEPTH_DEVICE", "teapot")
    with pytest.raises(dd.ContextError, match="DDEPTH_DEVICE='teapot'"):
        candidate_devices(None, False)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("wanted", "match"),
    [
        (7, "matches none.*device 1 \\(0000:3b:00.0\\).*; use one of these$"),
        ("cuda:5", "matches none"),
        ("0000:00:00.0", "matches none"),
        (-1, "is not a device"),
        (True, "is not a device"),
        (1.5, "is not a device"),
        ("cuda:x", "is not a device"),
        ("teapot", "is not a device"),
    ],
)
def test_bad_devices(wanted, match):
    with pytest.raises(dd.ContextError, match=match) as caught:
        candidate_devices(wanted, False)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("machine")
def test_require_gpu(monkeypatch):
    assert [device.index for device in candidate_devices(None, True)] == [1, 2]
    monkeypatch.setattr(devices_module, "devices", lambda: MACHINE[:1])
    with pytest.raises(dd.ContextError, match=r"require_gpu.*software.*driver"):
        candidate_devices(None, True)


def test_require_gpu_believes_the_renderers_name_only():
    """A device that is not marked as software but is answered by Mesa's rasterizer is refused."""
    real = devices()
    if not all(device.is_software for device in real):
        pytest.skip("this machine has a GPU")
    with pytest.raises(dd.ContextError, match="require_gpu"):
        dd.DepthRenderer(require_gpu=True)
    context = GLContext.__new__(GLContext)
    context.__init__()  # type: ignore[misc]
    with context, pytest.raises(dd.ContextError, match="but the renderer is"):
        context._inspect(Device(0, 0, False, None, None), True)
    context.release()


def test_no_device(monkeypatch):
    monkeypatch.setattr(devices_module, "devices", list)
    with pytest.raises(dd.ContextError, match="apt-get install -y libegl1"):
        dd.DepthRenderer()


def test_no_egl_library(monkeypatch):
    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")

    egl.load.cache_clear()
    monkeypatch.setattr(egl.ctypes, "CDLL", missing)
    try:
        with pytest.raises(dd.ContextError, match=r"libEGL\.so\.1.*apt-get install") as caught:
            dd.DepthRenderer()
        assert "\n" not in str(caught.value)
    finally:
        monkeypatch.undo()
        egl.load.cache_clear()


def test_a_device_that_fails_is_passed_over_and_named(monkeypatch):
    real = devices()[0]
    broken = Device(5, real.handle, False, None, "0000:01:00.0")
    monkeypatch.setattr(devices_module, "devices", lambda: [real, broken])
    display = egl.Egl.display

    calls = []

    def refuse_first(self, handle):
        calls.append(handle)
        if len(calls) == 1:
            raise dd.ContextError("the EGL display does not initialize (EGL_NOT_INITIALIZED)")
        return display(self, handle)

    monkeypatch.setattr(egl.Egl, "display", refuse_first)
    with dd.DepthRenderer() as renderer:
        assert renderer.info.device_index == 0
    calls.clear()
    with pytest.raises(dd.ContextError, match=r"tried device 5 \(0000:01:00.0\).*NOT_INITIALIZED"):
        dd.DepthRenderer(device="gpu")


def test_a_vendor_that_fails_to_load():
    """No vendor library at all: a clear line, not a crash."""
    environment = {**os.environ, "__EGL_VENDOR_LIBRARY_FILENAMES": "/nonexistent.json"}
    code = "import ddepth_gl as dd\ntry: dd.DepthRenderer()\nexcept dd.ContextError as e: print(e)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert "apt-get install" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


class FakeGL:
    """Just enough of a context for `GLFunctions.device_memory`: it advertises the extension and answers so."""

    extensions = frozenset({"GL_NVX_gpu_memory_info"})

    def __init__(self, kilobytes):
        self.kilobytes, self.asked = kilobytes, []

    def get_integer(self, token, address):
        self.asked.append(token)
        address._obj.value = self.kilobytes


def device_memory(gl):
    calls = GLFunctions.__new__(GLFunctions)
    calls._gl, calls._functions = gl, {"glGetIntegerv": gl.get_integer}
    return calls.device_memory()


def test_what_a_device_says_of_its_memory():
    """Kilobytes of dedicated video memory, token 0x9047, as GL_NVX_gpu_memory_info has it."""
    gl = FakeGL(8 * 2**20)
    assert device_memory(gl) == 8 * 2**30
    assert gl.asked == [0x9047]
    gl.extensions = frozenset({"GL_ARB_debug_output"})
    assert device_memory(gl) is None
    assert len(gl.asked) == 1


@pytest.mark.parametrize("kilobytes", [0, -1, -2_719_982, -(2**31)])
def test_what_cannot_be_a_memory_is_not_believed(kilobytes):
    assert device_memory(FakeGL(kilobytes)) is None


HOST = 16 * 2**30


@pytest.mark.parametrize(
    ("says", "memory"),
    [
        (None, HOST),
        (2**30, 2**30),
        (HOST - 1024, HOST - 1024),
        (HOST + 1024, HOST),
        (1024 * (2**31 - 1), HOST),
    ],
)
def test_memory_of_a_gpu_is_what_it_says_up_to_the_machines(monkeypatch, says, memory):
    monkeypatch.setattr(context_module, "_SOFTWARE_RENDERERS", ("a GPU all the same",))
    monkeypatch.setattr(context_module, "host_memory", lambda: HOST)
    monkeypatch.setattr(GLFunctions, "device_memory", lambda _: says)
    context = GLContext()
    device = Device(0, 0, False, None, None)  # a device that is not marked as software either
    with context:
        context._inspect(device, False)
    assert not context.is_software
    assert context.memory == memory
    context.release()


def test_no_software_renderer_is_asked_for_its_memory(monkeypatch):
    """Mesa's llvmpipe answers with garbage, of either sign."""
    if not all(device.is_software for device in devices()):
        pytest.skip("this machine has a GPU")
    monkeypatch.setattr(context_module, "host_memory", lambda: HOST)
    monkeypatch.setattr(GLFunctions, "device_memory", lambda _: 4096)
    context = GLContext()
    assert context.memory == HOST
    context.release()


def test_info_and_inspection_agree():
    reports = [report for report in inspect_devices() if report.error is None]
    assert reports
    with dd.DepthRenderer() as renderer:
        info = renderer.info
        json.dumps(info.as_dict())
        (report,) = (report for report in reports if report.device.index == info.device_index)
        assert (report.vendor, report.renderer, report.gl_version) == (
            info.vendor,
            info.renderer,
            info.gl_version,
        )
        assert "raster" in report.engines
        assert info.engine in report.engines
        assert info.max_image_size >= 4096
