"""EXR files, read back by the OpenEXR package, channel by channel."""

from __future__ import annotations

import math
import sys
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import OpenEXR
import pytest
from crossings import (
    ATTRIBUTES,
    camera_of,
    crossings_of,
    layers_of,
    random_layers,
    real_layers,
    real_mesh,
)
from shapes import inside_out, merged, peel, render, sphere, torus

import ddepth_gl as dd
from ddepth_gl.io.results.deep_exr import write_deep_exr
from ddepth_gl.io.results.exr import write_exr

NO_VALUE = 2**32 - 1
BASES = {
    "depth": "Z", "distance": "V", "face": "V", "front_facing": "V", "object_id": "V", "uv": "UV",
    "color": "RGBA", "shaded_color": "RGBA",
    **dict.fromkeys(("normal", "smooth_normal", "barycentric", "position"), "XYZ"),
}  # fmt: skip

COLORS = ("color", "shaded_color")


def parts_of(path):
    """Return (name, header, {channel: pixels}) of each part."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return [
            (part.name(), dict(part.header), {n: c.pixels for n, c in part.channels.items()})
            for part in file.parts
        ]


def columns(name, values):
    """Return {channel: values} of a quantity, by the documented names."""
    if len(BASES[name]) == 1:
        return {f"{name}.{BASES[name]}": values}
    return {f"{name}.{base}": values[..., i] for i, base in enumerate(BASES[name])}


def premultiplied(color):
    return np.concatenate([color[..., :3] * color[..., 3:], color[..., 3:]], -1)


def stored(values, fill=np.nan):
    """Return a quantity as a channel stores it."""
    if values.dtype.kind == "f":
        return np.where(np.isnan(values), np.float32(fill), values)
    return np.where(values < 0, NO_VALUE, values.astype(np.int64)).astype(np.uint32)


def without_truncation(layers):
    """Return the layers without truncated pixels."""
    return replace(layers, truncated=np.zeros_like(layers.truncated))


def random_maps(seed, orthographic=False, attributes=("face", *ATTRIBUTES)):
    """Return maps with misses in both sheets."""
    maps = without_truncation(random_layers(seed, orthographic)).entry_exit("any")
    holes = np.random.default_rng(seed).random((5, 7)) < 0.2
    return dd.DepthMaps(
        maps.entry,
        np.where(holes, np.float32(np.nan), maps.exit),
        maps.camera,
        {name: maps.attributes[name] for name in attributes},
    )


# Both sheets in one part


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("fill", [np.nan, 0.0, -1.5, np.inf])
def test_every_channel_of_maps(tmp_path, orthographic, fill):
    maps = random_maps(1, orthographic)
    assert np.isnan(maps.entry).any()
    assert (np.isnan(maps.exit) & ~np.isnan(maps.entry)).any()
    write_exr(tmp_path / "a.exr", maps, fill=fill)
    ((_, header, channels),) = parts_of(tmp_path / "a.exr")
    wanted = {"thickness.V": maps.thickness}
    for sheet in ("entry", "exit"):
        for name in ("depth", "distance", "face", *ATTRIBUTES):
            values = getattr(maps, sheet if name == "depth" else f"{sheet}_{name}")
            if name in COLORS:
                values = premultiplied(values)
            wanted |= {
                f"{sheet}.{channel}": plane for channel, plane in columns(name, values).items()
            }
    assert set(channels) == set(wanted)
    for name, values in wanted.items():
        np.testing.assert_array_equal(
            channels[name], stored(values, fill), strict=True, err_msg=name
        )
    np.testing.assert_equal(header["fill"], fill)
    if orthographic:
        np.testing.assert_array_equal(channels["exit.distance.V"], channels["exit.depth.Z"])


def test_maps_without_attributes(tmp_path):
    write_exr(tmp_path / "a.exr", random_maps(2, attributes=()))
    ((_, header, channels),) = parts_of(tmp_path / "a.exr")
    names = {"entry.depth.Z", "entry.distance.V", "exit.depth.Z", "exit.distance.V", "thickness.V"}
    assert set(channels) == names
    assert header["compression"] == OpenEXR.ZIP_COMPRESSION
    assert "truncated_pixels" not in header


def test_face_indices_are_exact_up_to_the_largest(tmp_path):
    maps = random_maps(3, attributes=("face",))
    maps.entry_face[0, 0] = NO_VALUE - 1
    maps.entry_face[0, 1] = 2**24 + 1  # the first integer that float32 cannot hold
    write_exr(tmp_path / "a.exr", maps)
    ((_, _, channels),) = parts_of(tmp_path / "a.exr")
    assert channels["entry.face.V"][0, :2].tolist() == [NO_VALUE - 1, 2**24 + 1]
    maps.entry_face[0, 0] = NO_VALUE
    with pytest.raises(dd.OutputError, match="face 4294967295 does not fit into the 32 bits"):
        write_exr(tmp_path / "b.exr", maps)
    assert not (tmp_path / "b.exr").exists()


def test_a_fill_that_float32_cannot_hold(tmp_path):
    with pytest.raises(dd.RequestError, match=r"fill must be .* not 1e\+39"):
        write_exr(tmp_path / "a.exr", random_maps(4), fill=1e39)


# The header


@pytest.mark.parametrize("orthographic", [False, True])
def test_the_header(tmp_path, orthographic):
    layers = random_layers(5, orthographic)
    write_exr(tmp_path / "flat.exr", layers)
    write_deep_exr(tmp_path / "deep.exr", layers, volumes=False)
    camera = layers.camera
    headers = [
        header for name in ("flat", "deep") for _, header, _ in parts_of(tmp_path / f"{name}.exr")
    ]
    assert len(headers) == 5 + 1
    for header in headers:
        np.testing.assert_array_equal(header["K"], camera.K, strict=True)
        np.testing.assert_array_equal(
            header["camera_from_world"], camera.camera_from_world, strict=True
        )
        assert header["is_orthographic"] == orthographic
        assert header["truncated_pixels"] == layers.truncated.sum() > 0
        assert header["software"].startswith("ddepth_gl 0.")
        assert "OpenCV" in header["conventions"]
        low, high = header["dataWindow"]
        assert (low.tolist(), high.tolist()) == ([0, 0], [6, 4])
        # OpenEXR's rule: row vectors, x right, y up, z forward.
        point = np.array([0.3, -0.4, 0.2])
        x, y, z = camera.camera_from_world[:3, :3] @ point + camera.camera_from_world[:3, 3]
        theirs = np.append(point, 1) @ header["worldToCamera"]
        np.testing.assert_allclose(theirs, [x, -y, z, 1], atol=1e-6)


# A part for each layer


@pytest.mark.parametrize("fill", [np.nan, 0.0, -np.inf])
def test_every_channel_of_layers(tmp_path, fill):
    layers = random_layers(6)
    assert layers.count.max() == 5
    write_exr(tmp_path / "a.exr", layers, fill=fill)
    parts = parts_of(tmp_path / "a.exr")
    assert [name for name, _, _ in parts] == [f"layer{number:02d}" for number in range(1, 6)]
    names = ("depth", "distance", "face", "front_facing", *ATTRIBUTES)
    wanted_channels = {f"{name}.{base}" for name in names for base in BASES[name]}
    rest = [set(np.ndindex(5, 7)) for _ in parts]
    for _, _, channels in parts:
        assert set(channels) == wanted_channels
    for row, column, layer, crossing in crossings_of(layers):
        channels = parts[layer][2]
        rest[layer].discard((row, column))
        for name in names:
            values = getattr(layers, name)
            if name in COLORS:
                values = premultiplied(values)
            for channel, plane in columns(name, values[crossing]).items():
                assert channels[channel][row, column] == plane
    for pixels, (_, _, channels) in zip(rest, parts, strict=True):
        assert pixels
        for channel, plane in channels.items():
            is_integer = channel in ("face.V", "front_facing.V", "object_id.V")
            assert plane.dtype == (np.uint32 if is_integer else np.float32)
            for pixel in pixels:
                np.testing.assert_equal(plane[pixel], NO_VALUE if is_integer else fill)


@pytest.mark.parametrize("count", [np.zeros((4, 3), int), [[0]], [[1]], [[2], [0]]])
def test_empty_and_small(tmp_path, count):
    layers = layers_of(count, np.random.default_rng(7), ("normal", "object_id"))
    write_exr(tmp_path / "a.exr", layers)
    parts = parts_of(tmp_path / "a.exr")
    assert len(parts) == max(1, np.max(count))
    for number, (_, _, channels) in enumerate(parts):
        there = layers.count > number
        np.testing.assert_array_equal(~np.isnan(channels["depth.Z"]), there)
        np.testing.assert_array_equal(channels["face.V"] != NO_VALUE, there)
        np.testing.assert_array_equal(channels["front_facing.V"] != NO_VALUE, there)
        np.testing.assert_array_equal(~np.isnan(channels["normal.Y"]), there)


# Deep


def samples_of(path):
    """Return the header, samples and dtypes by channel, and (H, W) counts.

    Samples are in the order of DepthLayers.
    """
    ((_, header, channels),) = parts_of(path)
    assert header["type"] == OpenEXR.deepscanline
    counts = {
        n: [0 if pixel is None else len(pixel) for pixel in p.ravel()] for n, p in channels.items()
    }
    assert len({tuple(count) for count in counts.values()}) == 1
    flat = {
        name: np.concatenate(
            [np.zeros(0)] + [pixel for pixel in pixels.ravel() if pixel is not None]
        )
        for name, pixels in channels.items()
    }
    kinds = {
        n: {p.dtype for p in pixels.ravel() if p is not None} for n, pixels in channels.items()
    }
    return header, flat, np.reshape(counts["Z"], channels["Z"].shape), kinds


@pytest.mark.parametrize("orthographic", [False, True])
def test_every_sample(tmp_path, orthographic):
    layers = random_layers(8, orthographic)
    write_deep_exr(tmp_path / "a.exr", layers, volumes=False)
    _, samples, counts, kinds = samples_of(tmp_path / "a.exr")
    np.testing.assert_array_equal(counts, layers.count)
    color = premultiplied(layers.color)
    wanted = {"Z": layers.depth, "id": layers.object_id, **dict(zip("RGBA", color.T, strict=True))}
    for name in ("distance", "face", "front_facing", *ATTRIBUTES):
        if name not in ("color", "object_id"):
            values = getattr(layers, name)
            wanted |= columns(name, premultiplied(values) if name in COLORS else values)
    assert set(samples) == set(wanted)
    for name, values in wanted.items():
        np.testing.assert_array_equal(samples[name], values, err_msg=name)
        kind = np.uint32 if name in ("id", "face.V", "front_facing.V") else np.float32
        assert kinds[name] == {np.dtype(kind)}
    if orthographic:
        np.testing.assert_array_equal(samples["distance.V"], samples["Z"])


def test_deep_without_attributes(tmp_path):
    layers = without_truncation(random_layers(9, attributes=()))
    write_deep_exr(tmp_path / "a.exr", layers)
    header, samples, _, _ = samples_of(tmp_path / "a.exr")
    assert set(samples) == {"Z", "ZBack", "A", "distance.V", "face.V", "front_facing.V"}
    assert (samples["A"] == 1).all()
    assert header["truncated_pixels"] == 0


def single_pixel(*crossings):
    """Return layers of one pixel; each crossing is (depth, front_facing)."""
    layers = without_truncation(layers_of([[len(crossings)]], np.random.default_rng(0), ()))
    for i, (depth, front) in enumerate(crossings):
        layers.depth[i], layers.front_facing[i] = depth, front
    return layers


@pytest.mark.parametrize(
    ("crossings", "back"),
    [
        ([(1, True), (2, False)], [2, 2]),
        ([(1, True), (2, False), (4, True), (5, False)], [2, 2, 5, 5]),
        ([(1, True), (2, True), (3, False), (4, False)], [2, 3, 4, 4]),  # nested, overlapping
        # Camera inside:
        ([(1, True), (2, False), (3, True), (4, False), (9, False)], [2, 3, 4, 9, 9]),
        ([(3, False)], [3]),
        ([(3, True), (3, False)], [3, 3]),
        ([], []),
    ],
)  # fmt: skip
def test_zback_is_where_the_solid_ends(tmp_path, crossings, back):
    write_deep_exr(tmp_path / "a.exr", single_pixel(*crossings))
    _, samples, _, _ = samples_of(tmp_path / "a.exr")
    assert samples["Z"].tolist() == [depth for depth, _ in crossings]
    assert samples["ZBack"].tolist() == back


def test_without_all_crossings_the_solid_is_unknown(renderer, tmp_path):
    mesh = torus(steps=24, sides=12)
    short = peel(renderer, mesh, camera_of(20, 15), max_layers=1)
    cropped = peel(renderer, mesh, camera_of(20, 15), near=3.5)
    for layers in (short, cropped):
        with pytest.raises(
            dd.OutputError, match=r"a\.exr: .* unknown; peel with.*, or write without volumes"
        ):
            write_deep_exr(tmp_path / "a.exr", layers)
        assert not list(tmp_path.iterdir())
        write_deep_exr(tmp_path / "b.exr", layers, volumes=False)
        header, samples, counts, _ = samples_of(tmp_path / "b.exr")
        (tmp_path / "b.exr").unlink()
        assert header["truncated_pixels"] == layers.truncated.sum()
        assert "ZBack" not in samples
        np.testing.assert_array_equal(counts, layers.count)
        assert counts.any()


@pytest.mark.parametrize("count", [np.zeros((4, 3), int), [[0]], [[1]], [[0, 3, 0]]])
def test_deep_empty_and_small(tmp_path, count):
    layers = without_truncation(layers_of(count, np.random.default_rng(10)))
    write_deep_exr(tmp_path / "a.exr", layers)
    _, samples, counts, _ = samples_of(tmp_path / "a.exr")
    np.testing.assert_array_equal(counts, count)
    np.testing.assert_array_equal(samples["Z"], layers.depth)
    np.testing.assert_array_equal(samples["face.V"], layers.face)


def test_alpha_stays_within_its_bounds(tmp_path):
    color = np.array([[0.5, 0.5, 0.5, 1.0000001], [0.5, 0.5, 0.5, -1e-8]], np.float32)
    layers = replace(single_pixel((1, True), (2, False)), attributes={"color": color})
    write_deep_exr(tmp_path / "a.exr", layers)
    _, samples, _, _ = samples_of(tmp_path / "a.exr")
    assert samples["A"].tolist() == [1, 0]


def test_a_deep_face_index_that_does_not_fit(tmp_path):
    layers = single_pixel((1, True), (2, False))
    layers.face[1] = NO_VALUE
    with pytest.raises(dd.OutputError, match="face 4294967295 does not fit"):
        write_deep_exr(tmp_path / "a.exr", layers)


# Real meshes


@pytest.mark.slow
def test_a_real_peel(renderer, tmp_path):
    layers = real_layers(renderer)
    write_exr(tmp_path / "flat.exr", layers)
    parts = parts_of(tmp_path / "flat.exr")
    assert len(parts) == layers.count.max() >= 6
    for name in ("depth", "distance", "face", *ATTRIBUTES):
        values = layers.dense(name)
        values = premultiplied(values) if name in COLORS else values
        for channel, plane in columns(name, values).items():
            stack = np.stack([channels[channel] for _, _, channels in parts])
            np.testing.assert_array_equal(stack, stored(plane), strict=True, err_msg=channel)
    # Looked up in the mesh, by the faces in the file.
    mesh = real_mesh()
    for _, _, channels in parts:
        hit = channels["face.V"] != NO_VALUE
        face = channels["face.V"][hit]
        np.testing.assert_array_equal(channels["object_id.V"][hit], mesh.object_id[face])
        assert set(channels["object_id.V"][~hit]) <= {NO_VALUE}
        normals = np.stack([channels[f"normal.{axis}"][hit] for axis in "XYZ"], 1)
        # Rounding moves a coordinate of a unit vector by at most 2**-25.
        # Ten times that for computing in float32.
        np.testing.assert_allclose(normals, mesh.face_normals()[face], atol=10 * 2.0**-25)
    write_deep_exr(tmp_path / "deep.exr", layers)
    _, samples, counts, _ = samples_of(tmp_path / "deep.exr")
    np.testing.assert_array_equal(counts, layers.count)
    for channel, values in zip("RGBA", premultiplied(layers.color).T, strict=True):
        np.testing.assert_array_equal(samples[channel], values)
    assert 0 < samples["A"].min() < 0.5 < samples["A"].max() <= 1
    np.testing.assert_array_equal(samples["id"], mesh.object_id[layers.face])
    front, back = samples["Z"], samples["ZBack"]
    assert (back >= front).all()
    assert (back > front).mean() > 0.4
    # Sorted, and no volume overlaps the next sample.
    same_pixel = layers.pixel[1:] == layers.pixel[:-1]
    assert (back[:-1] <= front[1:])[same_pixel].all()
    # Pieces that touch, joined, are the solid intervals of `DepthLayers.intervals`.
    ends = np.concatenate([[0], np.cumsum(counts)])
    for pixel in range(counts.size):
        pieces: list[tuple[float, float]] = []
        for crossing in range(ends[pixel], ends[pixel + 1]):
            piece = (float(front[crossing]), float(back[crossing]))
            if pieces and pieces[-1][1] == piece[0] and piece[1] > piece[0]:
                piece = (pieces.pop()[0], piece[1])
            if piece[1] > piece[0]:
                pieces.append(piece)
        assert pieces == [(a, b) for a, b in layers.intervals(pixel // 40, pixel % 40) if b > a]


def test_the_volume_of_a_hollow_sphere(renderer, tmp_path):
    # Independent reference: the sum of samples over an orthographic image is the mesh's volume.
    # Midpoint sums over pixels of size h miss at most the rim: its circumference times h times
    # the length of the chord there.
    hollow = merged(sphere(1.0, 60, 90), inside_out(sphere(0.5, 60, 90)))
    size, extent = 200, 2.2
    pose = np.eye(4)
    pose[2, 3] = 5
    layers = peel(renderer, hollow, dd.Camera.orthographic(extent, pose, size, size))
    write_deep_exr(tmp_path / "a.exr", layers)
    _, samples, _, _ = samples_of(tmp_path / "a.exr")
    pixel = (extent / size) ** 2
    volume = (samples["ZBack"] - samples["Z"]).sum() * pixel
    exact = 4 / 3 * math.pi * (1 - 0.125)
    # Faces lie below the sphere by the sagitta of half a cell's diagonal, on both spheres.
    flat = 4 * math.pi * 1.25 * (1 - math.cos(0.5 * math.hypot(math.pi / 60, 2 * math.pi / 90)))
    rim = sum(
        2 * math.pi * r * (extent / size) * 2 * math.sqrt(2 * r * extent / size) for r in (1, 0.5)
    )
    assert abs(volume - exact) <= flat + rim * extent / size
    assert flat + rim * extent / size < 0.02 * exact


def test_real_maps(renderer, tmp_path):
    maps = render(renderer, real_mesh(), camera_of(37, 23), attributes=("face", *ATTRIBUTES))
    write_exr(tmp_path / "a.exr", maps)
    ((_, _, channels),) = parts_of(tmp_path / "a.exr")
    assert 0 < maps.mask.sum() < maps.mask.size
    np.testing.assert_array_equal(channels["entry.depth.Z"], maps.entry, strict=True)
    np.testing.assert_array_equal(channels["exit.distance.V"], maps.exit_distance, strict=True)
    np.testing.assert_array_equal(
        channels["exit.face.V"].astype(np.int32), maps.exit_face
    )  # a miss is -1
    for name in ATTRIBUTES:
        for sheet in ("entry", "exit"):
            values = getattr(maps, f"{sheet}_{name}")
            values = premultiplied(values) if name in COLORS else values
            for channel, plane in columns(name, values).items():
                np.testing.assert_array_equal(
                    channels[f"{sheet}.{channel}"], stored(plane), strict=True
                )


def test_sheets_are_not_copied(tmp_path):
    image = np.full((500, 600), 2, np.float32)  # the compressed file takes almost no memory
    maps = dd.DepthMaps(image, image, camera_of(600, 500), {})
    tracemalloc.start()
    write_exr(tmp_path / "a.exr", maps)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Computing two distances and the thickness takes at most 6 images.
    # A copy of a depth would be one more.
    assert peak < 6.5 * image.nbytes


# Errors


@pytest.mark.parametrize("write", [write_exr, write_deep_exr])
def test_without_the_package(tmp_path, monkeypatch, write):
    layers = without_truncation(random_layers(11))
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(dd.OutputError, match=r'pip install "ddepth-gl\[exr\]"'):
        write(tmp_path / "a.exr", layers)
    monkeypatch.setitem(sys.modules, "OpenEXR", SimpleNamespace(__version__="3.4.11"))
    with pytest.raises(dd.OutputError, match=r"needs OpenEXR 3\.5 or later, not 3\.4\.11"):
        write(tmp_path / "a.exr", layers)


@pytest.mark.parametrize("write", [write_exr, write_deep_exr])
def test_unwritable(tmp_path, write):
    with pytest.raises(dd.OutputError, match=r"missing/a\.exr cannot be written"):
        write(tmp_path / "missing" / "a.exr", without_truncation(random_layers(12)))
    (tmp_path / "a.exr").mkdir()
    with pytest.raises(dd.OutputError, match="is a folder"):
        write(tmp_path / "a.exr", without_truncation(random_layers(12)))
