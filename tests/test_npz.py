"""npz files: readable by NumPy alone, and equal to the maps or layers they were written from."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from crossings import ATTRIBUTES, layers_of, random_layers, real_layers, real_mesh
from shapes import box, torus

import ddepth_gl as dd
from ddepth_gl.io.results.npz import write_npz

# Names of the texts that describe the rendering.
RENDERED = ("renderer", "gl_version", "engine")
TEXTS = ("conventions", "version", "camera_name", "surfaces", *RENDERED)

SHAPES = {
    **dict.fromkeys(
        ("entry", "exit", "entry_distance", "exit_distance", "thickness"), ("float32", "HW")
    ),
    "mask": ("bool", "HW"),
    **dict.fromkeys(("entry_face", "exit_face"), ("int32", "HW")),
    "K": ("float64", (3, 3)),
    "camera_from_world": ("float64", (4, 4)),
    **dict.fromkeys(("width", "height", "layout"), ("int64", ())),
    "is_orthographic": ("bool", ()),
    "fill": ("float32", ()),
}
# Options that store every array as it is.
PLAIN = {"compression": "deflate", "derived": True}
FLOATS = ("entry", "exit", "entry_distance", "exit_distance", "thickness")


@pytest.fixture
def maps(renderer):
    camera = dd.Camera.look_at((3, -2, 1.5), (0.1, 0, 0), fov_y_deg=50, width=37, height=23)
    scene = renderer.upload(torus(steps=40, sides=20))
    yield renderer.entry_exit(scene, camera, attributes=("face",))
    scene.release()


def test_numpy_alone_reads_it(maps, tmp_path):
    write_npz(tmp_path / "maps.npz", maps, **PLAIN)
    # -S leaves site-packages out. Only numpy's folder is added again; ddepth_gl cannot be imported.
    script = f"""
import sys
sys.modules["ddepth_gl"] = None
sys.path.append({str(np.__path__[0] + "/..")!r})
import json
import numpy as np
with np.load({str(tmp_path / "maps.npz")!r}, allow_pickle=False) as file:
    arrays = {{name: file[name] for name in file.files}}
mask = arrays["mask"]
assert 0 < mask.sum() < mask.size
assert (mask == ~np.isnan(arrays["entry"])).all()
text = {{name: str(arrays.pop(name)) for name in {TEXTS}}}
about = {{name: (str(array.dtype), list(array.shape)) for name, array in arrays.items()}}
print(json.dumps([about, text]))
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    about, text = json.loads(done.stdout)
    wanted = {
        name: [kind, [23, 37] if shape == "HW" else list(shape)]
        for name, (kind, shape) in SHAPES.items()
    }
    assert about == wanted
    assert text["version"].startswith("ddepth_gl 0.")
    for word in ("OpenCV", "c + 0.5, r + 0.5", "entry_distance", "mesh units", "fill"):
        assert word.lower() in text["conventions"].lower()


def test_arrays_equal_the_maps(maps, tmp_path):
    write_npz(tmp_path / "maps.npz", maps, **PLAIN)
    with np.load(tmp_path / "maps.npz", allow_pickle=False) as file:
        for name in (*FLOATS, "mask", "entry_face", "exit_face"):
            np.testing.assert_array_equal(file[name], getattr(maps, name))
        for name in ("K", "camera_from_world"):
            np.testing.assert_array_equal(file[name], getattr(maps.camera, name), strict=True)
        assert (int(file["width"]), int(file["height"])) == (37, 23)
        assert not file["is_orthographic"]
        assert np.isnan(file["fill"])


def test_the_camera_is_complete(maps, tmp_path):
    # A point unprojected from the content of the file equals the point of the API.
    write_npz(tmp_path / "maps.npz", maps, **PLAIN)
    with np.load(tmp_path / "maps.npz") as file:
        row, column = np.argwhere(file["mask"])[7]
        ray = np.linalg.solve(file["K"], [column + 0.5, row + 0.5, 1.0])
        pose = file["camera_from_world"]
        point = pose[:3, :3].T @ (ray * file["entry"][row, column] - pose[:3, 3])
        assert np.linalg.norm(ray) * file["entry"][row, column] == pytest.approx(
            file["entry_distance"][row, column], rel=1e-6
        )
    np.testing.assert_allclose(point, maps.points(dtype=float).front[7], atol=1e-12)


@pytest.mark.parametrize("fill", [0.0, -1.5, np.inf])
def test_fill(maps, tmp_path, fill):
    write_npz(tmp_path / "maps.npz", maps, fill=fill, **PLAIN)
    with np.load(tmp_path / "maps.npz") as file:
        assert file["fill"] == np.float32(fill)
        for name in FLOATS:
            miss = np.isnan(getattr(maps, name))
            assert miss.any()
            assert (file[name][miss] == fill).all()
            assert (file[name][~miss] == getattr(maps, name)[~miss]).all()
            assert file[name].dtype == np.float32
        np.testing.assert_array_equal(file["mask"], maps.mask)
        assert (file["entry_face"][~maps.mask] == -1).all()


def test_a_fill_that_float32_cannot_hold(maps, tmp_path):
    with pytest.raises(dd.RequestError, match=r"fill must be .* not 1e\+39"):
        write_npz(tmp_path / "maps.npz", maps, fill=1e39)
    assert not list(tmp_path.iterdir())


def test_without_faces_and_orthographic(renderer, tmp_path):
    camera = dd.Camera.orthographic((3, 2), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 5]], 9, 6)
    scene = renderer.upload(box())
    write_npz(tmp_path / "maps.npz", renderer.entry_exit(scene, camera), **PLAIN)
    scene.release()
    with np.load(tmp_path / "maps.npz") as file:
        assert set(file.files) == {*SHAPES, *TEXTS} - {
            "entry_face",
            "exit_face",
        }
        assert file["is_orthographic"]
        np.testing.assert_array_equal(file["entry"], file["entry_distance"])
        assert (file["thickness"][file["mask"]] == 2.0).all()


def test_the_same_maps_yield_the_same_bytes(maps, tmp_path):
    for name in ("one.npz", "two.npz"):
        write_npz(tmp_path / name, maps)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_unwritable(maps, tmp_path):
    with pytest.raises(dd.OutputError, match=r"missing/maps\.npz cannot be written"):
        write_npz(tmp_path / "missing" / "maps.npz", maps)


# Attributes of maps


@pytest.mark.parametrize("fill", [np.nan, -1.0])
def test_every_attribute_of_maps(tmp_path, fill):
    layers = random_layers(1)
    layers.truncated[:] = False
    maps = layers.entry_exit()
    assert set(maps.attributes) == {"face", *ATTRIBUTES}
    write_npz(tmp_path / "maps.npz", maps, fill=fill, **PLAIN)
    with np.load(tmp_path / "maps.npz", allow_pickle=False) as file:
        for name in maps.attributes:
            for sheet in ("entry", "exit"):
                values, written = getattr(maps, f"{sheet}_{name}"), file[f"{sheet}_{name}"]
                miss = np.isnan(getattr(maps, sheet))
                assert 0 < miss.sum() < miss.size
                assert written.dtype == (np.int32 if name == "face" else values.dtype)
                np.testing.assert_array_equal(written[~miss], values[~miss])
                np.testing.assert_array_equal(
                    written[miss], -1 if values.dtype.kind == "i" else fill
                )


# Layers


def arrays_of(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("attributes", [ATTRIBUTES, ("uv",), ()])
def test_every_array_of_layers(tmp_path, attributes, orthographic):
    layers = random_layers(2, orthographic, attributes)
    write_npz(tmp_path / "layers.npz", layers, **PLAIN)
    arrays = arrays_of(tmp_path / "layers.npz")
    named = (
        "offsets",
        "depth",
        "distance",
        "face",
        "front_facing",
        "two_sided",
        "count",
        "truncated",
        *attributes,
    )
    camera = ("K", "camera_from_world")
    about = {"width": 7, "height": 5, "layout": 3, "is_orthographic": orthographic}
    about |= {"is_oriented": layers.is_oriented, "is_cropped": False, "min_gap": 0.0}
    of_objects = {"oriented_objects", "object_surfaces", "two_sided_in_object", "solid_in_object"}
    kinds = {"solid"} | (of_objects if "object_id" in attributes else set())
    texts = {"conventions", "version", "camera_name", "surfaces"}
    assert set(arrays) == {*named, *camera, *about, *kinds, *texts}
    for name in named:
        values = getattr(layers, name)
        assert arrays[name].dtype == (np.int32 if name == "face" else values.dtype)
        np.testing.assert_array_equal(arrays[name], values)
    for name in camera:
        np.testing.assert_array_equal(arrays[name], getattr(layers.camera, name), strict=True)
    assert {name: arrays[name].item() for name in about} == about
    assert arrays["truncated"].any()
    assert str(arrays["version"]).startswith("ddepth_gl 0.")
    for word in ("OpenCV", "c + 0.5, r + 0.5", "offsets", "front_facing", "mesh units"):
        assert word.lower() in str(arrays["conventions"]).lower()
    if orthographic:
        np.testing.assert_array_equal(arrays["distance"], arrays["depth"])


def test_fill_has_no_effect_on_layers(tmp_path):
    for name, fill in (("one.npz", np.nan), ("two.npz", -1.0)):
        write_npz(tmp_path / name, random_layers(3), fill=fill)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with pytest.raises(dd.RequestError, match="fill must be"):
        write_npz(tmp_path / "three.npz", random_layers(3), fill=1e39)


@pytest.mark.parametrize("count", [np.zeros((4, 3), int), [[0]], [[1]], [[0, 40]]])
def test_layers_empty_and_small(tmp_path, count):
    layers = layers_of(count, np.random.default_rng(4))
    write_npz(tmp_path / "layers.npz", layers, **PLAIN)
    arrays = arrays_of(tmp_path / "layers.npz")
    np.testing.assert_array_equal(arrays["count"], count)
    assert arrays["offsets"][-1] == np.sum(count)
    assert arrays["color"].shape == (np.sum(count), 4)
    np.testing.assert_array_equal(arrays["depth"], layers.depth, strict=True)


def test_unwritable_layers(tmp_path):
    with pytest.raises(dd.OutputError, match=r"missing/layers\.npz cannot be written"):
        write_npz(tmp_path / "missing" / "layers.npz", random_layers(5))


def test_a_real_peel(renderer, tmp_path):
    layers = real_layers(renderer)
    write_npz(tmp_path / "layers.npz", layers, **PLAIN)
    arrays = arrays_of(tmp_path / "layers.npz")
    mesh = real_mesh()
    for name in ATTRIBUTES:
        np.testing.assert_array_equal(arrays[name], layers.attributes[name], strict=True)
    # Looked up in the mesh by face and weights: the file alone suffices. Weights are rounded to
    # float32 and wrong by up to the contract's 1e-5; three uv of up to 2.5 are combined.
    np.testing.assert_array_equal(arrays["object_id"], mesh.object_id[arrays["face"]])
    uv = np.einsum(
        "mk,mkc->mc", arrays["barycentric"].astype(float), mesh.uv[mesh.faces[arrays["face"]]]
    )
    np.testing.assert_allclose(arrays["uv"], uv, atol=3 * 2.5 * 1e-5)
    height, width = int(arrays["height"]), int(arrays["width"])
    stack = np.full((arrays["count"].max(), height, width), np.nan, np.float32)
    for pixel in range(height * width):
        crossings = arrays["depth"][arrays["offsets"][pixel] : arrays["offsets"][pixel + 1]]
        stack[: len(crossings), pixel // width, pixel % width] = crossings
    assert len(stack) >= 6
    np.testing.assert_array_equal(stack, layers.dense("depth"), strict=True)
    # A point unprojected from the content of the file equals the point of the API.
    pixel = int(np.flatnonzero(arrays["count"])[11])
    ray = np.linalg.solve(arrays["K"], [pixel % width + 0.5, pixel // width + 0.5, 1.0])
    pose, depth = arrays["camera_from_world"], arrays["depth"][arrays["offsets"][pixel]]
    point = pose[:3, :3].T @ (ray * depth - pose[:3, 3])
    np.testing.assert_allclose(point, layers.points(dtype=float)[0][11], atol=1e-12)


@pytest.mark.parametrize("name", ["offsets", "entry_normal", "exit_missing", "color", "version"])
def test_provenance_that_could_be_read_as_something_else(tmp_path, name):
    camera = dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=6, height=4)
    named = dd.DepthMaps(np.full((4, 6), 2.0), np.full((4, 6), 3.0), camera, {}, {name: "x"})
    with pytest.raises(dd.OutputError, match=f"provenance has the entry '{name}'"):
        write_npz(tmp_path / "a.npz", named)
    assert not list(tmp_path.iterdir())
