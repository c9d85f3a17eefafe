"""`dd.show`: in a notebook, in a program, with and without viser."""

from __future__ import annotations

import base64
import io
import os
import re
import signal
import subprocess
import sys
import urllib.request
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import notebooks
import numpy as np
import pytest
from figures import number_of_colors
from PIL import Image
from programs import ROOT
from shapes import box, merged, sphere

import ddepth_gl as dd

pytestmark = pytest.mark.usefixtures("measured_programs")

needs_viser = pytest.mark.skipif(
    find_spec("viser") is None, reason="no viser: pip install viser"
)  # fmt: skip
SETUP = """\
import ddepth_gl as dd
mesh = dd.demo_mesh()
camera = dd.Camera.orbit(mesh, views=1, width=96, height=72)[0]
with dd.DepthRenderer() as renderer:
    frame = renderer.render(renderer.upload(mesh), camera, layers=True)
"""
WITHOUT = "import sys; sys.modules['viser'] = None\n"


@pytest.fixture
def run_cells(tmp_path, monkeypatch):
    """Return `notebooks.run_cells` in a folder of the test."""
    return partial(notebooks.run_cells, monkeypatch, tmp_path)


def frame_of(cell):
    """Return the address in the frame of the only output of a cell."""
    (output,) = cell.outputs
    assert output.output_type == "display_data"
    return re.search(r'<iframe src="(http://127\.0\.0\.1:\d+)"', output.data["text/html"])[1]


@needs_viser
@pytest.mark.slow
def test_a_page_in_the_notebook(run_cells):
    answers = []

    def look(number, cell):
        if 1 <= number <= 5:
            with urllib.request.urlopen(frame_of(cell), timeout=30) as page:
                answers.append(b"viser" in page.read().lower())

    cells = run_cells(
        SETUP, "a = dd.show(mesh, height=300)", "b = dd.show(frame.maps)", "dd.show(frame.layers)",
        "d = dd.show(frame)", "a", "a.close(); b.close(); a.close()\na",
        "import urllib.request\ntry: urllib.request.urlopen(a.url)\n"
        "except OSError as error: print(error)",
        "import threading; print([t.name for t in threading.enumerate() if 'ddepth' in t.name])",
        during=look,
    )  # fmt: skip
    assert answers == [True] * 5
    assert frame_of(cells[5]) == frame_of(cells[1])  # the value of a later cell shows it again
    assert 'height="300"' in cells[1].outputs[0].data["text/html"]
    assert "ssh -L" in cells[1].outputs[0].data["text/html"]
    assert "is closed" in cells[6].outputs[0].text
    assert "refused" in cells[7].outputs[0].text
    assert cells[8].outputs[0].text == "[]\n"


@pytest.mark.slow
def test_a_picture_in_the_notebook_without_viser(run_cells):
    cells = run_cells(
        WITHOUT + SETUP, "dd.show(mesh)", "dd.show(frame.maps)", "dd.show(frame.layers)",
        "shown = dd.show(frame)", "shown", "shown.close(); print(shown.url == '')",
    )  # fmt: skip
    for cell in cells[1:6]:
        (output,) = cell.outputs
        with Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))) as image:
            assert number_of_colors(np.asarray(image)) > 200, cell.source
    assert cells[6].outputs[0].text == "True\n"


def run(code, folder, *flags, **options):
    search = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": search, "TMPDIR": str(folder)}
    environment.pop("DISPLAY", None)
    environment.pop("WAYLAND_DISPLAY", None)
    return subprocess.Popen(
        [sys.executable, *flags, "-c", code],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        **options,
    )  # fmt: skip


def test_a_program_without_viser_writes_a_picture(tmp_path):
    out, err = run(f"{WITHOUT}{SETUP}dd.show(mesh); dd.show(frame.maps)", tmp_path).communicate(
        timeout=120
    )
    assert err == ""
    lines = out.splitlines()
    assert len(lines) == 2
    for line in lines:
        path, words = line.split(": ", 1)
        assert words == 'a picture; for a page in 3-D, run pip install "ddepth-gl[web]"'
        with Image.open(path) as image:
            assert number_of_colors(np.asarray(image.convert("RGB"))) > 200
        assert Path(path).parent == tmp_path


def test_without_viser_and_matplotlib_the_error_names_both_extras(tmp_path):
    code = (
        f"{WITHOUT}sys.modules['matplotlib'] = None\n{SETUP}"
        "try: dd.show(frame.maps)\n"
        "except dd.OutputError as error: print(error)"
    )
    out, err = run(code, tmp_path).communicate(timeout=120)
    assert err == ""
    assert "matplotlib" in out
    assert 'pip install "ddepth-gl[cli]"' in out
    assert 'pip install "ddepth-gl[web]"' in out


@needs_viser
@pytest.mark.slow
def test_a_program_serves_until_it_is_interrupted(tmp_path):
    with run(f"{SETUP}dd.show(frame.maps); print('on')", tmp_path) as process:
        try:
            url, until = process.stdout.readline().rstrip("\n").split(", ")
            assert until == "until Ctrl-C"
            with urllib.request.urlopen(url, timeout=30) as page:
                assert page.status == 200
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (0, "on\n", "")


@needs_viser
@pytest.mark.slow
def test_at_a_prompt_it_returns_at_once(tmp_path):
    code = f"{SETUP}shown = dd.show(frame.maps)\nprint(shown.wait(0), shown)\nshown.close()\nexit()"
    out, _ = run(code, tmp_path, "-i").communicate(timeout=120)
    first, second = out.splitlines()
    url = first.removesuffix(", until close()")
    assert second == f"False <Shown {url}>"


@needs_viser
def test_the_clouds_of_results(renderer):
    from ddepth_gl.viewer.web.results_page import ResultViewer

    mesh = merged(sphere(1.0, 12, 24), box((2, -1, -1), (3, 1, 1)))
    camera = dd.Camera.orbit(mesh, views=1, width=60, height=40)[0]
    frame = renderer.render(renderer.upload(mesh), camera, layers=True)
    with ResultViewer(frame.maps, port=0) as viewer:
        front, back = frame.maps.points()
        for cloud, expected in zip(viewer.clouds["side"], (front, back), strict=True):
            np.testing.assert_allclose(cloud.points, expected, atol=1e-5)
        assert viewer.note == f"{2 * len(front):,} points, 60x40 pixels"
    with ResultViewer(frame, port=0) as viewer:
        assert len(viewer.clouds["depth"]) == frame.layers.count.max()
    nothing = dd.Camera.look_at((9, 9, 9), (20, 20, 20), width=8, height=8)
    empty = renderer.entry_exit(renderer.upload(mesh), nothing)
    with ResultViewer(empty, port=0) as viewer:
        assert viewer.note == "0 points, 8x8 pixels"
    orthographic = dd.Camera.orthographic((8.0, 8.0), camera.camera_from_world, 30, 30)
    maps = renderer.entry_exit(renderer.upload(mesh), orthographic)
    with ResultViewer(maps, port=0) as viewer:
        assert viewer.orbit.radius > 0.5


def test_what_cannot_be_shown():
    with pytest.raises(dd.RequestError, match=r"show takes a Mesh, DepthMaps.*not 'mesh.ply'"):
        dd.show("mesh.ply")
    with pytest.raises(dd.RequestError, match="height"):
        dd.show(box(), height=0)
    camera = dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=6, height=4)
    with pytest.raises(dd.RequestError, match="the frame is empty"):
        dd.show(dd.Frame(camera))
