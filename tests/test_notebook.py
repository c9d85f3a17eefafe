"""Results in a real notebook, and what Jupyter asks them for."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from crossings import by_hand
from figures import number_of_colors
from notebooks import run_cells
from PIL import Image
from test_plots import random_maps

import ddepth_gl as dd

ROOT = Path(__file__).parents[1]
CELLS = [
    "import ddepth_gl as dd\n"
    "from ddepth_gl.mesh.demo import demo_mesh\n"
    "mesh = demo_mesh()\n"
    "camera = dd.Camera.orbit(mesh, views=1, width=160, height=120)[0]\n"
    "with dd.DepthRenderer() as renderer:\n"
    "    frame = renderer.render(renderer.upload(mesh), camera, layers=True)",
    "frame.maps",
    "frame.layers",
    "frame",
    "frame.maps.plot('thickness')",
    "frame.layers.plot_section(row=60)",
    "dd.preview(frame)",
    "import sys; assert 'matplotlib.pyplot' not in sys.modules",
    # With pyplot, Jupyter has a way of its own to show figures.
    "import matplotlib.pyplot as plt\nframe.maps.plot()",
    "frame.maps.plot(figure=plt.figure());",
    "fig, ax = plt.subplots()\nframe.maps.plot('entry', ax=ax);",
]


@pytest.mark.slow
def test_results_show_themselves_in_a_notebook(tmp_path, monkeypatch):
    """Each cell but those that show nothing has exactly one image, with something in it."""
    cells = run_cells(monkeypatch, tmp_path, *CELLS)
    for cell in cells:
        if cell.source.startswith(("import ddepth_gl", "import sys")):
            assert not cell.outputs
            continue
        (output,) = cell.outputs
        assert output.output_type in ("execute_result", "display_data"), cell.source
        with Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))) as image:
            colors = number_of_colors(np.asarray(image))
        assert min(image.size) > 200, cell.source
        assert colors > 200, cell.source
    assert cells[1].outputs[0].data["text/plain"] == "<DepthMaps 160x120>"


def opened(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def test_what_jupyter_asks_for():
    maps, layers = random_maps(40, 30), by_hand([["F1 B2", ""]])
    figure = maps.plot()
    for result in (maps, layers, dd.Frame(maps.camera, maps=maps), figure):
        assert number_of_colors(opened(result._repr_png_())) > 50
        if result is not figure:  # matplotlib's returns None
            assert not hasattr(result, "_repr_html_")  # or Jupyter would show that instead
    assert dd.Frame(maps.camera)._repr_png_() is None  # nothing to draw


def test_huge_results_are_shown_quickly_enough():
    """What is drawn does not grow with the image; only a few passes over the arrays do."""
    maps = random_maps(1, 1)
    small = opened(maps._repr_png_())
    rows = np.linspace(1, 2, 4000, dtype=np.float32)[:, None]
    entry = np.broadcast_to(rows, (4000, 4000))
    camera = dd.Camera.orthographic(2.0, np.eye(4), 4000, 4000)
    large = dd.DepthMaps(entry, entry + 1, camera)
    figure = large.plot()
    assert all(max(axes.images[0].get_array().shape) <= 768 for axes in figure.axes if axes.images)
    assert opened(large._repr_png_()).shape == small.shape
