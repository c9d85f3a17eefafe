"""The picture: where it is opaque, what its silhouettes blend to, how it is lit, and that it shows colors.

Alpha is held to the mask and to closed forms of coverage, light to what any headlight does: surfaces that
turn away get darker, and the picture of a mirrored scene is the mirrored picture.
"""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import oracle
import pytest
from conftest import no_gl_objects_left
from meshes import good
from shapes import (
    box,
    inside_out,
    merged,
    moved,
    painted,
    random_camera,
    random_closed_mesh,
    rotation,
    sphere,
    torus,
)

import ddepth_gl as dd

QUAD = np.array([(-1.0, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)])
QUAD_FACES = np.array([(0, 1, 2), (0, 2, 3)])
QUAD_UV = np.array([(0.0, 0), (1, 0), (1, 1), (0, 1)])
FACE_ON = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), fov_y_deg=30.0, width=64, height=48)


def shade(renderer, mesh, camera, **arguments) -> np.ndarray:
    """The picture of a mesh that is not kept, checked for what holds of every picture."""
    scene = renderer.upload(mesh)
    picture = renderer.shade(scene, camera, **arguments)
    scene.release()
    assert picture.dtype == np.uint8
    assert picture.shape == (camera.height, camera.width, 4)
    assert picture.flags.c_contiguous
    assert picture.flags.owndata
    assert picture.flags.writeable
    assert not picture[picture[..., 3] == 0].any()
    return picture


def light(picture) -> np.ndarray:
    """(H,W) linear luminance 0..1 of the color, alpha aside (ITU-R BT.709)."""
    return oracle.linear_from_srgb(picture[..., :3]) @ (0.2126, 0.7152, 0.0722)


# ---------------------------------------------------------------------------------------------------------
# Alpha
# ---------------------------------------------------------------------------------------------------------


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
    """With one sample; transparent colors and pictures do not make holes either."""
    mesh = assorted_meshes()[kind]
    rng = np.random.default_rng(5)
    scene = renderer.upload(mesh)
    for orthographic in (False, True):
        camera = random_camera(rng, mesh, orthographic)
        picture = shade(renderer, mesh, camera, surfaces=surfaces)
        mask = renderer.entry_exit(scene, camera, surfaces=surfaces).mask
        if kind != "sheet" and not (kind == "inverted" and surfaces == "oriented"):
            assert mask.any()
        np.testing.assert_array_equal(picture[..., 3], np.where(mask, 255, 0))
    scene.release()


@pytest.mark.parametrize("samples", [1, 4])
def test_a_crop_cuts_the_picture_as_it_cuts_the_maps(renderer, samples):
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
        picture = shade(renderer, mesh, camera, surfaces=surfaces)
        np.testing.assert_array_equal(picture[..., 3], np.where(mask, 255, 0))
        assert light(picture)[mask].mean() > 0.01  # not black
    scene.release()


def test_camera_inside_the_mesh(renderer):
    """Oriented there is an exit and no entry, so nothing; of either side the nearest wall, lit."""
    mesh = box()
    pose = np.eye(4)
    pose[:3, :3] = rotation(np.random.default_rng(1))
    camera = dd.Camera.from_intrinsics([[20.0, 0, 20], [0, 20, 15], [0, 0, 1]], pose, 40, 30)
    assert not shade(renderer, mesh, camera).any()
    assert not shade(renderer, mesh, camera, samples=4).any()
    picture = shade(renderer, mesh, camera, surfaces="any")
    assert (picture[..., 3] == 255).all()
    assert light(picture).min() > 0.005


def test_an_image_of_nothing(renderer):
    away = dd.Camera.look_at((0, 0, 5), (0, 0, 9), (0, 1, 0), fov_y_deg=40.0, width=7, height=5)
    for samples in (1, 4):
        assert not shade(renderer, box(), away, samples=samples).any()


def grown(mask: np.ndarray, steps: int = 1) -> np.ndarray:
    """The mask and its neighbors, diagonal ones included."""
    for _ in range(steps):
        padded = np.pad(mask, 1)
        rows = padded[:-2] | padded[1:-1] | padded[2:]
        mask = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    return mask


@pytest.mark.parametrize("samples", [2, 3, 4, 8])
def test_only_silhouettes_are_translucent(renderer, samples):
    """Samples lie within their pixel, so no farther from its center than its neighbors' centers are."""
    meshes = assorted_meshes()
    rng = np.random.default_rng(7)
    cases = [("closed", "oriented"), ("painted", "any"), ("open", "any")]
    for kind, surfaces in cases:
        # Bodies without thin parts: what is opaque at nine centers is opaque between them.
        mesh = meshes[kind] if kind != "closed" else merged(sphere(), torus(1.4, 0.5))
        camera = random_camera(rng, mesh, orthographic=False)
        alpha = shade(renderer, mesh, camera, samples=samples, surfaces=surfaces)[..., 3]
        mask = shade(renderer, mesh, camera, surfaces=surfaces)[..., 3] == 255
        if kind == "closed":
            assert (alpha[~grown(~mask)] == 255).all()
            assert (alpha[~grown(mask)] == 0).all()
        silhouettes = grown(mask) & grown(~mask)
        partly = (alpha > 0) & (alpha < 255)
        assert (partly & silhouettes).sum() > 20


def test_a_sample_count_does_not_move_the_picture(renderer):
    """Averages over the object are the same, and so is where it is: half-pixel shifts show here."""
    mesh = random_closed_mesh(np.random.default_rng(9), bodies=3)
    camera = random_camera(np.random.default_rng(10), mesh, orthographic=False, size=120)
    row, column = np.mgrid[: camera.height, : camera.width]

    def moments(picture):
        weight = picture[..., 3] / 255.0
        area = weight.sum()
        return area, (weight * row).sum() / area, (weight * column).sum() / area

    one, many = (moments(shade(renderer, mesh, camera, samples=s)) for s in (1, 8))
    # Some 300 pixels of silhouette, each off by 0.3 at random: 5 pixels of area, of thousands; and moments
    # by 5 * 50 / 3000.
    assert one[0] == pytest.approx(many[0], abs=15)
    assert one[1:] == pytest.approx(many[1:], abs=0.1)


# ---------------------------------------------------------------------------------------------------------
# Coverage of a circle
# ---------------------------------------------------------------------------------------------------------


def corner_area(x, y):
    """Area of the unit disc within [0, x] x [0, y], x and y >= 0, from circular segments."""
    x, y = np.minimum(x, 1.0), np.minimum(y, 1.0)
    inside = x * x + y * y <= 1

    def below_chord(t):  # area under the circle's arc over [0, t]
        return 0.5 * (t * np.sqrt(np.maximum(1 - t * t, 0)) + np.arcsin(t))

    start = np.sqrt(np.maximum(1 - y * y, 0))  # the arc is below y from here on
    start = np.minimum(start, x)
    return np.where(inside, x * y, start * y + below_chord(x) - below_chord(start))


def disc_coverage(width: int, height: int, u: float, v: float, radius: float) -> np.ndarray:
    """(H,W) part of each pixel that lies within a disc around (u, v), pixels."""

    def signed(x, y):
        return np.sign(x) * np.sign(y) * corner_area(np.abs(x), np.abs(y))

    x, y = np.meshgrid((np.arange(width + 1) - u) / radius, (np.arange(height + 1) - v) / radius)
    corner = signed(x, y) * radius**2
    return corner[1:, 1:] - corner[1:, :-1] - corner[:-1, 1:] + corner[:-1, :-1]


def test_disc_coverage_is_right():
    """Against 40 x 40 points a pixel: an edge passes between points of a row at most 40 times a pixel."""
    coverage = disc_coverage(12, 10, 5.3, 4.1, 3.7)
    assert coverage.sum() == pytest.approx(np.pi * 3.7**2, abs=1e-9)
    x, y = np.meshgrid((np.arange(12 * 40) + 0.5) / 40 - 5.3, (np.arange(10 * 40) + 0.5) / 40 - 4.1)
    points = (x * x + y * y <= 3.7**2).reshape(10, 40, 12, 40).mean(axis=(1, 3))
    np.testing.assert_allclose(coverage, points, atol=2 * 40 / 40**2)


def spinning_top(sides: int = 720) -> dd.Mesh:
    """Two cones of radius 1, base to base: seen along the axis (z) its silhouette is a polygon."""
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
    """Per pixel within what its samples can tell apart, and without bias over the whole circle.

    Of k x k samples a row or column of k is passed at once by an edge that runs along it, at most 1 / 2k of
    the area too early or too late; a slanted edge passes them one by one and is off by less. A twentieth
    more is for pixels at whose border the edge ends, for 1/24 of curvature and for rounding to 1/255.
    """
    center, radius = (33.3, 29.6), 24.0
    pose = np.diag([1.0, -1, -1, 1])
    pose[2, 3] = 5
    K = [[radius, 0, center[0]], [0, radius, center[1]], [0, 0, 1]]
    camera = dd.Camera(np.array(K), pose, 70, 60, True)
    mesh = spinning_top()
    assert mesh.is_oriented
    levels = shade(renderer, mesh, camera, samples=samples)[..., 3]
    # Alpha is a count of samples, rounded to a level.
    counts = np.arange(samples**2 + 1) * 255 / samples**2
    assert np.abs(levels[..., None] - counts).min(-1).max() <= 0.5
    alpha, exact = levels / 255.0, disc_coverage(70, 60, *center, radius)
    error = alpha - exact
    inside, outside = exact > 1 - 1e-9, exact < 1e-9
    silhouette = ~inside & ~outside
    assert silhouette.sum() > 150
    # The polygon is inside of the circle by 1e-5 of the radius.
    assert (alpha[inside] == 1).all()
    assert not alpha[outside].any()
    most = 0.5 / samples
    assert np.abs(error).max() <= most + 0.05
    # Some 190 pixels whose errors are spread evenly within `most`: their mean is off by most / 3**0.5 / 14,
    # and three times that is allowed.
    assert abs(error[silhouette].mean()) <= 3 * most / np.sqrt(3 * silhouette.sum()) + 0.002


@pytest.mark.parametrize("samples", [2, 3, 5])
@pytest.mark.parametrize("surfaces", ["oriented", "any"])
def test_samples_are_the_pixels_of_a_larger_picture(renderer, samples, surfaces):
    """Alpha is the mean of theirs, color the mean, in linear light, of those that are covered."""
    rng = np.random.default_rng([samples, 29])
    mesh = painted(rng, random_closed_mesh(rng, bodies=3))
    for orthographic in (False, True):
        camera = random_camera(rng, mesh, orthographic, 60)
        K = camera.K.copy()
        K[:2] *= samples
        size = camera.width * samples, camera.height * samples
        larger = dd.Camera(K, camera.camera_from_world, *size, orthographic)
        fine = shade(renderer, mesh, larger, surfaces=surfaces)
        picture = shade(renderer, mesh, camera, samples=samples, surfaces=surfaces)

        blocks = fine.reshape(camera.height, samples, camera.width, samples, 4).swapaxes(1, 2)
        covered = (blocks[..., 3] == 255).sum(axis=(2, 3))
        assert np.abs(picture[..., 3] - covered * 255 / samples**2).max() <= 0.5
        hit = covered > 0
        assert hit.sum() > 100
        total = oracle.linear_from_srgb(blocks[..., :3]).sum(axis=(2, 3))
        mean = total[hit] / covered[hit][:, None]
        # Each level of the fine picture is rounded by half a level, and so is the result. A half level is at
        # most 0.5 / 255 times the curve's steepness, below 2.4, in linear light; both.
        error = np.abs(oracle.linear_from_srgb(picture[hit][:, :3]) - mean)
        assert error.max() <= 2 * 0.5 / 255 * 2.4


# ---------------------------------------------------------------------------------------------------------
# Light
# ---------------------------------------------------------------------------------------------------------


def facing_cosine(camera: dd.Camera) -> np.ndarray:
    """(H,W) cosine between a unit sphere's normal and the direction to the camera; NaN where it misses."""
    origins, directions = camera.rays()
    nearest = -(origins * directions).sum(-1)
    away = origins + nearest[..., None] * directions
    with np.errstate(invalid="ignore"):
        return np.sqrt(1 - (away**2).sum(-1))


def documented_light(normals, towards_camera, up) -> np.ndarray:
    """What `DepthRenderer.shade` says that colors are multiplied by; normals may be of either side."""
    seen = normals * np.where((normals * towards_camera).sum(-1) < 0, -1.0, 1.0)[..., None]
    head, sky = (seen * towards_camera).sum(-1), (seen * up).sum(-1)
    return 0.7 * head + 0.3 * (0.75 + 0.25 * sky)


@pytest.mark.parametrize("painted", [False, True])
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_planes_are_as_bright_as_documented(renderer, orthographic, painted):
    """Tilted toward the sky, the ground, either side and away; from either side; at every pixel of them."""
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
    towards_camera = -rays / np.linalg.norm(rays, axis=-1, keepdims=True)
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
        expected = documented_light(normal @ rotated, towards_camera, up)
        scene = renderer.upload(sheet)
        asked = {"surfaces": "any", "attributes": ("shaded_color",)}
        maps = renderer.entry_exit(scene, camera, **asked)
        layers = renderer.peel(scene, camera, attributes=("shaded_color",))
        picture = renderer.shade(scene, camera, surfaces="any")
        scene.release()
        assert maps.mask.sum() > 50
        truth = (expected[..., None] * color)[maps.mask]
        # The driver's float32 in some ten operations: far below a percent of the smallest term, 0.075.
        for found in (maps.entry_shaded_color[maps.mask], maps.exit_shaded_color[maps.mask]):
            np.testing.assert_allclose(found[:, :3], truth, rtol=1e-5)
        # Of a sheet that is seen from either side both crossings are one.
        np.testing.assert_allclose(layers.shaded_color[:, :3], truth, rtol=1e-5)
        # Rounding to levels, after half floats, whose rounding OpenGL leaves open: less than 2**-10 of a
        # color, of which its power 1 / 2.4 makes 0.11 levels.
        levels = 255 * np.vectorize(oracle.encode_srgb)(truth)
        assert np.abs(picture[maps.mask][:, :3] - levels).max() < 0.62
        lights.append(expected[maps.mask])
    lights = np.concatenate(lights)
    assert lights.min() < 0.5 < 0.9 < lights.max() <= 1


def test_a_sphere_is_brightest_where_it_faces_the_camera(renderer):
    """Averaged over rings of equal facing, which cancels what depends on up and down."""
    mesh = sphere(1.0, 60, 120)
    camera = dd.Camera.look_at(
        (6, 0, 0), (0, 0, 0), (0, 0, 1), fov_y_deg=22.0, width=140, height=140
    )
    picture = shade(renderer, mesh, camera)
    cosine, bright = facing_cosine(camera), light(picture)
    edges = np.linspace(1, 0.1, 10)
    rings = [(cosine <= upper) & (cosine > lower) for upper, lower in pairwise(edges)]
    levels = [bright[ring].mean() for ring in rings]
    assert all(ring.sum() > 100 for ring in rings)
    assert (np.diff(levels) < 0).all(), levels
    # A headlight alone goes with the cosine; whatever is added, the rim is clearly darker.
    assert levels[0] > 1.3 * levels[-1], levels
    # Nothing is clipped, and the middle is neither glaring nor dim.
    assert 0.2 < levels[0] < 1


def test_brightness_falls_as_a_sheet_turns_away(renderer):
    """About the upright axis of the image, so that sky and ground stay where they were."""
    levels = []
    for turn_deg in range(0, 90, 10):
        turn = np.radians(turn_deg)
        motion = np.eye(4)
        motion[[0, 0, 2, 2], [0, 2, 0, 2]] = np.cos(turn), np.sin(turn), -np.sin(turn), np.cos(turn)
        sheet = moved(dd.Mesh(QUAD, QUAD_FACES), motion)
        picture = shade(renderer, sheet, FACE_ON, surfaces="any")
        levels.append(float(light(picture)[picture[..., 3] > 0].mean()))
        assert levels[-1] > 0.005
        # And either side is lit alike, for the one who looks at it.
        other = shade(renderer, inside_out(sheet), FACE_ON, surfaces="any")
        np.testing.assert_allclose(other.astype(int), picture.astype(int), atol=1)
    assert (np.diff(levels) < 0).all(), levels


def test_the_picture_of_the_mirrored_scene_is_the_mirrored_picture(renderer):
    """Left and right, with the image's upright axis in the mirror's plane: sky and ground stay too."""
    mesh = random_closed_mesh(np.random.default_rng(21), bodies=3)
    mirror = np.diag([1.0, -1, 1, 1])
    reflected = mesh.transformed(mirror)
    assert reflected.is_oriented == mesh.is_oriented
    # An odd focal length and eye, so that no edge runs through a pixel's center.
    camera = dd.Camera.look_at(
        (6.1, 0, 1.3), (0, 0, 0), (0, 0, 1), fov_y_deg=31.7, width=120, height=100
    )
    one, other = (shade(renderer, m, camera) for m in (mesh, reflected))
    flipped = other[:, ::-1].astype(int)
    # Edges that pass within the rasterizer's 1/256 pixel of a center may fall the other way; smooth normals
    # and light are sums in another order, so a level may be off by one.
    off = np.abs(flipped - one).max(-1) > 1
    assert (one[..., 3] > 0).sum() > 1000
    assert off.mean() < 0.002, off.sum()


def test_a_turned_camera_still_lights_what_it_looks_at(renderer):
    """From all around, a sphere's middle is well lit: light comes with the camera."""
    mesh = sphere(1.0, 30, 60)
    middles = []
    for camera in dd.Camera.orbit(mesh, views=8, width=41, height=41, seed=4):
        picture = shade(renderer, mesh, camera)
        middles.append(float(light(picture)[18:23, 18:23].mean()))
    assert min(middles) > 0.15
    assert min(middles) > 0.4 * max(middles)


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_the_sky_is_up_in_the_image(renderer, orthographic):
    """However the camera is rolled: the upper half of a sphere is lighter, left and right are alike."""
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
        # The sphere is symmetric but for its faces, some 4 degrees wide, at the rim.
        assert bright[:, :30].mean() == pytest.approx(bright[:, 30:].mean(), rel=0.01)
        # The light is nearest to the middle, a little above it.
        row, column = np.unravel_index(
            np.argmax(np.where(bright > bright.max() - 1e-9, 1, 0)), bright.shape
        )
        assert abs(column - 29.5) < 8
        assert row < 32


def test_smooth_surfaces_look_smooth_and_edges_sharp(renderer):
    """Along a coarse sphere light changes by little from pixel to pixel; across a box's edge at once."""
    # Around the equator 40 faces of 9 degrees: flat shading would jump by sin(45) * 9 degrees, about 0.1 of
    # the headlight, in places; smoothly it is spread over a face's pixels, about 8.
    camera = dd.Camera.look_at(
        (6, 0, 0.1), (0, 0, 0), (0, 0, 1), fov_y_deg=22.0, width=140, height=140
    )
    row = light(shade(renderer, sphere(1.0, 20, 40), camera))[70, 20:120]
    assert np.ptp(row) > 0.1
    assert np.abs(np.diff(row)).max() < 0.25 * np.ptp(row)
    within_face = np.abs(np.diff(row)) > 1e-6
    assert within_face.mean() > 0.5  # it changes inside of faces as well
    # A box seen over its edge, one side turned 20 degrees away and the other 70.
    camera = dd.Camera.look_at(
        (6 * np.cos(0.35), 6 * np.sin(0.35), 0),
        (0, 0, 0),
        (0, 0, 1),
        fov_y_deg=30.0,
        width=100,
        height=80,
    )
    picture = shade(renderer, box(), camera)
    row = light(picture)[40][picture[40, :, 3] > 0]
    step = int(np.argmax(np.abs(np.diff(row))))
    assert np.abs(np.diff(row)).max() > 0.5 * np.ptp(row)
    assert np.ptp(row[: step + 1]) < 0.2 * np.ptp(row)
    assert np.ptp(row[step + 1 :]) < 0.2 * np.ptp(row)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_size_and_place_do_not_matter(renderer, scale):
    """The same picture of a tiny, a huge and a far mesh, but for edges within rounding of a pixel center."""
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


# ---------------------------------------------------------------------------------------------------------
# Color
# ---------------------------------------------------------------------------------------------------------


def test_a_textured_mesh_shows_its_texture(renderer):
    """Red left, green right, above a blue half: as seen from the front, not flipped."""
    texture = np.zeros((8, 8, 3), np.uint8)
    texture[:4, :4], texture[:4, 4:], texture[4:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    sheet = dd.Mesh(QUAD, QUAD_FACES, uv=QUAD_UV, texture=texture)
    pose = np.diag([1.0, -1, -1, 1])
    pose[2, 3] = 5
    camera = dd.Camera.orthographic((2, 2), pose, 32, 32)  # four pixels a texel
    image = shade(renderer, sheet, camera, surfaces="any")
    assert (image[..., 3] == 255).all()
    # Within half a texel, two pixels, of where colors meet (and of the rim, for pictures repeat) they mix.
    first, second = slice(2, 14), slice(18, 30)
    parts = {0: image[first, first], 1: image[first, second], 2: image[second, 2:30]}
    for channel, part in parts.items():
        rgb = part[..., :3].reshape(-1, 3)
        assert (rgb[:, channel] > 100).all(), channel
        assert (np.delete(rgb, channel, axis=1) == 0).all(), channel


def test_vertex_colors_are_seen(renderer):
    for channel in range(3):
        colors = np.zeros((4, 3), np.uint8)
        colors[:, channel] = 255
        image = shade(renderer, dd.Mesh(QUAD, QUAD_FACES, colors=colors), FACE_ON, surfaces="any")
        rgb = image[image[..., 3] > 0][:, :3]
        assert (rgb[:, channel] > 100).all()
        assert not np.delete(rgb, channel, axis=1).any()
    black = np.zeros((4, 3), np.uint8)
    image = shade(renderer, dd.Mesh(QUAD, QUAD_FACES, colors=black), FACE_ON, surfaces="any")
    assert image[..., 3].any()
    assert not image[..., :3].any()


def test_light_multiplies_linear_color(renderer):
    """A gray of 188, half the light of white, sends back half of what white does, as seen in sRGB."""
    levels = {}
    for level in (255, 188, 100):
        colors = np.full((4, 3), level, np.uint8)
        image = shade(renderer, dd.Mesh(QUAD, QUAD_FACES, colors=colors), FACE_ON, surfaces="any")
        levels[level] = float(light(image)[image[..., 3] > 0].mean())
        rgb = image[image[..., 3] > 0][:, :3]
        assert (rgb == rgb[:, :1]).all()  # white light, on gray
    for level in (188, 100):
        # Rounding to a level: half of 1/255, times the curve's steepness of 2 at most.
        assert levels[level] / levels[255] == pytest.approx(
            oracle.linear_from_srgb(level), abs=0.01
        )


def test_colors_at_a_silhouette_are_those_beside_it(renderer):
    """Alpha says how much of a pixel is covered; its color is that of the part that is, not darkened."""
    colors = np.tile(np.array((200, 120, 40), np.uint8), (4, 1))
    angle = np.radians(20)
    motion = np.eye(4)
    motion[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    sheet = dd.Mesh(moved(dd.Mesh(QUAD, QUAD_FACES), motion).vertices, QUAD_FACES, colors=colors)
    image = shade(renderer, sheet, FACE_ON, samples=4, surfaces="any").astype(int)
    inside = image[image[..., 3] == 255][:, :3]
    partly = image[(image[..., 3] > 0) & (image[..., 3] < 255)]
    assert len(partly) > 50
    # One sheet, one normal, one color: at most the rounding of a blend, a level or two, as dark as it is.
    assert np.ptp(inside, axis=0).max() <= 2
    np.testing.assert_allclose(partly[:, :3], np.broadcast_to(inside[0], (len(partly), 3)), atol=3)


def test_samples_are_averaged_in_linear_light(renderer):
    """A fine black and white pattern looks half as light as white, not darker."""
    stripes = 400
    vertices = np.array([(x, y, 0) for x in np.linspace(-1, 1, stripes + 1) for y in (-1, 1)])
    # Faces in pairs of stripes, every stripe with vertices of its own, black or white.
    corners = vertices.reshape(-1, 2, 3)
    own = np.concatenate([corners[:-1], corners[1:, ::-1]], axis=1)  # around each stripe
    faces = (4 * np.arange(stripes)[:, None, None] + np.array([(0, 3, 2), (0, 2, 1)])).reshape(
        -1, 3
    )
    level = np.where(np.arange(stripes) % 2, 255, 0).astype(np.uint8)
    mesh = dd.Mesh(own.reshape(-1, 3), faces, colors=np.repeat(level, 4)[:, None].repeat(3, 1))
    white = dd.Mesh(
        mesh.vertices, mesh.faces, colors=np.full((len(mesh.vertices), 3), 255, np.uint8)
    )
    # Each pixel of the image holds some 14 stripes, not in step with its 16 columns of samples.
    camera = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), fov_y_deg=18.0, width=23, height=19)
    gray, full = (shade(renderer, m, camera, samples=16, surfaces="any") for m in (mesh, white))
    assert (gray[..., 3] == 255).all()
    ratio = light(gray).mean() / light(full).mean()
    # Averaged before decoding it would be the linear value of half of sRGB, 0.21.
    assert ratio == pytest.approx(0.5, abs=0.08)


# ---------------------------------------------------------------------------------------------------------
# The same bits, and limits
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 4])
def test_the_same_call_gives_the_same_bits(renderer, samples):
    """With other scenes, sizes and calls in between, which they do not change either."""
    rng = np.random.default_rng(27)
    mesh, other = (painted(rng, random_closed_mesh(rng, bodies=3)) for _ in range(2))
    scene, other_scene = renderer.upload(mesh), renderer.upload(other)
    camera, other_camera = random_camera(rng, mesh, False), random_camera(rng, mesh, True, 50)
    picture = renderer.shade(scene, camera, samples=samples)
    maps = renderer.entry_exit(scene, camera)
    layers = renderer.peel(scene, camera)
    renderer.shade(other_scene, other_camera, samples=3, surfaces="any")
    assert renderer.shade(scene, camera, samples=samples).tobytes() == picture.tobytes()
    assert renderer.entry_exit(scene, camera).exit.tobytes() == maps.exit.tobytes()
    assert renderer.shade(scene, camera, samples=samples).tobytes() == picture.tobytes()
    assert renderer.peel(scene, camera).depth.tobytes() == layers.depth.tobytes()
    for i, again in enumerate(renderer.entry_exit_many(scene, [camera, other_camera, camera])):
        assert renderer.shade(scene, camera, samples=samples).tobytes() == picture.tobytes()
        if i != 1:
            assert again.entry.tobytes() == maps.entry.tobytes()
    scene.release()
    other_scene.release()


def test_pictures_belong_to_the_caller(renderer):
    scene = renderer.upload(box())
    picture = renderer.shade(scene, FACE_ON)
    before = picture.copy()
    renderer.shade(scene, FACE_ON, samples=2)
    np.testing.assert_array_equal(picture, before)
    picture[:] = 0
    np.testing.assert_array_equal(renderer.shade(scene, FACE_ON), before)
    scene.release()


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, 2.0, "2", None, float("nan"), 129])
def test_samples_must_be_a_whole_number(renderer, bad):
    scene = renderer.upload(box())
    with pytest.raises(dd.RequestError, match="samples"):
        renderer.shade(scene, FACE_ON, samples=bad)
    scene.release()


def test_as_many_samples_as_there_may_be(renderer):
    """Loops of shaders that go round more often may end too early."""
    scene = renderer.upload(box())
    camera = dd.Camera.look_at((0.3, 0.2, 3), (0, 0, 0), (0, 1, 0), fov_y_deg=30, width=4, height=4)
    assert (renderer.shade(scene, camera, samples=128)[..., 3] == 255).all()
    scene.release()


def test_samples_may_be_a_numpy_number(renderer):
    scene = renderer.upload(box())
    one, other = (renderer.shade(scene, FACE_ON, samples=s) for s in (3, np.int64(3)))
    assert one.tobytes() == other.tobytes()
    scene.release()


def test_requests_that_make_no_sense(renderer):
    scene = renderer.upload(box())
    with pytest.raises(dd.RequestError, match="surfaces"):
        renderer.shade(scene, FACE_ON, surfaces="both")
    with pytest.raises(dd.CameraError):
        renderer.shade(scene, "camera")
    with pytest.raises(dd.MeshError):
        renderer.shade(box(), FACE_ON)
    scene.release()
    with pytest.raises(dd.ContextClosedError):
        renderer.shade(scene, FACE_ON)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 300), (300, 1), (67, 31)])
def test_images_of_odd_shapes(renderer, width, height):
    pose = np.eye(4)
    pose[2, 3] = 4
    camera = dd.Camera.from_intrinsics(
        [[150.0, 0, width / 2], [0, 150.0, height / 2], [0, 0, 1]], pose, width, height
    )
    for samples in (1, 4):
        picture = shade(renderer, sphere(2.0, 20, 30), camera, samples=samples)
        assert picture[height // 2, width // 2, 3] == 255


def test_shading_leaves_no_gl_objects_behind(renderer):
    rng = np.random.default_rng(0)
    mesh = painted(rng, random_closed_mesh(rng, bodies=2))
    camera = dd.Camera.orbit(mesh, views=1, width=50, height=40)[0]

    def everything():
        scene = renderer.upload(mesh)
        for samples in (1, 4):
            for surfaces in ("oriented", "any"):
                renderer.shade(scene, camera, samples=samples, surfaces=surfaces)
        scene.release()

    everything()  # the programs are made once and kept
    with no_gl_objects_left(renderer):
        for _ in range(3):
            everything()
