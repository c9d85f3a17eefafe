"""X-Ray files, read as its repository does: parts of a SciPy csr_matrix, then a reshape."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from crossings import crossings_of, layers_of, random_layers, real_layers
from oracle import encode_srgb
from scipy.sparse import csr_matrix

import ddepth_gl as dd
from ddepth_gl.io.results.xray import write_xray


def read(path, height, width, layers=16):
    """Return the dense (layers, 7, height, width) array; check how it is stored."""
    with np.load(path, allow_pickle=False) as file:
        texts = {"version", "renderer", "gl_version", "engine"}
        assert sorted(set(file.files) - texts) == ["data", "indices", "indptr", "shape"]
        parts = {name: file[name] for name in file.files if name not in texts}
    kinds = {name: (array.dtype.name, array.ndim) for name, array in parts.items()}
    index = ("int32", 1)
    assert kinds == {
        "data": ("float32", 1),
        "indices": index,
        "indptr": index,
        "shape": ("int64", 1),
    }
    assert parts["shape"].tolist() == [layers, 7 * height * width]
    assert np.all(parts["data"])  # zeros are not stored
    matrix = csr_matrix((parts["data"], parts["indices"], parts["indptr"]), shape=parts["shape"])
    matrix.check_format(full_check=True)
    assert matrix.has_canonical_format
    return matrix.toarray().reshape(layers, 7, height, width)


def expected(layers: dd.DepthLayers, count: int = 16) -> np.ndarray:
    """Return the expected array, computed one crossing at a time in float64."""
    camera = layers.camera
    dense = np.zeros((count, 7, camera.height, camera.width))
    for row, column, layer, crossing in crossings_of(layers):
        if layer >= count:
            continue
        ray = np.linalg.solve(camera.K, [column + 0.5, row + 0.5, 1.0])
        stretch = 1.0 if camera.is_orthographic else np.linalg.norm(ray)
        x, y, z = camera.camera_from_world[:3, :3] @ layers.normal[crossing]
        color = [
            round(255 * encode_srgb(float(value))) / 255 for value in layers.color[crossing, :3]
        ]
        dense[layer, :, row, column] = [layers.depth[crossing] * stretch, x, -y, -z, *color]
    return dense


# float32 rounds by at most 2**-24 relatively; twice that for the float64 sums before. Numbers are
# at most 9 * 1.3 (distances), 1 (normals, colors).
TOLERANCE = {"rtol": 2.0**-23, "atol": 2.0**-30}


@pytest.mark.parametrize("orthographic", [False, True])
def test_every_value(tmp_path, orthographic):
    layers = random_layers(1, orthographic)
    write_xray(tmp_path / "000.npz", layers)
    dense = read(tmp_path / "000.npz", 5, 7)
    np.testing.assert_allclose(dense, expected(layers), **TOLERANCE)
    np.testing.assert_array_equal((dense[:, 0] > 0).sum(0), layers.count)
    if orthographic:
        np.testing.assert_array_equal(dense[:5, 0], np.nan_to_num(layers.dense("depth", 5)))
    else:
        np.testing.assert_array_equal(dense[:5, 0], np.nan_to_num(layers.dense("distance", 5)))


def test_the_frame_of_normals(tmp_path):
    # For every camera, +z points toward it, +y up and +x right in the image.
    camera = dd.Camera.look_at((4, 1, 2), (0.5, 0, 0), (0, 0, 1), width=1, height=1)
    right, down, forward = camera.camera_from_world[:3, :3]
    normals = np.stack([-forward, -down, right]).astype(np.float32)
    layers = layers_of([[3]], np.random.default_rng(0))
    attributes = {"normal": normals, "color": np.ones((3, 4), np.float32)}
    layers = replace(layers, camera=camera, attributes=attributes)
    write_xray(tmp_path / "a.npz", layers)
    dense = read(tmp_path / "a.npz", 1, 1)
    np.testing.assert_allclose(dense[:3, 1:4, 0, 0], [[0, 0, 1], [0, 1, 0], [1, 0, 0]], atol=1e-6)
    np.testing.assert_array_equal(dense[:3, 4:, 0, 0], 1.0)


@pytest.mark.parametrize("count", [16, 1, 3, 20])
def test_more_crossings_than_layers(tmp_path, count):
    layers = layers_of([[19, 0, 4]], np.random.default_rng(2))
    write_xray(tmp_path / "a.npz", layers, max_layers=count)
    dense = read(tmp_path / "a.npz", 1, 3, count)
    np.testing.assert_allclose(dense, expected(layers, count), **TOLERANCE)
    assert ((dense[:, 0] > 0).sum(0) == np.minimum([[19, 0, 4]], count)).all()


@pytest.mark.parametrize(
    "count", [np.zeros((4, 3), int), np.zeros((1, 1), int), np.ones((1, 1), int)]
)
def test_empty_and_small(tmp_path, count):
    layers = layers_of(count, np.random.default_rng(3))
    write_xray(tmp_path / "a.npz", layers)
    dense = read(tmp_path / "a.npz", *count.shape)
    np.testing.assert_allclose(dense, expected(layers), **TOLERANCE)


def test_black_hits_without_a_normal_are_still_hits(tmp_path):
    layers = layers_of([[2]], np.random.default_rng(4))
    layers.color[:] = 0.0
    layers.normal[:] = [[0, 0, 1], [np.nan, np.nan, np.nan]]
    write_xray(tmp_path / "a.npz", layers)
    dense = read(tmp_path / "a.npz", 1, 1)
    assert (dense[:2, 0] > 0).all()
    assert (dense[:, 4:] == 0).all()
    assert np.linalg.norm(dense[0, 1:4]) == pytest.approx(1, abs=1e-6)
    assert (dense[1, 1:4] == 0).all()  # NaN would spread through every computation


@pytest.mark.parametrize(
    ("there", "missing"),
    [((), "normal and color"), (("normal", "uv"), "color"), (("color",), "normal")],
)
def test_missing_attributes(tmp_path, there, missing):
    with pytest.raises(
        dd.OutputError, match=rf'X-Ray needs the attribute {missing}; peel with .*"color"'
    ):
        write_xray(tmp_path / "a.npz", random_layers(5, attributes=there))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [0, -1, 2.0, True, None])
def test_invalid_max_layers(tmp_path, count):
    with pytest.raises(dd.RequestError, match="max_layers must be an integer, at least 1"):
        write_xray(tmp_path / "a.npz", random_layers(6), max_layers=count)


def test_unwritable(tmp_path):
    with pytest.raises(dd.OutputError, match=r"missing/a\.npz cannot be written"):
        write_xray(tmp_path / "missing" / "a.npz", random_layers(7))


def test_a_real_peel(renderer, tmp_path):
    layers = real_layers(renderer, ("normal", "color"))
    assert layers.count.max() >= 6
    write_xray(tmp_path / "a.npz", layers)
    dense = read(tmp_path / "a.npz", 30, 40)
    np.testing.assert_allclose(dense, expected(layers), **TOLERANCE)
    # Seen from outside, the normal of a front face points to the camera, against the ray.
    # Rays point along -z in OpenGL's frame.
    camera = layers.camera
    row, column = np.nonzero(dense[0, 0] > 0)
    rays = np.linalg.solve(camera.K, [column + 0.5, row + 0.5, np.ones(len(row))]) * [
        [1],
        [-1],
        [-1],
    ]
    assert ((dense[0, 1:4, row, column] * rays.T).sum(1) < 0).all()
    last = (dense[:, 0] > 0).sum(0)[row, column] - 1
    assert ((dense[last, 1:4, row, column] * rays.T).sum(1) > 0).all()
    # The distance along the pixel's ray leads to the point of the hit.
    origins, directions = layers.camera.rays()
    row, column = np.argwhere(dense[0, 0] > 0)[50]
    point = origins[row, column] + dense[0, 0, row, column] * directions[row, column]
    assert np.abs(layers.points(dtype=float)[0] - point).max(1).min() < 1e-5 * math.hypot(3, 2, 1.5)
