"""Decoding of samples that may come from anywhere: damage is an error that names the file."""

from __future__ import annotations

import io
import json
import zipfile

import imageio.v3 as iio
import numpy as np
import pytest
from dataset_samples import (
    ALL_LAYOUTS,
    ALL_OUTPUTS,
    config_of,
    equal,
    nested_boxes,
    samples_of,
    written,
)

import ddepth_gl as dd
from ddepth_gl.dataset.decoding import decoded_layers, decoded_maps, decoded_sample
from ddepth_gl.io.results.archive_writer import archive_bytes


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    entry, path = written(tmp_path_factory.mktemp("mesh"), nested_boxes())
    with dd.DepthRenderer() as renderer:
        return {
            codec: samples_of(
                renderer,
                config_of((24, 20), 1, outputs=ALL_OUTPUTS, layouts=ALL_LAYOUTS, codec=codec),
                entry,
                path,
            )[0].files
            for codec in ("packed", "png16", "exr")
        }


def endings_of(samples):
    return [(codec, ending) for codec, files in samples.items() for ending in files]


def test_truncated_files_are_errors_that_name_the_file(samples):
    for codec, ending in endings_of(samples):
        content = samples[codec][ending]
        for size in (0, 10, len(content) // 2, len(content) - 1):
            files = {**samples[codec], ending: content[:size]}
            with pytest.raises(dd.DatasetError, match=rf"^{ending}: |^the sample lacks"):
                decoded_sample(files)


def test_changed_bytes_raise_nothing_but_dataset_errors(samples):
    rng = np.random.default_rng(1)
    caught = 0
    for codec, ending in endings_of(samples):
        for _ in range(6):
            content = bytearray(samples[codec][ending])
            content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
            try:
                decoded_sample({**samples[codec], ending: bytes(content)})
            except dd.DatasetError:
                caught += 1
    assert caught > 100


def test_images_of_another_size_are_errors(samples):
    about = json.loads(samples["packed"]["json"])
    about["camera"]["width"] += 1
    for codec, ending in endings_of(samples):
        if ending not in ("json", "points.ply", "objects.npz"):
            files = {ending: samples[codec][ending], "json": json.dumps(about).encode()}
            with pytest.raises(dd.DatasetError, match=rf"^{ending}: "):
                decoded_sample(files)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[1]", b"{}", b"[" * 100_000, b'{"camera": 1}', b'{"camera": {"K": []}}', b"\xff"],
)
def test_json_that_holds_no_camera_is_an_error(text):
    with pytest.raises(dd.DatasetError, match=r"^json: .*; |^the sample lacks"):
        decoded_sample({"json": text})


def test_a_camera_too_large_is_an_error(samples):
    about = json.loads(samples["packed"]["json"])
    about["camera"].update(width=1 << 16, height=1 << 16)
    with pytest.raises(dd.DatasetError, match=r"^json: .*too large"):
        decoded_sample({"json": json.dumps(about).encode()})
    about["camera"].update(width=1 << 13, height=1 << 13)
    files = {"json": json.dumps(about).encode(), "xray.npz": samples["packed"]["xray.npz"]}
    with pytest.raises(dd.DatasetError, match=r"^xray.npz: is of too many pixels"):
        decoded_sample(files)


def test_a_lack_of_the_json_is_an_error(samples):
    files = {name: data for name, data in samples["packed"].items() if name != "json"}
    with pytest.raises(dd.DatasetError, match="lacks its json file"):
        decoded_sample(files)


def test_pickles_are_not_read(samples):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, archive.open("entry.npy", "w") as member:
        np.lib.format.write_array(member, np.array([print], object), allow_pickle=True)
    with pytest.raises(dd.DatasetError, match=r"^sheets.npz: 'entry' must be float32"):
        decoded_sample({**samples["packed"], "sheets.npz": stream.getvalue()})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("offsets", lambda array: array[::-1]),
        ("offsets", lambda array: array + 1),
        ("offsets", lambda array: array[:-1]),
        ("pixel", lambda array: array - 10_000),
        ("pixel", lambda array: array + 24 * 20),
    ],
)
def test_objects_outside_the_image_are_errors(samples, name, change):
    with np.load(io.BytesIO(samples["packed"]["objects.npz"])) as file:
        arrays = dict(file)
    arrays[name] = change(arrays[name])
    with pytest.raises(dd.DatasetError, match=r"^objects.npz: has offsets or pixels"):
        decoded_sample({**samples["packed"], "objects.npz": archive_bytes(arrays)})


@pytest.mark.parametrize("name", ["indices", "indptr"])
def test_xray_indices_outside_the_image_are_errors(samples, name):
    with np.load(io.BytesIO(samples["packed"]["xray.npz"])) as file:
        arrays = dict(file)
    arrays[name] = arrays[name] + 16 * 7 * 24 * 20
    with pytest.raises(dd.DatasetError, match=r"^xray.npz: has indices"):
        decoded_sample({**samples["packed"], "xray.npz": archive_bytes(arrays)})


def test_a_photo_without_alpha_is_a_photo(samples):
    image = np.zeros((20, 24, 3), np.uint8)
    photo = iio.imwrite("<bytes>", image, extension=".png")
    files = {"json": samples["packed"]["json"], "photo.png": photo}
    assert decoded_sample(files)["photo"].shape == image.shape


def test_unknown_files_are_left_out(samples):
    files = {**samples["packed"], "caption.txt": b"a box"}
    assert set(decoded_sample(files)) == set(decoded_sample(samples["packed"]))


def test_maps_and_layers_are_objects(samples):
    for files in samples.values():
        arrays = decoded_sample(files)
        maps = decoded_maps(files)
        assert equal(maps.entry, arrays["entry"])
        assert equal(maps.exit_normal, arrays["exit_normal"])
        assert equal(decoded_layers(files["layers.npz"]).depth, arrays["layers_depth"])
        assert (arrays["K"] == maps.camera.K).all()


def test_maps_of_a_sample_without_depth_are_an_error(samples):
    files = {name: samples["packed"][name] for name in ("photo.png", "json")}
    with pytest.raises(dd.DatasetError, match="no entry and exit"):
        decoded_maps(files)


def test_layers_in_the_wrong_file_are_an_error(samples):
    with pytest.raises(dd.DatasetError, match=r"^layers.npz: holds sheets"):
        decoded_layers(samples["packed"]["sheets.npz"])
