"""Attributes of crossings, against closed forms."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from attribute_judge import (
    ALL,
    CONTRACT,
    FACE_ON,
    MIN_ALTITUDE,
    NORMAL,
    QUAD,
    QUAD_FACES,
    QUAD_UV,
    judge_layers,
    judge_maps,
    mix,
    pixel_directions,
    texture_camera,
)
from shapes import (
    box,
    inside_out,
    merged,
    moved,
    painted,
    peel,
    random_camera,
    random_closed_mesh,
    render,
    sealed_t_junction,
    sphere,
    turned_view,
    view_of,
)

import ddepth_gl as dd


def test_uv_that_is_an_affine_function_of_position(renderer):
    """It equals that function of the position attribute, on every face."""
    rng = np.random.default_rng(53)
    mesh = random_closed_mesh(rng)
    matrix, shift = rng.normal(size=(3, 2)), rng.normal(size=2)
    mesh = dd.Mesh(mesh.vertices, mesh.faces, uv=mesh.vertices @ matrix + shift)
    camera = random_camera(rng, mesh, orthographic=False)
    layers = peel(renderer, mesh, camera, attributes=("uv", "position"))
    expected = layers.position.astype(np.float64) @ matrix + shift
    assert len(expected) > 1000
    # Position and uv are each within 2e-5 of an edge, and rounding is less.
    assert np.abs(layers.uv - expected).max() <= 1e-5


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_positions_lie_on_the_rays(renderer, orthographic):
    """They project to pixel centers, and have the layers' depths."""
    rng = np.random.default_rng([59, orthographic])
    mesh = random_closed_mesh(rng)
    camera = random_camera(rng, mesh, orthographic)
    layers = peel(renderer, mesh, camera, attributes=ALL)
    truth = oracle.attributes(mesh.vertices, mesh.faces, view_of(camera), layers.pixel, layers.face)
    checked = (truth.outside == 0) & (truth.altitude > MIN_ALTITUDE)
    assert checked.sum() > 1000
    image, depth = camera.project(layers.position[checked].astype(np.float64))
    center = camera.pixel_centers().reshape(-1, 2)[layers.pixel[checked]]
    # In the image a point is off by 1e-5 of its face, which is smaller than the image. Rounding a
    # coordinate below 4, by 2**-24, is some 1e-5 pixels at up to 100 pixels per unit.
    assert np.abs(image - center).max() <= 1e-5 * 200 + 1e-4
    # On a steep face, depth changes much with the position in the image; so only others.
    flat = (
        np.abs((truth.normal[checked] * pixel_directions(camera, layers.pixel[checked])).sum(1))
        > 0.2
    )
    error = np.abs(layers.depth[checked] - depth)[flat]
    assert (error <= 2e-6 * depth[flat] + 1e-4).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (7, 3), (3, 8), (64, 33)])
def test_each_pixel_is_a_texel_of_the_texture(renderer, height, width):
    rng = np.random.default_rng([height, width])
    texture = rng.integers(0, 256, (height, width, 4)).astype(np.uint8)
    mesh = dd.Mesh(QUAD, QUAD_FACES, uv=QUAD_UV, texture=texture)
    maps = render(renderer, mesh, texture_camera(width, height), attributes="color")
    # uv is within 1e-6 of a texel center, so neighbors contribute that times width or height.
    np.testing.assert_allclose(maps.entry_color, oracle.linear_rgba(texture), atol=2e-5)
    np.testing.assert_array_equal(maps.exit_color, maps.entry_color)  # open, so two-sided


@pytest.mark.parametrize("shift", [(-1, 0), (0, -3), (2, 5), (-7, 64)])
def test_textures_repeat(renderer, shift):
    rng = np.random.default_rng(2)
    texture = rng.integers(0, 256, (6, 5, 3)).astype(np.uint8)
    mesh = dd.Mesh(QUAD, QUAD_FACES, uv=QUAD_UV + shift, texture=texture)
    maps = render(renderer, mesh, texture_camera(5, 6), attributes="color")
    expected = oracle.linear_from_srgb(texture)
    # uv near 64 is rounded to 2**-18, times 6 texels.
    np.testing.assert_allclose(maps.entry_color[..., :3], expected, atol=6e-5)
    np.testing.assert_array_equal(maps.entry_color[..., 3], 1)  # a texture without alpha is opaque


def test_a_texture_is_filtered_across_its_borders(renderer):
    """One black and one white texel in 32 columns are a triangle wave in linear light."""
    texture = np.array([[0, 255]], np.uint8)
    mesh = dd.Mesh(QUAD, QUAD_FACES, uv=QUAD_UV, texture=texture)
    maps = render(renderer, mesh, texture_camera(32, 4), attributes="color")
    u = (np.arange(32) + 0.5) / 32
    expected = np.interp(u, (-0.25, 0.25, 0.75, 1.25), (1, 0, 1, 0))
    np.testing.assert_allclose(
        maps.entry_color[..., 0], np.broadcast_to(expected, (4, 32)), atol=1e-5
    )


def test_colors_are_linear_before_interpolation(renderer):
    """From black corners to white ones, the middle has half the light, which is 188 in sRGB."""
    colors = np.array(
        [(0, 0, 0, 0), (255, 255, 255, 255), (255, 255, 255, 255), (0, 0, 0, 0)], np.uint8
    )
    mesh = dd.Mesh(QUAD, QUAD_FACES, colors=colors)
    maps = render(renderer, mesh, texture_camera(16, 3), attributes="color")
    expected = np.broadcast_to(((np.arange(16) + 0.5) / 16)[None, :, None], (3, 16, 4))
    np.testing.assert_allclose(maps.entry_color, expected, atol=CONTRACT)


def test_several_textures(renderer):
    """Each face has a texture or none; vertex colors multiply all of them."""
    textures = [
        np.full((2, 3, 4), level, np.uint8) for level in ((255, 0, 0, 255), (0, 128, 0, 51))
    ]
    textures.append(np.full((1, 1, 3), 255, np.uint8))
    quads = merged(*(moved(dd.Mesh(QUAD, QUAD_FACES), shifted(3.0 * k)) for k in range(5)))
    tints = np.array(
        [(255, 255, 255, 255), (255, 255, 255, 255), (188, 255, 0, 102), (10, 20, 30, 40)]
    )
    mesh = dd.Mesh(
        quads.vertices,
        quads.faces,
        uv=np.tile(QUAD_UV, (5, 1)) * 17 - 3,
        colors=np.repeat([*tints, tints[0]], 4, axis=0),
        texture=textures,
        texture_id=np.repeat([0, 1, 2, -1, 1], 2),
    )
    camera = dd.Camera.look_at(
        (6, 0, 20), (6, 0, 0), (0, 1, 0), fov_y_deg=10.0, width=180, height=20
    )
    maps = render(renderer, mesh, camera, surfaces="any", attributes=("color", "face"))
    linear = oracle.linear_rgba(tints)
    green = (0, oracle.linear_from_srgb(128), 0, 0.2)
    expected = np.array([(1, 0, 0, 1), green, linear[2], linear[3], green])
    covered = maps.mask
    assert set(np.unique(maps.entry_face[covered] // 2)) == set(range(5))
    np.testing.assert_allclose(
        maps.entry_color[covered], expected[maps.entry_face[covered] // 2], atol=CONTRACT
    )


def shifted(x: float) -> np.ndarray:
    motion = np.eye(4)
    motion[0, 3] = x
    return motion


def test_white_without_color_and_no_uv_without_uv(renderer):
    plain = render(renderer, box(), FACE_ON, attributes=("color", "uv"))
    assert (plain.entry_color[plain.mask] == 1).all()
    assert np.isnan(plain.entry_color[~plain.mask]).all()
    assert np.isnan(plain.entry_uv).all()
    assert np.isnan(plain.exit_uv).all()
    with_uv = dd.Mesh(QUAD, QUAD_FACES, uv=QUAD_UV)
    maps = render(renderer, with_uv, texture_camera(8, 4), attributes=("color", "uv"))
    assert (maps.entry_color == 1).all()
    u, v = np.meshgrid((np.arange(8) + 0.5) / 8, 1 - (np.arange(4) + 0.5) / 4)
    np.testing.assert_allclose(maps.entry_uv, np.stack([u, v], -1), atol=CONTRACT)


def test_a_seam_in_uv(renderer):
    """Two halves of a square meet at equal positions with different uv, which they keep."""
    vertices = np.array(
        [
            (-1.0, -1, 0),
            (0, -1, 0),
            (0, 1, 0),
            (-1, 1, 0),
            (0, -1, 0),
            (1, -1, 0),
            (1, 1, 0),
            (0, 1, 0),
        ]
    )
    uv = np.concatenate([QUAD_UV, QUAD_UV * (0.5, 1) + (5, 0)])
    mesh = dd.Mesh(vertices, np.concatenate([QUAD_FACES, QUAD_FACES + 4]), uv=uv)
    maps = render(renderer, mesh, texture_camera(16, 8), attributes=("uv", "smooth_normal"))
    u = (np.arange(8) + 0.5) / 8
    expected = np.concatenate([u, 5 + u / 2])
    np.testing.assert_allclose(
        maps.entry_uv[..., 0], np.broadcast_to(expected, (8, 16)), atol=5 * CONTRACT
    )
    np.testing.assert_allclose(
        maps.entry_smooth_normal, np.broadcast_to((0, 0, 1), (8, 16, 3)), atol=1e-6
    )


def test_normals_of_a_box_and_its_inside(renderer):
    """Normals point to the counter-clockwise side; edges of 90 degrees are not smooth."""
    camera = dd.Camera.look_at((4, 3, 2), (0, 0, 0), (0, 0, 1), fov_y_deg=40.0, width=90, height=70)
    mesh = box()
    layers = peel(renderer, mesh, camera, attributes=("normal", "smooth_normal"))
    expected = mesh.face_normals()[layers.face]
    assert len(np.unique(layers.face // 2)) == 6
    np.testing.assert_allclose(layers.normal, expected, atol=1e-6)
    np.testing.assert_allclose(layers.smooth_normal, expected, atol=1e-6)
    turned = peel(renderer, inside_out(mesh), camera, attributes=("normal", "smooth_normal"))
    np.testing.assert_allclose(turned.normal, -expected, atol=1e-6)
    np.testing.assert_allclose(turned.smooth_normal, -expected, atol=1e-6)


def test_smooth_normals_of_a_sphere(renderer):
    """They are far more accurate than face normals, and do not change if all vertices are split."""
    mesh = sphere(1.0, 24, 48)
    camera = dd.Camera.look_at((4, 3, 2), (0, 0, 0), (0, 0, 1), fov_y_deg=35.0, width=90, height=90)
    names = ("normal", "smooth_normal", "position")
    layers = peel(renderer, mesh, camera, attributes=names)
    radial = layers.position / np.linalg.norm(layers.position, axis=1, keepdims=True)
    flat, smooth = (np.linalg.norm(getattr(layers, name) - radial, axis=1) for name in names[:2])
    # Corners are up to half a cell's diagonal, 0.0926, from the middle of their face. Interpolation
    # has a second-order error, at most the square; the error at corners is smaller by symmetry.
    assert flat.max() > 0.05
    assert smooth.max() < 0.0926**2
    split = dd.Mesh(
        mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3)
    )
    other = peel(renderer, split, camera, attributes=names)
    assert other.face.tobytes() == layers.face.tobytes()
    np.testing.assert_allclose(other.smooth_normal, layers.smooth_normal, atol=1e-6)


@pytest.mark.parametrize("fold_deg", [30.0, 44.5, 45.5, 60.0])
def test_edges_are_smooth_up_to_45_degrees(renderer, fold_deg):
    fold = np.radians(fold_deg)
    turn = np.array([[np.cos(fold), 0, np.sin(fold)], [0, 1, 0], [-np.sin(fold), 0, np.cos(fold)]])
    half = np.array([(0.0, -1, 0), (1, -1, 0), (1, 1, 0), (0, 1, 0)])
    # The left half lies in the plane z = 0. The right one folds down from the edge x = 0, where
    # their corners share positions.
    mesh = dd.Mesh(
        np.concatenate([half - (1, 0, 0), half @ turn.T]),
        np.concatenate([QUAD_FACES, QUAD_FACES + 4]),
    )
    maps = render(
        renderer, mesh, texture_camera(41, 20), attributes=("face", "smooth_normal", "barycentric")
    )
    hit = maps.entry_face >= 0
    face, weights = maps.entry_face[hit], maps.entry_barycentric[hit].astype(np.float64)
    assert set(np.unique(face)) == {0, 1, 2, 3}
    left, right = np.array((0.0, 0, 1)), turn @ (0, 0, 1)
    # At both ends of the fold, the angles of each half add up to 90 degrees.
    seam = (left + right) / np.linalg.norm(left + right) if fold_deg < 45 else None
    at_vertex = []
    for k, x in enumerate(mesh.vertices[:, 0]):
        flat = left if k < 4 else right
        at_vertex.append(flat if seam is None or abs(x) > 1e-9 else seam)
    expected = mix(weights, np.array(at_vertex)[mesh.faces[face]])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(maps.entry_smooth_normal[hit], expected, atol=NORMAL / 10)


def test_faces_without_area_do_not_bend_smooth_normals(renderer):
    """They have no normal, even after rounding, and cause no NaN at shared corners."""
    rng = np.random.default_rng(61)
    clean = sphere(1.0, 12, 24)
    ends = clean.faces[rng.integers(0, len(clean.faces), 200)]
    twice = ends[:, [0, 1, 1]]
    count = len(clean.vertices)
    # Two corners at one position, and three corners at one position.
    copies = np.concatenate([clean.vertices, clean.vertices])
    two_at_one = np.stack([ends[:, 0], ends[:, 0] + count, ends[:, 1]], 1)
    all_at_one = np.stack([ends[:, 2], ends[:, 2] + count, ends[:, 2]], 1)
    mesh = dd.Mesh(copies, np.concatenate([clean.faces, twice, two_at_one, all_at_one]))
    camera = dd.Camera.look_at((4, 3, 2), (0, 0, 0), (0, 0, 1), fov_y_deg=35.0, width=70, height=70)
    one, other = (peel(renderer, m, camera, attributes=ALL) for m in (clean, mesh))
    checked = np.isin(other.face, np.arange(len(clean.faces)))
    np.testing.assert_array_equal(other.face[checked], one.face)
    np.testing.assert_allclose(other.smooth_normal[checked], one.smooth_normal, atol=1e-6)
    judge_layers(mesh, camera, other)


@pytest.mark.slow
def test_faces_without_area_that_seal_a_mesh_have_finite_attributes(renderer):
    mesh = sealed_t_junction()
    rng = np.random.default_rng(67)
    mesh = painted(rng, mesh)
    scene = renderer.upload(mesh)
    views = [(4.3818, -0.0745, -0.1515), (5.99207, 0.10717, -0.14961)]
    views += [(rng.uniform(0, 2 * np.pi), *rng.uniform(-0.2, 0.2, 2)) for _ in range(150)]
    met = 0
    for view in views:
        camera = turned_view(*view)
        layers = renderer.peel(scene, camera, attributes=ALL)
        judge_layers(mesh, camera, layers)
        judge_maps(mesh, camera, renderer.entry_exit(scene, camera, surfaces="any", attributes=ALL))
        met += int((layers.face == 3).sum())
    scene.release()
    assert met, "no view met the face without area, so nothing was tested"


@pytest.mark.slow
def test_rays_exactly_through_a_face_without_area(renderer):
    """Then all of its weights are 0 / 0. All numbers are exact, so nothing is rounded."""
    pose = np.diag([1.0, -1, -1, 1])
    pose[:3, 3] = 0, 32, 16
    camera = dd.Camera(np.eye(3), pose, 32, 32, True)  # one pixel per mesh unit
    # The face lies from pixel center to pixel center, in either direction. Snapping to the grid
    # moves its middle vertex off the edge, to either side; only on one side the face covers pixels.
    met = 0
    for middle in (1, 3, 5, 7, 1021, 1023):
        for ends in (((0.5, 31.5, 0), (30.5, 21.5, 0)), ((30.5, 21.5, 0), (0.5, 31.5, 0))):
            start, end = np.array(ends)
            vertices = [
                start,
                end,
                (5, 5, 0),
                (9, 21, -8),
                start + (end - start) / 10 * middle / 1024,
            ]
            faces = np.array([(0, 2, 4), (4, 2, 1), (0, 1, 3), (0, 4, 1), (0, 3, 2), (1, 2, 3)])
            if ends[0][0] > ends[1][0]:
                faces = faces[:, ::-1]
            mesh = dd.Mesh(vertices, faces)
            assert mesh.is_oriented
            mesh = painted(np.random.default_rng(1), mesh)
            layers = peel(renderer, mesh, camera, attributes=ALL)
            met += int((layers.face == 3).sum())
            judge_layers(mesh, camera, layers)
            judge_maps(mesh, camera, render(renderer, mesh, camera, surfaces="any", attributes=ALL))
    assert met > 3
