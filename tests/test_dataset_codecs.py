"""Codecs: images that other readers read back, bit for bit."""

from __future__ import annotations

import io

import cv2
import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

import ddepth_gl as dd
from ddepth_gl.dataset.codecs import depth_png, png_bytes

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("shape", [(1, 1, 4), (7, 5, 3), (33, 64, 4), (5, 9), (1, 3)])
def test_png_is_read_by_others(shape):
    dtype = np.uint16 if len(shape) == 2 else np.uint8
    image = RNG.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    content = png_bytes(image)
    assert (iio.imread(content) == image).all()
    with Image.open(io.BytesIO(content)) as opened:
        opened.verify()  # compares checksums
    read = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if image.ndim == 3:
        read = read[..., [2, 1, 0, 3][: shape[2]]]
    assert (read.reshape(shape) == image).all()


def test_png_of_a_view_of_an_array():
    image = RNG.integers(0, 256, (12, 20, 4), np.uint8)
    assert png_bytes(image[::2, ::3]) == png_bytes(image[::2, ::3].copy())


def test_depth_is_steps_of_the_scale():
    depth = np.array([[np.nan, 0.5], [1.26, 6553.5]], np.float32)
    assert iio.imread(depth_png(depth, 0.1, "entry.png")).tolist() == [[0, 5], [13, 65535]]


@pytest.mark.parametrize("depth", [0.04, 6554.0])
def test_depth_that_does_not_fit_is_an_error(depth):
    with pytest.raises(dd.OutputError, match=r"^entry.png: depth .*scale .* fits"):
        depth_png(np.array([[depth]], np.float32), 0.1, "entry.png")
