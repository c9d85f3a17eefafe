"""Figures of layers and count maps: arrays, numbers, colors, pixels worth a look."""

from __future__ import annotations

import numpy as np
import pytest
from crossings import by_hand, layers_of
from figures import around, assert_readable, bars, cells, image_of, is_close, panel, rgb
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import ddepth_gl as dd
from ddepth_gl.plot.color_scales import MISS
from ddepth_gl.plot.counts import CUT_SHORT, TRUNCATED, CountMap, count_colors
from ddepth_gl.results.plots import layer_image

SIZES = [(1, 1), (3, 2), (2, 3), (64, 48), (700, 9), (9, 700), (400, 300), (1600, 1000)]
ROWS = [["", "F1 B2", "F1 B2 F3"], ["F1 B2 F3 B4", "F1 B2", "F1"]]
CUT = np.array([[False, False, False], [False, True, False]])


def random_layers(width, height, largest, odd=True, truncated=False):
    """Return random layers with up to `largest` crossings per pixel; one pixel has that many."""
    rng = np.random.default_rng(width)
    count = rng.integers(0, largest + 1, (height, width))
    count[-1, -1] = largest
    if not odd:
        count -= count % 2
    layers = layers_of(count, rng, attributes=())
    layers.truncated[...] = rng.random(count.shape) < (0.1 if truncated else 0.0)
    return layers


def count_map(layers):
    return CountMap(layers.count, layers.truncated)


# Layers


@pytest.mark.parametrize("step", [1, 2, 3, 40])
def test_layer_images_are_the_dense_ones_thinned(step):
    rng = np.random.default_rng(28)
    layers = layers_of(rng.integers(0, 7, (11, 17)), rng, attributes=())
    dense = layers.dense("depth")
    for layer, whole in enumerate(dense):
        np.testing.assert_array_equal(layer_image(layers, layer, step), whole[::step, ::step])
    assert np.isnan(layer_image(layers, len(dense), step)).all()


def test_layers_are_in_order_on_one_scale():
    layers = by_hand([["F1 B2 F3", "F2", ""], ["F1 B9", "", "F1 B3"]])
    figure = layers.plot()
    found = assert_readable(figure)
    assert [text for text in found if text.startswith("layer ")] == [
        "layer 1",
        "layer 2",
        "layer 3",
    ]
    assert [text for text in found if text.endswith(" px")] == ["4 px", "3 px", "1 px"]
    for number, dense in enumerate(layers.dense("depth"), start=1):
        axes = panel(figure, f"layer {number}")
        np.testing.assert_array_equal(image_of(axes), dense)
        assert axes.images[0].get_clim() == (1.0, 9.0)
    assert [text.get_text() for text in figure.texts[-3:]] == ["1", "5", "9"]
    assert bars(figure)[-1].get_window_extent().width > 900  # below all of them


@pytest.mark.slow
@pytest.mark.parametrize(
    ("largest", "asked", "shown", "more"),
    [
        (0, None, 1, []),
        (6, None, 6, []),
        (7, None, 5, ["2 more layers"]),
        (6, 5, 5, ["1 more layer"]),
        (7, 7, 7, []),
        (2, 4, 4, []),  # as many as asked for, as with dense
        (3, 0, 0, ["3 more layers"]),
        (27, 20, 20, ["7 more layers"]),
    ],
)
def test_as_many_layers_as_asked_for(largest, asked, shown, more):
    figure = random_layers(40, 30, largest).plot(asked)
    found = assert_readable(figure)
    assert sum(text.startswith("layer ") for text in found) == shown
    assert [text for text in found if " more" in text] == more


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["random", "odd", "cut", "empty"])
@pytest.mark.parametrize(("width", "height"), [*SIZES, (10001, 2)])
def test_text_of_layers_is_readable_at_every_size(width, height, kind):
    largest = {"random": 4, "odd": 23, "cut": 9, "empty": 0}[kind]
    layers = random_layers(width, height, largest, kind != "random", kind == "cut")
    figure = layers.plot(title="a title")
    found = assert_readable(figure)
    assert max(figure.canvas.get_width_height()) <= 1700
    assert {"a title", "layer 1", "crossings per pixel"} <= set(found)
    assert any("cut short" in text for text in found) == bool(layers.truncated.any())
    assert ("no value anywhere" in found) == (kind == "empty")


def test_axes_of_the_caller():
    layers = by_hand(ROWS)
    figure = Figure()
    axes = figure.subplots(2, 2)
    assert layers.plot(ax=axes) is figure
    titles = [each.get_title(loc="left") for each in axes.ravel()]
    assert titles == ["crossings per pixel", "layer 1", "layer 2", "layer 3"]
    np.testing.assert_array_equal(image_of(axes[0, 0]), layers.count)
    np.testing.assert_array_equal(image_of(axes[1, 0]), layers.dense("depth")[1])
    alone = Figure()
    layers.plot(ax=alone.subplots())
    assert alone.axes[0].get_title(loc="left") == "crossings per pixel"
    assert [label.get_text() for label in alone.axes[1].get_yticklabels()] == list("01234")
    own = Figure(figsize=(6, 6))
    assert layers.plot(figure=own, cmap="cividis", vmin=-1, vmax=20) is own
    image = panel(own, "layer 1").images[0]
    assert (image.get_clim(), image.get_cmap().name) == ((-1.0, 20.0), "cividis")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_layers": 21}, "max_layers must be an integer from 0 to 20, or None, not 21"),
        ({"max_layers": -1}, "max_layers must be an integer from 0 to 20, or None, not -1"),
        ({"max_layers": 1.0}, "not 1.0"),
        ({"max_layers": 3, "ax": "two"}, "ax must have 4 Axes, one for each panel, not 2"),
        ({"ax": 5}, "ax must be matplotlib Axes or an array of them, not 5"),
        ({"cmap": "nope"}, "cmap must be"),
        ({"vmin": 9, "vmax": 1}, "from a smaller to a larger number, not from 9 to 1"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, message):
    if arguments.get("ax") == "two":
        arguments = arguments | {"ax": Figure().subplots(1, 2)}
    with pytest.raises(dd.RequestError) as raised:
        by_hand(ROWS).plot(**arguments)
    assert message in str(raised.value)


# Counts


def test_each_pixel_has_the_color_of_its_count():
    layers = by_hand(ROWS, truncated=CUT)
    figure = layers.plot()
    axes = panel(figure, "crossings per pixel")
    expected = layers.count.copy()
    expected[1, 1] = CUT_SHORT
    np.testing.assert_array_equal(image_of(axes), expected)
    table = count_colors([0, 1, 2, 3, 4])
    wanted = np.array([[table[0], table[2], table[3]], [table[4], to_rgb(TRUNCATED), table[1]]])
    shown = cells(figure, axes, 2, 3)
    for row in range(2):
        for column in range(3):
            assert is_close(shown[row, column], wanted[row, column])
    found = assert_readable(figure)
    assert {"odd: 2 pixels", "cut short: 1 pixel"} <= set(found)
    assert found.count("0") == found.count("3") == 1  # numbers of the bar


def test_the_bar_has_odd_numbers_only_if_needed():
    def numbers(rows, **changes):
        return count_map(by_hand(rows, **changes)).numbers

    assert numbers([["", "F1 B2 F3 B4 F5 B6"]]) == [0, 2, 4, 6]
    assert numbers([["F1", "F1 B2"]]) == [0, 1, 2]
    assert numbers([["", ""]]) == [0]
    # The count of a truncated pixel is not on the bar.
    assert numbers([["F1 B2 F3", "F1 B2"]], truncated=np.array([[True, False]])) == [0, 2]


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 600])  # larger ones are thinned
@pytest.mark.parametrize("rows", [["F1 B2", ""], ["F1 B2", "F1 B2 F3 B4"], ["", ""], ["F1", ""]])
def test_pixels_cut_short_are_black_whatever_the_counts(rows, size):
    height = size // 2
    cut = np.zeros((height, size), bool)
    cut[-1, -1] = True
    layers = by_hand([[rows[0]] * (size - 1) + [rows[1]]] * height, truncated=cut)
    given = Figure()
    layers.plot(0, ax=given.subplots())
    for figure in (layers.plot(), given):
        axes = panel(figure, "crossings per pixel")
        shown = image_of(axes)
        assert shown[-1, -1] == CUT_SHORT
        last = 0.5 * size / shown.shape[1]  # from the corner to the middle of what is drawn
        assert rgb(TRUNCATED) in around(figure, axes, size - last, height - last)
        assert rgb(TRUNCATED) not in around(figure, axes, 0.2 * size, 0.2 * height)


def test_odd_counts_are_named():
    assert "odd: 2 pixels" in assert_readable(by_hand([["B2", "B2"]]).plot())
    assert not any(
        "pixel" in text for text in assert_readable(by_hand([["F1 B2"]]).plot()) if ":" in text
    )


@pytest.mark.slow
def test_a_single_odd_or_truncated_pixel_of_a_large_image_is_visible():
    count = np.full((300, 500), 2)
    count[123, 457], count[200, 31] = 3, 2
    rows = [["F1 B2 F3" if n == 3 else "F1 B2" for n in line] for line in count]
    truncated = np.zeros(count.shape, bool)
    truncated[200, 31] = True
    layers = by_hand(rows, truncated=truncated)
    shown = count_map(layers).thinned(50)
    assert shown.shape == (30, 50)
    np.testing.assert_array_equal(np.argwhere(shown != 2), [[12, 45], [20, 3]])
    assert (shown[12, 45], shown[20, 3]) == (3, CUT_SHORT)
    # And on the figure, whose panel has fewer pixels than the image.
    figure = layers.plot()
    axes = panel(figure, "crossings per pixel")
    assert axes.get_window_extent().width < 400
    drawn = image_of(axes)
    assert drawn.shape == (231, 384)
    assert {CUT_SHORT, 3} <= set(np.unique(drawn))


@pytest.mark.parametrize(("width", "height"), [(9, 700), (700, 9), (385, 384), (1, 1)])
def test_every_shown_count_is_one_of_the_pixels_below_it(width, height):
    layers = random_layers(width, height, 6, odd=False)
    shown = count_map(layers).thinned(384)
    rows, columns = shown.shape
    assert max(shown.shape) <= 384
    for row in range(rows):
        for column in range(0, columns, 5):
            above = slice(row * height // rows, -(-(row + 1) * height // rows))
            beside = slice(column * width // columns, -(-(column + 1) * width // columns))
            assert shown[row, column] in layers.count[above, beside]


def test_misses_are_gray_in_every_panel():
    figure = by_hand([["", "F1 B2"]]).plot()
    for name in ("crossings per pixel", "layer 1", "layer 2"):
        assert tuple(cells(figure, panel(figure, name), 1, 2)[0, 0]) == rgb(MISS)
