"""`run_in_child`: data goes there and back unchanged; whatever the child does is a MeshError."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import child_functions
import numpy as np
import pytest

from ddepth_gl.errors import MeshError
from ddepth_gl.io.meshes import child, child_main
from ddepth_gl.io.meshes.child import run_in_child


@pytest.fixture(autouse=True)
def functions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in dir(child_functions):
        entry = child._ChildFunction("child_functions", name, "its test data")
        monkeypatch.setitem(child._FUNCTIONS, name, entry)


def test_data_there_and_back() -> None:
    blobs = [b"", b"abc", bytes(range(256)) * 5000]
    result, arrays = run_in_child("echo", {"a": [1, "é\n", None]}, blobs)
    assert result["got"] == {"a": [1, "é\n", None]}
    assert result["pid"] != os.getpid()
    assert [a.tobytes() for a in arrays] == blobs
    arrays[2][:] = 7  # they are the caller's own


def test_types_and_shapes() -> None:
    _, arrays = run_in_child("types", {"types": list(child_main.TYPES)})
    expected = child_functions.types({"types": child_main.TYPES}, [])[1]
    assert len(arrays) == len(expected)
    for got, right in zip(arrays, expected, strict=True):
        assert got.dtype == right.dtype
        np.testing.assert_array_equal(got, right)


def test_a_type_that_is_not_listed() -> None:
    with pytest.raises(MeshError, match=r"answered with what is not a result \(type '<c16'\)"):
        run_in_child("types", {"types": ["<c16"]})


def test_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("SECRET", "1")
    result, _ = run_in_child("surroundings", {})
    assert not {"LD_PRELOAD", "SECRET", "HOME", "PYTHONPATH"} & set(result["environment"])
    # Standard streams, both messages, the request as mapped, and the listing itself.
    assert len(result["descriptors"]) == 7


def test_in_threads() -> None:
    pids: list[int] = []
    threads = [
        threading.Thread(target=lambda: pids.append(run_in_child("echo", {})[0]["pid"]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(pids)) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "request_", "limits", "message"),
    [
        ("crash", {}, {}, r"the reader of its test data crashed \(SIGSEGV\); it is damaged"),
        ("end", {"signal": int(signal.SIGABRT)}, {}, r"crashed \(SIGABRT\)"),
        ("end", {"signal": int(signal.SIGRTMIN) + 1}, {}, r"crashed \(signal 35\)"),
        ("leave", {}, {}, "the reader of its test data stopped with exit status 7"),
        ("hang", {}, {"seconds": 0.5}, r"reading its test data takes longer than 0.5 s"),
        ("compute", {}, {"seconds": 1}, r"takes longer than 1 s"),
        ("hog", {}, {"memory": 2**29}, r"needs more than 0\.5 GiB of memory"),
        ("oversize", {"mebibytes": 600}, {"memory": 2**29}, "test data holds more than 0.5 GiB"),
        ("refuse", {}, {}, r"^it is no good; make another$"),
        ("fail", {}, {}, r"^its test data cannot be read \(ValueError: a b"),
        ("no_such", {}, {}, "^its test data has values that make no sense"),
    ],
)
def test_failures(
    name: str,
    request_: dict[str, Any],
    limits: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    entry = child._ChildFunction("child_functions", name, "its test data")
    monkeypatch.setitem(child._FUNCTIONS, name, entry)
    with pytest.raises(MeshError, match=message) as caught:
        run_in_child(name, request_, **limits)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def _message(head: object, tail: bytes = b"", size: int | None = None) -> str:
    text = json.dumps(head).encode() if not isinstance(head, bytes) else head
    size = len(text) if size is None else size
    return (size.to_bytes(8, "little") + text + tail).decode("latin-1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "\xff" * 16,
        _message(b"nonsense"),
        _message([]),
        _message({}),
        _message({"result": {}}),
        _message({"result": [], "arrays": []}),
        _message({"result": {}, "arrays": 3}),
        _message({"result": {}, "arrays": [["<f8"]]}),
        _message({"result": {}, "arrays": [["|O", [1]]]}, bytes(100)),
        _message({"result": {}, "arrays": [["<f8", [-1]]]}, bytes(100)),
        _message({"result": {}, "arrays": [["<f8", [1.5]]]}, bytes(100)),
        _message({"result": {}, "arrays": [["<f8", [True]]]}, bytes(100)),
        _message({"result": {}, "arrays": [["<f8", [1000]]]}, bytes(100)),
        _message({"result": {}, "arrays": [["<f8", [2**47, 2**47, 2**47]]]}, bytes(100)),
        _message({"result": {}, "arrays": [["<f8", [0] * 40]]}, bytes(100)),
        _message({"result": {}, "arrays": [[["<f8"], [1]]]}, bytes(100)),
        _message(b"[" * 100_000),
        _message({"result": {}, "arrays": []}, size=10**6),
    ],
)
def test_answers_that_are_no_result(text: str) -> None:
    with pytest.raises(MeshError, match="answered with what is not a result"):
        run_in_child("garbage", {"text": text})


def test_a_result_that_can_still_change() -> None:
    with pytest.raises(MeshError, match="answered with what is not a result"):
        run_in_child("stay", {"seconds": 1})


def test_an_interpreter_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(MeshError, match="starts /no/such/python, which failed"):
        run_in_child("echo", {})
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(MeshError, match=r"needs sys\.executable"):
        run_in_child("echo", {})


def test_without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert run_in_child("echo", {"a": 1})[0]["got"] == {"a": 1}
    with pytest.raises(MeshError, match="longer than"):
        run_in_child("hang", {}, seconds=0.5)


def _is_gone(pid: int) -> bool:
    for _ in range(500):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_the_child_ends_with_its_parent(number: signal.Signals, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    program = (
        "import signal, sys\n"
        # A shell has its background jobs ignore it, and what they start inherits that.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from ddepth_gl.io.meshes import child\n"
        "child._FUNCTIONS['hang'] = child._ChildFunction('child_functions', 'hang', 'it')\n"
        "child.run_in_child('hang', {'file': sys.argv[1]}, seconds=55)\n"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(file)],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
    )
    while not (file.exists() and file.read_text()):
        time.sleep(0.02)
        assert parent.poll() is None
    started = time.monotonic()
    parent.send_signal(number)
    error = parent.communicate()[1]
    assert time.monotonic() - started < 40  # the child would hang longer
    assert _is_gone(int(file.read_text()))
    if number == signal.SIGINT:
        assert b"KeyboardInterrupt" in error
