"""Corrections of poses: photos of a turned, scaled and moved mesh tell how it was."""

from __future__ import annotations

import json
import tarfile
from itertools import product

import imageio.v3 as iio
import numpy as np
import pyarrow.parquet
import pytest
from dataset_photos import (
    around,
    crooked,
    in_blender,
    matrix_of,
    photographed,
    write_bop,
    write_colmap,
    write_trellis,
    write_zero123,
)
from shapes import box, sphere

import ddepth_gl as dd
from ddepth_gl.dataset.config import DatasetConfig, PhotosConfig
from ddepth_gl.dataset.corrections import (
    AXIS_ROTATIONS,
    Correction,
    best_correction,
    matched_photos,
)
from ddepth_gl.dataset.decoding import decoded_sample
from ddepth_gl.dataset.entries import MeshEntry
from ddepth_gl.dataset.normalization import Placement
from ddepth_gl.dataset.photo_masks import Photo, mask_iou
from ddepth_gl.dataset.reading import DatasetReader
from ddepth_gl.dataset.run import RunOptions, run_dataset
from ddepth_gl.dataset.samples import MeshRenderer
from ddepth_gl.dataset.silhouette_fit import Outlines, extreme_points
from ddepth_gl.dataset.similar_cameras import camera_of_similar
from ddepth_gl.dataset.status import read_status
from ddepth_gl.dataset.summary import summarize
from ddepth_gl.dataset.verify import verify_dataset
from ddepth_gl.io.results.ply import write_mesh

MESH = crooked()
ENTRY = MeshEntry("a", "/bop/obj_000005.ply")
Z_FROM_Y = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))


@pytest.fixture(scope="module")
def renderer():
    with dd.DepthRenderer() as renderer:
        yield renderer


def transformed(placement, mesh=MESH):
    """Return a copy of a mesh, by a matrix of its own."""
    matrix = matrix_of(placement.scale, placement.rotation, placement.offset)
    return dd.Mesh(mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3], mesh.faces)


def silhouettes(renderer, mesh, cameras):
    scene = renderer.upload(mesh)
    masks = [maps.mask for maps in renderer.entry_exit_many(scene, cameras)]
    scene.release()
    return masks


def searched(renderer, placement, mesh=MESH, views=6, **more):
    """Return what is found for silhouettes of a turned, scaled and moved copy."""
    copy = transformed(placement, mesh)
    cameras = around(copy, views, (96, 80))
    seen = list(zip(cameras, silhouettes(renderer, copy, cameras), strict=True))
    scene = renderer.upload(mesh)

    def render(of):
        return [maps.mask for maps in renderer.entry_exit_many(scene, of)]

    found = best_correction(render, mesh, seen, **more)
    scene.release()
    return found


def test_the_rotations_of_axes():
    assert len(set(AXIS_ROTATIONS)) == 24
    assert AXIS_ROTATIONS[0] == Placement().rotation
    for rotation in map(np.array, AXIS_ROTATIONS):
        assert np.array_equal(rotation @ rotation.T, np.eye(3))
        assert np.linalg.det(rotation) == pytest.approx(1.0)
        assert set(np.unique(rotation)) <= {-1.0, 0.0, 1.0}


def test_cameras_of_a_similar_mesh():
    """The image of the mesh is that of its copy; depths are in units of the mesh."""
    placement = Placement(2.5, (3.0, -1.0, 0.5), Z_FROM_Y)
    copy = transformed(placement)
    camera = around(copy, 1)[0]
    similar = camera_of_similar(camera, placement)
    pixels, depth = camera.project(copy.vertices)
    assert np.allclose(similar.project(MESH.vertices)[0], pixels, atol=1e-10)
    assert np.allclose(similar.project(MESH.vertices)[1] * 2.5, depth, rtol=1e-12)
    parallel = dd.Camera.orthographic(9.0, camera.camera_from_world, 64, 64)
    pixels, depth = parallel.project(copy.vertices)
    similar = camera_of_similar(parallel, placement)
    assert np.allclose(similar.project(MESH.vertices)[0], pixels, atol=1e-10)
    assert np.allclose(similar.project(MESH.vertices)[1] * 2.5, depth, rtol=1e-12)
    assert camera_of_similar(camera, Placement()) is camera


def check_found(found, placement, tolerance):
    assert found.placement.rotation == placement.rotation
    assert found.placement.scale == pytest.approx(placement.scale, rel=tolerance)
    moved = transformed(found.placement).vertices - transformed(placement).vertices
    assert np.abs(moved).max() < tolerance * placement.scale * 4.0  # the mesh is 4 wide


@pytest.mark.parametrize("rotation", AXIS_ROTATIONS[1:24:5])
def test_wrong_axes(renderer, rotation):
    found = searched(renderer, Placement(1.0, rotation=rotation))
    check_found(found, Placement(1.0, rotation=rotation), 1e-12)
    assert found.iou == 1.0
    assert found.iou_before < 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("rotation", "scale"), list(product(AXIS_ROTATIONS, (0.01, 1.37))))
def test_all_wrong_axes_with_units_and_places(renderer, rotation, scale):
    offset = (0.0, 0.0, 0.0) if scale == 0.01 else (0.3, -2.0, 7.0)
    placement = Placement(scale, offset, rotation)
    found = searched(renderer, placement)
    # Silhouettes of 80 rows, seen six times: a tenth of a pixel on a mesh of half the image.
    check_found(found, placement, 1e-12 if scale == 0.01 else 0.01)


def test_a_mesh_that_photos_show_in_the_unit_box(renderer):
    low, high = MESH.bounds
    side = float((high - low).max())
    offset = tuple(np.array(Z_FROM_Y) @ (-(low + high) / 2 / side))
    placement = Placement(1 / side, offset, Z_FROM_Y)
    found = searched(renderer, placement)
    check_found(found, placement, 1e-12)
    assert found.axes == "x,-z,y"


def test_one_photo_tells_axes_and_units(renderer):
    for scale in (1.0, 0.001):
        found = searched(renderer, Placement(scale, rotation=Z_FROM_Y), views=1)
        check_found(found, Placement(scale, rotation=Z_FROM_Y), 1e-12)


def test_nothing_is_corrected_without_need(renderer):
    assert searched(renderer, Placement()) is None
    assert best_correction(lambda cameras: [], MESH, []) is None
    # A ball looks the same from everywhere, so a turned one needs no correction.
    ball = sphere(1.0, 24, 36)
    assert searched(renderer, Placement(1.0, rotation=Z_FROM_Y), ball) is None
    # Below the limit, nothing is searched.
    small = Placement(1.0, (0.02, 0.0, 0.0))
    assert searched(renderer, small, search_below=0.9) is None


def test_reflections_are_no_corrections(renderer):
    mirrored = dd.Mesh(MESH.vertices * (-1, 1, 1), MESH.faces[:, ::-1])
    cameras = around(mirrored)
    seen = list(zip(cameras, silhouettes(renderer, mirrored, cameras), strict=True))
    scene = renderer.upload(MESH)

    def render(of):
        return [maps.mask for maps in renderer.entry_exit_many(scene, of)]

    found = best_correction(render, MESH, seen)
    scene.release()
    assert found is None or found.iou < 0.9


def test_the_fit_of_boxes():
    """Noise-free boxes, half a pixel apart at most: the known scale and offset."""
    points = MESH.vertices
    placement = Placement(0.7, (1.0, 2.0, -3.0))
    copy = transformed(placement)
    cameras = around(copy, 5, (2000, 2000))
    masks = []
    for camera in cameras:
        pixels, _ = camera.project(copy.vertices)
        mask = np.zeros((2000, 2000), bool)
        (left, top), (right, bottom) = np.round(pixels.min(axis=0)), np.round(pixels.max(axis=0))
        mask[int(top) : int(bottom), int(left) : int(right)] = True
        masks.append(mask)
    scale, offset = Outlines(cameras, masks).fitted(points)
    # Edges are rounded by half a pixel of about a thousand.
    assert scale == pytest.approx(0.7, rel=1e-3)
    assert np.allclose(offset, placement.offset, atol=1e-2)
    assert float(f"{scale:.6g}") == scale


def test_extreme_points_bound_the_mesh():
    ball = sphere(2.0, 80, 100)
    kept = extreme_points(ball)
    assert len(kept) <= 256 < len(ball.vertices)
    rng = np.random.default_rng(0)
    for direction in rng.normal(size=(50, 3)):
        direction /= np.linalg.norm(direction)
        # 256 directions are about 12 degrees apart: cos(12 degrees) of the radius.
        assert (kept @ direction).max() > 2.0 * np.cos(np.radians(12))
    assert len(extreme_points(box())) == 8


# In every layout


@pytest.fixture(params=["zero123", "transforms", "colmap", "bop"])
def wrong(request, renderer, tmp_path):
    """Return photos of a mesh whose file has other axes than the poses, and the truth."""
    rotation = AXIS_ROTATIONS[7]
    copy = transformed(Placement(1.0, rotation=rotation))
    settings = {}
    if request.param == "zero123":
        seen = dd.Mesh(in_blender(copy).vertices, MESH.faces)
        cameras = photographed(renderer, seen, around(seen), tmp_path)
        write_zero123(tmp_path, cameras)
        side = max(cameras[0].width, cameras[0].height)
        settings["fov_deg"] = 2 * np.degrees(np.arctan(side / 2 / cameras[0].K[0, 0]))
    elif request.param == "bop":
        cameras = photographed(renderer, copy, around(copy), tmp_path / "rgb")
        for view in range(len(cameras)):
            (tmp_path / f"rgb/{view:03d}.png").rename(tmp_path / f"rgb/{view:06d}.png")
        write_bop(tmp_path, cameras, object_id=5)
    else:
        cameras = photographed(renderer, copy, around(copy), tmp_path / "images")
        if request.param == "colmap":
            write_colmap(tmp_path / "sparse" / "0", cameras)
        else:
            dd.save_cameras(tmp_path / "transforms.json", cameras)
    return {"folder": str(tmp_path), "layout": request.param, **settings}, rotation


def test_each_layout_with_wrong_axes(renderer, wrong):
    settings, rotation = wrong
    if settings["layout"] == "zero123":
        # The world of Blender is that of a file with y up, which this one is not.
        rotation = tuple(map(tuple, np.array(Z_FROM_Y) @ rotation))
    scene = renderer.upload(MESH)
    try:
        photos, found = matched_photos(
            PhotosConfig(**settings), ENTRY, MESH, MESH, Placement(), renderer, scene
        )
        assert found is not None
        assert found.placement.rotation == rotation
        assert found.iou > 0.97
        assert found.iou_before < 0.6
        again, _ = matched_photos(
            PhotosConfig(**settings, correct=True),
            ENTRY,
            MESH,
            MESH,
            Placement(),
            renderer,
            scene,
        )
        for before, after in zip(photos, again, strict=True):
            assert after.path == before.path
            expected = camera_of_similar(before.camera, found.placement)
            assert after.camera == expected
    finally:
        scene.release()


# In samples


def photo_data_set(renderer, folder):
    """Write a mesh with y up and photos of one with z up."""
    mesh = dd.Mesh(MESH.vertices, MESH.faces)
    write_mesh(folder / "part.ply", mesh)
    copy = transformed(Placement(1.0, rotation=Z_FROM_Y))
    cameras = photographed(renderer, copy, around(copy, 4), folder / "images")
    dd.save_cameras(folder / "transforms.json", cameras)
    return MeshEntry("part", str(folder / "part.ply")), cameras


def samples(renderer, entry, folder, **photos):
    config = DatasetConfig(
        store={"outputs": ["photo", "depth"]}, photos={"folder": str(folder), **photos}
    )
    return list(MeshRenderer(config, renderer).samples(entry, folder / "part.ply"))


def test_samples_with_photos(renderer, tmp_path):
    entry, cameras = photo_data_set(renderer, tmp_path)
    found = samples(renderer, entry, tmp_path, correct=True, min_iou=0.9)
    assert [sample.row["view"] for sample in found] == [0, 1, 2, 3]
    placement = Placement(1.0, rotation=Z_FROM_Y)
    scene = renderer.upload(MESH)
    for view, sample in enumerate(found):
        assert list(sample.files) == ["photo.png", "sheets.npz", "json"]
        photo = (tmp_path / "images" / f"{view:03d}.png").read_bytes()
        assert sample.files["photo.png"] == photo
        assert sample.row["mask_iou"] > 0.97
        assert not sample.row["left_out"]
        assert json.loads(sample.row["pose_correction"])["axes"] == "x,-z,y"
        # The sheets are those of the mesh in its own frame, seen as the photo shows it.
        camera = dd.Camera.from_dict(json.loads(sample.files["json"])["camera"])
        assert camera == camera_of_similar(cameras[view], placement)
        mask = renderer.entry_exit(scene, camera).mask
        alpha = iio.imread(photo)[..., 3] >= 128
        iou = np.count_nonzero(mask & alpha) / np.count_nonzero(mask | alpha)
        assert sample.row["mask_iou"] == iou
    scene.release()


def test_samples_of_a_turned_obj_file_in_the_world_of_blender(renderer, tmp_path):
    """normalization.up turns the mesh, and neither photos nor camera files with it."""
    path = tmp_path / "part.obj"
    corners = "".join(f"v {x} {y} {z}\n" for x, y, z in MESH.vertices.tolist())
    path.write_text(corners + "".join(f"f {a} {b} {c}\n" for a, b, c in (MESH.faces + 1).tolist()))
    blender = in_blender(MESH)
    cameras = photographed(renderer, blender, around(blender, 2), tmp_path)
    write_trellis(tmp_path, cameras)
    scene = renderer.upload(blender)
    silhouettes = [renderer.entry_exit(scene, each).mask for each in cameras]
    scene.release()
    normalization = {"fit": "sphere", "up": "z"}
    config = DatasetConfig(
        store={"outputs": ["depth"]}, photos={"folder": str(tmp_path)}, normalization=normalization
    )
    found = list(MeshRenderer(config, renderer).samples(MeshEntry("part", str(path)), path))
    # Corners are rounded to float32 after they are placed, so a pixel or two may differ.
    assert min(sample.row["mask_iou"] for sample in found) > 0.99
    assert [sample.row["pose_correction"] for sample in found] == [None, None]
    views = {"kind": "file", "file": str(tmp_path / "transforms.json"), "world": "blender"}
    config = DatasetConfig(
        store={"outputs": ["depth"]}, views={**views, "size": (72, 64)}, normalization=normalization
    )
    found = list(MeshRenderer(config, renderer).samples(MeshEntry("part", str(path)), path))
    for sample, silhouette in zip(found, silhouettes, strict=True):
        depth = decoded_sample(sample.files)["entry"]
        assert mask_iou(np.isfinite(depth), silhouette) > 0.99


def test_samples_that_do_not_match_are_left_out(renderer, tmp_path):
    entry, _ = photo_data_set(renderer, tmp_path)
    for sample in samples(renderer, entry, tmp_path, min_iou=0.9):
        assert sample.files == {}
        assert sample.row["left_out"]
        assert sample.row["mask_iou"] < 0.9
        assert json.loads(sample.row["pose_correction"])["iou"] > 0.97
    kept = samples(renderer, entry, tmp_path)
    assert all(list(sample.files) == ["photo.png", "sheets.npz", "json"] for sample in kept)
    assert not any(sample.row["left_out"] for sample in kept)


def test_photos_without_silhouettes_are_kept(renderer, tmp_path):
    entry, _ = photo_data_set(renderer, tmp_path)
    for path in (tmp_path / "images").iterdir():
        iio.imwrite(path, iio.imread(path)[..., :3])
    for sample in samples(renderer, entry, tmp_path, min_iou=0.9):
        assert sample.row["mask_iou"] is None
        assert sample.row["pose_correction"] is None
        assert not sample.row["left_out"]
        assert "photo.png" in sample.files


def test_a_correction_as_json():
    correction = Correction(Placement(0.5, (1.0, 2.0, 3.0), Z_FROM_Y), 0.99, 0.2)
    assert json.loads(json.dumps(correction.to_dict())) == {
        "axes": "x,-z,y",
        "scale": 0.5,
        "offset": [1.0, 2.0, 3.0],
        "iou": 0.99,
        "iou_before": 0.2,
    }
    assert Photo(around(MESH, 1)[0], "a.png").mask is None


def test_a_data_set_of_photos(renderer, tmp_path):
    """A run with one mesh whose photos match and one whose do not: rows for all, files for one."""
    meshes, photos, out = tmp_path / "meshes", tmp_path / "photos", tmp_path / "out"
    meshes.mkdir()
    for name, placement in (("fits", Placement()), ("wrong", Placement(1.0, rotation=Z_FROM_Y))):
        write_mesh(meshes / f"{name}.ply", MESH)
        copy = transformed(placement)
        cameras = photographed(renderer, copy, around(copy, 3), photos / name)
        dd.save_cameras(photos / name / "transforms.json", cameras)
    config = DatasetConfig(
        sources={"paths": [str(meshes)]},
        store={"outputs": ["photo", "depth"], "transforms": True},
        photos={"folder": f"{photos}/{{stem}}", "min_iou": 0.9},
    )
    report = run_dataset(config, out, RunOptions(workers=1))
    assert report.failures == 0
    assert (report.counts.images, report.left_out) == (3, 3)
    lines = list(read_status(out).lines())
    assert "2 of 2 meshes are done: 3 images, " in lines[0]
    assert lines[1].startswith("3 views were left out, as the mesh and the photo overlap less")
    index = pyarrow.parquet.read_table(out / "index.parquet").to_pylist()
    found = {row["key"]: row for row in index}
    assert len(found) == 6
    for row in found.values():
        is_wrong = row["id"].startswith("wrong")
        assert row["left_out"] is is_wrong
        assert (row["mask_iou"] < 0.9) is is_wrong
        assert (row["pose_correction"] is None) is not is_wrong
    names = []
    for tar in sorted((out / "shards").glob("*.tar")):
        with tarfile.open(tar) as shard:
            names += shard.getnames()
    kept = [key for key, row in found.items() if not row["left_out"]]
    assert sorted(names) == sorted(
        f"{key}.{ending}" for key in kept for ending in ("photo.png", "sheets.npz", "json")
    )
    assert verify_dataset(out).problems == []
    written = [path.stem for path in (out / "transforms").glob("*/*.json")]
    assert written == ["fits%2Eply"]
    assert summarize(out).samples == 3
    reader = DatasetReader(out)
    assert [reader.key(number) for number in range(len(reader))] == kept
    assert reader.read(0)["photo"].shape == (64, 72, 4)


@pytest.mark.slow
def test_a_data_set_whose_views_are_all_left_out(renderer, tmp_path):
    entry, _ = photo_data_set(renderer, tmp_path)
    config = DatasetConfig(
        sources={"paths": [entry.address]},
        photos={"folder": str(tmp_path), "min_iou": 0.9, "search_below": 0.0},
    )
    report = run_dataset(config, tmp_path / "out", RunOptions(workers=1))
    assert (report.failures, report.counts.images, report.left_out) == (0, 0, 4)
    (problem,) = verify_dataset(tmp_path / "out").problems
    assert problem == (
        "no samples: all views were left out, see mask_iou in the index and photos.min_iou"
    )
