"""Conversions to and from sRGB, compared with the formula of the standard."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import encode_srgb

from ddepth_gl._srgb import linear_from_srgb, srgb_from_linear


def test_every_byte_round_trips():
    srgb = np.arange(256, dtype=np.uint8)[:, None].repeat(4, 1)
    linear = linear_from_srgb(srgb)
    assert linear.dtype == np.float32
    np.testing.assert_array_equal(srgb_from_linear(linear), srgb)
    assert (np.diff(linear, axis=0) > 0).all()
    np.testing.assert_array_equal(linear[:, 3], (np.arange(256) / 255).astype(np.float32))
    # float32 rounds by at most 2**-24, relatively. The slope of the formula multiplies it by 2.4.
    for byte, value in zip(range(256), linear[:, 0], strict=True):
        assert encode_srgb(float(value)) == pytest.approx(byte / 255, rel=2**-20, abs=1e-7)


@pytest.mark.parametrize(
    ("value", "byte"), [(0.0, 0), (0.0031308, 10), (0.2158605, 128), (0.5, 188), (1, 255)]
)
def test_known_values(value, byte):
    assert srgb_from_linear(np.array([value, 0, 0]))[0] == byte


def test_rounds_to_the_nearest_byte():
    values = np.linspace(0, 1, 1001)
    wanted = [round(255 * encode_srgb(value)) for value in values]
    np.testing.assert_array_equal(srgb_from_linear(values[:, None].repeat(3, 1))[:, 1], wanted)


def test_values_out_of_range():
    given = np.array([[-1, 2, np.nan, 0.5], [np.inf, -np.inf, 0, np.nan]], np.float32)
    np.testing.assert_array_equal(srgb_from_linear(given), [[0, 255, 0, 128], [255, 0, 0, 0]])
    assert np.isnan(given[0, 2])  # the argument is not modified


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 5, 3), (0, 4)])
def test_shapes(shape):
    assert srgb_from_linear(np.zeros(shape)).shape == shape
    assert linear_from_srgb(np.zeros(shape, np.uint8)).shape == shape
