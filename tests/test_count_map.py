"""The count map: the number and the color of each pixel, the color bar, pixels worth a look."""

from __future__ import annotations

import numpy as np
import pytest
from crossings import by_hand

from ddepth_gl.plot.color_scales import MISS
from ddepth_gl.plot.count_map import TRUNCATED, CountMap, count_colors


def random_layers(width, height, max_count=6, odd=True):
    """Return layers with up to `max_count` crossings per pixel; only even numbers unless `odd`."""
    rng = np.random.default_rng(width + height)
    count = rng.integers(0, max_count + 1, (height, width))
    if not odd:
        count -= count % 2
    words = [
        " ".join(f"{'FB'[k % 2]}{k + 1 + rng.random():.6f}" for k in range(n))
        for n in count.ravel()
    ]
    return by_hand([words[row * width : (row + 1) * width] for row in range(height)])


def test_colors_of_counts():
    for max_count in (0, 1, 2, 9, 300):
        table = count_colors(max_count).astype(int)
        assert len(table) == max_count + 1
        assert tuple(table[0]) == MISS
        odd, even = table[1::2], table[2::2]
        assert (odd[:, 0] > odd[:, 2] + 80).all()  # red
        assert (even[:, 0] < even[:, 1:].max(1)).all()  # not red
        assert (np.abs(table - TRUNCATED).sum(1) > 80).all()
    # While there are few, neighbors differ visibly, and larger counts are darker.
    for some in (count_colors(20)[1::2], count_colors(20)[2::2]):
        assert (np.abs(np.diff(some.astype(int), axis=0)).sum(1) > 10).all()
        assert (np.diff(some.sum(1).astype(int)) < 0).all()


def test_each_pixel_has_the_color_of_its_count():
    rows = [["", "F1 B2", "F1 B2 F3"], ["F1 B2 F3 B4", "F1 B2", "F1"]]
    truncated = np.array([[False, False, False], [False, True, False]])
    counts = CountMap.of(by_hand(rows, truncated=truncated), 30, 20)
    table = count_colors(4)
    expected = np.array([[table[0], table[2], table[3]], [table[4], TRUNCATED, table[1]]])
    np.testing.assert_array_equal(counts.image(), expected.repeat(10, 0).repeat(10, 1))
    assert (counts.odd_pixels, counts.odd_label, counts.truncated_pixels) == (2, "unpaired", 1)
    assert counts.numbers == [0, 1, 2, 3, 4]


def test_the_bar_has_odd_numbers_only_if_needed():
    def numbers(rows, **changes):
        return CountMap.of(by_hand(rows, **changes), 10, 10).numbers

    assert numbers([["", "F1 B2 F3 B4 F5 B6"]]) == [0, 2, 4, 6]
    assert numbers([["F1", "F1 B2"]]) == [0, 1, 2]
    assert numbers([["", ""]]) == [0]
    # The count of a truncated pixel is not on the bar.
    assert numbers([["F1 B2 F3", "F1 B2"]], truncated=np.array([[True, False]])) == [0, 2]


def test_a_single_odd_or_truncated_pixel_of_a_large_image_is_visible():
    count = np.full((300, 500), 2)
    count[123, 457], count[200, 31] = 3, 2
    rows = [["F1 B2 F3" if n == 3 else "F1 B2" for n in line] for line in count]
    truncated = np.zeros(count.shape, bool)
    truncated[200, 31] = True
    counts = CountMap.of(by_hand(rows, truncated=truncated), 50, 30)
    image = counts.image()
    marked = np.argwhere((image != count_colors(3)[2]).any(-1))
    np.testing.assert_array_equal(marked, [[12, 45], [20, 3]])
    np.testing.assert_array_equal(image[12, 45], count_colors(3)[3])
    np.testing.assert_array_equal(image[20, 3], TRUNCATED)


@pytest.mark.parametrize(("width", "height"), [(9, 700), (700, 9), (385, 384), (1, 1)])
def test_every_shown_count_is_one_of_the_pixels_below_it(width, height):
    layers = random_layers(width, height, odd=False)
    size = (max(1, width * 384 // max(width, height)), max(1, height * 384 // max(width, height)))
    counts = CountMap.of(layers, *size)
    assert counts.count.shape == size[::-1]
    for row in range(size[1]):
        for column in range(0, size[0], 5):
            rows = slice(row * height // size[1], -(-(row + 1) * height // size[1]))
            columns = slice(column * width // size[0], -(-(column + 1) * width // size[0]))
            assert counts.count[row, column] in layers.count[rows, columns]
