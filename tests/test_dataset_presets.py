"""Presets of published work against the numbers that the works published."""

from __future__ import annotations

import math

import numpy as np
import pytest
from camera_rings import distances_of, elevations_deg, fields_of_view_deg, offsets_of
from shapes import box

import ddepth_gl as dd
from ddepth_gl.dataset.config import DatasetConfig, ViewsConfig
from ddepth_gl.dataset.entries import MeshEntry
from ddepth_gl.dataset.normalization import normalized
from ddepth_gl.dataset.view_presets import PRESETS
from ddepth_gl.dataset.views import cameras_for

# As glTF files have it, y is up.
MESH = box((10, 0, 0), (14, 2, 3)).transformed(np.eye(4), up=(0, 1, 0))
UP = np.array([0.0, 1.0, 0.0])
LENS_DEG = 2 * math.degrees(math.atan(16 / 35))  # lens 35, sensor_width 32


def preset(name, ids=("a",), **settings):
    """Return the cameras of a preset and the mesh that they see."""
    config = DatasetConfig(views={"preset": name, **settings})
    mesh, placement = normalized(MESH, config.normalization)
    # The published frame: the longest side is 1, the box centered at the origin.
    assert np.allclose(mesh.bounds, [[-0.5, -0.25, -0.375], [0.5, 0.25, 0.375]], atol=1e-15)
    assert placement.scale == 0.25
    entries = [MeshEntry(id, f"{id}.glb") for id in ids]
    return [camera for entry in entries for camera in cameras_for(config.views, mesh, entry)]


def many():
    return [f"mesh{number}" for number in range(40)]


def test_trellis():
    """render.py: 150 views, radius 2, 40 degrees, 512 pixels; a stretched Hammersley set."""
    cameras = preset("trellis")
    assert len(cameras) == 150
    assert {(each.width, each.height) for each in cameras} == {(512, 512)}
    assert np.allclose(distances_of(cameras), 2.0, atol=1e-12)
    assert np.allclose(fields_of_view_deg(cameras), 40.0, atol=1e-12)
    assert np.allclose(
        np.array([each.world_from_camera[:3, 2] for each in cameras]) * 2.0,
        -offsets_of(cameras),
        atol=1e-12,
    )
    # u -> 2 u below a quarter, 2/3 u + 1/3 above: the pitch's sine is 2 u - 1.
    sines = np.sin(np.radians(elevations_deg(cameras, up=UP)))
    offset = (sines[0] + 1) / 2 / 2 * 150
    assert 0 <= offset < 1
    u = (np.arange(150) + offset) / 150
    stretched = np.where(u < 0.25, 2 * u, 2 / 3 * u + 1 / 3)
    assert np.allclose(sines, 2 * stretched - 1, atol=1e-12)


def test_trellis_of_images_for_the_generator():
    """render_cond.py: 24 views, 1024 pixels, 10 to 70 degrees around the sphere of the cube."""
    assert len(preset("trellis_cond")) == 24
    cameras = preset("trellis_cond", many())
    assert {(each.width, each.height) for each in cameras} == {(1024, 1024)}
    fovs, radii = fields_of_view_deg(cameras), distances_of(cameras)
    assert np.allclose(radii, math.sqrt(3) / 2 / np.sin(np.radians(fovs) / 2), rtol=1e-12)
    low, high = (math.sqrt(3) / 2 / math.sin(math.radians(angle / 2)) for angle in (70, 10))
    assert low <= radii.min() < low * 1.01
    assert radii.max() <= high
    # 1 / r^2 is uniform: its mean, within 5 deviations of a mean of 960.
    inverse_squares = radii**-2
    spread = (low**-2 - high**-2) / math.sqrt(12)
    middle = (low**-2 + high**-2) / 2
    assert abs(inverse_squares.mean() - middle) < 5 * spread / math.sqrt(len(cameras))


@pytest.mark.parametrize("name", ["zero123", "objaverse_xl", "lari"])
def test_shells_of_zero123(name):
    """Radius 1.5 to 2.2, lens 35 on a sensor of 32, 512 pixels, 12 views."""
    assert len(preset(name)) == 12
    cameras = preset(name, many())
    assert {(each.width, each.height) for each in cameras} == {(512, 512)}
    assert np.allclose(fields_of_view_deg(cameras), LENS_DEG, atol=1e-12)
    # LaRI's focal length in pixels: 35 / 32 * 512.
    assert np.allclose([each.K[0, 0] for each in cameras], 35 / 32 * 512, rtol=1e-14)
    radii = distances_of(cameras)
    assert 1.5 <= radii.min() < 1.52
    assert 2.18 < radii.max() <= 2.2
    assert abs(radii.mean() - 1.85) < 5 * 0.7 / math.sqrt(12 * len(cameras))
    elevations = elevations_deg(cameras, up=UP)
    assert elevations.max() > 70
    if name == "lari":  # --only_northern_hemisphere is 1 by default
        assert elevations.min() >= 0
    else:
        assert elevations.min() < -70


def test_objaverse():
    """A circle of 12 at a distance of 1.2 and 60 degrees from the vertical; azimuth 0 is +x."""
    cameras = preset("objaverse")
    angles = np.arange(12) / 12 * 2 * np.pi
    polar = math.radians(60)
    # Blender's x, y, z are x, -z, y of a glTF file.
    blender = 1.2 * np.stack(
        [
            math.sin(polar) * np.cos(angles),
            math.sin(polar) * np.sin(angles),
            np.full(12, math.cos(polar)),
        ],
        axis=-1,
    )
    expected = np.stack([blender[:, 0], blender[:, 2], -blender[:, 1]], axis=-1)
    assert np.allclose(offsets_of(cameras), expected, atol=1e-12)
    assert np.allclose(fields_of_view_deg(cameras), LENS_DEG, atol=1e-12)
    assert {(each.width, each.height) for each in cameras} == {(512, 512)}


def test_presets_show_the_same_images_without_normalization():
    """Distances are in longest sides: the projection of the mesh is the same."""
    for name in ("trellis", "zero123", "objaverse"):
        config = DatasetConfig(views={"preset": name}, normalization={})
        entry = MeshEntry("a", "a.glb")
        for raw, scaled in zip(cameras_for(config.views, MESH, entry), preset(name), strict=True):
            mesh, _ = normalized(MESH, DatasetConfig(views={"preset": name}).normalization)
            pixels = raw.project(MESH.vertices)[0]
            assert np.allclose(pixels, scaled.project(mesh.vertices)[0], atol=1e-8)


def test_settings_go_before_those_of_the_preset():
    cameras = preset("zero123", count=5, size=(64, 64))
    assert len(cameras) == 5
    assert cameras[0].width == 64
    assert distances_of(cameras).min() >= 1.5
    config = ViewsConfig(preset="trellis", count=4)
    assert (config.count, config.kind, config.distance) == (4, "hammersley", 2.0)


def test_presets_survive_a_round_trip_of_the_settings():
    """Settings that travel as JSON have every value; a preset must not change them again."""
    config = DatasetConfig(views={"preset": "lari", "count": 3}, normalization={"fit": "none"})
    again = DatasetConfig.model_validate(config.model_dump(mode="json"))
    assert again == config
    with_views = DatasetConfig(views=ViewsConfig(preset="lari"))
    assert with_views.normalization.fit == "box"
    assert DatasetConfig(views={"preset": "lari"}).normalization.fit == "box"
    assert DatasetConfig().normalization.fit == "none"


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("kind", ["orbit", "turntable", "random", "hammersley", "fibonacci"])
def test_another_kind_leaves_out_what_it_does_not_read(preset, kind):
    views = DatasetConfig(views={"preset": preset, "kind": kind}).views
    assert views.kind == kind
    assert views.distance == DatasetConfig(views={"preset": preset}).views.distance
    with pytest.raises(dd.DatasetError, match="azimuth_deg is for kind turntable"):
        DatasetConfig(views={"preset": "zero123", "kind": "orbit", "azimuth_deg": 3})
