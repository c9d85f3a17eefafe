"""The cross-section: solid pieces by a walk along rays, pixel colors, round axis numbers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from crossings import by_hand
from hypothesis import given
from hypothesis import strategies as st
from shapes import box, inside_out, merged, peel

import ddepth_gl as dd
from ddepth_gl.plot.cross_section import ENTRY, EXIT, SOLID, UNPAIRED, Section, busiest_row, ticks

PAPER = (255, 255, 255)


def pieces(section):
    """Return the section's solid as {column: [(start, end), ...]}."""
    found = {}
    for column, (start, end) in zip(section.solid_column, section.solid, strict=True):
        found.setdefault(int(column), []).append((float(start), float(end)))
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


def is_color(image, color):
    return (image == color).all(-1)


# Solid pieces


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
    closed, layers = by_hand(rows, oriented=True), by_hand(rows)
    for row in range(3):
        expected = {column: walked(rows[row][column]) for column in range(width)}
        assert expected == {column: layers.intervals(row, column) for column in range(width)}
        assert pieces(Section.of(closed, row)) == {c: some for c, some in expected.items() if some}
        # In a mesh that may be open, only columns whose entries and exits balance have pieces.
        section = Section.of(layers, row)
        sides = facings[row * width : (row + 1) * width]
        unpaired = [side.count("F") != side.count("B") for side in sides]
        np.testing.assert_array_equal(section.unpaired, unpaired)
        assert pieces(section) == {
            c: some for c, some in expected.items() if some and not unpaired[c]
        }


def test_a_cavity_is_not_filled(renderer):
    mesh = merged(box((-2, -2, -2), (2, 2, 2)), inside_out(box()), box((-0.5,) * 3, (0.5,) * 3))
    camera = dd.Camera.orthographic(
        6.0, dd.Camera.look_at((0, -5, 0), (0, 0, 0)).camera_from_world, 12, 12
    )
    section = Section.of(peel(renderer, mesh, camera), 6)
    outer, hollow, core = (
        [(3.0, 7.0)],
        [(3.0, 4.0), (6.0, 7.0)],
        [(3.0, 4.0), (4.5, 5.5), (6.0, 7.0)],
    )
    expected = dict(
        zip(range(2, 10), [outer] * 2 + [hollow] + [core] * 2 + [hollow] + [outer] * 2, strict=True)
    )
    assert {c: np.round(some, 5).tolist() for c, some in pieces(section).items()} == {
        c: [list(piece) for piece in some] for c, some in expected.items()
    }


def test_incomplete_rows_have_marks_only():
    rows = [["F1 B2", "F1"], ["F1 B2", "F1 B2"]]
    for changes in (
        {"truncated": np.array([[False, True], [False, False]])},
        {"_is_cropped": True},
    ):
        section = Section.of(by_hand(rows, **changes), 0)
        assert section.is_cut
        assert not len(section.solid)
        assert not section.unpaired.any()
        np.testing.assert_array_equal(section.column, [0, 0, 1])
        np.testing.assert_array_equal(section.depth, [1, 2, 1])
        image = section.image(20, 60, section.depth_range())
        assert not is_color(image, SOLID).any()
        assert is_color(image, ENTRY).any(0).all()
        np.testing.assert_array_equal(is_color(image, EXIT).any(0), np.arange(20) < 10)
    # Truncation in another row does not matter.
    truncated = np.array([[False, True], [False, False]])
    assert pieces(Section.of(by_hand(rows, truncated=truncated), 1)) == {0: [(1, 2)], 1: [(1, 2)]}


@pytest.mark.parametrize("row", [-1, 2, "1", None])
def test_rows_that_do_not_exist(row):
    with pytest.raises(dd.RequestError, match=rf"no row {row!r} in an image of 2 rows"):
        Section.of(by_hand([[""], [""]]), row)


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
    assert busiest_row(by_hand([[row] for row in rows])) == expected
    # All crossings of a row count, not its pixels.
    assert busiest_row(by_hand([["", row, "", ""] for row in rows])) == expected


# Colors


def test_a_box_fills_its_rectangle_and_nothing_else():
    section = Section.of(by_hand([["", "F2 B6", "F2 B6", "", ""]]), 0)
    image = section.image(50, 80, (0.0, 8.0))
    expected = np.zeros((80, 50), bool)
    expected[20:60, 10:30] = True
    np.testing.assert_array_equal(~is_color(image, PAPER), expected)
    assert is_color(image[20:22, 10:30], ENTRY).all()
    assert is_color(image[22:58, 10:30], SOLID).all()
    assert is_color(image[58:60, 10:30], EXIT).all()


def test_partly_covered_pixels_are_mixed():
    section = Section.of(by_hand([["F2.25 B6.5"]]), 0)
    # Without marks, which would hide the tested pixels.
    nothing = np.zeros(0)
    hidden = replace(
        section, column=nothing.astype(int), depth=nothing, entering=nothing.astype(bool)
    )
    column = hidden.image(1, 8, (0.0, 8.0))[:, 0].astype(float)
    share = (255 - column) / (255 - np.array(SOLID))
    np.testing.assert_allclose(share.mean(1), [0, 0, 0.75, 1, 1, 1, 0.5, 0], atol=0.01)
    # Both ends lie in one pixel.
    thin = replace(hidden, solid=np.array([[3.25, 3.75]])).image(1, 8, (0.0, 8.0))[:, 0]
    np.testing.assert_allclose(
        ((255 - thin.astype(float)) / (255 - np.array(SOLID))).mean(1),
        [0, 0, 0, 0.5, 0, 0, 0, 0],
        atol=0.01,
    )
    # The piece extends beyond both edges.
    assert is_color(hidden.image(1, 8, (3.0, 5.0)), SOLID).all()


def test_a_camera_inside_fills_from_the_camera_on():
    section = Section.of(by_hand([["B6"]], oriented=True), 0)
    assert pieces(section) == {0: [(0, 6)]}
    image = section.image(1, 80, (0.0, 8.0))[:, 0]
    assert is_color(image[:58], SOLID).all()
    assert is_color(image[58:60], EXIT).all()
    assert is_color(image[60:], PAPER).all()


def test_unpaired_columns_are_tinted_and_not_filled():
    section = Section.of(by_hand([["F2 B6", "F2 B4 F6", "F2 F6", ""]]), 0)
    image = section.image(40, 80, (0.0, 8.0))
    tinted = is_color(image, UNPAIRED).any(0)
    np.testing.assert_array_equal(tinted, np.repeat([False, True, True, False], 10))
    np.testing.assert_array_equal(
        is_color(image, SOLID).any(0), np.repeat([True, False, False, False], 10)
    )
    assert is_color(image[60:62, 10:30], ENTRY).all()  # crossings are still marked
    assert is_color(image[38:40, 10:20], EXIT).all()


def test_touching_bodies_show_both_marks():
    image = Section.of(by_hand([["F2 B4 F4 B6"]]), 0).image(1, 80, (0.0, 8.0))[:, 0]
    assert is_color(image[38:40], EXIT).all()
    assert is_color(image[40:42], ENTRY).all()


def test_columns_that_share_a_pixel_are_mixed_but_marks_are_not():
    row = ["F2 B6", "", "", "", "F2 B6", "F2 B6", "F2 B6", "F2 B6"]
    image = Section.of(by_hand([row]), 0).image(2, 80, (0.0, 8.0))
    quarter = np.rint(255 - 0.25 * (255 - np.array(SOLID)))
    assert (np.abs(image[30:50, 0] - quarter) <= 1).all()
    assert is_color(image[30:50, 1], SOLID).all()
    assert is_color(image[20:22], ENTRY).all()
    assert is_color(image[58:60], EXIT).all()


@pytest.mark.parametrize("width", [7, 640, 641, 1000, 1301])
def test_every_width_of_image_keeps_its_columns_in_place(width):
    rows = [["F2 B6" if width // 3 <= column < 2 * width // 3 else "" for column in range(width)]]
    image = Section.of(by_hand(rows), 0).image(640, 80, (0.0, 8.0))
    left, right = (third * 640 / width for third in (width // 3, 2 * width // 3))
    across = np.arange(640)
    solid = is_color(image[40], SOLID)
    assert solid[(across >= left + 1) & (across + 1 <= right - 1)].all()
    assert is_color(image[40], PAPER)[(across + 1 <= left - 1) | (across >= right + 1)].all()


def test_the_depth_range_contains_everything():
    low, high = Section.of(by_hand([["F2 B6", "F3 B7"]]), 0).depth_range()
    assert 1 < low < 2
    assert 7 < high < 8
    for rows in ([["F5"]], [[""]], [["F1e-30"]], [["F3e38"]], [["F5000000 B5000000.5"]]):
        section = Section.of(by_hand(rows), 0)
        low, high = section.depth_range()
        assert low < high
        assert all(low < depth < high for depth in section.depth)
        assert is_color(section.image(3, 80, (low, high)), ENTRY).any() == bool(rows[0][0])
    # A camera inside is in the range.
    assert Section.of(by_hand([["B6"]], oriented=True), 0).depth_range()[0] < 0


def test_grid_lines_are_behind_the_solid():
    image = Section.of(by_hand([["", "F2 B6"]]), 0).image(2, 80, (0.0, 8.0), np.array([4.0, 7.0]))
    np.testing.assert_array_equal(np.flatnonzero(~is_color(image[:, 0], PAPER)), [40, 70])
    assert is_color(image[40, 1], SOLID)


# Numbers at the axes


@given(st.floats(-1e6, 1e7), st.floats(1e-6, 1e7), st.integers(2, 12))
def test_ticks_are_round_and_distinct(low, extent, max_steps):
    # As for float32 depths, the range is at least about an ulp of its numbers.
    extent = max(extent, 1e-6 * abs(low))
    high = low + extent
    numbers, labels = ticks(low, high, max_steps)
    assert 1 <= len(numbers) <= max_steps + 1
    assert len(labels) == len(numbers)
    slack = 1e-5 * extent
    assert (numbers >= low - slack).all()
    assert (numbers <= high + slack).all()
    assert len(set(labels)) == len(labels)
    steps = {float(f"{b - a:.3g}") for a, b in pairwise(numbers)}
    assert all(f"{step:e}"[0] in "125" and step >= 0.98 * extent / max_steps for step in steps)
    np.testing.assert_allclose([float(label) for label in labels], numbers, atol=1e-3 * extent)


def test_some_ticks():
    assert ticks(0, 639, 7)[1] == ["0", "100", "200", "300", "400", "500", "600"]
    assert ticks(6.3, 9.6, 6)[1] == ["7", "8", "9"]
    assert ticks(5.2, 6.9, 5)[1] == ["5.5", "6.0", "6.5"]
    assert ticks(0, 1, 1)[1] == ["0", "1"]
    assert ticks(-0.1, 0.3, 4)[1] == ["-0.1", "0.0", "0.1", "0.2", "0.3"]
    assert ticks(1e-9, 3e-9, 4)[1] == ["1e-09", "1.5e-09", "2e-09", "2.5e-09", "3e-09"]
