"""The cross-section: solid pieces by a walk along rays; what is drawn where; rows and columns."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from crossings import by_hand, real_layers
from figures import assert_readable, at, drawn_once, rgb
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from shapes import box, inside_out, merged, peel

import ddepth_gl as dd
from ddepth_gl.plot.cross_section import ENTRY, EXIT, SOLID, UNKNOWN
from ddepth_gl.results.sections import busiest_row, section_of


def pieces(section):
    """Return the section's solid as {pixel: [(start, end), ...]}."""
    found = {}
    for pixel, (start, end) in zip(section.solid_pixel, section.solid, strict=True):
        found.setdefault(int(pixel), []).append((float(start), float(end)))
    return found


def walked(pixel):
    """Return the pieces of one `by_hand` pixel, crossing by crossing; the nesting ends at 0."""
    words = pixel.split()
    nesting = sum(1 if word[0] == "B" else -1 for word in words)
    start, found = 0.0, []
    for word in words:
        before, nesting = nesting, nesting + (1 if word[0] == "F" else -1)
        if before <= 0 < nesting:
            start = float(word[1:])
        elif nesting <= 0 < before:
            found.append((start, float(word[1:])))
    return found


def largest_swap(pixel):
    """Return how far a front lies behind the back that it belongs before, at most."""
    words, swaps = pixel.split(), [0.0]
    nesting = sum(1 if word[0] == "B" else -1 for word in words)
    for word, following in pairwise(words):
        nesting += 1 if word[0] == "F" else -1
        if nesting < 0:
            swaps.append(float(following[1:]) - float(word[1:]))
    return max(swaps)


def drawn(figure, x, y):
    """Return which of the section's colors is nearest to that at data coordinates."""
    (axes,) = figure.axes
    shown = np.array(at(figure, axes, x, y))
    names = ("white", SOLID, ENTRY, EXIT, UNKNOWN)
    return min(names, key=lambda name: np.abs(shown - rgb(name)).max())


def has(figure, color):
    """Return whether a color occurs in the drawn figure, more or less."""
    return bool((np.abs(drawn_once(figure).astype(int) - rgb(color)).max(-1) <= 12).any())


# Arrays


@given(st.data())
def test_pieces_are_those_of_a_walk_along_every_ray(data):
    width = data.draw(st.integers(1, 6))
    facings = data.draw(
        st.lists(st.text("FB", max_size=7), min_size=3 * width, max_size=3 * width), "facings"
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    flat = [
        " ".join(
            f"{side}{z}"
            for side, z in zip(sides, np.sort(rng.integers(1, 9, len(sides))), strict=True)
        )
        for sides in facings
    ]
    rows = [flat[start : start + width] for start in range(0, 3 * width, width)]
    lines = [({"row": row}, rows[row]) for row in range(3)]
    lines += [({"column": column}, [row[column] for row in rows]) for column in range(width)]
    closed, layers = by_hand(rows, oriented=True), by_hand(rows)
    for line, words in lines:
        surplus = [word.count("F") - word.count("B") for word in words]
        # A back so far before its front is no silhouette: 15.6 footprints of 2 / width.
        turned = [largest_swap(word) > 15.625 * 2 / width for word in words]
        for candidate, unknown in (
            # Rays of a closed mesh may start inside, but they end outside.
            (closed, [n > 0 or far for n, far in zip(surplus, turned, strict=True)]),
            # In a mesh that may be open, entries and exits have to balance.
            (layers, [n != 0 or far for n, far in zip(surplus, turned, strict=True)]),
        ):
            section = section_of(candidate, **line)
            np.testing.assert_array_equal(section.unknown, unknown)
            assert pieces(section) == {
                k: walked(word) for k, word in enumerate(words) if walked(word) and not unknown[k]
            }
        crossings = [(k, word) for k, text in enumerate(words) for word in text.split()]
        np.testing.assert_array_equal(section.pixel, [k for k, _ in crossings])
        np.testing.assert_array_equal(section.depth, [float(word[1:]) for _, word in crossings])
        np.testing.assert_array_equal(section.entering, [word[0] == "F" for _, word in crossings])


def test_rows_and_columns_of_a_real_mesh(renderer):
    layers = real_layers(renderer)
    for line, ray in (
        ({"row": 14}, lambda k: layers.intervals(14, k)),
        ({"column": 22}, lambda k: layers.intervals(k, 22)),
    ):
        section = section_of(layers, **line)
        assert len(section.solid) > 10
        expected = {k: ray(k) for k in range(section.length) if ray(k)}
        assert pieces(section) == expected


def test_a_cavity_is_not_filled(renderer):
    mesh = merged(box((-2, -2, -2), (2, 2, 2)), inside_out(box()), box((-0.5,) * 3, (0.5,) * 3))
    camera = dd.Camera.orthographic(
        6.0, dd.Camera.look_at((0, -5, 0), (0, 0, 0)).camera_from_world, 12, 12
    )
    layers = peel(renderer, mesh, camera)
    outer, hollow, core = (
        [(3.0, 7.0)],
        [(3.0, 4.0), (6.0, 7.0)],
        [(3.0, 4.0), (4.5, 5.5), (6.0, 7.0)],
    )
    expected = dict(
        zip(range(2, 10), [outer] * 2 + [hollow] + [core] * 2 + [hollow] + [outer] * 2, strict=True)
    )
    for line in ({"row": 6}, {"column": 6}):
        section = section_of(layers, **line)
        assert {k: np.round(some, 5).tolist() for k, some in pieces(section).items()} == {
            k: [list(piece) for piece in some] for k, some in expected.items()
        }


def test_incomplete_rows_have_marks_only():
    rows = [["F1 B2", "F1"], ["F1 B2", "F1 B2"]]
    for changes in (
        {"truncated": np.array([[False, True], [False, False]])},
        {"_is_cropped": True},
    ):
        layers = by_hand(rows, **changes)
        section = section_of(layers, 0)
        assert section.is_cut
        assert not len(section.solid)
        assert not section.unknown.any()
        np.testing.assert_array_equal(section.pixel, [0, 0, 1])
        np.testing.assert_array_equal(section.depth, [1, 2, 1])
        for figure in (layers.plot_section(0), layers.plot_section(column=1)):
            assert "not filled: some crossings were cut away" in assert_readable(figure)
        figure = layers.plot_section(0)
        assert not has(figure, SOLID)
        assert has(figure, ENTRY)
        assert has(figure, EXIT)
    # Truncation in another row does not matter.
    truncated = np.array([[False, True], [False, False]])
    layers = by_hand(rows, truncated=truncated)
    assert pieces(section_of(layers, 1)) == {0: [(1, 2)], 1: [(1, 2)]}
    assert pieces(section_of(layers, column=0)) == {0: [(1, 2)], 1: [(1, 2)]}
    assert section_of(layers, column=1).is_cut


@pytest.mark.parametrize("index", [-1, 3, "1", 1.0, True, np.array([1])])
@pytest.mark.parametrize("along", ["row", "column"])
def test_rows_and_columns_that_do_not_exist(along, index):
    layers = by_hand([["", "", ""]] * 3)
    with pytest.raises(dd.RequestError) as raised:
        layers.plot_section(**{along: index})
    assert str(raised.value) == (
        f"there is no {along} {index!r} in an image of 3 {along}s; they are numbered from 0 to 2"
    )


def test_a_row_or_a_column():
    with pytest.raises(dd.RequestError, match="pass row or column, not both"):
        by_hand([[""]]).plot_section(0, 0)
    with pytest.raises(dd.RequestError, match="ax must have 1 Axes, one for each panel, not 2"):
        by_hand([[""]]).plot_section(ax=Figure().subplots(2))
    with pytest.raises(dd.RequestError, match="no column 1 in an image of 1 columns"):
        by_hand([[""]]).plot_section(column=1)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["", "F1", "F1 B2", ""], 2),
        (["F1 B2", "", "", "", "F1 B2"], 0),  # a tie: the upper one
        (["F1 B2", "", "", "F1 B2", ""], 3),
        (["F1 B2", "F1 B2", "F1 B2", "F1 B2 F3"], 3),
        (["", "", ""], 1),
        ([""], 0),
    ],
)
def test_the_busiest_row(rows, expected):
    layers = by_hand([[row] for row in rows])
    assert busiest_row(layers) == expected
    # All crossings of a row count, not its pixels.
    assert busiest_row(by_hand([["", row, "", ""] for row in rows])) == expected
    assert f"cut along row {expected}" in assert_readable(layers.plot_section())


# What is drawn


@pytest.mark.parametrize("along", ["row", "column"])
def test_a_box_fills_its_rectangle_and_nothing_else(along):
    line = ["", "F2 B6", "F2 B6", "", ""]
    rows = [line] if along == "row" else [[pixel] for pixel in line]
    figure = by_hand(rows).plot_section(**{along: 0})

    def color(pixel, depth):
        return drawn(figure, *((pixel, depth) if along == "row" else (depth, pixel)))

    for pixel in (1.02, 1.98, 2.0, 2.02, 2.98):
        for depth in (2.3, 4.0, 5.7):
            assert color(pixel, depth) == SOLID  # no hairline between neighbors either
        assert color(pixel, 2.012) == ENTRY  # on the solid side
        assert color(pixel, 5.988) == EXIT
    for pixel, depth in ((0.95, 4.5), (3.05, 4.5), (0.5, 2.1), (4.5, 5.9)):
        assert color(pixel, depth) == "white"
    for depth in (1.96, 6.04):
        assert color(2.5, depth) == "white"


def test_near_is_above_in_a_row_and_left_in_a_column():
    layers = by_hand([["F2 B6"]])
    (axes,) = layers.plot_section(row=0).axes
    near, far = axes.transData.transform([(0.5, 2), (0.5, 6)])
    assert near[1] > far[1]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("column", "depth, mesh units")
    (axes,) = layers.plot_section(column=0).axes
    near, far = axes.transData.transform([(2, 0.5), (6, 0.5)])
    assert near[0] < far[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("depth, mesh units", "row")


def test_a_camera_inside_fills_from_the_camera_on():
    layers = by_hand([["B6"]], oriented=True)
    assert pieces(section_of(layers, 0)) == {0: [(0, 6)]}
    figure = layers.plot_section(0)
    assert drawn(figure, 0.5, 0.1) == drawn(figure, 0.5, 5.5) == SOLID
    assert drawn(figure, 0.5, 5.988) == EXIT
    assert drawn(figure, 0.5, -0.2) == drawn(figure, 0.5, 6.2) == "white"


def test_unknown_columns_are_tinted_and_not_filled():
    figure = by_hand([["F2 B6", "F2 B4 F6", "F2 F6", ""]]).plot_section(0)
    assert "solid unknown" in assert_readable(figure)
    colors = [drawn(figure, column + 0.5, 3) for column in range(4)]
    assert colors == [SOLID, UNKNOWN, UNKNOWN, "white"]
    assert drawn(figure, 1.5, 6.012) == ENTRY  # crossings are still marked
    assert drawn(figure, 1.5, 3.988) == EXIT


def test_touching_bodies_show_both_marks():
    figure = by_hand([["F2 B4 F4 B6"]]).plot_section(0)
    assert drawn(figure, 0.5, 3.988) == EXIT
    assert drawn(figure, 0.5, 4.012) == ENTRY


@pytest.mark.parametrize("width", [7, 640, 1301, 5000])
def test_every_width_of_image_keeps_its_columns_in_place(width):
    rows = [["F2 B6" if width // 3 <= column < 2 * width // 3 else "" for column in range(width)]]
    figure = by_hand(rows).plot_section(0)
    (axes,) = figure.axes
    pixel = width / axes.get_window_extent().width  # columns that a pixel of the figure shows
    left, right = width // 3, 2 * width // 3
    for column in np.linspace(left + 2 * pixel, right - 2 * pixel, 9):
        assert drawn(figure, column, 4.5) == SOLID
    for column in (left - 2 * pixel, right + 2 * pixel):
        assert drawn(figure, column, 4.5) == "white"


@pytest.mark.parametrize(
    "rows",
    [
        [[""]],
        [["", "", ""]],
        [["F5"]],
        [["F1e-30"]],
        [["F3e38"]],
        [["F0"]],
        [["F5000000 B5000000.5"]],
        [["F1 Binf"]],
        [["F2 B6"] * 1000],
        [["F2 B6"]] * 1000,
    ],
    ids=lambda rows: f"{len(rows)}x{len(rows[0])} {rows[0][0]}",
)
def test_every_section_is_readable(rows):
    for oriented in (True, False):
        layers = by_hand(rows, oriented=oriented)
        for line in ({"row": 0}, {"column": 0}):
            figure = layers.plot_section(**line, title="a title")
            found = assert_readable(figure)
            assert f"cut along {next(iter(line))} 0" in found
            empty = f"no crossing in this {next(iter(line))}" in found
            assert empty == (rows[0][0] == "")
            assert has(figure, ENTRY) != empty


def test_axes_and_figures_of_the_caller():
    layers = by_hand([["F2 B6"] * 9])
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    assert layers.plot_section(ax=axes) is figure
    assert axes.get_title(loc="left") == "cut along row 0"
    assert at(figure, axes, 4.5, 4.5) == rgb(SOLID)
    assert_readable(figure)
    figure = Figure(figsize=(5, 5))
    assert layers.plot_section(figure=figure, title="title") is figure
    assert "title" in assert_readable(figure)


@pytest.mark.parametrize(
    ("row", "truncated", "names"),
    [
        (["F1 B2", ""], False, ["solid", "entry", "exit"]),
        (["F1", "F2"], False, ["entry", "solid unknown"]),
        (["B1", "B2"], True, ["exit", "not filled: some crossings were cut away"]),
        (["", ""], False, ["no crossing in this row"]),
    ],
)
def test_the_legend_names_what_is_drawn(row, truncated, names):
    figure = by_hand([row], truncated=np.full((1, 2), truncated)).plot_section(row=0)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == names
    assert has(figure, SOLID) == ("solid" in names)
    assert has(figure, EXIT) == ("exit" in names)
