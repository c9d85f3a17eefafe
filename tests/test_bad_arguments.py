"""Invalid arguments raise an error of ddepth_gl with one line, never one of NumPy or Python."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from crossings import by_hand
from shapes import box

import ddepth_gl as dd

HUGE = 10**30
CAMERA = dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=6, height=4)
SHEET = np.full((4, 6), 2.0, np.float32)


def maps() -> dd.DepthMaps:
    return dd.DepthMaps(SHEET, SHEET + 1, CAMERA)


def layers() -> dd.DepthLayers:
    return by_hand([["F1 B2"]])


WRITERS = {
    "npz": (dd.write_npz, maps),
    "png16": (dd.write_png16, maps),
    "exr": (dd.write_exr, maps),
    "exr_files": (dd.write_exr_files, maps),
    "deep_exr": (dd.write_deep_exr, layers),
    "xray": (dd.write_xray, layers),
    "lari": (dd.write_lari, layers),
    "layereddepth": (dd.write_layereddepth, layers),
    "layer_clouds": (dd.write_layer_clouds, layers),
}


@pytest.mark.parametrize("path", ["", None, 5, "a\0b", b"bytes", "."])
@pytest.mark.parametrize("name", WRITERS)
def test_invalid_paths(name, path):
    write, result = WRITERS[name]
    with pytest.raises(dd.OutputError, match="is not the path of a file") as raised:
        write(path, result())
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("result", [None, "maps", SHEET])
@pytest.mark.parametrize("name", WRITERS)
def test_values_that_are_not_results(name, result, tmp_path):
    with pytest.raises(dd.OutputError, match=f"can be written here, not {type(result).__name__}"):
        WRITERS[name][0](tmp_path / "file", result)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"faces": [[0, 1, 3]]}, "faces name vertices 0 to 3, but there are 3"),
        ({"faces": [[0, 1, -1]]}, "faces name vertices -1 to 1"),
        ({"faces": [[0.0, 1.0, 2.0]]}, "integers"),
        ({"faces": [[0, 1, 2, 0]]}, r"shape \(F, 3\)"),
        ({"faces": "x"}, "faces must be an array of numbers, not 'x'"),
        ({"normals": "x"}, "nx ny nz must be an array of numbers"),
        ({"colors": [[1, 2, 3]]}, r"need shape \(3, 4\)"),
        ({"vertices": None}, "vertices must be an array of numbers, not None"),
        ({"vertices": [1.0, 2.0]}, r"need shape \(2, 3\)"),
    ],
)
def test_write_ply_with_invalid_arrays(arguments, match, tmp_path):
    with pytest.raises(dd.OutputError, match=match):
        dd.write_ply(tmp_path / "mesh.ply", **{"vertices": np.eye(3)} | arguments)
    assert not list(tmp_path.iterdir())


def test_write_ply_accepts_lists(tmp_path):
    dd.write_ply(tmp_path / "mesh.ply", np.eye(3).tolist(), faces=[[0, 1, 2]])
    assert dd.load_mesh(tmp_path / "mesh.ply").faces.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("fill", ["x", None, [1, 2], 1e39, -1e39])
@pytest.mark.parametrize("write", [dd.write_npz, dd.write_exr, dd.write_exr_files])
def test_invalid_fill_values(write, fill, tmp_path):
    with pytest.raises(dd.RequestError, match="fill must be a number"):
        write(tmp_path / "file", maps(), fill=fill)
    with pytest.raises(dd.RequestError, match="fill value must be a number"):
        maps().filled(fill)


@pytest.mark.parametrize("scale", ["x", [1.0], 0.0, -1.0, np.nan])
def test_invalid_scales(scale, tmp_path):
    with pytest.raises(dd.RequestError, match="positive mesh units per step"):
        dd.write_png16(tmp_path / "file", maps(), scale=scale)


@pytest.mark.parametrize(
    "call",
    [
        lambda path: layers().dense("depth", HUGE),
        lambda path: layers().dense("depth", 1 << 50),
        lambda path: dd.write_lari(path, layers(), max_layers=HUGE),
        lambda path: dd.write_layereddepth(path, layers(), max_layers=HUGE),
        lambda path: dd.write_lari(path, layers(), max_layers=np.zeros(3)),
        lambda path: dd.Camera.orbit(box(), views=HUGE),
        lambda path: maps().points(dtype="x"),
        lambda path: maps().points(dtype=np.int32),
        lambda path: layers().points(dtype=None.__class__),
        lambda path: maps().points(frame=np.zeros(2)),
        lambda path: maps().to_mesh(None),
        lambda path: maps().to_mesh(np.zeros(3)),
        lambda path: layers().entry_exit(surfaces=np.zeros(2)),
        lambda path: CAMERA.project("x"),
        lambda path: CAMERA.project([1.0, 2.0]),
        lambda path: CAMERA.project(3.0),
        lambda path: CAMERA.unproject("x", 1.0),
        lambda path: CAMERA.unproject([1.0, 2.0], [None, "x"]),
        lambda path: CAMERA.unproject([1.0, 2.0, 3.0], 1.0),
        lambda path: CAMERA.unproject(np.zeros((3, 2)), np.zeros(4)),
        lambda path: dd.double_depth(box(), 0),
        lambda path: dd.double_depth(box(), []),
        lambda path: dd.DepthRenderer(engine=np.zeros(2)),
        lambda path: dd.DepthRenderer(engine=None),
    ],
)
def test_other_invalid_arguments(call, tmp_path):
    with pytest.raises(dd.DDepthError) as raised:
        call(tmp_path / "file")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300
    assert not list(tmp_path.iterdir())


def test_x_ray_with_too_many_layers(tmp_path):
    given = by_hand(
        [["F1"]],
        attributes={"normal": np.ones((1, 3), np.float32), "color": np.ones((1, 4), np.float32)},
    )
    with pytest.raises(dd.RequestError, match="at most"):
        dd.write_xray(tmp_path / "file.npz", given, max_layers=HUGE)


@pytest.mark.parametrize("name", ["surfaces", "output"])
def test_arrays_instead_of_choices(renderer, name):
    scene = renderer.upload(box())
    with pytest.raises(dd.RequestError, match=f"{name} must be"):
        renderer.entry_exit(scene, CAMERA, **{name: np.zeros(2)})
    scene.release()


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("focal", [1e-300, 1e-150, 1e155, 1e300])
def test_absurd_cameras_do_not_warn(renderer, focal, orthographic):
    """Their images are meaningless, but NumPy must not warn."""
    pose = CAMERA.camera_from_world
    camera = dd.Camera([[focal, 0, 3], [0, focal, 2], [0, 0, 1]], pose, 6, 4, orthographic)
    scene = renderer.upload(box())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        maps = renderer.entry_exit(scene, camera)
    assert maps.entry.shape == (4, 6)
    scene.release()
