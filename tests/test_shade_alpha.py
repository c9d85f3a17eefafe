"""Alpha of the shaded image: the mask, and the coverage of a disc."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from meshes import good
from shaded_images import QUAD, QUAD_FACES, light, shade
from shapes import (
    box,
    inside_out,
    merged,
    painted,
    random_camera,
    random_closed_mesh,
    rotation,
    sphere,
    torus,
)

import ddepth_gl as dd


def assorted_meshes() -> dict[str, dd.Mesh]:
    rng = np.random.default_rng(3)
    lumps = random_closed_mesh(rng, bodies=4)
    opened = dd.Mesh(lumps.vertices, lumps.faces[rng.random(len(lumps.faces)) < 0.6])
    return {
        "closed": lumps,
        "painted": painted(rng, lumps),
        "open": opened,
        "inverted": inside_out(lumps),
        "sheet": dd.Mesh(QUAD, QUAD_FACES),
    }


@pytest.mark.parametrize("surfaces", ["oriented", "any"])
@pytest.mark.parametrize("kind", ["closed", "painted", "open", "inverted", "sheet"])
def test_alpha_is_the_mask(renderer, kind, surfaces):
    """With one sample; transparent colors and textures make no holes."""
    mesh = assorted_meshes()[kind]
    rng = np.random.default_rng(5)
    scene = renderer.upload(mesh)
    for orthographic in (False, True):
        camera = random_camera(rng, mesh, orthographic)
        image = shade(renderer, mesh, camera, surfaces=surfaces)
        mask = renderer.entry_exit(scene, camera, surfaces=surfaces).mask
        if kind != "sheet" and not (kind == "inverted" and surfaces == "oriented"):
            assert mask.any()
        np.testing.assert_array_equal(image[..., 3], np.where(mask, 255, 0))
    scene.release()


@pytest.mark.parametrize("samples", [1, 4])
def test_a_crop_applies_to_image_and_maps_alike(renderer, samples):
    rng = np.random.default_rng(11)
    mesh = random_closed_mesh(rng, bodies=4)
    camera = random_camera(rng, mesh, orthographic=False)
    scene = renderer.upload(mesh)
    _, depth = camera.project(mesh.vertices)
    near, far = np.quantile(depth[depth > 0], [0.4, 0.9])
    whole = renderer.entry_exit(scene, camera).mask
    for crop in ({"near": near}, {"far": far}, {"near": near, "far": far}):
        mask = renderer.entry_exit(scene, camera, **crop).mask
        assert 0 < mask.sum() < whole.sum()
        alpha = renderer.shade(scene, camera, samples=samples, **crop)[..., 3]
        if samples == 1:
            np.testing.assert_array_equal(alpha, np.where(mask, 255, 0))
        else:
            assert abs(alpha.sum() / 255 - mask.sum()) < 0.1 * mask.sum()
    scene.release()


@pytest.mark.parametrize(
    "name", ["suzanne.obj", "spot/spot.obj", "rocker-arm.obj", "CesiumMilkTruck.glb"]
)
def test_alpha_is_the_mask_on_real_meshes(renderer, name):
    mesh = dd.load_mesh(good(name))
    camera = dd.Camera.orbit(mesh, views=1, width=150, height=110)[0]
    scene = renderer.upload(mesh)
    for surfaces in ("oriented", "any"):
        mask = renderer.entry_exit(scene, camera, surfaces=surfaces).mask
        image = shade(renderer, mesh, camera, surfaces=surfaces)
        np.testing.assert_array_equal(image[..., 3], np.where(mask, 255, 0))
        assert light(image)[mask].mean() > 0.01  # not black
    scene.release()


def test_camera_inside_the_mesh(renderer):
    """Oriented surfaces have an exit but no entry; of any surfaces, the nearest wall is shown."""
    mesh = box()
    pose = np.eye(4)
    pose[:3, :3] = rotation(np.random.default_rng(1))
    camera = dd.Camera.from_intrinsics([[20.0, 0, 20], [0, 20, 15], [0, 0, 1]], pose, 40, 30)
    assert not shade(renderer, mesh, camera).any()
    assert not shade(renderer, mesh, camera, samples=4).any()
    image = shade(renderer, mesh, camera, surfaces="any")
    assert (image[..., 3] == 255).all()
    assert light(image).min() > 0.005


def test_an_empty_image(renderer):
    away = dd.Camera.look_at((0, 0, 5), (0, 0, 9), (0, 1, 0), fov_y_deg=40.0, width=7, height=5)
    for samples in (1, 4):
        assert not shade(renderer, box(), away, samples=samples).any()


def dilated(mask: np.ndarray, steps: int = 1) -> np.ndarray:
    """Return the mask with all 8 neighbors of its pixels."""
    for _ in range(steps):
        padded = np.pad(mask, 1)
        rows = padded[:-2] | padded[1:-1] | padded[2:]
        mask = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    return mask


@pytest.mark.slow
@pytest.mark.parametrize("samples", [2, 3, 4, 8])
def test_only_silhouettes_are_translucent(renderer, samples):
    """A sample lies in its pixel, so it is nearer to the center than neighboring centers are."""
    meshes = assorted_meshes()
    rng = np.random.default_rng(7)
    cases = [("closed", "oriented"), ("painted", "any"), ("open", "any")]
    for kind, surfaces in cases:
        # Bodies without thin parts: a pixel is opaque if its center and all neighbors are.
        mesh = meshes[kind] if kind != "closed" else merged(sphere(), torus(1.4, 0.5))
        camera = random_camera(rng, mesh, orthographic=False)
        alpha = shade(renderer, mesh, camera, samples=samples, surfaces=surfaces)[..., 3]
        mask = shade(renderer, mesh, camera, surfaces=surfaces)[..., 3] == 255
        if kind == "closed":
            assert (alpha[~dilated(~mask)] == 255).all()
            assert (alpha[~dilated(mask)] == 0).all()
        silhouettes = dilated(mask) & dilated(~mask)
        partly = (alpha > 0) & (alpha < 255)
        assert (partly & silhouettes).sum() > 20


def test_the_number_of_samples_does_not_shift_the_image(renderer):
    """Area and centroid of the object stay the same; a shift of half a pixel would show."""
    mesh = random_closed_mesh(np.random.default_rng(9), bodies=3)
    camera = random_camera(np.random.default_rng(10), mesh, orthographic=False, size=120)
    row, column = np.mgrid[: camera.height, : camera.width]

    def moments(image):
        weight = image[..., 3] / 255.0
        area = weight.sum()
        return area, (weight * row).sum() / area, (weight * column).sum() / area

    one, many = (moments(shade(renderer, mesh, camera, samples=s)) for s in (1, 8))
    # Some 300 silhouette pixels, each off by 0.3 at random, are 5 pixels of an area of thousands.
    # The centroid moves by 5 * 50 / 3000.
    assert one[0] == pytest.approx(many[0], abs=15)
    assert one[1:] == pytest.approx(many[1:], abs=0.1)


def corner_area(x, y):
    """Return the area of the unit disc within [0, x] x [0, y], where x and y >= 0."""
    x, y = np.minimum(x, 1.0), np.minimum(y, 1.0)
    inside = x * x + y * y <= 1

    def below_chord(t):  # area under the circle's arc over [0, t]
        return 0.5 * (t * np.sqrt(np.maximum(1 - t * t, 0)) + np.arcsin(t))

    start = np.sqrt(np.maximum(1 - y * y, 0))  # the arc is below y from here on
    start = np.minimum(start, x)
    return np.where(inside, x * y, start * y + below_chord(x) - below_chord(start))


def disc_coverage(width: int, height: int, u: float, v: float, radius: float) -> np.ndarray:
    """Return (H, W) the part of each pixel within a disc around (u, v), in pixels."""

    def signed(x, y):
        return np.sign(x) * np.sign(y) * corner_area(np.abs(x), np.abs(y))

    x, y = np.meshgrid((np.arange(width + 1) - u) / radius, (np.arange(height + 1) - v) / radius)
    corner = signed(x, y) * radius**2
    return corner[1:, 1:] - corner[1:, :-1] - corner[:-1, 1:] + corner[:-1, :-1]


def test_disc_coverage():
    """Against 40 x 40 points per pixel, of which the edge misjudges at most one in each row."""
    coverage = disc_coverage(12, 10, 5.3, 4.1, 3.7)
    assert coverage.sum() == pytest.approx(np.pi * 3.7**2, abs=1e-9)
    x, y = np.meshgrid((np.arange(12 * 40) + 0.5) / 40 - 5.3, (np.arange(10 * 40) + 0.5) / 40 - 4.1)
    points = (x * x + y * y <= 3.7**2).reshape(10, 40, 12, 40).mean(axis=(1, 3))
    np.testing.assert_allclose(coverage, points, atol=2 * 40 / 40**2)


def spinning_top(sides: int = 720) -> dd.Mesh:
    """Return two cones of radius 1, base to base; along the axis z its silhouette is a polygon."""
    around = 2 * np.pi * np.arange(sides) / sides
    rim = np.stack([np.cos(around), np.sin(around), np.zeros(sides)], 1)
    side, following = np.arange(sides), (np.arange(sides) + 1) % sides
    faces = [
        np.stack([np.full(sides, sides), side, following], 1),
        np.stack([np.full(sides, sides + 1), following, side], 1),
    ]
    return dd.Mesh(np.concatenate([rim, [(0, 0, 0.5), (0, 0, -0.5)]]), np.concatenate(faces))


@pytest.mark.parametrize("samples", [1, 2, 3, 4, 8])
def test_alpha_at_a_silhouette_is_the_coverage(renderer, samples):
    """Each pixel is as accurate as its samples allow, and the whole circle has no bias.

    An edge along a row of k x k samples passes all k at once, too early or too late by at most
    1 / 2k of the area. An oblique edge passes them one by one and is off by less. A further
    twentieth is for pixels whose border the edge touches, for 1/24 of curvature and for rounding to
    1/255.
    """
    center, radius = (33.3, 29.6), 24.0
    pose = np.diag([1.0, -1, -1, 1])
    pose[2, 3] = 5
    K = [[radius, 0, center[0]], [0, radius, center[1]], [0, 0, 1]]
    camera = dd.Camera(np.array(K), pose, 70, 60, True)
    mesh = spinning_top()
    assert mesh.is_oriented
    levels = shade(renderer, mesh, camera, samples=samples)[..., 3]
    # Alpha is a fraction of samples, rounded to 8 bits.
    counts = np.arange(samples**2 + 1) * 255 / samples**2
    assert np.abs(levels[..., None] - counts).min(-1).max() <= 0.5
    alpha, exact = levels / 255.0, disc_coverage(70, 60, *center, radius)
    error = alpha - exact
    inside, outside = exact > 1 - 1e-9, exact < 1e-9
    silhouette = ~inside & ~outside
    assert silhouette.sum() > 150
    # The polygon lies inside the circle by 1e-5 of the radius.
    assert (alpha[inside] == 1).all()
    assert not alpha[outside].any()
    limit = 0.5 / samples
    assert np.abs(error).max() <= limit + 0.05
    # Some 190 pixels have errors spread evenly within `limit`. Their mean has a standard deviation
    # of limit / 3**0.5 / 14; three times that is allowed.
    assert abs(error[silhouette].mean()) <= 3 * limit / np.sqrt(3 * silhouette.sum()) + 0.002


@pytest.mark.parametrize("samples", [2, 3, 5])
@pytest.mark.parametrize("surfaces", ["oriented", "any"])
def test_samples_equal_the_pixels_of_a_larger_image(renderer, samples, surfaces):
    """Alpha is the mean of their alpha, color the linear mean of the covered ones."""
    rng = np.random.default_rng([samples, 29])
    mesh = painted(rng, random_closed_mesh(rng, bodies=3))
    for orthographic in (False, True):
        camera = random_camera(rng, mesh, orthographic, 60)
        K = camera.K.copy()
        K[:2] *= samples
        size = camera.width * samples, camera.height * samples
        larger = dd.Camera(K, camera.camera_from_world, *size, orthographic)
        fine = shade(renderer, mesh, larger, surfaces=surfaces)
        image = shade(renderer, mesh, camera, samples=samples, surfaces=surfaces)

        blocks = fine.reshape(camera.height, samples, camera.width, samples, 4).swapaxes(1, 2)
        covered = (blocks[..., 3] == 255).sum(axis=(2, 3))
        assert np.abs(image[..., 3] - covered * 255 / samples**2).max() <= 0.5
        hit = covered > 0
        assert hit.sum() > 100
        total = oracle.linear_from_srgb(blocks[..., :3]).sum(axis=(2, 3))
        mean = total[hit] / covered[hit][:, None]
        # The fine image and the result are both rounded to 8 bits, by half a level. In linear light
        # that is at most 0.5 / 255 times the curve's slope, which is below 2.4.
        error = np.abs(oracle.linear_from_srgb(image[hit][:, :3]) - mean)
        assert error.max() <= 2 * 0.5 / 255 * 2.4
