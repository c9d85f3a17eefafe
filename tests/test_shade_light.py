"""Light of the shaded image: documented weights, and properties of the light."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import oracle
import pytest
from shaded_images import FACE_ON, QUAD, QUAD_FACES, light, shade
from shapes import (
    box,
    inside_out,
    moved,
    painted,
    random_closed_mesh,
    rotation,
    sphere,
)

import ddepth_gl as dd


def facing_cosine(camera: dd.Camera) -> np.ndarray:
    """Return (H, W) cosine of a unit sphere's normal and the ray to the camera; NaN for a miss."""
    origins, directions = camera.rays()
    nearest = -(origins * directions).sum(-1)
    away = origins + nearest[..., None] * directions
    with np.errstate(invalid="ignore"):
        return np.sqrt(1 - (away**2).sum(-1))


def documented_light(normals, toward_camera, up) -> np.ndarray:
    """Return the factor of colors that `DepthRenderer.shade` documents; normals of either side."""
    seen = normals * np.where((normals * toward_camera).sum(-1) < 0, -1.0, 1.0)[..., None]
    head, sky = (seen * toward_camera).sum(-1), (seen * up).sum(-1)
    return 0.7 * head + 0.3 * (0.75 + 0.25 * sky)


@pytest.mark.parametrize("painted", [False, True])
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_planes_are_as_bright_as_documented(renderer, orthographic, painted):
    """Tilted up, down, sideways and away, seen from either side, at every pixel."""
    rng = np.random.default_rng(44)
    pose = np.eye(4)
    pose[:3, :3], pose[2, 3] = rotation(rng), 5.0
    if orthographic:
        camera = dd.Camera.orthographic((3.0, 2.4), pose, 30, 24)
    else:
        camera = dd.Camera.from_intrinsics([[60.0, 0, 15], [0, 60, 12], [0, 0, 1]], pose, 30, 24)
    rotated = camera.camera_from_world[:3, :3]
    up = -rotated[1]
    _, rays = camera.rays()
    toward_camera = -rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    srgb = np.array((200, 120, 40, 255), np.uint8)
    color = oracle.linear_rgba(srgb)[:3] if painted else np.full(3, 0.6)
    lights = []
    slopes = ((0, 0), (0, -1), (0, 1), (1, 0), (-1, 0), (0, -3), (0, 3), (0.7, -0.4))
    # Camera frame: the image's up is -y.
    for (x, y), faces in product(slopes, (QUAD_FACES, QUAD_FACES[:, ::-1])):
        normal = np.array((x, y, -1.0)) / np.linalg.norm((x, y, 1))
        u = np.cross(normal, (1.0, 0.3, 0.2))
        u /= np.linalg.norm(u)
        v = np.cross(normal, u)
        corners = np.array([-u - v, u - v, u + v, v - u]) * 2 + (0, 0, 5)
        sheet = dd.Mesh(
            (corners - pose[:3, 3]) @ rotated,
            faces,
            colors=np.tile(srgb, (4, 1)) if painted else None,
        )
        expected = documented_light(normal @ rotated, toward_camera, up)
        scene = renderer.upload(sheet)
        options = {"surfaces": "any", "attributes": ("shaded_color",)}
        maps = renderer.entry_exit(scene, camera, **options)
        layers = renderer.peel(scene, camera, attributes=("shaded_color",))
        image = renderer.shade(scene, camera, surfaces="any")
        scene.release()
        assert maps.mask.sum() > 50
        truth = (expected[..., None] * color)[maps.mask]
        # Some ten float32 operations of the driver, far below a percent of the smallest term,
        # 0.075.
        for found in (maps.entry_shaded_color[maps.mask], maps.exit_shaded_color[maps.mask]):
            np.testing.assert_allclose(found[:, :3], truth, rtol=1e-5)
        # Entry and exit of a single square are the same crossing.
        np.testing.assert_allclose(layers.shaded_color[:, :3], truth, rtol=1e-5)
        # Rounding to 8 bits, after half floats, whose rounding OpenGL leaves open: less than 2**-10
        # of a color, which in sRGB is 0.11 levels.
        levels = 255 * np.vectorize(oracle.encode_srgb)(truth)
        assert np.abs(image[maps.mask][:, :3] - levels).max() < 0.62
        lights.append(expected[maps.mask])
    lights = np.concatenate(lights)
    assert lights.min() < 0.5 < 0.9 < lights.max() <= 1


def test_a_sphere_is_brightest_where_it_faces_the_camera(renderer):
    """Averaged over rings of equal facing, which cancels the effect of sky and ground."""
    mesh = sphere(1.0, 60, 120)
    camera = dd.Camera.look_at(
        (6, 0, 0), (0, 0, 0), (0, 0, 1), fov_y_deg=22.0, width=140, height=140
    )
    image = shade(renderer, mesh, camera)
    cosine, bright = facing_cosine(camera), light(image)
    edges = np.linspace(1, 0.1, 10)
    rings = [(cosine <= upper) & (cosine > lower) for upper, lower in pairwise(edges)]
    levels = [bright[ring].mean() for ring in rings]
    assert all(ring.sum() > 100 for ring in rings)
    assert (np.diff(levels) < 0).all(), levels
    # A head light is proportional to the cosine. With the sky added, the rim is still darker.
    assert levels[0] > 1.3 * levels[-1], levels
    # Nothing is clipped, and the middle is neither very bright nor dark.
    assert 0.2 < levels[0] < 1


def test_brightness_falls_as_a_sheet_turns_away(renderer):
    """It turns about the image's vertical axis, so sky and ground have a constant effect."""
    levels = []
    for turn_deg in range(0, 90, 10):
        turn = np.radians(turn_deg)
        motion = np.eye(4)
        motion[[0, 0, 2, 2], [0, 2, 0, 2]] = np.cos(turn), np.sin(turn), -np.sin(turn), np.cos(turn)
        sheet = moved(dd.Mesh(QUAD, QUAD_FACES), motion)
        image = shade(renderer, sheet, FACE_ON, surfaces="any")
        levels.append(float(light(image)[image[..., 3] > 0].mean()))
        assert levels[-1] > 0.005
        # Both sides are lit alike when seen.
        other = shade(renderer, inside_out(sheet), FACE_ON, surfaces="any")
        np.testing.assert_allclose(other.astype(int), image.astype(int), atol=1)
    assert (np.diff(levels) < 0).all(), levels


def test_a_mirrored_scene_has_a_mirrored_image(renderer):
    """The mirror swaps left and right in the image, so sky and ground stay."""
    mesh = random_closed_mesh(np.random.default_rng(21), bodies=3)
    mirror = np.diag([1.0, -1, 1, 1])
    reflected = mesh.transformed(mirror)
    assert reflected.is_oriented == mesh.is_oriented
    # Odd numbers, so that no edge runs through a pixel center.
    camera = dd.Camera.look_at(
        (6.1, 0, 1.3), (0, 0, 0), (0, 0, 1), fov_y_deg=31.7, width=120, height=100
    )
    one, other = (shade(renderer, m, camera) for m in (mesh, reflected))
    flipped = other[:, ::-1].astype(int)
    # Edges within the rasterizer's 1/256 pixel of a center may be decided differently. Smooth
    # normals and light are sums in another order, so 8-bit values may be off by one.
    off = np.abs(flipped - one).max(-1) > 1
    assert (one[..., 3] > 0).sum() > 1000
    assert off.mean() < 0.002, off.sum()


def test_the_light_moves_with_the_camera(renderer):
    """From all directions, the middle of a sphere is well lit."""
    mesh = sphere(1.0, 30, 60)
    middles = []
    for camera in dd.Camera.orbit(mesh, views=8, width=41, height=41, seed=4):
        image = shade(renderer, mesh, camera)
        middles.append(float(light(image)[18:23, 18:23].mean()))
    assert min(middles) > 0.15
    assert min(middles) > 0.4 * max(middles)


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_the_sky_is_up_in_the_image(renderer, orthographic):
    """For any roll of the camera, the upper half of a sphere is lighter; both sides are alike."""
    mesh = sphere(1.0, 40, 80)
    rng = np.random.default_rng(33)
    for _ in range(4):
        pose = np.eye(4)
        pose[:3, :3] = rotation(rng)
        pose[2, 3] = 5
        if orthographic:
            camera = dd.Camera.orthographic((2.4, 2.4), pose, 60, 60)
        else:
            camera = dd.Camera.from_intrinsics(
                [[120.0, 0, 30], [0, 120, 30], [0, 0, 1]], pose, 60, 60
            )
        bright = light(shade(renderer, mesh, camera))
        assert bright[:30].mean() > 1.02 * bright[30:].mean()
        # The sphere is symmetric, except for its faces at the rim, some 4 degrees wide.
        assert bright[:, :30].mean() == pytest.approx(bright[:, 30:].mean(), rel=0.01)
        # It is brightest close to the middle, a little above it.
        row, column = np.unravel_index(
            np.argmax(np.where(bright > bright.max() - 1e-9, 1, 0)), bright.shape
        )
        assert abs(column - 29.5) < 8
        assert row < 32


def test_smooth_surfaces_look_smooth_and_edges_sharp(renderer):
    """Light changes little between pixels of a coarse sphere, and at once across a box's edge."""
    # Around the equator are 40 faces of 9 degrees. Flat shading would jump by sin(45) * 9 degrees
    # in places, about 0.1 of the head light. Smooth shading spreads that over some 8 pixels.
    camera = dd.Camera.look_at(
        (6, 0, 0.1), (0, 0, 0), (0, 0, 1), fov_y_deg=22.0, width=140, height=140
    )
    row = light(shade(renderer, sphere(1.0, 20, 40), camera))[70, 20:120]
    assert np.ptp(row) > 0.1
    assert np.abs(np.diff(row)).max() < 0.25 * np.ptp(row)
    within_face = np.abs(np.diff(row)) > 1e-6
    assert within_face.mean() > 0.5  # it changes inside faces too
    # A box seen at an edge, one side turned 20 degrees away and the other 70.
    camera = dd.Camera.look_at(
        (6 * np.cos(0.35), 6 * np.sin(0.35), 0),
        (0, 0, 0),
        (0, 0, 1),
        fov_y_deg=30.0,
        width=100,
        height=80,
    )
    image = shade(renderer, box(), camera)
    row = light(image)[40][image[40, :, 3] > 0]
    step = int(np.argmax(np.abs(np.diff(row))))
    assert np.abs(np.diff(row)).max() > 0.5 * np.ptp(row)
    assert np.ptp(row[: step + 1]) < 0.2 * np.ptp(row)
    assert np.ptp(row[step + 1 :]) < 0.2 * np.ptp(row)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_scale_and_position_do_not_matter(renderer, scale):
    """Tiny, huge and far meshes have the same image, except at edges close to a pixel center."""
    mesh = painted(
        np.random.default_rng(23), random_closed_mesh(np.random.default_rng(22), bodies=2)
    )
    target = mesh.bounds.mean(axis=0)
    eye = target + np.linalg.norm(np.ptp(mesh.bounds, axis=0)) * np.array((0.9, 0.7, 0.6))

    def view(factor, offset):
        camera = dd.Camera.look_at(
            eye * factor + offset,
            target * factor + offset,
            (0, 0, 1),
            fov_y_deg=30.0,
            width=90,
            height=70,
        )
        there = dd.Mesh(mesh.vertices * factor + offset, mesh.faces, **mesh._attributes())
        return shade(renderer, there, camera).astype(int)

    plain, other = view(1.0, 0.0), view(scale, 0.0)
    off = np.abs(plain - other).max(-1) > 1
    assert (plain[..., 3] > 0).sum() > 500
    assert off.mean() < 0.002, off.sum()
    off = np.abs(plain - view(1.0, 1e6 if scale > 1 else -1e6)).max(-1) > 1
    assert off.mean() < 0.002
