"""Packed arrays: the same bits again, with the package and with the documented lines of NumPy."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import numpy as np
import pytest
from crossings import random_layers, real_layers, real_mesh
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import ddepth_gl as dd
from ddepth_gl.io.results import packing
from ddepth_gl.io.results.packing import from_layers, pack, packed_shape, to_layers, unpack

CAMERA = dd.Camera.look_at((3, -2, 1.5), (0.1, 0, 0), fov_y_deg=50, width=37, height=23)
SMOOTH = ("smooth_normal", "barycentric", "uv", "position")


def by_definition(array, has_channels):
    """Return an array packed, in Python's integers, pixel by pixel."""
    image = np.moveaxis(array, -1, 0) if has_channels else array[None]
    bits = image.view(np.uint32).astype(object)
    planes = np.zeros((4, *image.shape), np.uint8)
    for index in np.ndindex(image.shape):
        channel, *place = index
        predicted = 0
        for axes in [(0,)] if len(place) == 1 else [(0,), (1,), (0, 1)]:
            at = [number - (axis in axes) for axis, number in enumerate(place)]
            if min(at) >= 0:
                predicted += (-1) ** (len(axes) + 1) * bits[(channel, *at)]
        difference = (bits[index] - predicted + 0x808080) % 2**32
        for byte in range(4):
            planes[(byte, *index)] = difference >> 8 * byte & 255
    return planes if has_channels else planes[:, 0]


@given(st.data())
def test_packing_any_bits(data):
    has_channels = data.draw(st.booleans())
    image = data.draw(npst.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=6))
    shape = (*image, data.draw(st.integers(1, 3))) if has_channels else image
    bits = data.draw(npst.arrays(np.uint32, shape))
    array = bits.view(np.float32)
    planes = pack(array, has_channels)
    assert planes.shape == packed_shape(shape, has_channels)
    np.testing.assert_array_equal(planes, by_definition(array, has_channels), strict=True)
    again = unpack(planes, has_channels)
    np.testing.assert_array_equal(again.view(np.uint32), bits, strict=True)
    assert again.flags.c_contiguous
    assert again.flags.writeable
    planes.flags.writeable = False  # as read from a file
    assert unpack(planes, has_channels).tobytes() == array.tobytes()


def test_packing_leaves_the_array_alone():
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    before = array.copy()
    assert unpack(pack(array.T)).tolist() == before.T.tolist()
    assert unpack(pack(array, True), True).tolist() == before.tolist()
    np.testing.assert_array_equal(array, before)


@given(
    npst.arrays(np.int64, st.integers(0, 20), elements=st.integers(0, 9)),
    st.sampled_from([1, 3, 8, 1 << 16]),
)
def test_the_order_of_layers(counts, block_size):
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    wanted = [
        offsets[pixel] + layer
        for layer in range(max(counts, default=0))
        for pixel, count in enumerate(counts)
        if count > layer
    ]
    values = np.random.default_rng(1).random((len(wanted), 3), np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_BLOCK_SIZE", block_size)
        for array in (values, values[:, 0]):
            ordered = to_layers(array, offsets)
            np.testing.assert_array_equal(ordered, array[np.array(wanted, int)], strict=True)
            again = from_layers(ordered, offsets)
            np.testing.assert_array_equal(again, array, strict=True)


def test_the_order_of_more_layers_than_16_bits_hold():
    offsets = np.array([0, 1, 70_001, 70_003])
    order = to_layers(np.arange(70_003, dtype=np.float32), offsets)
    assert order[:5].tolist() == [0, 1, 70_001, 2, 70_002]
    np.testing.assert_array_equal(order[5:], np.arange(3, 70_001))


@pytest.fixture
def maps(renderer):
    scene = renderer.upload(real_mesh())
    yield renderer.entry_exit(scene, CAMERA, attributes=("face", "normal", *SMOOTH))
    scene.release()


def test_what_a_packed_file_holds(maps, tmp_path):
    dd.write_npz(tmp_path / "maps.npz", maps)
    with np.load(tmp_path / "maps.npz", allow_pickle=False) as file:
        names = {"entry", "exit", *(f"{s}_{name}" for s in ("entry", "exit") for name in SMOOTH)}
        packed = {name for name in file.files if name.endswith("_packed")}
        assert packed == {f"{name}_packed" for name in names}
        assert {"entry_face", "exit_face", "entry_normal", "exit_normal"} <= set(file.files)
        derived = {"entry_distance", "exit_distance", "thickness", "mask"}
        assert not {name.removesuffix("_packed") for name in file.files} & derived
        assert file["entry_packed"].shape == (4, 23, 37)
        assert file["entry_uv_packed"].shape == (4, 2, 23, 37)
        for name in packed:
            array = getattr(maps, name.removesuffix("_packed"))
            wanted = by_definition(array, array.ndim > 2)
            np.testing.assert_array_equal(file[name], wanted, strict=True)


def documented_lines():
    """Return the lines in write_npz's docstring that compute ``entry``."""
    # Python 3.13 removes the indentation of docstrings itself.
    text = inspect.cleandoc(dd.write_npz.__doc__)
    (block,) = re.findall(r"NumPy alone ``entry`` is::\n\n((?: {4}.*\n)+)", text)
    return [line.strip() for line in block.splitlines()]


def test_numpy_alone_unpacks_entry_and_exit(maps, tmp_path):
    """With the lines of the docstring, in a process that cannot import the package."""
    dd.write_npz(tmp_path / "maps.npz", maps)
    entry = documented_lines()
    exit_ = [line.replace("entry", "exit") for line in entry]
    lines = ["import sys", "sys.modules['ddepth_gl'] = None", "import numpy as np"]
    lines += [f"file = np.load({str(tmp_path / 'maps.npz')!r})", *entry, *exit_]
    lines += ["sys.stdout.buffer.write(entry.tobytes() + exit.tobytes())"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, check=True, timeout=60
    )
    assert done.stdout == maps.entry.tobytes() + maps.exit.tobytes()


def test_numpy_alone_unpacks_layers(renderer, tmp_path):
    layers = real_layers(renderer)
    dd.write_npz(tmp_path / "layers.npz", layers)
    with np.load(tmp_path / "layers.npz") as file:
        count = file["count"]
        d = np.stack(file["depth_packed"], -1).view("<u4")[..., 0] - np.uint32(0x808080)
        depth = d.cumsum(-1, "<u4").view("<f4")
    stack = np.full((count.max(), *count.shape), np.nan, np.float32)
    start = 0
    for k, image in enumerate(stack):
        stop = start + (count > k).sum()
        image[count > k] = depth[start:stop]
        start = stop
    np.testing.assert_array_equal(stack, layers.dense("depth"), strict=True)


def test_the_file_itself_tells_how_to_unpack(tmp_path):
    sheet = np.full((23, 37), 2, np.float32)
    for compression, is_told in (("packed", True), ("deflate", False), ("none", False)):
        dd.write_npz(
            tmp_path / "m.npz", dd.DepthMaps(sheet, sheet + 1, CAMERA), compression=compression
        )
        with np.load(tmp_path / "m.npz") as file:
            assert ("NAME_packed holds" in str(file["conventions"])) == is_told
            if is_told:
                for part in ("np.stack(packed, -1).view('<u4')", "np.uint32(0x808080)"):
                    assert part in str(file["conventions"])


def test_faces_that_do_not_fit_into_32_bits(tmp_path):
    sheet = np.ones((1, 2), np.float32)
    camera = dd.Camera.orthographic(2.0, np.eye(4), 2, 1)
    for largest, dtype in ((2**31 - 1, np.int32), (2**31, np.int64)):
        face = np.array([[largest, -1]])
        dd.write_npz(tmp_path / "m.npz", dd.DepthMaps(sheet, sheet, camera, {"face": (face, face)}))
        with np.load(tmp_path / "m.npz") as file:
            assert file["entry_face"].dtype == dtype
        again = dd.load_npz(tmp_path / "m.npz").entry_face
        np.testing.assert_array_equal(again, face, strict=True)


def test_compression_of_smooth_depth(renderer, tmp_path):
    """On a real surface, packing must pay: half of deflate, which is less than nothing at all."""
    scene = renderer.upload(real_mesh())
    camera = dd.Camera.look_at((3, -2, 1.5), (0.1, 0, 0), fov_y_deg=50, width=256, height=256)
    results = [renderer.entry_exit(scene, camera), renderer.peel(scene, camera)]
    scene.release()
    for result in results:
        sizes = []
        for compression in ("packed", "deflate", "none"):
            dd.write_npz(tmp_path / "m.npz", result, compression=compression)
            sizes.append((tmp_path / "m.npz").stat().st_size)
        assert sizes[0] < 0.7 * sizes[1] < 0.35 * sizes[2], sizes


@pytest.mark.parametrize("options", [{}, {"compression": "deflate"}, {"compression": "none"}])
def test_the_same_result_yields_the_same_bytes(tmp_path, options):
    for name in ("one.npz", "two.npz"):
        dd.write_npz(tmp_path / name, random_layers(2), **options)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"compression": "zip"}, "compression must be 'packed' or 'deflate' or 'none', not 'zip'"),
        ({"compression": None}, "compression must be"),
        ({"derived": 1}, "derived must be True or False, not 1"),
        ({"tolerance": 1.0}, "tolerance must be a relative error from 0 to below 1, such as 1e-4"),
        ({"tolerance": -1e-9}, "tolerance must be a relative error"),
        ({"tolerance": np.nan}, "tolerance must be a relative error"),
        ({"tolerance": "much"}, "tolerance must be a number, not 'much'"),
    ],
)
def test_bad_options(tmp_path, options, words):
    with pytest.raises(dd.RequestError) as caught:
        dd.write_npz(tmp_path / "m.npz", random_layers(2), **options)
    assert words in str(caught.value)
    assert not list(tmp_path.iterdir())
