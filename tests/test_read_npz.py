"""load_npz: results as they were written, bit for bit, and files from anywhere."""

from __future__ import annotations

import gc
import io
import os
import re
import resource
import tracemalloc
import zipfile
from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest
from crossings import ATTRIBUTES, by_hand, layers_of, random_layers, real_layers, real_mesh
from shapes import box

import ddepth_gl as dd
from ddepth_gl.results.mesh_facts import StoredFacts

PACKED = {"compression": "packed"}
# Options that store every array as it is.
PLAIN = {"compression": "deflate", "derived": True}
CAMERA = dd.Camera.look_at((3, -2, 1.5), (0.1, 0, 0), fov_y_deg=50, width=37, height=23)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "result.npz"


def bits_of(result):
    """Return the type, shape and bytes of every array of a result, the camera and the rest."""
    found = {}
    for each in fields(result):
        value = getattr(result, each.name)
        if isinstance(value, np.ndarray):
            found[each.name] = value
        elif each.name == "attributes":
            for name, arrays in value.items():
                pair = arrays if isinstance(arrays, tuple) else (arrays,)
                found |= {f"{name} {index}": array for index, array in enumerate(pair)}
    camera = result.camera
    found |= {"K": camera.K, "pose": camera.camera_from_world}
    about = [camera.width, camera.height, camera.is_orthographic, camera.name, result.provenance]
    if isinstance(result, dd.DepthLayers):
        about += [result.is_oriented, result.is_cropped, result.is_complete]
        about += [result.oriented_objects]
    arrays = {name: (each.dtype, each.shape, each.tobytes()) for name, each in found.items()}
    return type(result), arrays, about


def assert_same(one, other):
    assert bits_of(one) == bits_of(other)
    for each in fields(other):
        value = getattr(other, each.name)
        if isinstance(value, np.ndarray):
            assert value.flags.c_contiguous
            assert value.flags.writeable


# Round trips


def rendered(renderer, mesh, camera, **options):
    scene = renderer.upload(mesh)
    try:
        yield renderer.entry_exit(scene, camera, **options)
        yield renderer.entry_exit(scene, camera, attributes=("face", *ATTRIBUTES), **options)
        yield renderer.peel(scene, camera, **options)
        yield renderer.peel(scene, camera, attributes=ATTRIBUTES, max_layers=3, **options)
        yield renderer.peel(scene, camera, attributes=("uv",), **options).rows(5, 9)
    finally:
        scene.release()


@pytest.mark.parametrize("fill", [np.nan, 0.0, -0.0, 1.0, -np.inf])
@pytest.mark.parametrize("orthographic", [False, True])
def test_rendered_results(renderer, path, orthographic, fill):
    camera = replace(CAMERA, name="view ü 1.png")
    if orthographic:
        camera = replace(
            dd.Camera.orthographic((3, 2), CAMERA.camera_from_world, 37, 23), name="flat"
        )
    choices = [
        {"compression": compression, "derived": derived}
        for compression in ("packed", "deflate", "none")
        for derived in (False, True)
    ]
    for result, options in product(rendered(renderer, real_mesh(), camera), choices):
        dd.write_npz(path, result, fill=fill, **options)
        again = dd.load_npz(path)
        assert_same(result, again)
        assert again.camera == camera or result.camera.height == 4
        if isinstance(result, dd.DepthMaps):
            assert again.thickness.tobytes() == result.thickness.tobytes()
            assert again.mask.any()
        else:
            assert again.distance.tobytes() == result.distance.tobytes()
            assert again.count.any()


def test_what_follows_from_layers(renderer, path):
    layers = real_layers(renderer)
    dd.write_npz(path, layers)
    again = dd.load_npz(path)
    assert again.is_oriented
    assert again.solid_length.tobytes() == layers.solid_length.tobytes()
    assert again.entry_exit().entry.tobytes() == layers.entry_exit().entry.tobytes()
    assert again.dense("color").tobytes() == layers.dense("color").tobytes()


def test_layers_that_near_and_far_cropped(renderer, path):
    scene = renderer.upload(box())
    layers = renderer.peel(scene, CAMERA, near=0.1, far=3.5)
    scene.release()
    dd.write_npz(path, layers)
    again = dd.load_npz(path)
    assert_same(layers, again)
    assert again.is_cropped
    with pytest.raises(dd.RequestError, match="near or far cut crossings off"):
        again.solid_length  # noqa: B018


def test_a_swapped_silhouette_is_repaired_after_loading(path):
    camera = dd.Camera.look_at((0, 0, 4), (0, 0, 0), (0, 1, 0), width=3, height=1)
    layers = dd.DepthLayers(
        offsets=[0, 0, 2, 2],
        depth=np.array([4.0, 4.001], np.float32),
        face=[0, 1],
        front_facing=[False, True],
        truncated=np.zeros((1, 3), bool),
        camera=camera,
        _facts=StoredFacts(is_oriented=True),
    )
    dd.write_npz(path, layers)
    maps = dd.load_npz(path).entry_exit()
    assert maps.entry[0, 1] == maps.exit[0, 1] == (np.float32(4.0) + np.float32(4.001)) / 2


@pytest.mark.parametrize("count", [np.zeros((4, 3), int), [[0]], [[1]], [[0, 40]]])
def test_layers_empty_and_small(path, count):
    layers = layers_of(count, np.random.default_rng(4))
    dd.write_npz(path, layers)
    assert_same(layers, dd.load_npz(path))


@pytest.mark.parametrize("fill", [2.0, 0.0])
def test_values_that_equal_the_fill(path, fill):
    """Every value is the fill at some hit; NaN also stands at hits, in part of the channels."""
    camera = dd.Camera.orthographic(2.0, np.eye(4), 2, 2)
    entry = np.array([[fill, np.nan], [fill, 3]], np.float32)
    exit_ = np.array([[np.nan, fill], [5, fill]], np.float32)
    normal = np.full((2, 2, 3), fill, np.float32)
    normal[0, 0, 1] = np.nan
    maps = dd.DepthMaps(
        entry, exit_, camera, {"normal": (normal, normal[::-1]), "face": ([[0, -1], [2, 3]],) * 2}
    )
    dd.write_npz(path, maps, fill=fill)
    assert_same(maps, dd.load_npz(path))
    dd.write_npz(path, maps, fill=fill, **PLAIN)
    with np.load(path) as file:
        assert not any(np.isnan(file[name]).any() for name in ("entry", "exit", "entry_normal"))
    again = dd.load_npz(path)
    assert_same(maps, again)
    assert np.isnan(again.entry).tolist() == [[False, True], [False, False]]


def test_arrays_in_column_order_come_back_in_row_order(path):
    camera = dd.Camera.orthographic(2.0, np.eye(4), 3, 2)
    sheet = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    dd.write_npz(path, dd.DepthMaps(sheet, sheet, camera))
    assert_same(dd.DepthMaps(sheet.copy(), sheet, camera), dd.load_npz(path))


def test_provenance_and_names(path):
    provenance = {"renderer": "llvm pipe", "mesh_path": "ä.obj", "note": "", "entry2": "x" * 9000}
    name = "a\nb\ud800" + "n" * 9000
    layers = replace(random_layers(2), provenance=provenance)
    layers = replace(layers, camera=replace(layers.camera, name=name))
    dd.write_npz(path, layers)
    assert dict(dd.load_npz(path).provenance) == provenance
    assert dd.load_npz(path).camera.name == name


@pytest.mark.parametrize("entry", ["version", "depth", "width", "camera_name", "conventions"])
def test_provenance_never_replaces_an_array(path, entry):
    layers = by_hand([["F1 B2"]], provenance={entry: "x"})
    with pytest.raises(dd.OutputError, match=f"'{entry}', the name of an array; rename the entry"):
        dd.write_npz(path, layers)
    assert not path.exists()


def test_a_renderer_accepts_the_camera(renderer, path):
    maps = dd.double_depth(box(), CAMERA)
    dd.write_npz(path, maps)
    again = dd.double_depth(box(), dd.load_npz(path).camera)
    assert again.entry.tobytes() == maps.entry.tobytes()


# Files of layout 1, as 0.1.0 and 0.2.0 wrote them, and of layout 2, as 0.3.0 did

LAYOUT_2_ONLY = {"camera_name", "is_oriented", "is_cropped"}


def arrays_of(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def to_layout_2(path):
    """Change a file that was written with PLAIN."""
    arrays = {
        name: array.astype(np.int64) if name.endswith("face") else array
        for name, array in arrays_of(path).items()
    }
    np.savez_compressed(path, **{**arrays, "layout": 2})


def to_layout_1(path):
    """Change a file that was written with PLAIN."""
    to_layout_2(path)
    arrays = {
        name: array
        for name, array in arrays_of(path).items()
        if name not in LAYOUT_2_ONLY and not name.endswith("_missing")
    }
    np.savez_compressed(path, **{**arrays, "layout": 1})


@pytest.mark.parametrize("fill", [np.nan, -1.0, 0.0])
def test_results_of_layout_2(renderer, path, fill):
    for result in rendered(renderer, real_mesh(), CAMERA):
        dd.write_npz(path, result, fill=fill, **PLAIN)
        to_layout_2(path)
        assert_same(result, dd.load_npz(path))


def test_maps_as_layout_2_stored_them(path):
    """By hand, not changed from what is written now."""
    entry = np.array([[1, -1, 2.5]], np.float32)
    exit_ = np.array([[2, -1, -1]], np.float32)
    arrays = {"entry": entry, "exit": exit_, "entry_distance": entry, "exit_distance": exit_}
    arrays |= {"entry_face": [[0, -1, 7]], "exit_face": [[5, -1, -1]]}
    arrays |= {"thickness": exit_ - entry, "mask": [[True, False, False]], "fill": np.float32(-1)}
    arrays |= {"K": np.diag([1.5, 1, 1]), "camera_from_world": np.eye(4), "width": 3, "height": 1}
    arrays |= {"is_orthographic": True, "camera_name": "c", "surfaces": "any", "layout": 2}
    np.savez_compressed(path, conventions="...", version="ddepth_gl 0.3.0", engine="x", **arrays)
    maps = dd.load_npz(path)
    np.testing.assert_array_equal(maps.entry, np.float32([[1, np.nan, 2.5]]))
    np.testing.assert_array_equal(maps.exit, np.float32([[2, np.nan, np.nan]]))
    np.testing.assert_array_equal(maps.entry_face, np.int64([[0, -1, 7]]), strict=True)
    np.testing.assert_array_equal(maps.exit_face, np.int64([[5, -1, -1]]), strict=True)
    assert (maps.surfaces, maps.camera.name, dict(maps.provenance)) == ("any", "c", {"engine": "x"})


def test_layers_as_layout_2_stored_them(path):
    """By hand, not changed from what is written now."""
    arrays = {"offsets": [0, 2, 2, 3], "depth": np.float32([1, 4, 3]), "face": [9, 8, 2**40]}
    arrays |= {"distance": np.float32([1, 4, 3]), "front_facing": [True, False, True]}
    arrays |= {"two_sided": [False, True, True], "solid": [True, False, False]}
    arrays |= {"count": np.int32([[2, 0, 1]]), "truncated": [[False, False, True]]}
    arrays |= {"is_oriented": True, "is_cropped": True, "min_gap": 0.0, "surfaces": "mixed"}
    arrays |= {"uv": np.arange(6, dtype=np.float32).reshape(3, 2)}
    arrays |= {"K": np.diag([1.5, 1, 1]), "camera_from_world": np.eye(4), "width": 3, "height": 1}
    arrays |= {"is_orthographic": True, "camera_name": "c", "layout": 2}
    np.savez_compressed(path, conventions="...", version="ddepth_gl 0.3.0", **arrays)
    layers = dd.load_npz(path)
    for name in ("offsets", "depth", "face", "front_facing", "two_sided", "truncated", "uv"):
        np.testing.assert_array_equal(getattr(layers, name), arrays[name])
    assert (layers.is_oriented, layers.is_cropped, layers.face.dtype) == (True, True, np.int64)


@pytest.mark.parametrize("fill", [np.nan, -1.0])
def test_maps_of_layout_1(renderer, path, fill):
    scene = renderer.upload(real_mesh())
    maps = renderer.entry_exit(scene, CAMERA, attributes=("face", "normal"))
    scene.release()
    dd.write_npz(path, maps, fill=fill, **PLAIN)
    to_layout_1(path)
    assert_same(maps, dd.load_npz(path))


def test_layout_1_takes_the_fill_for_a_miss_outside_the_mask(path):
    camera = dd.Camera.orthographic(2.0, np.eye(4), 3, 1)
    entry = np.array([[2, 2, np.nan]], np.float32)
    exit_ = np.array([[4, np.nan, 2]], np.float32)
    uv = np.array([[[2, 0], [0, 2], [np.nan, np.nan]]], np.float32)
    dd.write_npz(path, dd.DepthMaps(entry, exit_, camera, {"uv": (uv, uv)}), fill=2.0, **PLAIN)
    to_layout_1(path)
    maps = dd.load_npz(path)
    np.testing.assert_array_equal(maps.entry, np.float32([[2, np.nan, np.nan]]))
    np.testing.assert_array_equal(maps.exit, np.float32([[4, np.nan, np.nan]]))
    # The channel that equals the fill is NaN where the sheet is.
    wanted = np.float32([[[2, 0], [0, np.nan], [np.nan, np.nan]]])
    np.testing.assert_array_equal(maps.entry_uv, wanted)


def test_layers_of_layout_1(renderer, path):
    layers = real_layers(renderer)
    dd.write_npz(path, layers, **PLAIN)
    to_layout_1(path)
    again = dd.load_npz(path)
    assert bits_of(again)[1] == bits_of(layers)[1]
    assert again.provenance == layers.provenance
    assert (again.is_oriented, again.is_cropped, again.camera.name) == (False, False, "")


# Files that are refused


def refused(path, *words, **arguments):
    with pytest.raises(dd.OutputError) as caught:
        dd.load_npz(path, **arguments)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert ";" in message
    assert len(message) < 600
    for word in words:
        assert word in message, message


@pytest.fixture
def change(path):
    """Return a function that writes a file with other arrays; None leaves one out."""

    def change(result=None, options=None, **changed):
        dd.write_npz(path, random_layers(2) if result is None else result, **(options or PLAIN))
        arrays = {**arrays_of(path), **changed}
        np.savez_compressed(path, **{k: v for k, v in arrays.items() if v is not None})
        return path

    return change


def some_maps():
    layers = random_layers(3)
    return replace(layers, truncated=np.zeros((5, 7), bool)).entry_exit()


def test_newer_layouts(change):
    refused(change(layout=4), "has layout 4, and this version of ddepth_gl reads up to 3; update")
    refused(change(layout=2**62), "reads up to 3; update ddepth_gl")
    refused(change(layout=0), "has layout 0")
    refused(change(layout=2.0), "'layout' must be int64 of shape (), not float64 of shape ()")
    refused(change(layout=[2]), "'layout' must be int64 of shape (), not int64 of shape (1,)")


def test_layouts_of_other_writers(path):
    layers = random_layers(2)
    dd.write_xray(path, layers)
    refused(path, f"{path}: is in the layout of X-Ray, which holds no camera", "numpy.load")
    dd.write_lari(path, layers)
    refused(path, "is in the layout of LaRI, which holds no camera", "numpy.load")
    np.savez(path, entry=np.zeros(3))
    refused(path, "lacks 'layout', so write_npz did not write it", "numpy.load")


BAD_LAYERS = [
    ({"K": np.zeros((3, 3))}, "K must be upper triangular"),
    ({"K": np.eye(4)}, "'K' must be float64 of shape (3, 3), not float64 of shape (4, 4)"),
    ({"K": np.eye(3, dtype=np.float32)}, "'K' must be float64 of shape (3, 3), not float32"),
    ({"K": np.array([[1]] * 3, dtype=object)}, "not object of shape (3, 1)"),
    ({"camera_from_world": np.diag([2.0, 2, 2, 1])}, "must be a rotation and a translation"),
    ({"width": 8}, "'count' must be int32 of shape (5, 8), not int32 of shape (5, 7)"),
    ({"width": 8, "layout": 2}, "'offsets' must be int64 of shape (41,), not int64 of shape (36,)"),
    ({"width": 2**31}, "width must be an integer from 1 to"),
    ({"width": 2**31 - 1, "height": 2**31 - 1}, "'count' must be int32 of shape (2147483647"),
    (
        {"width": 2**31 - 1, "height": 2**31 - 1, "layout": 2},
        "'offsets' must be int64 of shape (46116860141324",
    ),
    ({"width": -7}, "width must be an integer from 1"),
    ({"width": None}, "lacks 'width'"),
    ({"is_orthographic": 1}, "'is_orthographic' must be bool"),
    ({"camera_name": 5}, "'camera_name' must be text of shape (), not int64"),
    ({"camera_name": ["a"]}, "'camera_name' must be text of shape (), not <U1 of shape (1,)"),
    ({"depth": None}, "lacks 'depth'"),
    ({"depth": np.float32(1)}, "'depth' must be float32 of shape (N,), not float32 of shape ()"),
    ({"depth": np.zeros(3, np.float32)}, "'face' must be int64 of shape (3,)"),
    ({"front_facing": None}, "lacks 'front_facing'"),
    ({"is_oriented": None}, "lacks 'is_oriented'"),
    ({"is_cropped": "no"}, "'is_cropped' must be bool"),
    ({"normal": np.zeros((3, 3), np.float32)}, "'normal' must be float32 of shape (92, 3)"),
    ({"normal": np.zeros((92, 3))}, "not float64 of shape (92, 3)"),
    ({"offsets": np.arange(36), "layout": 2}, "offsets must rise from 0 to 92"),
    ({"note": "two\nlines"}, "provenance must be a dict of names to printable texts"),
    ({"Note": "x"}, "provenance must be a dict of names to printable texts"),
]


@pytest.mark.parametrize(("changed", "words"), BAD_LAYERS)
def test_bad_layers(change, changed, words):
    refused(change(**changed), words)


BAD_MAPS = [
    ({"entry": None}, "lacks 'entry'"),
    ({"exit": np.zeros((5, 6), np.float32)}, "'exit' must be float32 of shape (5, 7), not"),
    ({"entry": np.zeros((5, 7))}, "'entry' must be float32"),
    ({"exit_uv": None}, "lacks 'exit_uv'"),
    ({"entry_face": np.zeros((5, 7), np.int16)}, "'entry_face' must be int64"),
    ({"fill": None}, "lacks 'fill'"),
    ({"fill": "x"}, "'fill' must be float32"),
    ({"entry_missing": np.zeros(3, bool)}, "'entry_missing' must be bool of shape (5, 7)"),
]


@pytest.mark.parametrize(("changed", "words"), BAD_MAPS)
def test_bad_maps(change, changed, words):
    refused(change(some_maps(), **changed), words)


BAD_PACKED_LAYERS = [
    ({"depth_packed": None}, "lacks 'depth'"),
    (
        {"depth_packed": np.zeros((3, 92), np.uint8)},
        "'depth_packed' must be uint8 of shape (4, 92)",
    ),
    ({"depth_packed": np.zeros((4, 92), np.int8)}, "'depth_packed' must be uint8 of shape (4, 92)"),
    ({"depth_packed": np.zeros(4, np.uint8)}, "'depth_packed' must be uint8 of shape (4, N), not"),
    ({"depth_packed": np.zeros((4, 91), np.uint8)}, "'face' must be int64 of shape (91,)"),
    (
        {"uv_packed": np.zeros((4, 92, 2), np.uint8)},
        "'uv_packed' must be uint8 of shape (4, 2, 92)",
    ),
    (
        {"uv_packed": np.zeros((4, 3, 92), np.uint8)},
        "'uv_packed' must be uint8 of shape (4, 2, 92)",
    ),
    ({"face": None, "face_packed": np.zeros((4, 92), np.uint8)}, "lacks 'face'"),
    ({"K": None, "K_packed": np.zeros((4, 3, 3), np.uint8)}, "lacks 'K'"),
    ({"face": np.zeros(92, np.uint32)}, "'face' must be int64 of shape (92,), not uint32"),
    ({"face": np.full(92, -2)}, None),
    ({"count": None}, "lacks 'entry'"),
    ({"count": np.zeros((5, 7))}, "'count' must be int32 of shape (5, 7), not float64"),
    ({"count": np.zeros((5, 7), np.int32)}, "count must hold numbers that add up to 92"),
    ({"count": np.full((5, 7), 2**31 - 1, np.int32)}, "count must hold numbers that add up to 92"),
    ({"layout": 2}, "lacks 'entry'"),
]


@pytest.mark.parametrize(("changed", "words"), BAD_PACKED_LAYERS)
def test_bad_packed_layers(change, changed, words):
    path = change(options=PACKED, **changed)
    if words is None:
        assert (dd.load_npz(path).face == -2).all()
    else:
        refused(path, words)


@pytest.mark.usefixtures("little_memory")
def test_offsets_beside_counts_are_not_read(change):
    offsets = np.full(36, 1 << 40)
    layers = random_layers(2)
    assert_same(layers, dd.load_npz(change(layers, offsets=offsets)))
    derived = {"compression": "packed", "derived": True}
    assert_same(layers, dd.load_npz(change(layers, options=derived, offsets=offsets)))


def test_negative_counts(change):
    count = random_layers(2).count.copy()
    count[0, 0], count[0, 1] = -1, count[0, 0] + count[0, 1] + 1
    refused(change(options=PACKED, count=count), "count must hold numbers that add up to 92")


BAD_PACKED_MAPS = [
    ({"entry_packed": None}, "lacks 'entry'"),
    ({"exit_packed": np.zeros((4, 5, 6), np.uint8)}, "must be uint8 of shape (4, 5, 7), not uint8"),
    ({"exit_packed": np.zeros((4, 5, 7))}, "'exit_packed' must be uint8 of shape (4, 5, 7), not"),
    ({"exit_uv_packed": None}, "lacks 'exit_uv'"),
    ({"exit_face": None}, "lacks 'exit_face'"),
]


@pytest.mark.parametrize(("changed", "words"), BAD_PACKED_MAPS)
def test_bad_packed_maps(change, changed, words):
    refused(change(some_maps(), options=PACKED, **changed), words)


def test_an_array_as_it_is_comes_before_a_packed_one(change):
    layers = random_layers(2)
    other = np.zeros((4, 92), np.uint8)
    assert_same(layers, dd.load_npz(change(layers, depth_packed=other, uv_packed=other)))


@pytest.mark.parametrize("options", [{}, PLAIN], ids=["packed", "plain"])
@pytest.mark.parametrize("make", [lambda: random_layers(2), some_maps], ids=["layers", "maps"])
def test_the_limit_counts_what_is_in_memory(path, make, options):
    """Also offsets, int64 faces and unpacked depths, which the file does not hold."""
    result = make()
    dd.write_npz(path, result, **options)
    arrays = bits_of(result)[1]
    size = sum(len(arrays[name][2]) for name in arrays if name not in ("K", "pose"))
    with pytest.raises(
        dd.OutputError, match="more than the limit of 300; raise max_bytes"
    ) as caught:
        dd.load_npz(path, max_bytes=300)
    total = int(re.search(r"holds (\d+) bytes", str(caught.value))[1])
    assert size <= total
    assert_same(result, dd.load_npz(path, max_bytes=total))
    refused(path, "more than the limit", max_bytes=total - 1)


def test_arrays_of_others_are_ignored(change):
    layers = random_layers(2)
    extra = {"mine": np.zeros(3), "pickled": np.array([None], dtype=object), "number": 5}
    assert_same(layers, dd.load_npz(change(layers, **extra)))


def test_either_byte_order(change):
    layers = random_layers(2)
    swapped = {"depth": layers.depth.astype(">f4"), "K": layers.camera.K.astype(">f8")}
    assert_same(layers, dd.load_npz(change(layers, **swapped)))


def test_no_file(tmp_path):
    refused(tmp_path / "none.npz", "none.npz cannot be read (No such file or directory); check")
    refused(tmp_path, "is not a plain file")
    refused("", "is not the path of a file")
    refused(5, "5 is not the path of a file")
    os.mkfifo(tmp_path / "pipe")  # nobody ever writes into it
    refused(tmp_path / "pipe", "is not a plain file")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04" + b"\0" * 100, b"\x93NUMPY"])
def test_not_an_archive(path, content):
    path.write_bytes(content)
    refused(path, f"{path} is not a whole .npz file (File is not a zip file); write it again")


@pytest.mark.slow
@pytest.mark.parametrize("make", [lambda: random_layers(2), some_maps], ids=["layers", "maps"])
def test_damaged_bytes(path, make):
    """A file that is cut short is refused; one with a changed byte is refused or the same."""
    result = make()
    dd.write_npz(path, result)
    data = path.read_bytes()
    for length in range(0, len(data), 211):
        path.write_bytes(data[:length])
        refused(path)
    same = 0
    for position in range(0, len(data), 53):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :])
        try:
            again = dd.load_npz(path)
        except dd.OutputError:
            continue
        same += 1  # a part that is not read: distances, conventions, times
        assert bits_of(again)[:2] == bits_of(result)[:2]
    assert same < len(data) / 53 / 2


def test_several_entries_of_one_name_and_other_files(path):
    dd.write_npz(path, random_layers(2), **PLAIN)
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("depth.npy", b"x")
    refused(path, "holds other files than arrays")
    dd.write_npz(path, random_layers(2), **PLAIN)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("readme.txt", b"x")
    refused(path, "holds other files than arrays")


# Files that would take much memory


def npy(shape, dtype, data=b"", version=(1, 0)):
    """Return the bytes of an array of any shape, followed by any data."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    )
    header = bytearray(stream.getvalue())
    header[6:8] = version
    return bytes(header) + data


@pytest.fixture
def little_memory():
    """Let the process grow by no more than 64 MiB."""
    gc.collect()  # what is freed later would be room, too
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 26), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


def replaced(path, **entries):
    """Replace entries of an archive by raw bytes."""
    with zipfile.ZipFile(path) as file:
        contents = {info.filename: file.read(info) for info in file.infolist()}
    contents |= {f"{name}.npy": data for name, data in entries.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in contents.items():
            file.writestr(name, data)
    return path


@pytest.mark.usefixtures("little_memory")
def test_sizes_that_headers_only_claim(path):
    dd.write_npz(path, random_layers(2), **PLAIN)
    for shape in ((1 << 40,), (10**300,)):
        refused(replaced(path, depth=npy(shape, "f4")), "'depth' is not as long as its header says")
    huge = {"shape": (1 << 34,)}
    replaced(
        path,
        depth=npy(dtype="f4", **huge),
        face=npy(dtype="i8", **huge),
        front_facing=npy(dtype="?", **huge),
    )
    refused(path, "'depth' is not as long as its header says")
    dd.write_npz(path, random_layers(2), **PLAIN)
    refused(replaced(path, depth=npy((-92,), "f4")), "'depth' must be float32")
    refused(replaced(path, depth=npy((92,), "f4", b"x" * 367)), "'depth' is not as long")
    refused(replaced(path, depth=npy((92,), "f4", b"x" * 369)), "'depth' is not as long")
    refused(replaced(path, depth=npy((92,), "f4", version=(3, 0))), "not in version 1.0 of NumPy's")
    refused(replaced(path, depth=npy((92,), "f4")[:70]), "is not a whole .npz file")
    refused(replaced(path, depth=b""), "is not a whole .npz file")


@pytest.mark.slow
@pytest.mark.usefixtures("little_memory")
def test_sizes_that_are_real(path):
    """Zeros shrink to a thousandth, so a small file may well hold more than there is memory."""
    side = 1 << 13
    camera = dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=side, height=side)
    small = camera.rows(0, 1)
    row = np.zeros((1, side), np.float32)
    dd.write_npz(path, dd.DepthMaps(row, row, small), **PLAIN)
    arrays = arrays_of(path) | {"height": np.int64(side), "K": camera.K}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w") as member:
                if name not in ("entry", "exit"):
                    np.save(member, array)
                    continue
                member.write(npy((side, side), "f4"))
                for _ in range(side):
                    member.write(bytes(4 * side))
    assert path.stat().st_size < 1 << 20
    total = 2 * 4 * side**2
    refused(path, f"bytes of arrays, more than the limit of {total}", max_bytes=total)
    refused(path, "there is no memory for its arrays")


@pytest.mark.usefixtures("little_memory")
def test_packed_sizes(path):
    """As for arrays that are stored as they are: claims are noticed, and real zeros refused."""
    dd.write_npz(path, random_layers(2))
    replaced(path, depth_packed=npy((4, 1 << 40), "u1"))
    refused(path, "'depth_packed' is not as long as its header says")
    dd.write_npz(path, random_layers(2))
    refused(replaced(path, depth_packed=npy((4, 10**300), "u1")), "'depth_packed' is not as long")
    dd.write_npz(path, random_layers(2))
    refused(replaced(path, depth_packed=npy((4, 92), "u1", b"x" * 367)), "'depth_packed' is not as")
    side = 1 << 12
    camera = dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=side, height=side)
    row = np.zeros((1, side), np.float32)
    dd.write_npz(path, dd.DepthMaps(row, row, camera.rows(0, 1)))
    arrays = arrays_of(path) | {"height": np.int64(side), "K": camera.K}
    np.savez(path, **{name: array for name, array in arrays.items() if "packed" not in name})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        for name in ("entry", "exit"):
            with file.open(f"{name}_packed.npy", "w") as member:
                member.write(npy((4, side, side), "u1"))
                for _ in range(side):
                    member.write(bytes(4 * side))
    assert path.stat().st_size < 1 << 20
    total = 2 * 4 * side**2
    refused(path, f"bytes of arrays, more than the limit of {total}", max_bytes=total)
    refused(path, "there is no memory for its arrays")


@pytest.mark.parametrize("limit", [0, -1, 1.5, None, "1"])
def test_bad_limits(path, limit):
    with pytest.raises(dd.RequestError, match="max_bytes must be an integer, at least 1"):
        dd.load_npz(path, max_bytes=limit)


@pytest.mark.parametrize("names", [(), ("uv",), ("position",)])
@pytest.mark.parametrize("crossings", [1, 30], ids=["all pixels", "one pixel"])
def test_the_limit_bounds_memory(path, crossings, names):
    """Also what loading needs in between: of a packed file, the order of its crossings."""
    count = np.zeros((100, 200), int)
    count[:: 1 if crossings == 1 else 30] = 30
    layers = layers_of(count, np.random.default_rng(4), names)
    dd.write_npz(path, layers)
    with pytest.raises(dd.OutputError) as caught:
        dd.load_npz(path, max_bytes=300)
    total = int(re.search(r"holds (\d+) bytes", str(caught.value))[1])
    tracemalloc.start()
    dd.load_npz(path, max_bytes=total)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # For a moment, zipfile holds an array compressed and once more; a block of the order is 1 MB.
    assert peak < total + 8 * len(layers.depth) + (1 << 20)


@pytest.mark.parametrize("compression", ["deflate", "none"])
def test_only_packed_files_pay_for_the_order_of_layers(path, monkeypatch, compression):
    layers = random_layers(2)
    monkeypatch.setattr("ddepth_gl.io.results.packing.layer_order", None)
    dd.write_npz(path, layers, compression=compression)
    assert_same(layers, dd.load_npz(path))
    with pytest.raises(TypeError):
        dd.write_npz(path, layers)


def test_a_scalar_is_never_packed(path):
    dd.write_npz(path, some_maps())
    arrays = arrays_of(path)
    packed = np.zeros(4, np.uint8)
    del arrays["fill"]
    np.savez(path, **arrays, fill_packed=packed)
    refused(path, "lacks 'fill'")
