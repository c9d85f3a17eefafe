"""LayerMerger, against Python's sort of each pixel."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddepth_gl.engines.raster.merging import LayerMerger

# A crossing here is (depth, face, facing); facing is 0 for a front, 1 for a back.
Crossing = tuple[float, int, int]
FRONT, BACK = 0, 1


def key_of(crossing: Crossing) -> int:
    """Return the key of a crossing, as described in crossing_keys.py."""
    depth, face, facing = crossing
    (bits,) = struct.unpack("<I", struct.pack("<f", depth))
    return bits << 32 | (face * 2 + facing)


def merge(image: list[list[list[Crossing]]], max_layers: int | None = None):
    """Merge an image as peeling does, and check what the merger reads.

    Peeling counts fronts and backs, limits each to `max_layers`, and adds the layers of each.
    """
    facings = [
        [
            [sorted(c for c in pixel if c[2] == facing)[:max_layers] for pixel in row]
            for row in image
        ]
        for facing in (FRONT, BACK)
    ]
    fronts, backs = (
        np.array([[len(pixel) for pixel in row] for row in side], np.uint8) for side in facings
    )
    height = len(fronts)
    layers = LayerMerger(fronts, backs)
    np.testing.assert_array_equal(
        layers.offsets, np.cumsum([0, *(fronts.astype(int) + backs).ravel()])
    )
    assert layers.offsets.dtype == np.int64
    assert layers.layer_counts == [fronts.max(), backs.max()]

    def reading(facing: int, number: int):
        def read(top: int, bottom: int) -> np.ndarray:
            assert 0 <= top < bottom <= height
            keys = [
                key_of(pixel[number])
                if len(pixel) > number
                else -1  # pixels without crossing may hold any number
                for row in facings[facing][top:bottom]
                for pixel in row
            ]
            return np.array(keys, np.int64)

        return read

    layers.add_first(reading(FRONT, 0), reading(BACK, 0))
    for facing in (FRONT, BACK):
        for number in range(1, layers.layer_counts[facing]):
            layer = layers.layer(facing, number)
            assert (layer.facing, layer.index) == (facing, number)
            having = np.flatnonzero(((fronts, backs)[facing] > number).any(axis=1))
            assert layer.rows == (having[0], having[-1] + 1)
            layers.add(layer, reading(facing, number))
    counts = np.array([[len(pixel) for pixel in row] for row in image])
    truncated = counts > max_layers if max_layers is not None else np.zeros(counts.shape, bool)
    return layers.merge(truncated, max_layers), truncated


@pytest.fixture(autouse=True, params=[1, 12, None], ids=["a row", "12 pixels", "all"])
def _pixels_at_a_time(request, monkeypatch):
    """Bands of rows and blocks of crossings of different sizes yield the same result."""
    if request.param:
        monkeypatch.setattr("ddepth_gl.engines.raster.merging.BLOCK_SIZE", request.param)
        monkeypatch.setattr("ddepth_gl.engines.shared.crossing_keys.BLOCK_SIZE", request.param)
        monkeypatch.setattr("ddepth_gl.results.crossing_rows.BLOCK_SIZE", request.param)


def check(image: list[list[list[Crossing]]], max_layers: int | None = None) -> None:
    """Check that each pixel is sorted by (depth, face), and limited to `max_layers`."""
    merged, truncated = merge(image, max_layers)
    wanted = [sorted(pixel)[:max_layers] for row in image for pixel in row]
    np.testing.assert_array_equal(merged.offsets, np.cumsum([0, *map(len, wanted)]))
    flat = [crossing for pixel in wanted for crossing in pixel]
    np.testing.assert_array_equal(merged.depth, np.array([c[0] for c in flat], np.float32))
    np.testing.assert_array_equal(merged.face, np.array([c[1] for c in flat], np.int64))
    np.testing.assert_array_equal(
        merged.front_facing, np.array([c[2] == FRONT for c in flat], bool)
    )
    assert merged.truncated is truncated
    kinds = (merged.offsets, merged.depth, merged.face, merged.front_facing)
    assert [array.dtype.name for array in kinds] == ["int64", "float32", "int64", "bool"]
    assert merged.attributes == {}
    # The caller owns them, and they reference no other memory.
    assert all(array.flags.owndata and array.flags.c_contiguous for array in kinds)


def random_depths(rng: np.random.Generator, count: int, few: bool) -> list[float]:
    """Return float32 values: a few different ones, for many ties, or of any size."""
    if few:
        return rng.choice(
            np.float32([0.5, 1.0, np.nextafter(np.float32(1), np.float32(2)), 3.0]), count
        ).tolist()
    return rng.lognormal(0, 30, count).clip(1e-45, 3e38).astype(np.float32).tolist()


def random_image(
    rng, height, width, most=6, empty=0.3, few_depths=True
) -> list[list[list[Crossing]]]:
    """Return fronts and backs in any number and order; each face occurs once per pixel."""
    image = []
    for _ in range(height):
        row = []
        for _ in range(width):
            count = 0 if rng.random() < empty else int(rng.integers(0, most + 1))
            # Large indices, and small ones, for which face and facing share few bits.
            limit = 2**31 - 1 if rng.random() < 0.2 else 4 * most
            faces = rng.choice(np.arange(limit - 3 * most, limit), count, replace=False).tolist()
            facings = rng.integers(0, 2, count).tolist()
            row.append(
                list(zip(random_depths(rng, count, few_depths), faces, facings, strict=True))
            )
        image.append(row)
    return image


@pytest.mark.parametrize("max_layers", [None, 1, 2, 3, 5, 6, 7])
@pytest.mark.parametrize("few_depths", [True, False], ids=["ties", "any depths"])
def test_random_images(max_layers, few_depths):
    rng = np.random.default_rng([max_layers or 0, few_depths])
    for _ in range(8):
        check(random_image(rng, 7, 9, few_depths=few_depths), max_layers)


@pytest.mark.parametrize("facing", [FRONT, BACK])
@pytest.mark.parametrize("max_layers", [None, 1, 3])
def test_one_side_only(facing, max_layers):
    rng = np.random.default_rng(facing)
    image = [
        [[(d, f, facing) for d, f, _ in pixel] for pixel in row] for row in random_image(rng, 5, 6)
    ]
    check(image, max_layers)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (4, 5)])
def test_an_empty_image(shape):
    check([[[] for _ in range(shape[1])] for _ in range(shape[0])])
    check([[[] for _ in range(shape[1])] for _ in range(shape[0])], 1)


@pytest.mark.parametrize("where", [(0, 0), (0, 4), (3, 0), (3, 4), (2, 1)])
@pytest.mark.parametrize("facings", [(0,), (1,), (0, 1), (1, 0), (1, 1, 0), (0, 0, 1, 1)])
def test_a_single_pixel_with_any_crossing(where, facings):
    """At any position, the order is that of depth."""
    image: list[list[list[Crossing]]] = [[[] for _ in range(5)] for _ in range(4)]
    image[where[0]][where[1]] = [(1.0 + k, 9 - k, facing) for k, facing in enumerate(facings)]
    check(image)
    check(image, 1)


def test_ties_are_ordered_by_face():
    """Of a front and a back at one depth, the smaller index comes first."""
    check([[[(2.0, 5, BACK), (2.0, 4, FRONT), (2.0, 6, FRONT), (2.0, 3, BACK)], [(2.0, 7, FRONT)]]])


def test_consecutive_pixels_do_not_mix():
    """Each pixel's keys are below those of the previous one; some pixels are empty."""
    pixels: list[list[Crossing]] = [
        [],
        [(9.0, 1, FRONT), (9.5, 2, BACK)],
        [],
        [],
        [(5.0, 1, BACK)],
        [(4.0, 2, FRONT), (3.0, 0, BACK)],
        [(2.0, 3, FRONT), (2.5, 4, BACK), (2.7, 9, BACK)],
        [(1.0, 0, FRONT)],
        [],
    ]
    check([pixels])
    check([[pixel] for pixel in pixels])


@pytest.mark.parametrize("max_layers", [None, 4])
def test_a_large_image_in_which_few_pixels_are_out_of_order(max_layers):
    """Fronts and backs alternate, except at the first, the last and one more pixel."""
    rng = np.random.default_rng(5)
    image: list[list[list[Crossing]]] = [
        [
            [(k + 1.0 + rng.random(), k, k % 2) for k in range(2 * int(rng.integers(0, 4)))]
            for _ in range(60)
        ]
        for _ in range(40)
    ]
    for row, column in ((0, 0), (39, 59), (17, 23)):
        image[row][column] = [
            (1.0, 0, FRONT),
            (2.0, 1, FRONT),
            (3.0, 2, BACK),
            (3.0, 4, FRONT),
            (4.0, 3, BACK),
        ]
    check(_as_float32(image), max_layers)


def _as_float32(image):
    return [[[(float(np.float32(d)), f, s) for d, f, s in pixel] for pixel in row] for row in image]


pixels = st.lists(
    st.tuples(
        st.floats(2.0**-149, 2.0**127, width=32),
        st.integers(0, 2**31 - 1),
        st.sampled_from([FRONT, BACK]),
    ),
    max_size=7,
    unique_by=lambda crossing: crossing[1],
)


@settings(max_examples=100)
@given(
    columns=st.integers(1, 4),
    flat=st.lists(pixels, min_size=1, max_size=12),
    max_layers=st.one_of(st.none(), st.integers(1, 8)),
)
def test_any_image(columns, flat, max_layers):
    flat = (
        flat[: max(1, len(flat) // columns) * columns]
        if len(flat) >= columns
        else flat[:1] * columns
    )
    check([flat[start : start + columns] for start in range(0, len(flat), columns)], max_layers)
