"""Depth that is rounded on request: never by more than the tolerance, and the file says so."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from crossings import random_layers, real_mesh
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import ddepth_gl as dd
from ddepth_gl.io.results.rounding import rounded

CAMERA = dd.Camera.look_at((3, -2, 1.5), (0.1, 0, 0), fov_y_deg=50, width=64, height=48)


@given(
    npst.arrays(np.uint32, st.integers(0, 8)),
    st.floats(0, 1, exclude_max=True) | st.floats(-40, -1).map(lambda e: 2.0**e),
)
def test_no_error_exceeds_the_tolerance(bits, tolerance):
    """For numbers of any bits, in exact arithmetic."""
    depth = bits.view(np.float32)
    before = depth.copy()
    result = rounded(depth, tolerance)
    assert depth.tobytes() == before.tobytes()
    assert result.dtype == np.float32
    for exact, value in zip(depth, result, strict=True):
        if not np.isfinite(exact):
            assert value.tobytes() == exact.tobytes()
            continue
        error = abs(Fraction(float(value)) - Fraction(float(exact)))
        assert error <= Fraction(tolerance) * abs(Fraction(float(exact)))


@given(npst.arrays(np.uint32, st.integers(0, 20)), st.floats(1e-7, 0.9))
def test_the_order_of_depths_stays(bits, tolerance):
    depth = np.sort(np.abs(bits.view(np.float32)))
    result = rounded(depth, tolerance)
    finite = result[np.isfinite(result)]
    assert (np.diff(finite) >= 0).all()


@pytest.mark.parametrize(
    ("tolerance", "bits"), [(2.0**-23, 1), (1e-6, 4), (1e-4, 10), (2.0**-13, 11), (0.5, 23)]
)
def test_as_many_bits_are_dropped_as_the_tolerance_allows(tolerance, bits):
    depth = np.random.default_rng(1).uniform(0.1, 1000, 5000).astype(np.float32)
    result = rounded(depth, tolerance).view(np.uint32)
    assert (result % 2**bits == 0).all()
    assert (result % 2 ** (bits + 1) != 0).any()


@pytest.mark.parametrize("tolerance", [0.0, 1e-9, 2.0**-24 * 0.999])
def test_tolerances_below_float32_change_nothing(tolerance):
    depth = np.random.default_rng(1).integers(0, 2**32, 1000, dtype=np.uint32).view(np.float32)
    assert rounded(depth, tolerance).tobytes() == depth.tobytes()


@pytest.mark.parametrize("compression", ["packed", "deflate", "none"])
@pytest.mark.parametrize("tolerance", [1e-5, 1e-3])
def test_files_of_rounded_depth(renderer, tmp_path, compression, tolerance):
    path = tmp_path / "result.npz"
    scene = renderer.upload(real_mesh())
    maps = renderer.entry_exit(scene, CAMERA, attributes=("normal", "position"))
    layers = renderer.peel(scene, CAMERA, attributes=("uv",))
    scene.release()
    for result, names in ((maps, ("entry", "exit")), (layers, ("depth",))):
        dd.write_npz(path, result, compression=compression)
        size = path.stat().st_size
        dd.write_npz(path, result, compression=compression, tolerance=tolerance)
        assert compression == "none" or path.stat().st_size < size
        again = dd.load_npz(path)
        with np.load(path) as file:
            assert float(str(file["depth_tolerance"])) == tolerance
        assert dict(again.provenance) == {
            **result.provenance, "depth_tolerance": repr(tolerance)
        }  # fmt: skip
        for name in names:
            exact, value = (getattr(each, name).astype(np.float64) for each in (result, again))
            np.testing.assert_array_equal(np.isnan(value), np.isnan(exact))
            error = np.nanmax(np.abs(value - exact) / exact)
            assert tolerance / 8 < error <= tolerance
        for name, values in result.attributes.items():
            assert np.asarray(again.attributes[name]).tobytes() == np.asarray(values).tobytes()
    np.testing.assert_array_equal(again.face, layers.face)
    np.testing.assert_array_equal(again.front_facing, layers.front_facing)


def test_derived_quantities_are_those_of_rounded_depths(tmp_path):
    sheet = np.random.default_rng(3).uniform(1, 9, (48, 64)).astype(np.float32)
    maps = dd.DepthMaps(sheet, sheet + np.float32(0.7), CAMERA)
    dd.write_npz(tmp_path / "m.npz", maps, tolerance=1e-3, derived=True, compression="deflate")
    again = dd.load_npz(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as file:
        for name in ("entry", "exit", "entry_distance", "exit_distance", "thickness", "mask"):
            np.testing.assert_array_equal(file[name], getattr(again, name), strict=True)


def test_tolerances_of_several_roundings_add_up(tmp_path):
    path = tmp_path / "layers.npz"
    layers = random_layers(2)
    for tolerance, total in ((0.25, 0.25), (0.125, 0.375), (0.0, 0.375)):
        dd.write_npz(path, layers, tolerance=tolerance)
        layers = dd.load_npz(path)
        assert layers.provenance["depth_tolerance"] == repr(total)
    error = np.abs(layers.depth - random_layers(2).depth) / random_layers(2).depth
    assert 0.0 < error.max() <= total


def test_roundings_that_add_up_to_1(tmp_path):
    path = tmp_path / "layers.npz"
    dd.write_npz(path, random_layers(2), tolerance=0.5)
    before = path.read_bytes()
    words = (
        r"tolerance 0\.5 and the 0\.5 of earlier roundings .* add up to 1 or more; pass a smaller"
    )
    with pytest.raises(dd.RequestError, match=words):
        dd.write_npz(path, dd.load_npz(path), tolerance=0.5)
    assert path.read_bytes() == before


@pytest.mark.parametrize("tolerance", [0.0, 0.1])
def test_a_file_says_that_rounding_makes_depths_equal(tmp_path, tolerance):
    """Also one that is written again as it is."""
    path = tmp_path / "layers.npz"
    dd.write_npz(path, random_layers(2), tolerance=tolerance)
    for _ in range(2):
        with np.load(path) as file:
            told = "Depths were rounded after sorting" in str(file["conventions"])
        assert told == (tolerance > 0.0)
        dd.write_npz(path, dd.load_npz(path))


@pytest.mark.parametrize("text", ["much", "-1", "nan", ""])
def test_a_provenance_whose_tolerance_is_no_tolerance(tmp_path, text):
    layers = replace(random_layers(2), provenance={"depth_tolerance": text})
    with pytest.raises(dd.RequestError, match="depth_tolerance of the provenance must be a"):
        dd.write_npz(tmp_path / "m.npz", layers, tolerance=0.1)
    assert not list(tmp_path.iterdir())
