"""Samples: what the files of a view hold, and that they depend on nothing but their inputs."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import oracle
import pytest
from conftest import no_gl_objects_left
from dataset_samples import (
    ALL_LAYOUTS,
    ALL_OUTPUTS,
    config_of,
    equal,
    nested_boxes,
    samples_of,
    written,
)
from shapes import view_of

import ddepth_gl as dd
from ddepth_gl.dataset.decoding import decoded_camera, decoded_sample, sample_facts
from ddepth_gl.dataset.entries import MeshEntry
from ddepth_gl.dataset.layouts import Rendered
from ddepth_gl.dataset.samples import MeshRenderer
from ddepth_gl.dataset.stores import Stores
from ddepth_gl.io.results.read_npz import npz_in_memory

CODECS = ("packed", "deflate", "none", "png16", "exr")
ATTRIBUTES = ("face", "normal", "object_id")


def test_sheets_equal_the_float64_oracle(renderer, tmp_path):
    mesh = nested_boxes()
    for sample in samples_of(renderer, config_of(outputs=("depth",)), *written(tmp_path, mesh)):
        arrays = decoded_sample(sample.files)
        view = view_of(decoded_camera(sample.files))
        loaded = dd.load_mesh(tmp_path / "part.ply")
        reference = oracle.reference(loaded.vertices, loaded.faces, view, "oriented")
        report = oracle.check(reference, arrays["entry"], arrays["exit"])
        assert report.ok, str(report)
        assert report.covered > 100


@pytest.mark.parametrize("codec", CODECS)
def test_decoded_arrays_are_those_of_the_renderer(renderer, tmp_path, codec):
    entry, path = written(tmp_path, nested_boxes())
    config = config_of(outputs=ALL_OUTPUTS, codec=codec)
    mesh = dd.load_mesh(path)
    scene = renderer.upload(mesh)
    for sample in samples_of(renderer, config, entry, path):
        camera = decoded_camera(sample.files)
        arrays = decoded_sample(sample.files)
        maps = renderer.entry_exit(scene, camera, attributes=ATTRIBUTES)
        layers = renderer.peel(scene, camera, attributes=("normal", "object_id"))
        step = sample_facts(sample.files).get("png16_scale", 0.0)
        for name in ("entry", "exit", "entry_distance", "exit_distance"):
            expected = getattr(maps, name)
            if codec == "png16":
                # Half a step, and the rounding of the product to float32.
                error = np.abs(arrays[name].astype(np.float64) - expected)
                assert np.nanmax(error) <= 0.5 * step + np.spacing(np.float32(8.0))
                assert (np.isnan(arrays[name]) == np.isnan(expected)).all()
            else:
                assert equal(arrays[name], expected)
        assert equal(arrays["thickness"], maps.thickness)
        for name in ATTRIBUTES:
            assert equal(arrays[f"entry_{name}"], maps.attributes[name].entry)
            assert equal(arrays[f"exit_{name}"], maps.attributes[name].exit)
        for name in ("count", "truncated", "depth", "face", "front_facing", "two_sided"):
            assert equal(arrays[f"layers_{name}"], getattr(layers, name))
        assert equal(arrays["layers_normal"], layers.normal)
        assert equal(arrays["photo"], renderer.shade(scene, camera, samples=2))
        # Their sums have another order than `points`: float32 may round another way.
        assert np.allclose(arrays["points"], np.stack(maps.points()), rtol=0.0, atol=5e-7)
        outward = np.einsum("ij,ij->i", arrays["points_normal"][0], camera.rays()[1][maps.mask])
        assert (outward <= 0.0).all()
        inward = np.einsum("ij,ij->i", arrays["points_normal"][1], camera.rays()[1][maps.mask])
        assert (inward >= 0.0).all()
        assert np.allclose(np.linalg.norm(arrays["points_normal"], axis=-1), 1.0, atol=1e-6)
        objects = dict(layers.objects())
        assert arrays["objects_object_id"].tolist() == sorted(objects)
        for number, object_maps in enumerate(objects.values()):
            first, last = arrays["objects_offsets"][number : number + 2]
            image = np.full(maps.entry.shape, np.nan, np.float32)
            image.flat[arrays["objects_pixel"][first:last]] = arrays["objects_entry"][first:last]
            assert equal(image, object_maps.entry)
    scene.release()


def test_sheets_and_layers_are_files_of_load_npz(renderer, tmp_path):
    config = config_of(outputs=("depth", "layers", "normal"), views=1)
    (sample,) = samples_of(renderer, config, *written(tmp_path, nested_boxes()))
    maps = npz_in_memory(sample.files["sheets.npz"], "sheets.npz")
    layers = npz_in_memory(sample.files["layers.npz"], "layers.npz")
    assert maps.camera == layers.camera == decoded_camera(sample.files)
    assert equal(layers.entry_exit().entry, maps.entry)
    assert set(maps.provenance) == set(layers.provenance) == {"mesh_sha256"}


def test_a_depth_tolerance_holds_and_shrinks_files(renderer, tmp_path):
    entry, path = written(tmp_path, nested_boxes())
    outputs = ("depth", "layers", "objects")
    exact, rounded = (
        samples_of(renderer, config_of(outputs=outputs, depth_tolerance=each), entry, path)[0]
        for each in (0.0, 1e-4)
    )
    for ending in ("sheets.npz", "layers.npz", "objects.npz"):
        assert len(rounded.files[ending]) < len(exact.files[ending])
    before, after = decoded_sample(exact.files), decoded_sample(rounded.files)
    for name in ("entry", "exit", "layers_depth", "objects_entry"):
        ratio = after[name].astype(np.float64) / before[name]
        assert 0.0 < np.nanmax(np.abs(ratio - 1.0)) <= 1e-4


def test_every_sample_has_the_same_files_in_order_and_sorted_json(renderer, tmp_path):
    entry, path = written(tmp_path, nested_boxes())
    config = config_of(outputs=ALL_OUTPUTS, layouts=ALL_LAYOUTS, views=3)
    samples = samples_of(renderer, config, entry, path)
    assert [sample.key for sample in samples] == ["part_000", "part_001", "part_002"]
    endings = {tuple(sample.files) for sample in samples}
    assert len(endings) == 1
    assert endings.pop()[-1] == "json"
    for view, sample in enumerate(samples):
        text = sample.files["json"].decode()
        about = json.loads(text)
        assert text == json.dumps(about, sort_keys=True, separators=(",", ":"))
        assert about["id"] == "part"
        assert about["view"] == sample.row["view"] == view
        assert about["camera"] == json.loads(sample.row["camera"])
        assert "license" not in sample.row  # columns of tables join the rows in the shard
        decoded = set(decoded_sample(sample.files)) - {"K", "camera_from_world"}
        for name in decoded:
            # Arrays of layers, objects and points are described together.
            group = name.partition("_")[0]
            assert name in about["fields"] or group in ("layers", "objects", "points")
        assert set(about["fields"]) - {"layers", "objects", "points"} <= decoded
        for field in about["fields"].values():
            for ending in field["file"].replace(" to ", ", ").split(", "):
                assert ending in sample.files


def test_the_photo_alone_needs_no_sheets_file(renderer, tmp_path):
    config = config_of(outputs=("photo",), samples=1, views=1)
    (sample,) = samples_of(renderer, config, *written(tmp_path, nested_boxes()))
    assert list(sample.files) == ["photo.png", "json"]
    assert sample.row["coverage"] > 0.05


def test_encoders_in_threads_change_nothing(renderer, tmp_path):
    entry, path = written(tmp_path, nested_boxes())
    config = config_of(outputs=("photo", "depth", "layers"), views=7)
    expected = samples_of(renderer, config, entry, path)
    assert samples_of(renderer, config, entry, path, encoders=3) == expected
    assert samples_of(renderer, config, entry, path) == expected


@pytest.mark.parametrize("encoders", [0, 2])
def test_a_mesh_leaves_nothing_on_the_device(renderer, tmp_path, encoders):
    entry, path = written(tmp_path, nested_boxes())
    meshes = MeshRenderer(config_of(views=5), renderer, encoders=encoders)
    list(meshes.samples(entry, path))  # compiles programs
    with no_gl_objects_left(renderer):
        list(meshes.samples(entry, path))
        unfinished = meshes.samples(entry, path)
        next(unfinished)
        unfinished.close()
    assert set(meshes.seconds) == {"load", "prepare", "render", "encode"}
    assert all(seconds > 0.0 for seconds in meshes.seconds.values())


HASHES = """
import hashlib, sys
from pathlib import Path
import ddepth_gl as dd
from dataset_samples import *
config = config_of(outputs=ALL_OUTPUTS, layouts=ALL_LAYOUTS, codec=sys.argv[2])
path = Path(sys.argv[1])
with dd.DepthRenderer() as renderer:
    samples = samples_of(renderer, config, MeshEntry("part", str(path)), path)
for sample in samples:
    print(sample.row)
    for ending, data in sample.files.items():
        print(ending, hashlib.sha256(data).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["packed", "exr"])
def test_bytes_do_not_depend_on_the_process_or_its_threads(tmp_path, codec):
    written(tmp_path, nested_boxes())
    (tmp_path / "elsewhere").mkdir()
    _, other = written(tmp_path / "elsewhere", nested_boxes())
    outputs = []
    for threads, path in (("1", tmp_path / "part.ply"), ("3", other)):
        environment = {**os.environ, "LP_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        environment["PYTHONPATH"] = os.pathsep.join([os.getcwd(), os.path.dirname(__file__)])  # noqa: PTH109, PTH120
        child = subprocess.run(
            [sys.executable, "-c", HASHES, str(path), codec],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.append(child.stdout)
    assert outputs[0] == outputs[1]
    assert outputs[0].count("sheets.") == 2


def test_what_a_file_leaves_out_is_told_in_the_row_without_paths(renderer, tmp_path):
    (tmp_path / "part.mtl").write_text("newmtl a\nmap_Kd missing.png\n")
    obj = "mtllib part.mtl\nusemtl a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\n"
    path = tmp_path / "part.obj"
    path.write_text(obj + "f 1/1 2/2 3/3\n")
    entry, _ = written(tmp_path, nested_boxes())
    for outputs, count in ((("photo", "depth"), 1), (("depth",), 0)):
        sample = samples_of(renderer, config_of(outputs=outputs), entry, path)[0]
        assert len(sample.row["warnings"]) == count  # pictures are read for colors alone
        assert "missing.png" in "".join(sample.row["warnings"]) or not count
        assert str(tmp_path) not in sample.files["json"].decode()


def test_points_of_an_orthographic_camera_have_outward_normals(renderer):
    mesh = nested_boxes()
    scene = renderer.upload(mesh)
    pose = dd.Camera.orbit(mesh, views=2, width=24, height=24)[1].camera_from_world
    camera = dd.Camera.orthographic(4.0, pose, 24, 24)
    frame = renderer.render(scene, camera, image=False, attributes=("normal",))
    scene.release()
    stores = Stores(config_of(outputs=("points",)).store)
    files = stores.files(Rendered(mesh, frame.maps), None, 1.0)
    files["json"] = json.dumps({"camera": camera.to_dict()}).encode()
    arrays = decoded_sample(files)
    assert np.allclose(arrays["points"], np.stack(frame.maps.points()), rtol=0.0, atol=5e-7)
    forward = pose[2, :3]
    assert (arrays["points_normal"][0] @ forward <= 0.0).all()
    assert (arrays["points_normal"][1] @ forward >= 0.0).all()


def test_a_missing_package_is_told_before_the_first_mesh(renderer, monkeypatch):
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(dd.OutputError, match="OpenEXR"):
        MeshRenderer(config_of(codec="exr"), renderer)
    MeshRenderer(config_of(outputs=("photo",), codec="exr"), renderer)


def test_errors_name_the_address_of_the_mesh(renderer, tmp_path):
    path = tmp_path / "part.ply"
    path.write_bytes(b"ply\nnonsense")
    remote = MeshEntry("a", "s3://bucket/all.tar", member="b/part.ply")
    with pytest.raises(dd.MeshError, match=r"^s3://bucket/all.tar:b/part.ply: "):
        samples_of(renderer, config_of(), remote, path)


def test_a_hash_of_the_bytes_is_stable_within_a_process(renderer, tmp_path):
    entry, path = written(tmp_path, nested_boxes())
    config = config_of(outputs=ALL_OUTPUTS, layouts=ALL_LAYOUTS, codec="exr")
    hashes = [
        hashlib.sha256(b"".join(sample.files.values())).hexdigest()
        for _ in range(2)
        for sample in samples_of(renderer, config, entry, path)
    ]
    assert hashes[:2] == hashes[2:]
    assert hashes[0] != hashes[1]


def test_stored_layers_are_cut_and_those_of_objects_and_layouts_are_not(renderer, tmp_path):
    entry, path = written(tmp_path, nested_boxes())
    outputs = ("layers", "objects")
    cut, whole = (
        samples_of(renderer, config_of(outputs=outputs, layouts=("lari",), **more), entry, path)
        for more in ({"max_layers": 2}, {})
    )
    for some, all_ in zip(cut, whole, strict=True):
        assert some.files["objects.npz"] == all_.files["objects.npz"]
        assert some.files["ldi.npz"] == all_.files["ldi.npz"]
        few, many = decoded_sample(some.files), decoded_sample(all_.files)
        assert (few["layers_count"] == np.minimum(many["layers_count"], 2)).all()
        assert (few["layers_truncated"] == (many["layers_count"] > 2)).all()
        assert some.row["layers"] == 2
        covered = (many["layers_count"] > 0).sum()
        assert some.row["truncated_share"] == (many["layers_count"] > 2).sum() / covered > 0.1
        assert all_.row["truncated_share"] == 0.0


def test_max_layers_alone_cuts_while_rendering(renderer, tmp_path):
    entry, path = written(tmp_path, nested_boxes())
    config = config_of(outputs=("layers", "depth"), max_layers=1)
    for sample in samples_of(renderer, config, entry, path):
        arrays = decoded_sample(sample.files)
        count = arrays["layers_count"]
        assert count.max() == 1
        # The first crossing of a closed mesh is the entry.
        hit = count == 1
        assert equal(arrays["layers_depth"], arrays["entry"][hit])


def test_crops_and_surfaces_of_the_settings_count(renderer, tmp_path):
    entry, path = written(tmp_path, nested_boxes())
    (sample,) = samples_of(renderer, config_of(views=1), entry, path)
    near = (sample.row["depth_min"] + sample.row["depth_max"]) / 2.0
    config = config_of(views=1, near=near, surfaces="any", outputs=("depth", "layers"))
    (cropped,) = samples_of(renderer, config, entry, path)
    assert cropped.row["depth_min"] >= near
    assert cropped.row["surfaces"] == "any"
    assert decoded_sample(cropped.files)["layers_depth"].min() >= near
