"""EXR files of one quantity each: read by OpenCV, by imageio's plugin for it, and by OpenEXR."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import OpenEXR
import pytest
from crossings import ATTRIBUTES
from test_exr import premultiplied, random_layers, random_maps

import ddepth_gl as dd

COLORS = ("color", "shaded_color")

# OpenCV reads EXR only if the variable is set when it is imported.
READ = """
import sys
import cv2
import imageio.v3 as iio
import numpy as np

def by_opencv(path):
    image = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    return image if image.ndim == 2 else image[..., [2, 1, 0, 3][:image.shape[2]]]

def by_imageio(path):
    return iio.imread(path, plugin="opencv", flags=cv2.IMREAD_UNCHANGED)

for path in sys.argv[1:]:
    for name, read in (("opencv", by_opencv), ("imageio", by_imageio)):
        np.save(f"{path}.{name}.npy", np.ascontiguousarray(read(path)))
"""


def layers_of(seed):
    """Return random layers with indices that float32 holds."""
    layers = random_layers(seed)
    attributes = {
        name: values if values.dtype.kind == "f" else values % 2**24
        for name, values in layers.attributes.items()
    }
    return replace(layers, face=layers.face % 2**24, attributes=attributes)


def maps_of(seed, attributes=("face", *ATTRIBUTES)):
    """Return random maps with indices that float32 holds."""
    maps = random_maps(seed, attributes=attributes)
    smaller = {
        name: [
            values if values.dtype.kind == "f" else np.where(values < 0, -1, values % 2**24)
            for values in pair
        ]
        for name, pair in maps.attributes.items()
    }
    return replace(maps, attributes={name: tuple(pair) for name, pair in smaller.items()})


def bits(array):
    return np.ascontiguousarray(array).view(np.uint32)


def wanted_from(values, name, fill):
    """Return a quantity as it must be read back, from the arrays of a result."""
    if values.dtype.kind != "f":
        return values.astype(np.float32)
    values = premultiplied(values) if name in COLORS else values
    values = np.where(np.isnan(values), np.float32(fill), values)
    return np.concatenate((values, np.zeros_like(values[..., :1])), -1) if name == "uv" else values


def wanted_of_maps(maps, fill):
    wanted = {"thickness": maps.thickness}
    for sheet in ("entry", "exit"):
        for name in ("depth", "distance", "face", *ATTRIBUTES):
            ending = sheet if name == "depth" else f"{sheet}_{name}"
            wanted[ending] = wanted_from(getattr(maps, ending), name, fill)
    wanted["thickness"] = wanted_from(maps.thickness, "thickness", fill)
    return {f"a_{ending}.exr": values for ending, values in wanted.items()}


def wanted_of_layers(layers, fill):
    """Scatter the crossings into images, one loop step per crossing."""
    shape = layers.count.shape
    wanted = {}
    for name in ("depth", "distance", "face", "front_facing", *ATTRIBUTES):
        values = getattr(layers, name)
        is_float = values.dtype.kind == "f"
        for number in range(int(layers.count.max())):
            image = np.full(
                (*shape, *values.shape[1:]),
                np.nan if is_float else -1,
                np.float32 if is_float else int,
            )
            for pixel in range(layers.count.size):
                start, stop = layers.offsets[pixel : pixel + 2]
                if start + number < stop:
                    image[pixel // shape[1], pixel % shape[1]] = values[start + number]
            wanted[f"a_layer{number + 1:02d}_{name}.exr"] = wanted_from(image, name, fill)
    return wanted


def read_by_openexr(path):
    """Return the only part of a file as an array, and its header."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        (part,) = file.parts
        channels = {name: channel.pixels for name, channel in part.channels.items()}
        header = dict(part.header)
    assert set(channels) in ({"Y"}, {"R", "G", "B"}, {"R", "G", "B", "A"})
    assert {plane.dtype for plane in channels.values()} == {np.dtype(np.float32)}
    if "Y" in channels:
        return channels["Y"], header
    return np.stack([channels[name] for name in "RGBA" if name in channels], -1), header


@pytest.mark.parametrize("fill", [np.nan, -1.5])
@pytest.mark.parametrize("kind", ["maps", "layers"])
def test_every_file(tmp_path, kind, fill):
    if kind == "maps":
        result = maps_of(1)
        wanted = wanted_of_maps(result, fill)
        assert np.isnan(result.entry).any()
    else:
        result = layers_of(1)
        wanted = wanted_of_layers(result, fill)
        assert (result.count == 0).any()
    written = dd.write_exr_files(tmp_path / "a", result, fill=fill)
    assert sorted(path.name for path in written) == sorted(wanted)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(wanted)
    for path in written:
        array, header = read_by_openexr(path)
        np.testing.assert_array_equal(bits(array), bits(wanted[path.name]), err_msg=path.name)
        np.testing.assert_equal(header["fill"], fill)
        np.testing.assert_array_equal(header["K"], result.camera.K)
        np.testing.assert_array_equal(header["camera_from_world"], result.camera.camera_from_world)
        assert ("truncated_pixels" in header) == (kind == "layers")


@pytest.mark.skipif(importlib.util.find_spec("cv2") is None, reason="needs opencv-python-headless")
@pytest.mark.parametrize("fill", [np.nan, -1.5])
@pytest.mark.parametrize("kind", ["maps", "layers"])
def test_opencv_and_imageio_read_every_bit(tmp_path, kind, fill):
    result = maps_of(2) if kind == "maps" else layers_of(2)
    wanted = (wanted_of_maps if kind == "maps" else wanted_of_layers)(result, fill)
    written = dd.write_exr_files(tmp_path / "a", result, fill=fill)
    subprocess.run(
        [sys.executable, "-c", READ, *map(str, written)],
        check=True,
        env={**os.environ, "OPENCV_IO_ENABLE_OPENEXR": "1"},
    )
    for path in written:
        for reader in ("opencv", "imageio"):
            found = np.load(f"{path}.{reader}.npy")
            assert found.dtype == np.float32
            np.testing.assert_array_equal(bits(found), bits(wanted[path.name]), err_msg=path.name)


def test_extreme_values(tmp_path):
    camera = maps_of(1).camera
    extremes = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 1e38, 1.0], np.float32)
    entry = np.tile(extremes, (camera.height, 1))[:, : camera.width]
    maps = dd.DepthMaps(entry, entry, camera)
    dd.write_exr_files(tmp_path / "a", maps)
    np.testing.assert_array_equal(bits(read_by_openexr(tmp_path / "a_entry.exr")[0]), bits(entry))


def test_layers_without_any_crossing(tmp_path):
    layers = layers_of(1)
    empty = dd.DepthLayers(
        np.zeros_like(layers.offsets),
        layers.depth[:0],
        layers.face[:0],
        layers.front_facing[:0],
        layers.truncated & False,
        layers.camera,
    )
    written = dd.write_exr_files(tmp_path / "a", empty)
    names = ["depth", "distance", "face", "front_facing"]
    assert [path.name for path in written] == [f"a_layer01_{name}.exr" for name in names]
    assert np.isnan(read_by_openexr(written[0])[0]).all()
    assert (read_by_openexr(written[3])[0] == -1).all()


@pytest.mark.parametrize("index", [2**24, 2**24 + 1])
def test_indices_are_exact_or_refused(tmp_path, index):
    maps = maps_of(1, attributes=("face",))
    face = maps.entry_face.copy()
    face[0, 0] = index
    changed = dd.DepthMaps(maps.entry, maps.exit, maps.camera, {"face": (face, maps.exit_face)})
    if index <= 2**24:
        dd.write_exr_files(tmp_path / "a", changed)
        assert read_by_openexr(tmp_path / "a_entry_face.exr")[0][0, 0] == index
    else:
        with pytest.raises(
            dd.OutputError, match=r"face 16777217 is not exact in float32.*write_exr"
        ):
            dd.write_exr_files(tmp_path / "a", changed)


def test_files_of_an_earlier_call_are_removed(tmp_path):
    kept = ["a_entry_notes.exr", "a_layer01.exr", "a_entry.png", "b_entry_face.exr", "a_layers.exr"]
    for name in kept:
        (tmp_path / name).write_bytes(b"mine")
    dd.write_exr_files(tmp_path / "a", maps_of(1))
    dd.write_exr_files(tmp_path / "a", layers_of(1))
    plain = maps_of(1, attributes=())
    of_maps = [path.name for path in dd.write_exr_files(tmp_path / "a", plain)]
    one = layers_of(1)
    of_layers = [
        path.name
        for path in dd.write_exr_files(
            tmp_path / "a", dd.DepthLayers(
                np.minimum(one.offsets, 1), one.depth[:1], one.face[:1], one.front_facing[:1],
                one.truncated, one.camera,
            )
        )
    ]  # fmt: skip
    assert len(of_maps) == 5
    assert len(of_layers) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept + of_maps + of_layers)


def test_the_extension_may_be_given(tmp_path):
    maps = maps_of(1, attributes=())
    names = [path.name for path in dd.write_exr_files(tmp_path / "a.b.exr", maps)]
    assert names == [path.name for path in dd.write_exr_files(tmp_path / "a.b", maps)]
    assert names[0] == "a.b_entry.exr"
