"""Figures of maps: arrays, scales, coordinates and texts; axes and figures of the caller; files."""

from __future__ import annotations

import io
import sys
import warnings
from itertools import combinations

import numpy as np
import pytest
from crossings import by_hand
from figures import (
    assert_readable,
    at,
    bars,
    cells,
    drawn_once,
    image_of,
    is_close,
    panel,
    rgb,
    texts,
)
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from programs import Ended, run_script
from shapes import box

import ddepth_gl as dd
from ddepth_gl.plot.color_scales import DEPTH_MAP, MISS, THICKNESS_MAP
from ddepth_gl.plot.counts import TRUNCATED, count_colors
from ddepth_gl.plot.cross_section import ENTRY, EXIT, SOLID, UNKNOWN
from ddepth_gl.plot.page import pixels, png
from ddepth_gl.results.plots import _thinned

nan = np.nan
SIZES = [(1, 1), (3, 2), (2, 3), (64, 48), (700, 9), (9, 700), (400, 300), (2000, 1500)]
NAMES = ["entry depth", "exit depth", "thickness"]


def maps_of(entry, exit_):
    """Return DepthMaps of these depths."""
    entry, exit_ = (np.asarray(sheet, np.float32) for sheet in (entry, exit_))
    camera = dd.Camera.orthographic(2.0, np.eye(4), entry.shape[1], entry.shape[0])
    return dd.DepthMaps(entry, exit_, camera)


def random_maps(width, height):
    rng = np.random.default_rng(width)
    entry = 5 + rng.random((height, width))
    entry[rng.random(entry.shape) < 0.2] = nan
    return maps_of(entry, entry + 1 + rng.random(entry.shape))


# Arrays and scales


def test_each_panel_shows_its_array():
    maps = random_maps(40, 30)
    figure = maps.plot()
    assert isinstance(figure, Figure)
    assert len(figure.axes) == len(bars(figure)) == 3
    for name, values in zip(NAMES, (maps.entry, maps.exit, maps.thickness), strict=True):
        np.testing.assert_array_equal(image_of(panel(figure, name)), values)
    depths = float(np.nanmin(maps.entry)), float(np.nanmax(maps.exit))
    assert panel(figure, "entry depth").images[0].get_clim() == depths
    assert panel(figure, "exit depth").images[0].get_clim() == depths  # one scale for both
    thickest = float(np.nanmax(maps.thickness))
    assert panel(figure, "thickness").images[0].get_clim() == (0.0, thickest)
    for name, bar in zip(NAMES, bars(figure), strict=True):
        colors = panel(figure, name).images[0].get_cmap()(np.arange(256), bytes=True)
        np.testing.assert_array_equal(bar.get_array(), colors[None])


def test_distances_share_a_scale_of_their_own():
    camera = dd.Camera.look_at((3, 0, 0), (0, 0, 0), width=8, height=6)
    maps = dd.DepthMaps(np.full((6, 8), 2.0), np.full((6, 8), 4.0), camera)
    figure = maps.plot(("entry_distance", "exit_distance", "entry"))
    np.testing.assert_array_equal(image_of(panel(figure, "entry distance")), maps.entry_distance)
    np.testing.assert_array_equal(image_of(panel(figure, "exit distance")), maps.exit_distance)
    ends = float(maps.entry_distance.min()), float(maps.exit_distance.max())
    for name in ("entry distance", "exit distance"):
        assert panel(figure, name).images[0].get_clim() == ends
    assert panel(figure, "entry depth").images[0].get_clim() == (2.0, 4.0)


def test_pixels_and_colors_on_the_drawn_figure():
    maps = maps_of([[1, nan, 2], [3, 4, nan]], [[2, nan, 6], [6, 9, 7]])
    figure = maps.plot()
    entry, exit_, thickness = (cells(figure, panel(figure, name), 2, 3) for name in NAMES)
    for shown, values in ((entry, maps.entry), (exit_, maps.exit), (thickness, maps.thickness)):
        np.testing.assert_array_equal((shown == rgb(MISS)).all(-1), np.isnan(values))
    viridis, magma = colormaps[DEPTH_MAP], colormaps[THICKNESS_MAP]
    assert is_close(entry[0, 0], viridis(0.0))  # the nearest depth is bright
    assert is_close(exit_[1, 1], viridis(1.0))
    np.testing.assert_array_equal(entry[0, 2], exit_[0, 0])  # both are 2
    assert is_close(thickness[1, 1], magma(1.0))  # 5 is the largest


def test_data_coordinates_are_image_coordinates():
    """A projected point is in the pixel that shows it."""
    camera = dd.Camera.look_at((4, 3, 2), (0, 0, 0), width=31, height=17)
    entry = np.full((17, 31), nan, np.float32)
    entry[12, 20] = 5.0
    maps = dd.DepthMaps(entry, entry + 1, camera)
    (x, y), _ = camera.project(maps.points().front[0])
    figure = maps.plot()
    axes = panel(figure, "entry depth")
    assert (int(x), int(y)) == (20, 12)
    assert at(figure, axes, x, y) != rgb(MISS)
    for shift in (-1, 1):
        assert at(figure, axes, x + shift, y) == at(figure, axes, x, y + shift) == rgb(MISS)


def test_bars_are_labeled_with_the_values():
    figure = maps_of([[1.25, 2], [3, nan]], [[2, 6], [6.5, 9.75]]).plot()
    numbers = [float(text) for text in assert_readable(figure) if text[0].isdigit()]
    assert numbers == [1.25, 5.5, 9.75, 1.25, 5.5, 9.75, 0, 2, 4]
    for name, drawn in zip(NAMES, bars(figure), strict=True):  # as wide as its panel
        above, bar = panel(figure, name).bbox, drawn.get_window_extent()
        np.testing.assert_allclose((bar.x0, bar.x1), (above.x0, above.x1), atol=0.51)
        assert 4 < above.y0 - bar.y1 < 12
        row = drawn_once(figure)[round(figure.bbox.height - (bar.y0 + bar.y1) / 2)]
        # Versions of matplotlib put the border of an image up to one pixel apart.
        colors = drawn.get_array()[0, :, :3] / 255
        assert any(is_close(row[int(bar.x0) + 2], color) for color in colors[:4])
        assert any(is_close(row[int(bar.x1) - 2], color) for color in colors[-4:])


@pytest.mark.parametrize(
    ("low", "high"), [(5e6, 5e6 + 2), (1e-9, 2e-9), (-0.0, 1e-30), (0.001, 1e7), (1, 3e38)]
)
def test_the_labels_of_a_bar_are_distinct(low, high):
    entry = np.float32([[low, (low + high) / 2]])
    figure = maps_of(entry, np.float32([[high, high]])).plot()
    found = assert_readable(figure)
    numbers = [float(text) for text in found if text[0].isdigit() or text[0] == "-"][:3]
    np.testing.assert_allclose(
        (numbers[0], numbers[-1]), np.float32([low, high]), rtol=1e-3, atol=0.05 * (high - low)
    )
    assert numbers[0] < numbers[1] < numbers[2]
    shown = cells(figure, panel(figure, "entry depth"), 1, 2)
    assert is_close(shown[0, 0], colormaps[DEPTH_MAP](0.0))
    assert tuple(shown[0, 1]) not in (tuple(shown[0, 0]), rgb(MISS))


def test_one_depth_everywhere():
    figure = maps_of(np.full((3, 2), 5.0), np.full((3, 2), 5.0)).plot()
    assert [text for text in assert_readable(figure) if text[0].isdigit()] == ["5", "5", "0"]
    middle = rgb(colormaps[DEPTH_MAP](0.5))
    assert np.abs(cells(figure, panel(figure, "entry depth"), 3, 2) - middle).max() <= 2


def test_an_image_without_values():
    figure = maps_of(np.full((6, 8), nan), np.full((6, 8), nan)).plot()
    found = assert_readable(figure)
    assert found.count("no value anywhere") == 3
    assert not any(text[0].isdigit() for text in found)
    for name in NAMES:
        assert (cells(figure, panel(figure, name), 6, 8) == rgb(MISS)).all()


def test_infinite_depths_do_not_spoil_the_scale():
    figure = maps_of([[1, 2, -np.inf]], [[3, np.inf, 5]]).plot()
    assert panel(figure, "entry depth").images[0].get_clim() == (1.0, 5.0)
    assert_readable(figure)


def test_negative_thickness_is_on_the_scale():
    figure = maps_of([[3.0, 2.0]], [[1.0, 4.0]]).plot("thickness")
    assert panel(figure, "thickness").images[0].get_clim() == (-2.0, 2.0)
    assert_readable(figure)
    assert [text.get_text() for text in figure.texts] == ["-2", "0", "2"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["random", "empty"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_text_is_readable_at_every_size(width, height, kind):
    maps = random_maps(width, height)
    if kind == "empty":
        maps = maps_of(*[np.full((height, width), nan)] * 2)
    title = "a/rather long mesh name that somebody has chosen, with a number at the end " * 3
    figure = maps.plot(title=title + "0123   640x480")
    found = assert_readable(figure)
    assert {*NAMES} <= set(found)
    assert any("..." in text and text.endswith("0123   640x480") for text in found)
    assert max(figure.canvas.get_width_height()) <= 1700
    for name in NAMES:  # the shape of the image, its longer side 384 pixels
        size = panel(figure, name).get_window_extent().size
        wanted = 384 * np.array([width, height]) / max(width, height)
        np.testing.assert_allclose(size, wanted, atol=1.0)


def test_thinned_maps_have_the_depths_and_thicknesses_of_their_pixels():
    pose = dd.Camera.look_at((4, 3, 2), (0, 0, 0)).camera_from_world
    camera = dd.Camera.from_intrinsics([[90, 5, 70], [0, 80, 30], [0, 0, 1]], pose, 101, 67)
    entry = np.random.default_rng(1).uniform(3, 4, (67, 101)).astype(np.float32)
    maps = dd.DepthMaps(entry, entry * 1.5, camera)
    for step in (1, 2, 3, 40):
        thin = _thinned(maps, step)
        for name in ("entry", "exit"):
            np.testing.assert_array_equal(getattr(thin, name), getattr(maps, name)[::step, ::step])
        for name in ("thickness", "entry_distance"):
            np.testing.assert_allclose(
                getattr(thin, name), getattr(maps, name)[::step, ::step], rtol=1e-6
            )


def test_a_large_image_is_thinned_without_a_shift(renderer):
    mesh = box()
    pose = dd.Camera.look_at((4, 3, 2), (0, 0, 0)).camera_from_world
    camera = dd.Camera.from_intrinsics(
        [[1500, 20, 700], [0, 1400, 500], [0, 0, 1]], pose, 1555, 1203
    )
    scene = renderer.upload(mesh)
    maps = renderer.entry_exit(scene, camera)
    scene.release()
    figure = maps.plot("entry")
    axes = panel(figure, "entry depth")
    assert image_of(axes).shape == (301, 389)  # every fourth
    # The object covers the same part of the panel as of the image, to a pixel of the panel.
    image, bounds = pixels(figure), axes.get_window_extent()
    top, left = round(image.shape[0] - bounds.y1), round(bounds.x0)
    shown = image[top : top + round(bounds.height), left : left + round(bounds.width)]
    shown = np.abs(shown.astype(int) - rgb(MISS)).max(-1) > 8
    hit = Image.fromarray(~np.isnan(maps.entry)).convert("L")
    covered = np.asarray(hit.resize(shown.shape[::-1], Image.Resampling.BOX)) > 127
    beside = np.zeros_like(covered)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            beside |= np.roll(covered, (down, across), (0, 1)) != covered
    np.testing.assert_array_equal(shown[~beside], covered[~beside])
    assert covered.sum() > 5000


# Arguments


def test_arguments_have_their_effect():
    maps = random_maps(20, 10)
    figure = maps.plot(["thickness"], cmap="cividis", vmin=0.5, vmax=3, title="a $title_1$")
    (axes,) = figure.axes
    assert axes.images[0].get_cmap().name == "cividis"
    assert axes.images[0].get_clim() == (0.5, 3.0)
    assert "a $title_1$" in assert_readable(figure)  # no formula
    given = colormaps["gray"].with_extremes(bad="red")
    shown = maps.plot("entry", cmap=given).axes[0].images[0].get_cmap()
    assert rgb(shown.get_bad()) == rgb(MISS)
    assert rgb(given.get_bad()) == rgb("red")  # the caller's own map is not changed
    only = maps.plot("entry", vmin=0.0).axes[0].images[0].get_clim()
    assert only == (0.0, float(np.nanmax(maps.exit)))


def test_axes_of_the_caller():
    maps = random_maps(20, 10)
    figure = Figure()
    axes = figure.subplots(1, 3)
    assert maps.plot(ax=axes, title="title") is figure
    assert [each.get_title(loc="left") for each in axes] == [f"title\n{NAMES[0]}", *NAMES[1:]]
    np.testing.assert_array_equal(image_of(axes[2]), maps.thickness)
    assert len(figure.axes) == 6  # and a bar beside each
    assert figure.get_suptitle() == ""  # it is the caller's
    other = Figure()
    part = other.subfigures(1, 2)[1]
    assert maps.plot("exit", ax=part.subplots(), title="$t") is other
    assert part.axes[0].get_title(loc="left") == "$t"
    np.testing.assert_array_equal(image_of(part.axes[0]), maps.exit)


@pytest.mark.parametrize("layout", ["none", "constrained", "compressed", "tight"])
@pytest.mark.parametrize(("width", "height"), [(40, 10), (10, 40), (20, 20)])
@pytest.mark.slow
def test_bars_on_axes_of_the_caller_are_as_high_as_the_images(width, height, layout):
    figure = Figure(figsize=(12, 4), layout=layout)
    maps = random_maps(width, height)
    maps.plot(ax=figure.subplots(1, 3))
    pixels(figure)
    for axes in figure.axes[:3]:
        image, bar = axes.get_window_extent(), axes.images[0].colorbar.ax.get_window_extent()
        np.testing.assert_allclose((bar.y0, bar.y1), (image.y0, image.y1), atol=0.5)
        assert 2 < bar.x0 - image.x1 < 30
        assert 4 < bar.width < 25
        np.testing.assert_allclose(image.width / image.height, width / height, rtol=1e-6)


def test_a_figure_with_a_tight_layout_is_drawn_without_a_warning():
    figure = Figure(figsize=(9, 3), layout="tight")
    random_maps(40, 30).plot(figure=figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert png(figure)


def test_figures_of_the_caller():
    maps = random_maps(20, 10)
    for size in ((12.2, 2.9), (9, 12), (9, 3), (30, 20)):
        figure = Figure(figsize=size, dpi=60)
        assert maps.plot(figure=figure, title="title") is figure
        assert tuple(figure.get_size_inches()) == size
        assert_readable(figure, gap=0.0)
        for name in NAMES:
            bounds = panel(figure, name).get_window_extent()
            np.testing.assert_allclose(bounds.width, 2 * bounds.height, rtol=1e-6)
    figure = Figure(figsize=(16, 5), layout="constrained")
    left, right = figure.subfigures(1, 2)
    assert maps.plot(figure=left) is figure
    assert maps.plot("entry", figure=right) is figure
    pixels(figure)
    assert max(axes.bbox.x1 for axes in left.axes) < min(axes.bbox.x0 for axes in right.axes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"quantities": "depth"}, "quantities must be one or several of entry, exit, thickness"),
        ({"quantities": ()}, "quantities must be one or several of"),
        ({"quantities": ("entry", "entry")}, "each once, not ('entry', 'entry')"),
        ({"quantities": 3}, "not 3"),
        ({"cmap": "no such map"}, "cmap must be a matplotlib Colormap or the name of one"),
        ({"cmap": 7}, "cmap must be a matplotlib Colormap or the name of one"),
        ({"vmin": "x"}, "vmin must be a number, not 'x'"),
        ({"vmin": 3, "vmax": 3}, "from a smaller to a larger number, not from 3 to 3"),
        ({"vmax": nan}, "from a smaller to a larger number"),
        ({"vmax": np.inf}, "from a smaller to a larger number"),
        ({"ax": 3}, "ax must be matplotlib Axes or an array of them, not 3"),
        ({"ax": []}, "ax must be matplotlib Axes or an array of them, not []"),
        ({"ax": "two"}, "ax must have 3 Axes, one for each panel, not 2"),
        ({"ax": "two", "figure": Figure()}, "pass ax or figure, not both"),
        ({"figure": "x"}, "figure must be a matplotlib Figure or SubFigure, not 'x'"),
        ({"title": 3}, "title must be a string or None, not 3"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, message):
    if arguments.get("ax") == "two":
        arguments = arguments | {"ax": Figure().subplots(1, 2)}
    with pytest.raises(dd.RequestError) as raised:
        random_maps(3, 2).plot(**arguments)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_titles_of_any_letters():
    for title in ("two\nlines \udcff \t of ünïcode 日本", "$", "\\frac{", "_^%#&{}~", "\0"):
        figure = random_maps(3, 2).plot(title=title)
        found = [text for text, _ in texts(figure)]
        assert title == "\0" or any(text.startswith(title[0]) for text in found)
        assert not any("\n" in text for text in found)
        assert png(figure)[:4] == b"\x89PNG"


# The rest of the process


def test_pyplot_is_neither_imported_nor_changed(tmp_path):
    script = """
import sys, numpy as np, ddepth_gl as dd
camera = dd.Camera.orthographic(2.0, np.eye(4), 4, 3)
maps = dd.DepthMaps(np.ones((3, 4)), np.full((3, 4), 2.0), camera)
assert "matplotlib" not in sys.modules
import matplotlib
before = list(dict.items(matplotlib.rcParams))  # other ways to read them choose a backend
dd.preview(dd.Frame(camera, maps=maps), "a.png")
maps._repr_png_()
assert "matplotlib.pyplot" not in sys.modules
assert list(dict.items(matplotlib.rcParams)) == before
"""
    assert run_script(script, tmp_path) == Ended(0, "", "")


def test_without_matplotlib(monkeypatch):
    maps = random_maps(3, 2)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(dd.OutputError, match="needs the package matplotlib") as raised:
        maps.plot()
    assert 'pip install "' in str(raised.value)
    assert "[cli]" in str(raised.value)
    assert maps._repr_png_() is None  # Jupyter shows the text


def test_styles_of_the_caller_do_not_break_the_page():
    import matplotlib

    maps = random_maps(30, 20)
    wild = {
        "axes.grid": True, "image.origin": "lower", "figure.autolayout": True,
        "image.interpolation": "bicubic", "xtick.minor.visible": True, "axes.titley": 0.5,
    }  # fmt: skip
    plain = pixels(maps.plot())
    with matplotlib.rc_context(wild):
        np.testing.assert_array_equal(pixels(maps.plot()), plain)


def saved(figure, **options):
    """Return what savefig writes, as (h, w, 4)."""
    stream = io.BytesIO()
    figure.savefig(stream, **options)
    with Image.open(stream) as image:
        return np.asarray(image.convert("RGBA"))


def test_figures_look_the_same_under_a_dark_style():
    import matplotlib.style

    frame = dd.Frame(random_maps(30, 20).camera, None, random_maps(30, 20))
    layers = by_hand([["", "F1 B2", "F1 B2 F3 B4"]])

    def drawn():
        figures = [dd.preview(frame), layers.plot(), layers.plot_section(row=0, title="title")]
        figures.append(frame.maps.plot(figure=Figure(figsize=(9, 3))))
        figures.append(frame.maps.plot(figure=Figure(figsize=(9, 3)).subfigures(1, 2)[0]))
        return figures

    for plain, plain_saved, dark, dark_saved in zip(*_under_both(drawn), strict=True):
        assert tuple(plain[0, 0]) == (255, 255, 255)
        half = slice(None, plain.shape[1] // 2)  # the other subfigure is the style's
        np.testing.assert_array_equal(dark[:, half], plain[:, half])
        np.testing.assert_array_equal(dark_saved[:, half], plain_saved[:, half])
    with matplotlib.style.context("dark_background"):
        figure = frame.maps.plot()
        assert (saved(figure)[0, 0] == 255).all()  # as users save it
        assert saved(figure, transparent=True)[0, 0, 3] == 0
        assert tuple(saved(figure, facecolor="red")[0, 0]) == (255, 0, 0, 255)


def _under_both(draw):
    """Return the pixels and the saved PNG of figures, under the default and a dark style."""
    import matplotlib.style

    found = []
    for style in ("default", "dark_background"):
        with matplotlib.style.context(style):
            figures = draw()
            found.append([pixels(figure) for figure in figures])
            files = [io.BytesIO(png(figure)) for figure in figures]
            found.append([np.asarray(Image.open(file).convert("RGB")) for file in files])
    return found


def test_texts_on_axes_of_a_dark_figure_are_light():
    import matplotlib.style

    layers = by_hand([["", "F1 B2", "F1 B2 F3 B4"]])
    with matplotlib.style.context("dark_background"):
        figure = Figure(figsize=(9, 9))
        axes = figure.subplots(2, 2).ravel()
        layers.plot(1, ax=axes[:2])
        layers.plot_section(row=0, ax=axes[2])
        for each in axes[:3]:
            assert min(rgb(each._left_title.get_color())) > 180
        assert min(rgb(axes[2].xaxis.label.get_color())) > 180
        assert min(at(figure, axes[2], 0.1, 2.5)) == 255  # the ground of the section is white
        assert all(min(rgb(text.get_color())) > 180 for text in axes[2].get_legend().get_texts())


def test_a_long_title_is_shortened_quickly(monkeypatch):
    from matplotlib.backends.backend_agg import RendererAgg

    measured, measure = [], RendererAgg.get_text_width_height_descent

    def counted(renderer, text, *arguments):
        measured.append(text)
        return measure(renderer, text, *arguments)

    monkeypatch.setattr(RendererAgg, "get_text_width_height_descent", counted)
    figure = random_maps(40, 30).plot(title="x" * 500 + "end")
    assert len(measured) < 15
    (title,) = (text for text, _ in texts(figure) if text.endswith("end"))
    monkeypatch.undo()
    (_, box), *_ = (found for found in texts(figure) if found[0] == title)
    width = figure.canvas.get_width_height()[0]
    assert width - 40 < box[2] <= width - 15  # as long as there is room


def test_the_same_input_gives_the_same_bytes():
    maps = random_maps(40, 30)
    first = png(maps.plot(title="title"))
    assert png(maps.plot(title="title")) == first
    with Image.open(io.BytesIO(first)) as image:
        assert set(image.info) == {"dpi"}  # neither a date nor a version


def test_a_figure_is_saved_as_usual(tmp_path):
    for name in ("a.png", "a.pdf", "a.svg"):
        random_maps(40, 30).plot().savefig(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 3000


# Eyes


def lightness(colors):
    """Return CIE L* of sRGB colors from 0 to 1."""
    colors = np.asarray(colors, float)[..., :3]
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)


# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
# deficiency" (2009), severity 1, for linear RGB.
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
    "none": np.eye(3),
}  # fmt: skip


def seen(colors, matrix):
    """Return CIELAB of sRGB colors from 0 to 1, as seen with a color vision deficiency."""
    colors = np.asarray(colors, float)[..., :3]
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(matrix), 0, 1)
    xyz = linear @ np.transpose(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ) / [0.9505, 1, 1.089]  # fmt: skip
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1
    )


@pytest.mark.parametrize("name", [DEPTH_MAP, THICKNESS_MAP])
def test_scales_get_darker_or_brighter_all_the_way(name):
    steps = np.diff(lightness(colormaps[name](np.linspace(0, 1, 256))))
    assert (steps < 0).all() or (steps > 0).all()


def test_colors_of_counts():
    for largest in (0, 1, 2, 9, 300):
        table = count_colors(list(range(largest + 1)))
        assert len(table) == largest + 1
        np.testing.assert_array_equal(table[0], to_rgb(MISS))
    table = count_colors(list(range(21)))
    for some in (table[1::2], table[2::2]):  # larger counts are darker
        assert (np.diff(lightness(some)) < -0.5).all()


@pytest.mark.parametrize("matrix", BLINDNESS.values(), ids=BLINDNESS)
def test_color_blind_readers_can_tell_colors_apart(matrix):
    """Differences are CIE76; 2.3 is just noticeable, 10 is seen at a glance."""

    def difference(one, other):
        return np.linalg.norm(seen(to_rgb(one), matrix) - seen(to_rgb(other), matrix))

    for one, other in combinations(("white", SOLID, ENTRY, EXIT, UNKNOWN), 2):
        assert difference(one, other) > 10, (one, other)
    table = count_colors(list(range(13)))
    for odd in range(1, 13, 2):
        for even in range(0, 13, 2):
            assert difference(table[odd], table[even]) > 10, (odd, even)
    for color in table:
        assert difference(color, TRUNCATED) > 20
