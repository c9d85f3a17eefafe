"""Sums and limits that the device finds, so that only single numbers come to the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import ddepth_gl as dd
from ddepth_gl.engines.compute.listed_crossings import OffsetSums
from ddepth_gl.engines.compute.programs import ComputePrograms
from ddepth_gl.engines.shared.image_limits import ImageLimits
from ddepth_gl.engines.shared.image_targets import FullscreenPasses


@pytest.fixture(scope="module")
def context():
    with dd.DepthRenderer() as renderer, renderer._context as context:
        yield context
        assert context.gl.error == "GL_NO_ERROR"


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 4096, 4097, 300_001])
def test_prefix_sums(context, count):
    if not context.has_compute:
        pytest.skip("compute shaders need OpenGL 4.3")
    rng = np.random.default_rng(count)
    programs = ComputePrograms(context)
    sums = OffsetSums(context, programs)
    for high in (3, 1000):
        numbers = rng.integers(0, high, count, dtype=np.uint32)
        buffer = context.gl.buffer(numbers)
        assert sums.replace(buffer, count) == numbers.sum()
        found = np.frombuffer(buffer.read(), np.uint32)
        np.testing.assert_array_equal(found, np.cumsum(numbers) - numbers)
        buffer.release()
    sums.release()
    programs.release()


def test_sums_that_are_too_large(context):
    if not context.has_compute:
        pytest.skip("compute shaders need OpenGL 4.3")
    programs = ComputePrograms(context)
    sums = OffsetSums(context, programs)
    buffer = context.gl.buffer(np.full(5000, 1 << 30, np.uint32))
    assert sums.replace(buffer, 5000) == 2**31 - 1
    for each in (buffer, sums, programs):
        each.release()


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (8, 8), (65, 9), (1, 200), (513, 520)])
def test_limits(context, size):
    passes = FullscreenPasses(context)
    limits = ImageLimits(context, passes)
    rng = np.random.default_rng(size[0])
    for missing in (0.0, 0.5, 0.999, 1.0):
        image = (rng.normal(size=size[::-1]) * 10.0 ** rng.integers(-30, 30)).astype(np.float32)
        image[rng.random(image.shape) < missing] = np.nan
        image[rng.random(image.shape) < 0.1] = np.inf
        image[rng.random(image.shape) < 0.1] = -np.inf
        texture = context.gl.texture(size, 1, image, dtype="f4")
        known = image[np.isfinite(image)]
        expected = (float(known.min()), float(known.max())) if known.size else None
        assert limits.of(texture, is_integer=False) == expected
        texture.release()
    counts = rng.integers(-1, 1 << 20, size[::-1], dtype=np.int32)
    texture = context.gl.texture(size, 1, counts, dtype="i4")
    assert limits.of(texture, is_integer=True) == (counts.min(), counts.max())
    for each in (texture, limits, passes):
        each.release()
