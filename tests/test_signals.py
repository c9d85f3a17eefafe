"""Signals end `ddepth` at any moment, with one line, the right status and only whole files."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from programs import ROOT, kill_session, run_script, wait_until
from shapes import torus

from ddepth_gl.io.results.ply import write_mesh

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
LINE = {
    signal.SIGINT: "ddepth: error: interrupted; files written so far are whole\n",
    signal.SIGTERM: "ddepth: error: terminated; files written so far are whole\n",
    signal.SIGHUP: "ddepth: error: hung up; files written so far are whole\n",
}
SIGNALS = pytest.mark.parametrize("number", STATUS, ids=lambda number: number.name)
RENDER = (
    "render",
    "ring.ply",
    "-o",
    "out",
    "--views",
    "5000",
    "--size",
    "300x300",
    "--format",
    "npz,ply",
)


@pytest.fixture(autouse=True)
def meshes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_mesh(Path("ring.ply"), torus(steps=24, sides=12))


def take_signals():
    # A shell starts background jobs with SIGINT ignored, and their children inherit that.
    for number in STATUS:
        signal.signal(number, signal.SIG_DFL)


class Started:
    """`ddepth` in its own process, which is killed at the end of the block if it still runs."""

    def __init__(self, *arguments, code=None, ready=take_signals):
        self.process = subprocess.Popen(
            [sys.executable, *(("-m", "ddepth_gl") if code is None else ("-c", code)), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            preexec_fn=ready,
            start_new_session=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        kill_session(self.process)
        self.process.communicate()

    def ended(self, *numbers):
        """Send the signals, wait for the end, and return (status, stderr)."""
        for number in numbers:
            self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


def results():
    return sorted(path.name for path in Path("out").iterdir()) if Path("out").exists() else []


def check_results():
    """Assert that the folder contains only whole files."""
    for name in results():
        assert not name.endswith(".part")
        if name.endswith(".npz"):
            with np.load(Path("out") / name) as file:
                assert all(file[key].dtype for key in file.files)


@pytest.mark.slow
@SIGNALS
def test_a_signal_while_rendering(number):
    with Started(*RENDER) as ddepth:
        wait_until(lambda: len(results()) > 4, "results")
        assert ddepth.ended(number) == (STATUS[number], LINE[number])
    check_results()


@pytest.mark.slow
def test_a_signal_while_timing():
    """`ddepth bench` writes no files that could be whole."""
    with Started("bench", "--sizes", "64") as ddepth:
        assert ddepth.process.stdout.readline().startswith("ddepth_gl ")
        line = "ddepth: error: interrupted; no times were printed\n"
        assert ddepth.ended(signal.SIGINT) == (130, line)


@pytest.mark.slow
def test_many_signals_are_one_line():
    with Started(*RENDER) as ddepth:
        wait_until(lambda: len(results()) > 4, "results")
        status, err = ddepth.ended(*[signal.SIGTERM, signal.SIGINT, signal.SIGHUP] * 3)
        assert err == LINE[{status: number for number, status in STATUS.items()}[status]]
    check_results()


@pytest.mark.slow
def test_ctrl_c_at_any_moment(record_property):
    """At a random time in each twentieth of the first second, in which the imports happen."""
    rng = random.Random(12)
    outcomes = []
    for number in range(20):
        with Started(*RENDER) as ddepth:
            time.sleep((number + rng.random()) / 20)
            status, err = ddepth.ended(signal.SIGINT)
        check_results()
        outcomes.append(status)
        if status == 130:
            assert err == LINE[signal.SIGINT]
            continue
        # The interpreter itself was starting: the signal kills it, or it prints a traceback. At
        # most the first lines of this package have run.
        assert status in (-signal.SIGINT, 1)
        frames = [Path(frame) for frame in re.findall(r'File "([^"]+)"', err)]
        package = ROOT / "ddepth_gl"
        ours = {str(frame.relative_to(package)) for frame in frames if package in frame.parents}
        assert ours <= {"__init__.py", "__main__.py", "cli/__init__.py", "cli/start.py"}, err
    record_property("outcomes", str(outcomes))
    assert outcomes[-5:] == [130] * 5


AT_AN_IMPORT = """
import os, runpy, signal, sys

class Interrupts:
    "Sends SIGINT at the n-th import after `cli.start`."
    left = int(sys.argv.pop(1))

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if "ddepth_gl.cli.main" in sys.modules or name == "ddepth_gl.cli.main":
            cls.left -= 1
            if cls.left == 0:
                os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts)
runpy.run_module("ddepth_gl", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("nth", [1, 2, 5, 20, 60, 130, 240, 400])
def test_ctrl_c_at_an_import(nth):
    """An exception would become an ImportError there, or be lost in a callback."""
    arguments = ("render", "ring.ply", "-o", "out", "--size", "8x8")
    with Started(str(nth), *arguments, code=AT_AN_IMPORT) as ddepth:
        assert ddepth.ended() == (130, LINE[signal.SIGINT])
    check_results()


MID_WRITE = """
import os, sys, time
from ddepth_gl.io import atomic

if sys.argv.pop(1) == "named":
    atomic._open_unnamed = lambda folder: None

def wait(descriptor):
    with open("writing", "w"):
        pass
    time.sleep(60)

os.fsync = wait
from ddepth_gl.cli.start import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("file_kind", ["unnamed", "named"])
@SIGNALS
def test_a_signal_during_a_write(number, file_kind):
    with Started(
        file_kind, "render", "ring.ply", "-o", "out", "--size", "64x64", code=MID_WRITE
    ) as ddepth:
        wait_until(Path("writing").exists, "file")
        assert any(name.endswith(".part") for name in results()) == (file_kind == "named")
        assert ddepth.ended(number) == (STATUS[number], LINE[number])
    assert results() == []


LIBRARY = """
import os, signal, sys

numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
before = [signal.getsignal(number) for number in numbers]
import ddepth_gl as dd
from ddepth_gl.io.atomic import atomic_write

dd.DepthRenderer().close()
assert [signal.getsignal(number) for number in numbers] == before
for number in numbers:  # background jobs start with SIGINT ignored
    signal.signal(number, signal.SIG_DFL)
with atomic_write("result.npz") as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), int(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [*STATUS, signal.SIGKILL], ids=lambda number: number.name)
def test_a_program_that_is_killed_during_a_write(tmp_path, number):
    """The library handles no signals: they end the program at once, and no file is left behind."""
    try:
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_WRONLY))
    except (AttributeError, OSError) as error:
        pytest.skip(f"the temporary folder has no files without a name ({error})")
    done = run_script(LIBRARY, tmp_path, str(int(number)))
    assert (done.status, done.err) == (-number, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program.py", "ring.ply"]


@pytest.mark.slow
def test_signals_that_the_parent_ignores_stay_ignored():
    def ready():
        for number in STATUS:
            signal.signal(number, signal.SIG_IGN)

    with Started(
        "render", "ring.ply", "-o", "out", "--size", "64x64", "--views", "40", ready=ready
    ) as ddepth:
        wait_until(lambda: len(results()) > 2, "results")
        status, err = ddepth.ended(*STATUS)
    assert (status, err) == (0, "")
    assert len(results()) == 41


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams(closed):
    command = f'exec "$@" {closed}'
    render = [
        sys.executable,
        "-m",
        "ddepth_gl",
        "render",
        "ring.ply",
        "-o",
        "out",
        "--size",
        "32x24",
    ]
    done = subprocess.run(
        ["bash", "-c", command, "bash", *render, "--layers", "--format", "npz,ply"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("ring_preview.png" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))
    assert "ring_000_layers.npz" in results()
    check_results()
    wrong = subprocess.run(
        ["bash", "-c", command, "bash", *render[:4], "missing.ply", "-o", "out"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert wrong.returncode == 1
    assert ("missing.ply" in wrong.stderr) == ("2>&-" not in closed)


def test_driver_warnings_are_not_written_into_results():
    """With stderr closed, the next file to be opened would get descriptor 2."""
    code = "import os\nfrom ddepth_gl.cli import start\nstart._open_closed_streams()\n"
    code += "assert os.open('file', os.O_CREAT | os.O_RDWR) > 2\nos.write(2, b'driver: warning')\n"
    code += "print('text')\nimport sys\nprint('text', file=sys.stderr, flush=True)"
    done = subprocess.run(
        ["bash", "-c", '"$@" 2>&- >&- <&-', "bash", sys.executable, "-c", code],
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0
    assert Path("file").read_bytes() == b""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["render", "--help"], ["--version"], []])
def test_help_on_a_full_disk(arguments):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ddepth_gl", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    expected = b"ddepth: error: stdout cannot be written (No space left on device)\n"
    assert (done.returncode, done.stderr) == (1, expected)
