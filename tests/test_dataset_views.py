"""Cameras of data sets: closed forms of their directions, distances and lenses."""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from camera_rings import distances_of, elevations_deg, fields_of_view_deg, offsets_of
from shapes import box, sphere

import ddepth_gl as dd
from ddepth_gl.dataset.config import NormalizationConfig, ViewsConfig
from ddepth_gl.dataset.draws import cos_deg, draw, sin_deg, tan_deg
from ddepth_gl.dataset.entries import MeshEntry
from ddepth_gl.dataset.entry_paths import path_of_entry
from ddepth_gl.dataset.normalization import normalized
from ddepth_gl.dataset.views import cameras_for
from ddepth_gl.errors import CameraError, DatasetError

ENTRY = MeshEntry("chairs%2Fa", "meshes/chairs/a.glb")
KINDS = ("orbit", "hemisphere", "fibonacci", "hammersley", "turntable", "random")
# A mesh whose box is neither centered nor a cube; its longest side is 4.
MESH = box((1.0, 2.0, -3.0), (3.0, 5.0, 1.0))
CENTER, RADIUS, SIDE = np.array([2.0, 3.5, -1.0]), math.sqrt(1 + 1.5**2 + 4), 4.0


def cameras(mesh=MESH, entry=ENTRY, **settings):
    return cameras_for(ViewsConfig(**settings), mesh, entry)


def same(a, b):
    return [x.to_dict() for x in a] == [y.to_dict() for y in b]


# Numbers


def test_sines_are_those_of_the_c_library():
    """math.sin is within a bit or two; multiples of 30 degrees are exact where they can be."""
    for angle in np.random.default_rng(0).uniform(-720, 720, 500):
        assert sin_deg(angle) == pytest.approx(math.sin(math.radians(angle)), abs=4e-15)
        assert cos_deg(angle) == pytest.approx(math.cos(math.radians(angle)), abs=4e-15)
    assert [sin_deg(angle) for angle in (0, 30, 90, 180, 270, 360)] == [0, 0.5, 1, 0, -1, 0]
    assert [cos_deg(angle) for angle in (0, 60, 90, 180)] == [1, 0.5, 0, -1]
    assert tan_deg(45.0) == 1.0


def test_draws_are_the_first_bits_of_a_hash():
    digest = hashlib.sha256(b"7\0a%2Fb\x003\0distance").hexdigest()
    assert Fraction(draw(7, "a%2Fb", 3, "distance")) == Fraction(
        int(digest[:16], 16) >> 11, 1 << 53
    )
    numbers = np.array([draw(0, "a", view, "x") for view in range(4000)])
    # 5 standard deviations of a mean of 4000 uniform numbers.
    assert abs(numbers.mean() - 0.5) < 5 * math.sqrt(1 / 12 / 4000)
    assert numbers.min() >= 0.0
    assert numbers.max() < 1.0


# Each kind


@pytest.mark.parametrize("seed", [0, 3])
def test_orbit_is_that_of_cameras(seed):
    """The same cameras as `ddepth render --views` has, up to rounding of the poses."""
    found = cameras(count=7, seed=seed, size=(64, 48), fov_deg=33.0)
    expected = dd.Camera.orbit(MESH, 7, 64, 48, seed, 33.0)
    for a, b in zip(found, expected, strict=True):
        assert np.allclose(a.camera_from_world, b.camera_from_world, rtol=0, atol=1e-12)
        assert np.allclose(a.K, b.K, rtol=1e-15, atol=0)
        assert (a.width, a.height, a.is_orthographic) == (64, 48, False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("up", ["z", "-y", "1,2,3"])
def test_poses_are_those_of_look_at(kind, up):
    axis = {"z": (0, 0, 1), "-y": (0, -1, 0), "1,2,3": (1, 2, 3)}[up]
    for camera in cameras(kind=kind, count=5, up=up, elevation_deg=(-80.0, 80.0)):
        looking = dd.Camera.look_at(camera.center, CENTER, axis)
        assert np.allclose(camera.camera_from_world, looking.camera_from_world, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("size", [(64, 64), (96, 32), (20, 60)])
@pytest.mark.parametrize("distance_in", ["radii", "sides"])
def test_the_whole_mesh_is_in_the_image_without_a_distance(kind, orthographic, size, distance_in):
    for mesh in (MESH, sphere(2.0, rings=8, sides=12)):
        for camera in cameras(
            mesh,
            kind=kind,
            count=9,
            size=size,
            orthographic=orthographic,
            fov_deg=(8.0, 120.0),
            distance_in=distance_in,
        ):
            pixels, depth = camera.project(mesh.vertices)
            assert (depth > 0).all()
            assert (pixels >= -1e-9 * max(size)).all()
            assert (pixels <= np.array(size) * (1 + 1e-9)).all()


def test_the_fit_is_that_of_the_sphere():
    for camera in cameras(count=3, fov_deg=50.0):
        distance = 1.05 * RADIUS / math.sin(math.radians(25))
        assert np.linalg.norm(camera.center - CENTER) == pytest.approx(distance, rel=1e-14)
    for camera in cameras(count=3, orthographic=True, size=(80, 40)):
        assert 40 / camera.K[1, 1] == pytest.approx(2 * 1.05 * RADIUS, rel=1e-14)


@pytest.mark.parametrize(
    ("distance_in", "unit"), [("radii", RADIUS), ("sides", SIDE), ("units", 1.0)]
)
def test_distances_are_in_their_unit(distance_in, unit):
    for camera in cameras(distance=2.5, distance_in=distance_in, count=4):
        assert np.linalg.norm(camera.center - CENTER) == pytest.approx(2.5 * unit, rel=1e-14)


def test_an_orthographic_image_shows_the_plane_through_the_center():
    perspective = cameras(distance=3.0, count=4, fov_deg=30.0)
    parallel = cameras(distance=3.0, count=4, fov_deg=30.0, orthographic=True)
    for a, b in zip(perspective, parallel, strict=True):
        in_plane = CENTER + a.world_from_camera[:3, :2] @ (0.3, -0.4)
        assert np.allclose(a.project(in_plane)[0], b.project(in_plane)[0], atol=1e-9)


def test_a_hemisphere_is_above_the_horizon():
    found = elevations_deg(cameras(kind="hemisphere", count=50), CENTER, (0, 0, 1))
    # Equal areas: the sines are the middles of 50 equal intervals of [0, 1].
    assert np.allclose(np.sin(np.radians(found)), (49.5 - np.arange(50)) / 50, atol=1e-12)


def test_fibonacci_spheres_are_even():
    """Swinbank and Purser: sines of elevation at interval middles, azimuths of golden angles."""
    offsets = offsets_of(cameras(kind="fibonacci", count=200), CENTER)
    z = offsets[:, 2] / np.linalg.norm(offsets, axis=1)
    assert np.allclose(z, 1 - (2 * np.arange(200) + 1) / 200, atol=1e-12)
    azimuths = np.unwrap(np.arctan2(offsets[:, 1], offsets[:, 0]))
    golden = 2 * math.pi * (1 - 1 / ((1 + math.sqrt(5)) / 2))
    steps = np.diff(azimuths) % (2 * math.pi)
    assert np.allclose(steps, golden, atol=1e-9)
    unit = offsets / np.linalg.norm(offsets, axis=1, keepdims=True)
    nearest = np.sort(unit @ unit.T, axis=1)[:, -2]
    # 200 caps that do not overlap: none is closer than half the spacing of a square grid.
    assert np.degrees(np.arccos(nearest)).min() > 0.5 * math.degrees(math.sqrt(4 * math.pi / 200))


def test_hammersley_spheres_are_the_hammersley_set():
    """Bits reversed behind the binary point, counted by hand for eight points."""
    offsets = offsets_of(cameras(kind="hammersley", count=8), CENTER)
    z = offsets[:, 2] / np.linalg.norm(offsets, axis=1)
    assert np.allclose(np.diff(z), 0.25, atol=1e-12)
    turns = np.arctan2(offsets[:, 1], offsets[:, 0]) / (2 * math.pi)
    reversed_bits = np.array([0, 4, 2, 6, 1, 5, 3, 7]) / 8
    assert np.allclose((turns - turns[0]) % 1.0, reversed_bits, atol=1e-9)


def test_turntables_are_circles():
    offsets = offsets_of(cameras(kind="turntable", count=8, azimuth_deg=90.0), CENTER)
    azimuths = np.degrees(np.arctan2(offsets[:, 1], offsets[:, 0])) % 360
    assert np.allclose(azimuths, (90 + 45 * np.arange(8)) % 360, atol=1e-9)
    assert np.allclose(elevations_deg(cameras(kind="turntable", count=8), CENTER), 30.0)
    spiral = elevations_deg(cameras(kind="turntable", count=5, elevation_deg=(-20.0, 60.0)), CENTER)
    assert np.allclose(spiral, [-20, 0, 20, 40, 60])


def test_elevations_stay_in_their_band():
    for kind in KINDS:
        found = elevations_deg(cameras(kind=kind, count=40, elevation_deg=(10.0, 35.0)), CENTER)
        assert found.min() >= 10 - 1e-9
        assert found.max() <= 35 + 1e-9
        fixed = elevations_deg(cameras(kind=kind, count=3, elevation_deg=-90.0), CENTER)
        assert np.allclose(fixed, -90.0, atol=1e-5)


def test_random_directions_are_uniform_on_the_sphere():
    offsets = offsets_of(cameras(kind="random", count=3000), CENTER)
    unit = offsets / np.linalg.norm(offsets, axis=1, keepdims=True)
    # Means of 3000 directions: components have variance 1/3, their squares 4/45. 5 deviations.
    assert (np.abs(unit.mean(axis=0)) < 5 * math.sqrt(1 / 3 / 3000)).all()
    assert (np.abs((unit**2).mean(axis=0) - 1 / 3) < 5 * math.sqrt(4 / 45 / 3000)).all()


def test_directions_of_a_cube_are_denser_toward_its_corners():
    """The mean of the largest component, by numerical integration over the cube."""
    offsets = offsets_of(cameras(kind="random", density="cube", count=3000), CENTER)
    unit = offsets / np.linalg.norm(offsets, axis=1, keepdims=True)
    middles = (np.arange(80) + 0.5) / 80
    grid = np.stack(np.meshgrid(middles, middles, middles), axis=-1).reshape(-1, 3)
    largest = grid.max(axis=1) / np.linalg.norm(grid, axis=1)
    assert abs(np.abs(unit).max(axis=1).mean() - largest.mean()) < 5 * largest.std() / 3000**0.5
    with pytest.raises(DatasetError, match="hardly ever"):
        cameras(kind="random", density="cube", elevation_deg=(12.0, 12.0), count=1)


def test_ranges_are_filled():
    found = cameras(kind="orbit", count=600, fov_deg=(20.0, 60.0), distance=(2.0, 4.0))
    fovs = fields_of_view_deg(found)
    distances = distances_of(found, CENTER) / RADIUS
    for values, low, high in ((fovs, 20, 60), (distances, 2, 4)):
        assert values.min() >= low - 1e-9
        assert values.max() <= high + 1e-9
        # Uniform: mean and deviation, 5 deviations of the mean.
        spread = (high - low) / math.sqrt(12)
        assert abs(values.mean() - (low + high) / 2) < 5 * spread / math.sqrt(600)
        assert values.std() == pytest.approx(spread, rel=0.1)
    assert abs(np.corrcoef(fovs, distances)[0, 1]) < 5 / math.sqrt(600)


# What cameras depend on


def test_random_cameras_depend_on_seed_and_id_alone():
    settings = {"kind": "random", "fov_deg": (20.0, 60.0), "distance": (2.0, 3.0)}
    first = cameras(**settings, count=6)
    assert same(first, cameras(**settings, count=6))
    assert same(first, cameras(**settings, count=9)[:6])  # more views keep the earlier ones
    assert not same(first, cameras(**settings, count=6, seed=1))
    other = MeshEntry("b", ENTRY.address)
    assert not same(first, cameras(entry=other, **settings, count=6))
    # Neither the file's place nor other draws matter.
    moved = MeshEntry(ENTRY.id, "/elsewhere/a.glb", columns={"license": "by"})
    assert same(first, cameras(entry=moved, **settings, count=6))
    fixed = cameras(kind="random", fov_deg=40.0, distance=(2.0, 3.0), count=6)
    for a, b in zip(first, fixed, strict=True):
        assert np.array_equal(a.camera_from_world, b.camera_from_world)


@pytest.mark.parametrize("kind", ["fibonacci", "hemisphere", "hammersley"])
def test_lattices_are_turned_by_mesh(kind):
    first = cameras(kind=kind, count=4)
    assert not same(first, cameras(kind=kind, count=4, entry=MeshEntry("b", "b.glb")))
    assert same(first, cameras(kind=kind, count=4))


def test_cameras_are_the_same_with_other_instructions_of_the_cpu():
    """OpenBLAS and NumPy choose their code by the CPU; here they are made to choose another."""
    code = (
        "import sys, json; sys.path.insert(0, 'tests')\n"
        "from test_dataset_views import cameras, KINDS\n"
        "print(json.dumps([camera.to_dict() for kind in KINDS for camera in\n"
        "    cameras(kind=kind, count=9, up='1,2,3', fov_deg=(20, 70), distance=(2, 3))]))"
    )
    results = []
    for extra in ({}, {"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": "FMA3 AVX2"}):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env={**os.environ, **extra},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        results.append(json.loads(done.stdout))
    assert results[0] == results[1]
    expected = [
        camera.to_dict()
        for kind in KINDS
        for camera in cameras(kind=kind, count=9, up="1,2,3", fov_deg=(20, 70), distance=(2, 3))
    ]
    assert results[0] == expected


# Camera files


def test_camera_files_of_each_mesh(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        views = dd.Camera.orbit(MESH, 3, 40, 30, seed=ord(name))
        dd.save_cameras(tmp_path / name / "transforms.json", views)
    pattern = f"{tmp_path}/{{stem}}/transforms.json"
    for name in ("a", "b"):
        entry = MeshEntry(f"chairs%2F{name}", f"/meshes/{name}.glb")
        found = cameras(entry=entry, kind="file", file=pattern)
        assert same(found, dd.load_cameras(tmp_path / name / "transforms.json"))
    folder = MeshEntry("x", f"{tmp_path}/a/mesh.obj")
    assert len(cameras(entry=folder, kind="file", file="{folder}")) == 3
    by_id = MeshEntry("a", "/meshes/part.glb")
    assert len(cameras(entry=by_id, kind="file", file=f"{tmp_path}/{{id}}")) == 3
    member = MeshEntry("t", "/meshes.tar", member="deep/b.obj")
    assert len(cameras(entry=member, kind="file", file=pattern)) == 3


def test_names_in_patterns():
    entry = MeshEntry("a%2F%7Bid%7D", "s3://bucket/a/{folder}.tar", member="x/{id}.b.obj")
    assert path_of_entry("{folder}/{id}-{stem}", entry) == "s3://bucket/a/a%2F%7Bid%7D-{id}.b"
    assert path_of_entry("{}{other}{{stem}}", MeshEntry("a", "a.glb")) == "{}{other}{a}"
    assert path_of_entry("{folder}/x.json", MeshEntry("a", "a.glb")) == "./x.json"


def test_a_camera_file_of_the_entry_goes_first(tmp_path):
    path = tmp_path / "own.json"
    dd.save_cameras(path, dd.Camera.orbit(MESH, 2, 32, 32))
    assert len(cameras(entry=MeshEntry("a", "a.glb", cameras=str(path)), count=5)) == 2


def test_camera_files_of_normalized_meshes(tmp_path):
    """Poses are of the file's mesh; the cameras see the placed one alike."""
    path = tmp_path / "transforms.json"
    views = dd.Camera.orbit(MESH, 3, 40, 30)
    dd.save_cameras(path, views)
    placed, placement = normalized(MESH, NormalizationConfig(fit="sphere", up="x"))
    config = ViewsConfig(kind="file", file=str(path))
    found = cameras_for(config, placed, ENTRY, placement)
    for camera, view in zip(found, views, strict=True):
        pixels = camera.project(placed.vertices)[0]
        assert np.allclose(pixels, view.project(MESH.vertices)[0], atol=1e-9)


def test_camera_files_of_meshes_in_blender(tmp_path):
    """The box of MESH in Blender, by hand: z up already, the longest side 1, at the origin."""
    path = tmp_path / "transforms.json"
    in_world = (MESH.vertices - CENTER) / SIDE
    views = dd.Camera.orbit(dd.Mesh(in_world, MESH.faces), 3, 40, 30)
    dd.save_cameras(path, views)
    placed, placement = normalized(MESH, NormalizationConfig(fit="sphere"))
    config = ViewsConfig(kind="file", file=str(path), world="blender")
    for mesh, how in ((MESH, None), (placed, placement)):
        for camera, view in zip(cameras_for(config, mesh, ENTRY, how, MESH), views, strict=True):
            pixels = camera.project(mesh.vertices)[0]
            assert np.allclose(pixels, view.project(in_world)[0], atol=1e-9)


def test_files_without_an_image_size_take_that_of_the_settings(tmp_path):
    path = tmp_path / "transforms.json"
    pose = np.eye(4).tolist()
    path.write_text(
        json.dumps(
            {"camera_angle_x": 0.5, "frames": [{"transform_matrix": pose, "file_path": "x"}]}
        )
    )
    (camera,) = cameras(kind="file", file=str(path), size=(60, 40))
    assert (camera.width, camera.height) == (60, 40)
    assert camera.K[0, 0] == pytest.approx(30 / math.tan(0.25))


def test_missing_camera_files_are_named(tmp_path):
    with pytest.raises(CameraError, match="chairs%2Fa/transforms"):
        cameras(kind="file", file=f"{tmp_path}/{{id}}/transforms.json")


# Errors


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fov_deg": 180.0}, "fov_deg must be a number from 0 to 180"),
        ({"fov_deg": (50.0, 40.0)}, r"fov_deg must be .* not \[50.0, 40.0\]"),
        ({"distance": (-2.0, 1.0)}, "distance must be a number above 0"),
        ({"elevation_deg": 91.0}, "elevation_deg must be a number from -90 to 90"),
        ({"elevation_deg": (10.0, 95.0)}, "elevation_deg must be"),
        ({"up": "w"}, "up must be auto, an axis"),
        ({"up": "0,0,0"}, "up must be auto, an axis"),
        ({"file": "a.json"}, "file is for kind file, not orbit"),
        ({"density": "cube"}, "density is for kind random, not orbit"),
        ({"azimuth_deg": 3.0}, "azimuth_deg is for kind turntable"),
        ({"upper_share": 0.6}, "upper_share is for kind hammersley"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_settings_that_contradict(settings, message):
    with pytest.raises(ValueError, match=message):
        ViewsConfig(**settings)


def test_a_point_cannot_be_framed():
    class Point:
        bounds = np.zeros((2, 3))
        up = (0.0, 0.0, 1.0)

    with pytest.raises(CameraError, match="single point"):
        cameras(Point())
