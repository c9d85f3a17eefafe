"""LayeredDepth files: decoded by Pillow, within half a step of the depth."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from crossings import crossings_of, layers_of, random_layers, real_layers
from PIL import Image

import ddepth_gl as dd
from ddepth_gl.io.results.layereddepth import write_layereddepth


def decoded(path):
    with Image.open(path) as image:
        assert image.mode == "I;16"
        return np.asarray(image).astype(np.int64)


def read_json(folder, name):
    return json.loads((folder / f"{name}.layereddepth.json").read_text())


def check(folder, name, layers, count):
    """Assert that the images hold the first `count` layers and nothing else; return the scale.

    Depths are within half a step.
    """
    entries = read_json(folder, name)
    assert (entries["miss"], entries["layers"]) == (0, count)
    stack = [decoded(folder / f"{name}.depth_{layer + 1}.png") for layer in range(count)]
    seen = 0
    for row, column, layer, crossing in crossings_of(layers):
        if layer < count:
            steps = stack[layer][row, column]
            assert steps > 0
            error = abs(steps * entries["scale"] - float(layers.depth[crossing]))
            assert error <= entries["scale"] / 2 * (1 + 1e-9)
            seen += 1
    assert seen == sum(int((layer > 0).sum()) for layer in stack)
    assert entries["left_out"] == len(layers.depth) - seen
    return entries["scale"]


def with_depths(*depths):
    layers = layers_of([[len(depths)]], np.random.default_rng(0), ())
    layers.depth[:] = depths
    return layers


@pytest.mark.parametrize("orthographic", [False, True])
def test_the_published_layout(tmp_path, orthographic):
    layers = random_layers(1, orthographic)
    written = write_layereddepth(tmp_path / "m.v1", layers)
    names = ["m.v1.layereddepth.json", *(f"m.v1.depth_{number}.png" for number in range(1, 9))]
    assert [path.name for path in written] == names
    assert {path.name for path in tmp_path.iterdir()} == set(names)
    assert check(tmp_path, "m.v1", layers, 8) == 0.001
    # The published evaluation reads a layer so: 0 is a miss, other values are thousandths.
    first = decoded(tmp_path / "m.v1.depth_1.png") / 1000
    there = layers.count > 0
    wanted = layers.depth[layers.offsets[:-1][there.ravel()]]
    assert np.abs(first[there] - wanted).max() <= 0.0005 * (1 + 1e-9)
    assert not decoded(tmp_path / "m.v1.depth_7.png").any()
    entries = read_json(tmp_path, "m.v1")
    assert (entries["width"], entries["height"], entries["is_orthographic"]) == (7, 5, orthographic)
    np.testing.assert_array_equal(entries["K"], layers.camera.K)
    np.testing.assert_array_equal(entries["camera_from_world"], layers.camera.camera_from_world)


@pytest.mark.parametrize("count", [1, 3, 8, 12])
def test_more_crossings_than_images(tmp_path, count):
    layers = layers_of([[11, 0], [2, 5]], np.random.default_rng(2))
    assert len(write_layereddepth(tmp_path / "m", layers, 0.01, max_layers=count)) == 1 + count
    assert check(tmp_path, "m", layers, count) == 0.01
    left_out = sum(max(0, crossings - count) for crossings in (11, 0, 2, 5))
    assert read_json(tmp_path, "m")["left_out"] == left_out


@pytest.mark.parametrize("count", [np.zeros((4, 3), int), [[0]], [[1]]])
@pytest.mark.parametrize("scale", [None, 1e-9, 1e-4, 1.0])
def test_empty_and_small(tmp_path, count, scale):
    layers = layers_of(count, np.random.default_rng(3))
    if scale == 1e-9 and len(layers.depth):
        with pytest.raises(dd.OutputError, match="more than the 65535"):
            write_layereddepth(tmp_path / "m", layers, scale)
    else:
        write_layereddepth(tmp_path / "m", layers, scale)
        check(tmp_path, "m", layers, 8)


@pytest.mark.parametrize(
    ("depths", "scale"), [((1.0, 65.536), None), ((300.0, 7e5), 1.0), ((1, 3), 1e-5)]
)
def test_overflow_names_a_scale_that_works(tmp_path, depths, scale):
    layers = with_depths(*depths)
    with pytest.raises(dd.OutputError) as caught:
        write_layereddepth(tmp_path / "m", layers, scale)
    assert not list(tmp_path.iterdir())
    assert "\n" not in str(caught.value)
    assert "65535" in str(caught.value)
    named = float(re.search(r"scale (\S+) fits", str(caught.value))[1])
    write_layereddepth(tmp_path / "m", layers, named)
    assert check(tmp_path, "m", layers, 8) == named


def test_the_last_step_that_fits(tmp_path):
    write_layereddepth(tmp_path / "m", with_depths(1.0, 65.535))
    assert decoded(tmp_path / "m.depth_2.png")[0, 0] == 65535


def test_images_of_an_earlier_run_are_removed(tmp_path):
    for name in ("m.depth_9.png.bak", "m.depth_.png", "n.depth_9.png", "m.depth_9.jpg"):
        (tmp_path / name).write_bytes(b"theirs")
    before = {path.name for path in tmp_path.iterdir()}
    write_layereddepth(tmp_path / "m", with_depths(1.0), max_layers=12)
    written = write_layereddepth(tmp_path / "m", with_depths(1.0), max_layers=2)
    assert {path.name for path in tmp_path.iterdir()} - before == {path.name for path in written}
    assert len(written) == 3


def test_depths_left_out_need_not_fit(tmp_path):
    layers = with_depths(1.0, 2.0, 1e9)
    write_layereddepth(tmp_path / "m", layers, max_layers=2)
    check(tmp_path, "m", layers, 2)


def test_a_depth_that_would_read_as_a_miss(tmp_path):
    layers = with_depths(0.0004, 3.0)
    with pytest.raises(dd.OutputError, match="would read as a miss") as caught:
        write_layereddepth(tmp_path / "m", layers)
    write_layereddepth(
        tmp_path / "m", layers, float(re.search(r"scale (\S+) fits", str(caught.value))[1])
    )
    check(tmp_path, "m", layers, 8)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_invalid_scale(tmp_path, scale):
    with pytest.raises(dd.RequestError, match="must be positive"):
        write_layereddepth(tmp_path / "m", with_depths(1.0), scale)


@pytest.mark.parametrize("count", [-1, 0, 1.5])
def test_invalid_max_layers(tmp_path, count):
    with pytest.raises(dd.RequestError, match="max_layers must be an integer"):
        write_layereddepth(tmp_path / "m", with_depths(1.0), max_layers=count)


def test_unwritable(tmp_path):
    with pytest.raises(dd.OutputError, match=r"missing/m\.layereddepth\.json cannot be written"):
        write_layereddepth(tmp_path / "missing" / "m", with_depths(1.0))


def test_a_real_peel(renderer, tmp_path):
    layers = real_layers(renderer)
    write_layereddepth(tmp_path / "m", layers)
    check(tmp_path, "m", layers, 8)
    # The layout holds depths only: attributes of the layers change nothing.
    (tmp_path / "bare").mkdir()
    for path in write_layereddepth(tmp_path / "bare" / "m", real_layers(renderer, ())):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()
    # A complete ray leaves every body that it enters: images come in pairs.
    there = [decoded(tmp_path / f"m.depth_{number}.png") > 0 for number in range(1, 9)]
    assert there[0].any()
    for front, back in zip(there[::2], there[1::2], strict=True):
        np.testing.assert_array_equal(front, back)
