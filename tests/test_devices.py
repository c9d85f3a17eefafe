"""The choice among EGL devices, and the errors when none matches."""

from __future__ import annotations

import pytest

import ddepth_gl as dd
from ddepth_gl.gl import devices as devices_module
from ddepth_gl.gl.devices import Device, candidate_devices

# An imaginary machine: software first, as some drivers list it.
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
    ("requested", "indices"),
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
def test_choice_of_device(requested, indices):
    assert [device.index for device in candidate_devices(requested, False)] == indices


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
    ("requested", "match"),
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
def test_bad_devices(requested, match):
    with pytest.raises(dd.ContextError, match=match) as caught:
        candidate_devices(requested, False)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("machine")
def test_require_gpu(monkeypatch):
    assert [device.index for device in candidate_devices(None, True)] == [1, 2]
    monkeypatch.setattr(devices_module, "devices", lambda: MACHINE[:1])
    with pytest.raises(dd.ContextError, match=r"require_gpu.*software.*driver"):
        candidate_devices(None, True)
