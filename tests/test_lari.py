"""LaRI files, read as its loader does: array `ldi`, layers on the last axis, hits where > 0."""

from __future__ import annotations

import numpy as np
import pytest
from crossings import crossings_of, layers_of, random_layers, real_layers

import ddepth_gl as dd
from ddepth_gl.io.results.lari import write_lari


def read(path):
    """Return the stored (H, W, L) array."""
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) - {"renderer", "gl_version", "engine"} == {"ldi", "version"}
        return file["ldi"]


def expected(layers, count):
    stack = np.full((layers.camera.height, layers.camera.width, count), -1.0, np.float32)
    for row, column, layer, crossing in crossings_of(layers):
        if layer < count:
            stack[row, column, layer] = layers.depth[crossing]
    return stack


@pytest.mark.parametrize("orthographic", [False, True])
def test_every_value(tmp_path, orthographic):
    layers = random_layers(1, orthographic)
    write_lari(tmp_path / "000_ldi.npz", layers)
    np.testing.assert_array_equal(read(tmp_path / "000_ldi.npz"), expected(layers, 15), strict=True)
    if orthographic:
        first = layers.offsets[:-1][layers.count.ravel() > 0]
        np.testing.assert_array_equal(
            read(tmp_path / "000_ldi.npz")[..., 0][layers.count > 0], layers.distance[first]
        )


def test_float16(tmp_path):
    layers = random_layers(2)
    write_lari(tmp_path / "a.npz", layers, dtype="float16")
    stack = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(stack, expected(layers, 15).astype(np.float16), strict=True)
    assert ((stack > 0).sum(-1) == layers.count).all()
    assert (stack[stack <= 0] == -1).all()
    # float16 has 11 significant bits.
    np.testing.assert_allclose(stack.astype(np.float32), expected(layers, 15), rtol=2.0**-11)


@pytest.mark.parametrize("count", [1, 3, 5, 9])
def test_max_layers(tmp_path, count):
    layers = random_layers(3)
    assert layers.count.max() == 5
    write_lari(tmp_path / "a.npz", layers, max_layers=count)
    np.testing.assert_array_equal(read(tmp_path / "a.npz"), expected(layers, count), strict=True)


@pytest.mark.parametrize("count", [np.zeros((4, 3), int), [[0]], [[1]], [[2], [0]], [[19, 3]]])
@pytest.mark.parametrize(("height", "given"), [(15, {}), (1, {"max_layers": 1})])
def test_every_image_has_the_same_number_of_layers(tmp_path, count, height, given):
    layers = layers_of(count, np.random.default_rng(4))
    write_lari(tmp_path / "a.npz", layers, **given)
    stack = read(tmp_path / "a.npz")
    assert stack.shape == (*np.shape(count), height)  # no axis of length 1 is dropped
    np.testing.assert_array_equal(stack, expected(layers, height), strict=True)


def with_depths(*depths):
    layers = layers_of([[len(depths)]], np.random.default_rng(5), ())
    layers.depth[:] = depths
    return layers


@pytest.mark.parametrize("depths", [(1.0, 65520.0), (2.9e-8, 1.0)])
def test_depths_that_float16_cannot_hold(tmp_path, depths):
    lost = np.float32(next(depth for depth in depths if depth != 1))
    with pytest.raises(
        dd.OutputError, match=rf"a\.npz: float16 cannot hold depth {lost:g}; write float32"
    ):
        write_lari(tmp_path / "a.npz", with_depths(*depths), dtype="float16")
    assert not list(tmp_path.iterdir())
    write_lari(tmp_path / "a.npz", with_depths(*depths))
    np.testing.assert_array_equal(read(tmp_path / "a.npz").ravel()[:2], np.float32(depths))


def test_the_extreme_depths_that_float16_holds(tmp_path):
    write_lari(tmp_path / "a.npz", with_depths(3.1e-8, 65519.0), max_layers=2, dtype="float16")
    stack = read(tmp_path / "a.npz")
    assert (stack > 0).all()
    assert np.isfinite(stack).all()


@pytest.mark.parametrize("dtype", ["float64", "int32", None])
def test_unknown_dtype(tmp_path, dtype):
    with pytest.raises(dd.RequestError, match="dtype must be 'float32' or 'float16'"):
        write_lari(tmp_path / "a.npz", random_layers(6), dtype=dtype)


@pytest.mark.parametrize("count", [0, -1, 1.5, True, None])
def test_invalid_max_layers(tmp_path, count):
    with pytest.raises(dd.RequestError, match="max_layers must be an integer, at least 1"):
        write_lari(tmp_path / "a.npz", random_layers(6), max_layers=count)
    assert not list(tmp_path.iterdir())


def test_unwritable(tmp_path):
    with pytest.raises(dd.OutputError, match=r"missing/a\.npz cannot be written"):
        write_lari(tmp_path / "missing" / "a.npz", random_layers(7))


def test_a_real_peel(renderer, tmp_path):
    layers = real_layers(renderer)
    write_lari(tmp_path / "a.npz", layers, max_layers=15)
    # The layout holds depths only: attributes of the layers change nothing.
    write_lari(tmp_path / "b.npz", real_layers(renderer, ()), max_layers=15)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    stack = read(tmp_path / "a.npz")
    assert stack.shape == (30, 40, 15)
    np.testing.assert_array_equal((stack > 0).sum(-1), layers.count)
    # The unprojected first layer equals the points of the API. float32 numbers below 8.
    row, column = np.nonzero(stack[..., 0] > 0)
    pose = layers.camera.camera_from_world
    rays = np.linalg.solve(layers.camera.K, [column + 0.5, row + 0.5, np.ones(len(row))]).T
    points = (rays * stack[row, column, :1] - pose[:3, 3]) @ pose[:3, :3]
    np.testing.assert_allclose(points, layers.points()[0], atol=8 * 2.0**-23)
    # The attribute position agrees within the error of a point; see test_ply.
    first = layers.layer == 0
    footprint = layers.camera.pixel_footprint(layers.depth[first].astype(float))
    off = np.linalg.norm(points - layers.position[first], axis=1)
    assert (off < 2e-6 * 5 + footprint).all()
    assert np.median(off) < 2e-6 * 5
