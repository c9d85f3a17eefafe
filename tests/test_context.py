"""Contexts: opening one, the errors when none opens, and the memory of the device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

import ddepth_gl as dd
from ddepth_gl.gl import context as context_module
from ddepth_gl.gl import devices as devices_module
from ddepth_gl.gl import egl
from ddepth_gl.gl.context import GLContext
from ddepth_gl.gl.devices import Device, devices
from ddepth_gl.gl.functions import GLFunctions
from ddepth_gl.gl.inspection import inspect_devices


def test_require_gpu_trusts_only_the_renderers_name():
    """A device not marked as software is refused if Mesa's software rasterizer answers."""
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


def test_a_machine_without_devices(monkeypatch):
    monkeypatch.setattr(devices_module, "devices", list)
    with pytest.raises(dd.ContextError, match="apt-get install -y libegl1"):
        dd.DepthRenderer()


def test_a_machine_without_libegl(monkeypatch):
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


def test_a_device_that_fails_is_skipped_and_named(monkeypatch):
    real = replace(devices()[0], is_software=True)  # tried after GPUs
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


def test_a_machine_without_a_vendor_library():
    """It yields one clear line, not a crash."""
    environment = {**os.environ, "__EGL_VENDOR_LIBRARY_FILENAMES": "/nonexistent.json"}
    code = "import ddepth_gl as dd\ntry: dd.DepthRenderer()\nexcept dd.ContextError as e: print(e)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert "apt-get install" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


class FakeGL:
    """The parts of a context that `GLFunctions.device_memory` uses: the extension and one query."""

    extensions = frozenset({"GL_NVX_gpu_memory_info"})

    def __init__(self, kilobytes):
        self.kilobytes, self.queries = kilobytes, []

    def get_integer(self, token, address):
        self.queries.append(token)
        address._obj.value = self.kilobytes


def device_memory(gl):
    functions = GLFunctions.__new__(GLFunctions)
    functions._gl, functions._functions = gl, {"glGetIntegerv": gl.get_integer}
    return functions.device_memory()


def test_device_memory():
    """GL_NVX_gpu_memory_info reports kilobytes of dedicated video memory under 0x9047."""
    gl = FakeGL(8 * 2**20)
    assert device_memory(gl) == 8 * 2**30
    assert gl.queries == [0x9047]
    gl.extensions = frozenset({"GL_ARB_debug_output"})
    assert device_memory(gl) is None
    assert len(gl.queries) == 1


@pytest.mark.parametrize("kilobytes", [0, -1, -2_719_982, -(2**31)])
def test_impossible_device_memory_is_ignored(kilobytes):
    assert device_memory(FakeGL(kilobytes)) is None


HOST = 16 * 2**30


@pytest.mark.parametrize(
    ("reported", "memory"),
    [
        (None, HOST),
        (2**30, 2**30),
        (HOST - 1024, HOST - 1024),
        (HOST + 1024, HOST),
        (1024 * (2**31 - 1), HOST),
    ],
)
def test_gpu_memory_is_capped_at_host_memory(monkeypatch, reported, memory):
    monkeypatch.setattr(context_module, "renders_on_cpu", lambda renderer: False)
    monkeypatch.setattr(context_module, "host_memory", lambda: HOST)
    monkeypatch.setattr(GLFunctions, "device_memory", lambda _: reported)
    context = GLContext()
    device = Device(0, 0, False, None, None)  # not marked as software
    with context:
        context._inspect(device, False)
    assert not context.is_software
    assert context.memory == memory
    context.release()


def test_software_renderers_are_not_asked_for_their_memory(monkeypatch):
    """Mesa's llvmpipe reports garbage, of either sign."""
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
