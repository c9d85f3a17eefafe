"""Layouts of published work in samples, against their definitions written out by hand."""

from __future__ import annotations

import io

import imageio.v3 as iio
import numpy as np
import pytest
from dataset_samples import config_of, equal, nested_boxes, samples_of, written
from scipy.sparse import csr_matrix
from shapes import box, pixel_rays

import ddepth_gl as dd
from ddepth_gl.dataset.decoding import decoded_camera, decoded_sample, sample_facts
from ddepth_gl.dataset.layouts import LAYOUTS, Rendered
from ddepth_gl.io.results.lari import write_lari
from ddepth_gl.io.results.layereddepth import write_layereddepth
from ddepth_gl.io.results.xray import write_xray

PIXELS = 1.0 / 32.0  # a step of 2K2K


def one_sample(renderer, tmp_path, *layouts, mesh=None):
    config = config_of(outputs=("depth",), layouts=layouts, views=1)
    (sample,) = samples_of(renderer, config, *written(tmp_path, mesh or nested_boxes()))
    return sample


def all_layers(renderer, tmp_path, sample):
    scene = renderer.upload(dd.load_mesh(tmp_path / "part.ply"))
    attributes = ("normal", "color", "object_id")
    layers = renderer.peel(scene, decoded_camera(sample.files), attributes=attributes)
    scene.release()
    return layers


def test_stacks_are_those_of_the_writers(renderer, tmp_path):
    sample = one_sample(renderer, tmp_path, "xray", "lari", "lari16", "layereddepth")
    layers = all_layers(renderer, tmp_path, sample)
    arrays = decoded_sample(sample.files)
    with np.load(write_lari(tmp_path / "a.npz", layers)[0]) as file:
        assert equal(arrays["ldi"], file["ldi"])
    with np.load(write_lari(tmp_path / "a.npz", layers, dtype="float16")[0]) as file:
        assert equal(arrays["ldi16"], file["ldi"])
    with np.load(write_xray(tmp_path / "a.npz", layers)[0]) as file:
        parts = (file["data"], file["indices"], file["indptr"])
        dense = csr_matrix(parts, shape=file["shape"]).toarray()
    assert equal(arrays["xray"], dense.reshape(arrays["xray"].shape))
    _, *images = write_layereddepth(tmp_path / "a.png", layers)
    for number, path in enumerate(images):
        steps = iio.imread(path)
        expected = np.where(steps == 0, np.nan, steps * 0.001).astype(np.float32)
        assert equal(arrays["layereddepth_depth"][number], expected)


def test_layereddepth_has_normals_objects_and_materials(renderer, tmp_path):
    sample = one_sample(renderer, tmp_path, "layereddepth")
    layers = all_layers(renderer, tmp_path, sample)
    arrays = decoded_sample(sample.files)
    assert equal(arrays["layereddepth_normal"], layers.dense("normal", 8))
    hit = np.arange(8)[:, None, None] < layers.count
    assert (arrays["layereddepth_object_id"] == np.where(hit, 1, 0)).all()
    # Without textures, all faces are of material 1.
    assert (arrays["layereddepth_material_id"] == np.where(hit, 1, 0)).all()


def test_materials_are_textures():
    texture = np.full((2, 2, 4), 255, np.uint8)
    mesh = box()
    uv = np.zeros((len(mesh.vertices), 2))
    texture_id = np.arange(len(mesh.faces)) % 3 - 1
    textured = dd.Mesh(
        mesh.vertices, mesh.faces, uv=uv, texture=(texture, texture // 2), texture_id=texture_id
    )
    with dd.DepthRenderer() as renderer:
        scene = renderer.upload(textured)
        camera = dd.Camera.orbit(textured, views=1, width=32, height=32)[0]
        frame = renderer.render(
            scene, camera, image=False, layers=True, layer_attributes=("normal", "object_id")
        )
    files = LAYOUTS["layereddepth"].files(Rendered(textured, frame.maps, frame.layers))
    face = frame.layers.dense("face", 8)
    expected = np.where(face < 0, 0, texture_id[face] + 2)
    with np.load(io.BytesIO(files["layereddepth.npz"])) as file:
        assert (file["material_id"] == expected).all()
    assert set(np.unique(expected)) == {0, 1, 2, 3}


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_point_maps_lie_on_the_rays(renderer, tmp_path, dtype):
    ending = "point_map" if dtype is np.float32 else "point_map16"
    sample = one_sample(renderer, tmp_path, ending)
    arrays, camera = decoded_sample(sample.files), decoded_camera(sample.files)
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    for name in ("entry", "exit"):
        points = arrays[f"{ending}_{name}"]
        assert points.dtype == dtype
        x, y, z = np.moveaxis(points.astype(np.float64), -1, 0)
        assert equal(points[..., 2], arrays[name].astype(dtype))
        hit = ~np.isnan(z)
        assert (np.isnan(x) == ~hit).all()
        # Three roundings, of x, y and z, at up to 40 pixels.
        limit = 3 * np.finfo(dtype).eps * 40.0
        assert np.abs((x / z * camera.K[0, 0] + camera.K[0, 2] - columns)[hit]).max() < limit
        assert np.abs((y / z * camera.K[1, 1] + camera.K[1, 2] - rows)[hit]).max() < limit


def test_2k2k_is_read_back_by_its_formula(renderer, tmp_path):
    sample = one_sample(renderer, tmp_path, "2k2k")
    arrays, camera = decoded_sample(sample.files), decoded_camera(sample.files)
    reference = sample_facts(sample.files)["2k2k_reference"]
    low, high = nested_boxes().bounds
    assert reference == pytest.approx(np.linalg.norm((low + high) / 2 - camera.center), rel=1e-6)
    # As the published loader: steps / 32, minus half an image, in pixels at distance 1.
    focal, size = camera.K[0, 0], camera.width
    lengths = np.linalg.norm(
        [(camera.pixel_centers()[..., i] - camera.K[i, 2]) / camera.K[i, i] for i in (0, 1)]
        + [np.ones(arrays["entry"].shape)],
        axis=0,
    )
    mask = ~np.isnan(arrays["entry"]) & ~np.isnan(arrays["exit"])
    for steps, name in zip(arrays["2k2k_depth"], ("entry", "exit"), strict=True):
        assert ((steps > 0) == mask).all()
        distance = ((steps / 32.0 - size / 2.0) / focal + 1.0) * reference
        error = (arrays[name] * lengths - distance)[mask] * focal / reference
        # Rounded down, so up to one step too near; and float32 at 20 pixels from the middle.
        assert error.min() > -1e-4
        assert error.max() < PIXELS + 1e-4


def test_2k2k_has_the_unlit_colors_of_both_sides(renderer, tmp_path):
    mesh = box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
    colors = np.full((len(mesh.vertices), 4), (200, 100, 50, 255), np.uint8)
    sample = one_sample(
        renderer, tmp_path, "2k2k", mesh=dd.Mesh(mesh.vertices, mesh.faces, colors=colors)
    )
    arrays = decoded_sample(sample.files)
    mask = arrays["2k2k_depth"][0] > 0
    assert (arrays["2k2k_color"][:, mask] == (200, 100, 50)).all()
    assert (arrays["2k2k_color"][:, ~mask] == 0).all()


def test_2k2k_refuses_depths_out_of_its_range(renderer, tmp_path):
    mesh = box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
    scene = renderer.upload(mesh)
    near = dd.Camera.look_at(
        (0, 0, 1.0), (0, 0, 0), up=(0, 1, 0), width=32, height=32, fov_y_deg=20
    )
    maps = renderer.entry_exit(scene, near, attributes=("color",))
    scene.release()
    with pytest.raises(dd.OutputError, match=r"^depth_front.png: 2K2K.*; move the camera away"):
        LAYOUTS["2k2k"].files(Rendered(mesh, maps))


def test_point_map16_refuses_what_float16_cannot_hold(renderer):
    mesh = dd.Mesh(box().vertices * 1e5, box().faces)
    scene = renderer.upload(mesh)
    camera = dd.Camera.orbit(mesh, views=1, width=16, height=16)[0]
    maps = renderer.entry_exit(scene, camera)
    scene.release()
    with pytest.raises(dd.OutputError, match=r"^point_map16.npz: .*scale the mesh"):
        LAYOUTS["point_map16"].files(Rendered(mesh, maps))


def test_orthographic_point_maps(renderer):
    mesh = box()
    scene = renderer.upload(mesh)
    pose = dd.Camera.orbit(mesh, views=3, width=24, height=24)[1].camera_from_world
    camera = dd.Camera.orthographic(4.0, pose, 24, 24)
    maps = renderer.entry_exit(scene, camera)
    scene.release()
    files = LAYOUTS["point_map"].files(Rendered(mesh, maps))
    origins, directions = pixel_rays(camera)[:2]
    world = origins + directions * maps.entry[..., None].astype(np.float64)
    R, t = pose[:3, :3], pose[:3, 3]
    with np.load(io.BytesIO(files["point_map.npz"])) as file:
        assert np.allclose(file["entry"], world @ R.T + t, atol=1e-5, equal_nan=True)
    assert np.isfinite(maps.entry).any()
