"""sRGB against the standard's own formula, value by value."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import encode_srgb

from ddepth_gl._srgb import linear_from_srgb, srgb_from_linear


def test_every_byte_comes_back():
    picture = np.arange(256, dtype=np.uint8)[:, None].repeat(4, 1)
    linear = linear_from_srgb(picture)
    assert linear.dtype == np.float32
    np.testing.assert_array_equal(srgb_from_linear(linear), picture)
    assert (np.diff(linear, axis=0) > 0).all()
    np.testing.assert_array_equal(linear[:, 3], (np.arange(256) / 255).astype(np.float32))
    # float32 rounds by half of 2**-23 relatively, and the formula's slope makes at most 2.4 times that of it.
    for byte, value in zip(range(256), linear[:, 0], strict=True):
        assert encode_srgb(float(value)) == pytest.approx(byte / 255, rel=2**-20, abs=1e-7)


@pytest.mark.parametrize(
    ("value", "byte"), [(0.0, 0), (0.0031308, 10), (0.2158605, 128), (0.5, 188), (1, 255)]
)
def test_known_values(value, byte):
    assert srgb_from_linear(np.array([value, 0, 0]))[0] == byte


def test_rounding_is_to_the_nearest():
    values = np.linspace(0, 1, 1001)
    wanted = [round(255 * encode_srgb(value)) for value in values]
    np.testing.assert_array_equal(srgb_from_linear(values[:, None].repeat(3, 1))[:, 1], wanted)


def test_what_is_no_color():
    given = np.array([[-1, 2, np.nan, 0.5], [np.inf, -np.inf, 0, np.nan]], np.float32)
    np.testing.assert_array_equal(srgb_from_linear(given), [[0, 255, 0, 128], [255, 0, 0, 0]])
    assert np.isnan(given[0, 2])  # the argument stays as it is


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 5, 3), (0, 4)])
def test_shapes(shape):
    assert srgb_from_linear(np.zeros(shape)).shape == shape
    assert linear_from_srgb(np.zeros(shape, np.uint8)).shape == shape
