"""The preview of a frame: which parts it has, that its texts are readable, and its file."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from crossings import by_hand
from figures import assert_readable, at, bars, image_of, number_of_colors, panel
from matplotlib.figure import Figure
from PIL import Image
from shapes import sphere
from test_plot_layers import SIZES, random_layers
from test_plots import maps_of, random_maps

import ddepth_gl as dd
from ddepth_gl._version import __version__

SHEETS = ["entry depth", "exit depth", "thickness"]


def frame_of(maps=None, layers=None, photo=None):
    """Return a frame with a transparent photo by default."""
    given = maps if maps is not None else layers
    camera = dd.Camera.orthographic(2.0, np.eye(4), given.camera.width, given.camera.height)
    if photo is None:
        photo = np.zeros((camera.height, camera.width, 4), np.uint8)
    return dd.Frame(camera, photo, maps, layers)


@pytest.mark.slow
def test_each_part_of_a_frame_has_its_panels():
    maps, layers = random_maps(40, 30), random_layers(40, 30, 4)
    photo = np.zeros((30, 40, 4), np.uint8)
    of_layers = ["layer 1", "layer 2", "layer 3", "layer 4", "crossings per pixel"]
    camera = maps.camera
    section = [f"cut along row {np.argmax(layers.count.sum(1))}"]
    for parts, names in (
        ({"image": photo}, ["photo"]),
        ({"maps": maps}, SHEETS),
        ({"layers": layers}, [*of_layers, *section]),
        ({"image": photo, "maps": maps}, ["photo", *SHEETS]),
        (
            {"image": photo, "maps": maps, "layers": layers},
            ["photo", *SHEETS, *of_layers, *section],
        ),
    ):
        figure = dd.preview(dd.Frame(camera, **parts), title="a title")
        found = assert_readable(figure)
        titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        assert titles == names
        assert "a title" in found
    for name, values in zip(SHEETS, (maps.entry, maps.exit, maps.thickness), strict=True):
        np.testing.assert_array_equal(image_of(panel(figure, name)), values)


def test_the_photo_is_on_white():
    photo = np.zeros((1, 4, 4), np.uint8)
    photo[0, 1] = 255, 0, 0, 255
    photo[0, 2] = 0, 0, 255, 255
    photo[0, 3] = 0, 0, 0, 51  # a fifth covered
    figure = dd.preview(frame_of(random_maps(4, 1), photo=photo))
    colors = [at(figure, panel(figure, "photo"), column + 0.5, 0.5) for column in range(4)]
    assert colors == [(255, 255, 255), (255, 0, 0), (0, 0, 255), (204, 204, 204)]


@pytest.mark.slow
def test_the_row_of_the_section_is_marked():
    rows = [["F1 B2"] * 40 for _ in range(30)]
    frame = frame_of(layers=by_hand(rows))
    for row in (0, 7, 29, None):
        figure = dd.preview(frame, row=row)
        shown = 14 if row is None else row  # the upper one of the middle rows
        assert f"cut along row {shown}" in assert_readable(figure)
        for name in ("photo", "crossings per pixel"):
            dark = [
                row
                for row in np.arange(0.1, 30, 0.05)
                if max(at(figure, panel(figure, name), 20.3, row)) < 120
            ]
            assert shown < min(dark) <= max(dark) < shown + 1
    low = dd.preview(frame_of(layers=by_hand([["F1 B2"] * 900])))  # a line would hide the row
    assert at(low, panel(low, "photo"), 20.3, 0.5) == (255, 255, 255)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["random", "odd", "cut", "empty"])
@pytest.mark.parametrize(("width", "height"), [*SIZES, (10001, 2)])
def test_text_is_readable_at_every_size(width, height, kind):
    largest = {"random": 4, "odd": 23, "cut": 9, "empty": 0}[kind]
    layers = random_layers(width, height, largest, kind != "random", kind == "cut")
    maps = random_maps(width, height)
    if kind == "empty":
        maps = maps_of(*[np.full((height, width), np.nan)] * 2)
    figure = dd.preview(frame_of(maps, layers), title="a title")
    found = assert_readable(figure)
    assert max(figure.canvas.get_width_height()) <= 1700
    assert {"photo", "thickness", "layer 1", "crossings per pixel"} <= set(found)
    assert any(text.startswith("cut along row ") for text in found)


@pytest.mark.slow
def test_many_layers_are_counted():
    for largest, last, more in ((8, "layer 8", []), (27, "layer 7", ["20 more layers"])):
        found = assert_readable(dd.preview(frame_of(layers=random_layers(60, 60, largest))))
        assert [text for text in found if text.startswith("layer ")][-1] == last
        assert [text for text in found if " more" in text] == more


def test_a_large_frame_takes_little_memory():
    maps = maps_of(np.full((3000, 4000), 1.0), np.full((3000, 4000), 2.0))
    frame = frame_of(maps)
    dd.preview(frame_of(random_maps(4, 3)))  # imports
    tracemalloc.start()
    dd.preview(frame)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * maps.entry.nbytes


def test_the_file(tmp_path):
    frame = frame_of(random_maps(40, 30), random_layers(40, 30, 4))
    frame.maps.provenance["renderer"] = "llvmpipe"
    figure = dd.preview(frame, tmp_path / "a.png", title="title")
    assert isinstance(figure, Figure)
    dd.preview(frame, str(tmp_path / "b.png"), title="title")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == tuple(figure.canvas.get_width_height())
        assert image.info["version"] == f"ddepth_gl {__version__}"
        assert image.info["renderer"] == "llvmpipe"
        assert set(image.info) == {"version", "renderer", "dpi"}
        assert number_of_colors(np.asarray(image)) > 500


def test_a_figure_of_the_caller(tmp_path):
    figure = Figure(figsize=(8, 6), dpi=50)
    part = figure.subfigures(1, 2)[0]
    assert dd.preview(frame_of(random_maps(4, 3)), tmp_path / "a.png", figure=part) is figure
    assert len(part.axes) == 1 + len(bars(part)) == 4
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (400, 300)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"frame": 3}, dd.RequestError, "preview takes a Frame, not 3; render returns one"),
        ({"frame": "empty"}, dd.RequestError, "the frame is empty: it holds no image, no maps"),
        ({"row": 3}, dd.RequestError, "there is no row 3 in an image of 1 rows"),
        ({"frame": "maps", "row": 0}, dd.RequestError, "row has no effect without layers"),
        ({"figure": 3}, dd.RequestError, "figure must be a matplotlib Figure or SubFigure, not 3"),
        ({"title": 3}, dd.RequestError, "title must be a string or None, not 3"),
        ({"path": 3}, dd.OutputError, "3 is not the path of a file"),
        ({"path": "x.jpg"}, dd.OutputError, "x.jpg: pictures are PNG files; give a name that"),
        ({"path": "png"}, dd.OutputError, "png: pictures are PNG files; give a name that ends in"),
        ({"path": "no folder/a.png"}, dd.OutputError, "cannot be written"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, error, message):
    frames = {
        "empty": dd.Frame(dd.Camera.orthographic(2.0, np.eye(4), 4, 3)),
        "maps": frame_of(random_maps(4, 3)),
    }
    given = arguments.get("frame", frame_of(layers=by_hand([["F1 B2"]])))
    frame = frames[given] if isinstance(given, str) else given
    with pytest.raises(error) as raised:
        dd.preview(**(arguments | {"frame": frame}))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_frame_of_a_real_mesh(renderer):
    mesh = sphere()
    camera = dd.Camera.look_at((4, 3, 2), (0, 0, 0), width=64, height=48)
    frame = renderer.render(renderer.upload(mesh), camera, layers=True)
    figure = dd.preview(frame)
    np.testing.assert_array_equal(image_of(panel(figure, "entry depth")), frame.maps.entry)
    np.testing.assert_array_equal(
        image_of(panel(figure, "layer 2")), frame.layers.dense("depth")[1]
    )
    assert {"solid", "entry", "exit"} <= set(assert_readable(figure))
