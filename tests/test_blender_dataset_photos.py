"""Photos of data sets by Cycles and EEVEE: at exactly the cameras of the depths, and repeatable."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_scenes import SCENES, bpy_module, near_edges
from PIL import Image

import ddepth_gl as dd
from ddepth_gl.blender.cameras import blender_camera, set_blender_camera

bpy = bpy_module()
for _package in ("pydantic", "fsspec", "yaml"):
    pytest.importorskip(_package, reason="needs ddepth-gl[dataset]")

from ddepth_gl.dataset.blend_mesh import blend_mesh  # noqa: E402
from ddepth_gl.dataset.blend_photos import blender_versions, take_photos  # noqa: E402
from ddepth_gl.dataset.blend_process import child_pids  # noqa: E402
from ddepth_gl.dataset.child import RendererChild, RunStoppedError  # noqa: E402
from ddepth_gl.dataset.config import DatasetConfig  # noqa: E402
from ddepth_gl.dataset.decoding import decoded_sample  # noqa: E402
from ddepth_gl.dataset.entries import MeshEntry  # noqa: E402
from ddepth_gl.dataset.normalization import normalized  # noqa: E402
from ddepth_gl.dataset.samples import MeshRenderer  # noqa: E402


def saved(name: str, path: Path, samples: int = 1) -> Any:
    """Save a scene whose photos by Cycles show what is at the centers of pixels."""
    scene = SCENES[name]()
    cycles = scene.cycles
    # The first sample is at the center of the filter, and so of the pixel.
    cycles.pixel_filter_type, cycles.filter_width = "GAUSSIAN", 0.01
    cycles.use_adaptive_sampling = cycles.use_denoising = False
    cycles.samples = samples
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.rotation_euler, sun.data.energy = (0.6, 0.3, 0.2), 3.0
    scene.collection.objects.link(sun)
    # What must not count: the camera of a marker, depth of field, a crop, motion blur, stereo.
    other = bpy.data.objects.new("other", bpy.data.cameras.new("other"))
    scene.collection.objects.link(other)
    scene.timeline_markers.new("cut", frame=1).camera = other
    scene.camera.data.dof.use_dof = True
    render = scene.render
    render.use_border = render.use_crop_to_border = render.use_motion_blur = True
    render.border_max_x, render.resolution_percentage, render.use_multiview = 0.5, 30, True
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return scene


def cameras_of(mesh: dd.Mesh) -> list[dd.Camera]:
    """Return cameras of all kinds: an orbit, off center with oblong pixels, parallel, inside."""
    first, second = dd.Camera.orbit(mesh, views=2, width=96, height=64)
    K = np.array([[150.0, 0.0, 31.3], [0.0, 110.0, 52.7], [0.0, 0.0, 1.0]])
    size = float(np.linalg.norm(np.ptp(mesh.bounds, axis=0)))
    pose = second.camera_from_world
    wide = np.array([[40.0, 0.0, 50.0], [0.0, 55.0, 31.0], [0.0, 0.0, 1.0]])
    inside = dd.Camera.look_at(mesh.bounds.mean(axis=0), mesh.bounds[1], width=70, height=64)
    return [
        first,
        dd.Camera(K, pose, 96, 72),
        dd.Camera(wide, pose, 64, 96),
        dd.Camera.orthographic((1.1 * size, 0.8 * size), pose, 88, 64),
        inside,
    ]


def test_cameras_come_back_from_blender() -> None:
    scene = SCENES["concave"]()
    mesh = dd.Mesh(np.eye(3) * (1.0, 2.0, 3.0), [[0, 1, 2]])
    for camera in cameras_of(mesh):
        set_blender_camera(scene, scene.camera, camera, (0.1, 10.0))
        bpy.context.view_layer.update()
        there = blender_camera(scene, scene.camera)
        assert (there.width, there.height) == (camera.width, camera.height)
        assert there.is_orthographic == camera.is_orthographic
        # float32 in Blender: of lens and shift, and of angles, which are rounded twice
        np.testing.assert_allclose(there.K, camera.K, rtol=0, atol=1e-6 * camera.K.max())
        np.testing.assert_allclose(there.camera_from_world, camera.camera_from_world, atol=2e-6)
    skewed = camera.K.copy()
    skewed[0, 1] = 1.0
    for K, width, message in (
        (skewed, 64, r"K has skew \(1\), which cameras of Blender lack"),
        (camera.K, 2, "Blender has no such camera: of <Camera 2x64"),
        (camera.K * [[1e-5], [1e-5], [1.0]], 64, "Blender has no such camera"),
    ):
        with pytest.raises(dd.CameraError, match=message):
            set_blender_camera(scene, scene.camera, dd.Camera(K, np.eye(4), width, 64), (0.1, 10.0))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["modifiers", "instances"])
@pytest.mark.parametrize("fit", ["none", "box"])
def test_silhouettes_by_cycles_are_those_of_the_depths(name: str, fit: str, tmp_path: Path) -> None:
    saved(name, tmp_path / "a.blend")
    config = DatasetConfig(
        blender={"photo": "cycles", "samples": 1},
        normalization={"fit": fit, "up": None if fit == "none" else "y"},
    )
    loaded = blend_mesh(tmp_path / "a.blend", has_own_camera=True)
    assert loaded.source is not None
    assert loaded.source.left_out == ()
    mesh, placement = normalized(loaded, config.normalization)
    assert placement.is_identity == (fit == "none")
    cameras = cameras_of(mesh)
    (tmp_path / "photos").mkdir()
    photos = take_photos(
        config, tmp_path / "a.blend", loaded, placement, cameras, tmp_path / "photos"
    )
    with dd.DepthRenderer() as renderer:
        views = renderer.entry_exit_many(renderer.upload(mesh), cameras, surfaces="any")
        for number, maps in enumerate(views):
            seen = ~np.isnan(maps.entry)
            alpha = alpha_of(tmp_path / "photos" / f"{number:06d}.png")
            clear = ~near_edges_ahead(mesh, cameras[number])
            assert clear.mean() > 0.4
            assert (alpha[clear] == np.where(seen, 255, 0)[clear]).all(), number
            assert seen.mean() > 0.02
            assert photos.columns(number, seen)["mask_iou"] > 0.98
    assert photos.about["samples"] == 1
    assert photos.about["view_transform"] == "AgX"


@pytest.mark.slow
def test_silhouettes_by_eevee_are_those_of_the_depths(tmp_path: Path) -> None:
    """But for pixels that its filter, 1.5 pixels wide, mixes with their neighbors."""
    try:
        versions = blender_versions("eevee")
    except dd.DatasetError as error:
        pytest.skip(str(error))
    assert sorted(versions) == ["blender", "eevee_driver"]
    scene = saved("concave", tmp_path / "a.blend")
    assert scene.render.filter_size == 1.5
    config = DatasetConfig(blender={"photo": "eevee", "samples": 2})
    mesh = blend_mesh(tmp_path / "a.blend", has_own_camera=True)
    _, placement = normalized(mesh, config.normalization)
    (orbit,) = dd.Camera.orbit(mesh, views=1, width=192, height=128)
    parallel = dd.Camera.orthographic((6.0, 4.0), orbit.camera_from_world, 192, 128)
    cameras = [orbit, parallel]
    photos = take_photos(config, tmp_path / "a.blend", mesh, placement, cameras, tmp_path)
    with dd.DepthRenderer() as renderer:
        for number, maps in enumerate(renderer.entry_exit_many(renderer.upload(mesh), cameras)):
            clear = ~near_edges(mesh, cameras[number], 1.5)
            seen = maps.mask
            assert (clear & seen).sum() > 100
            assert (clear & ~seen).sum() > 100
            assert (alpha_of(tmp_path / f"{number:06d}.png")[clear] >= 128).tolist() == (
                seen[clear].tolist()
            )
    assert photos.about["samples"] == 2


def alpha_of(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image)[..., 3]


def near_edges_ahead(mesh: dd.Mesh, camera: dd.Camera) -> Any:
    """Return `near_edges` of the faces that are in front of the camera as a whole."""
    if camera.is_orthographic:
        return near_edges(mesh, camera)
    depth = camera.project(mesh.vertices)[1]
    ahead = (depth[mesh.faces] > 0).all(axis=1)
    found = near_edges(dd.Mesh(mesh.vertices, mesh.faces[ahead]), camera)
    return found


def samples_of(config: DatasetConfig, path: Path, **environment: str) -> Sequence[Any]:
    with dd.DepthRenderer() as renderer, pytest.MonkeyPatch.context() as patch:
        for name, text in environment.items():
            patch.setenv(name, text)
        return list(MeshRenderer(config, renderer).samples(MeshEntry("a", str(path)), path))


@pytest.mark.slow
def test_bytes_repeat_whatever_the_threads(tmp_path: Path) -> None:
    scene = saved("concave", tmp_path / "a.blend")
    scene.cycles.use_adaptive_sampling = scene.cycles.use_denoising = True
    scene.cycles.filter_width, scene.cycles.time_limit = 1.5, 1e-3
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    views = {"count": 2, "size": (64, 48)}
    config = DatasetConfig(views=views, blender={"photo": "cycles", "samples": 9})
    first = samples_of(config, tmp_path / "a.blend", OMP_NUM_THREADS="1")
    second = samples_of(config, tmp_path / "a.blend", OMP_NUM_THREADS="2")
    assert [each.files for each in first] == [each.files for each in second]
    about = json.loads(first[0].files["json"])["photo"]
    assert about == {
        "engine": "cycles",
        "blender": bpy.app.version_string,
        "samples": 9,
        "seed": 0,
        "adaptive_sampling": True,
        "denoising": True,
        "display": "sRGB",
        "view_transform": "AgX",
        "look": "None",
        "exposure": 0.0,
        "gamma": 1.0,
        "curves": False,
    }
    other = DatasetConfig(views=views, blender={"photo": "cycles", "samples": 9, "seed": 1})
    noise = samples_of(other, tmp_path / "a.blend")
    assert noise[0].files["photo.png"] != first[0].files["photo.png"]
    assert noise[0].files["sheets.npz"] == first[0].files["sheets.npz"]


@pytest.mark.slow
def test_colors_are_those_of_the_view_transform(tmp_path: Path) -> None:
    """An emission of one value has that color: by the formula of sRGB with Standard."""
    scene = saved("concave", tmp_path / "a.blend")
    material = bpy.data.materials.new("light")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    emission = nodes.new("ShaderNodeEmission")
    emission.inputs["Color"].default_value = (0.5, 0.2, 0.05, 1.0)
    output = next(node for node in nodes if node.type == "OUTPUT_MATERIAL")
    material.node_tree.links.new(emission.outputs[0], output.inputs["Surface"])
    scene.objects["star"].data.materials.append(material)
    scene.render.dither_intensity = 0.0
    scene.view_settings.exposure = 1.0
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    options = {"photo": "cycles", "samples": 1, "view_transform": "Standard"}
    config = DatasetConfig(views={"count": 1, "size": (64, 48)}, blender=options)
    (sample,) = samples_of(config, tmp_path / "a.blend")
    photo = decoded_sample(sample.files)["photo"]
    linear = 2.0 * np.array([0.5, 0.2, 0.05])
    expected = 255 * (1.055 * linear ** (1 / 2.4) - 0.055)
    colors = np.unique(photo[photo[..., 3] == 255][:, :3], axis=0)
    # One color; Blender's tables of transforms round to about a half of 1/255.
    assert len(colors) == 1
    assert np.abs(colors[0] - expected).max() <= 1.0
    assert json.loads(sample.files["json"])["photo"]["exposure"] == 1.0
    wrong = DatasetConfig(views={"count": 1}, blender={**options, "view_transform": "Sepia"})
    with pytest.raises(dd.MeshError, match=r"a\.blend: Blender has no view transform 'Sepia'"):
        samples_of(wrong, tmp_path / "a.blend")


@pytest.mark.slow
def test_blender_ends_with_the_run(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil", reason="needs ddepth-gl[dataset]")
    saved("concave", tmp_path / "a.blend")
    config = DatasetConfig(
        views={"count": 500, "size": (640, 480)}, blender={"photo": "cycles", "samples": 5000}
    )
    found: list[Any] = []

    def watch() -> None:
        for pid in child_pids(child.pid or 0):
            with suppress(psutil.Error):  # it has just ended
                process = psutil.Process(pid)
                is_photos = "ddepth_gl.blender.photo_child" in process.cmdline()
                if is_photos and process.cpu_times().user > 3:
                    found.append(process)
        if found:
            raise RunStoppedError("enough")

    with RendererChild(config) as child:
        child.start()
        child.watch = watch
        with pytest.raises(RunStoppedError):
            list(child.samples(MeshEntry("a", str(tmp_path / "a.blend"))))
    found[0].wait(20)
    assert found[0].pid not in child_pids(os.getpid())


def test_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert blender_versions("cycles") == {"blender": bpy.app.version_string}
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent")
    with pytest.raises(
        dd.DatasetError, match=r"^--photo eevee: EEVEE needs OpenGL 4\.3 through EGL, and Blender"
    ):
        blender_versions("eevee")
