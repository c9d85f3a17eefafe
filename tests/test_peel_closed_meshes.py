"""All layers of closed meshes: even counts, and the order of fronts and backs."""

from __future__ import annotations

import numpy as np
import pytest
from layer_checks import RELATIVE, check_even, check_nesting
from meshes import REAL, good
from shapes import (
    box,
    closed_cylinder,
    inside_out,
    merged,
    peel,
    pixel_rays,
    random_camera,
    random_closed_mesh,
    rotation,
    sealed_t_junction,
    sphere,
    sphere_sagitta,
    torus,
    turned_view,
)

import ddepth_gl as dd


def closed_meshes() -> list[dd.Mesh]:
    """Return convex, curved, hollow, overlapping and very flat meshes."""
    rng = np.random.default_rng(1)
    meshes = [
        box(),
        sphere(),
        torus(),
        merged(sphere(), inside_out(sphere(0.5)), sphere(0.25, 9, 12)),
    ]
    meshes += [random_closed_mesh(rng) for _ in range(4)]
    turned = box()
    meshes.append(dd.Mesh(turned.vertices @ rotation(rng).T * (1, 1, 1e-3), turned.faces))
    return meshes


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_closed_meshes_have_an_even_count_at_every_pixel(renderer, orthographic):
    rng = np.random.default_rng([2, orthographic])
    for mesh in closed_meshes():
        for _ in range(2):
            check_even(peel(renderer, mesh, random_camera(rng, mesh, orthographic, 160)))


# Corners are snapped to a fraction of a pixel, so the middle vertex leaves the edge. The face
# without area then gets some, between the edge and its halves. If it is not drawn, a pixel there
# has an odd count.


@pytest.mark.parametrize("view", [(4.3818, -0.0745, -0.1515), (5.99207, 0.10717, -0.14961)])
def test_an_edge_sealed_by_a_face_without_area(renderer, view):
    mesh = sealed_t_junction()
    assert mesh.is_oriented
    check_even(peel(renderer, mesh, turned_view(*view)))


def test_an_edge_sealed_by_a_face_without_area_in_many_views(renderer):
    scene = renderer.upload(sealed_t_junction())
    rng = np.random.default_rng(3)
    views = [(rng.uniform(0, 2 * np.pi), *rng.uniform(-0.2, 0.2, 2)) for _ in range(500)]
    odd = [view for view in views if renderer.peel(scene, turned_view(*view)).odd.any()]
    scene.release()
    assert not odd, f"odd counts in {len(odd)} of {len(views)} views"


def test_thin_faces_of_meshes_that_leave_the_image(renderer):
    """Sides thinner than the rasterizer's grid, which a clipping rasterizer may take for others."""
    scene = renderer.upload(closed_cylinder(3000))
    rng = np.random.default_rng(10)
    odd = 0
    for _ in range(40):
        direction, target = rng.normal(size=(2, 3))
        direction /= np.linalg.norm(direction)
        target *= 0.3
        fov_y_deg = rng.uniform(5, 40)
        camera = dd.Camera.look_at(
            target + 5.0 * direction, target, (0.1, 0.2, 1.0), fov_y_deg, 96, 96
        )
        odd += renderer.peel(scene, camera).odd.sum()
        maps = renderer.entry_exit(scene, camera, surfaces="oriented")
        np.testing.assert_array_equal(np.isnan(maps.entry), np.isnan(maps.exit))
    scene.release()
    assert odd == 0


@pytest.mark.parametrize("seed", range(10))
def test_all_rays_of_a_camera_have_the_same_balance(renderer, seed):
    """Exits minus entries of a ray are the number of bodies that contain the camera.

    Faces reach behind the camera and are clipped there, equally on both sides of a shared edge.
    """
    rng = np.random.default_rng([seed, 19])
    mesh = merged(random_closed_mesh(rng, bodies=3), box((-9, -8, -3), (7, 9, 4)))
    scene = renderer.upload(mesh)
    for _ in range(5):
        pose = np.eye(4)
        pose[:3, :3] = rotation(rng)
        pose[:3, 3] = -pose[:3, :3] @ rng.uniform(-1, 1, 3)
        K = [[50.0, 3.0, 61.5], [0.0, 55.0, 43.0], [0.0, 0.0, 1.0]]
        layers = renderer.peel(scene, dd.Camera.from_intrinsics(K, pose, 120, 90))
        step = np.where(layers.front_facing, -1, 1)
        bodies = np.bincount(layers.pixel, step, minlength=layers.count.size)
        assert bodies[0] >= 1  # the box
        np.testing.assert_array_equal(bodies, np.full_like(bodies, bodies[0]))
    scene.release()


@pytest.mark.slow
def test_closed_meshes_have_an_even_count_in_500_views(renderer):
    rng = np.random.default_rng(3)
    meshes = closed_meshes()
    meshes += [
        mesh
        for mesh in (dd.load_mesh(good(name)) for name in REAL)
        if mesh.is_closed and mesh.is_oriented
    ]
    assert len(meshes) >= 13
    scenes = [renderer.upload(mesh) for mesh in meshes]
    for view in range(500):
        which = view % len(scenes)
        camera = random_camera(rng, meshes[which], bool(rng.integers(2)), 160)
        layers = renderer.peel(scenes[which], camera)
        try:
            check_even(layers)
            check_nesting(layers, meshes[which])
        except AssertionError as error:
            raise AssertionError(f"view {view}, {meshes[which]!r}, {camera!r}: {error}") from error
    for scene in scenes:
        scene.release()


# Bodies that do not intersect themselves; test_depth_layers.py verifies this for the last two.
BODIES = ("box", "sphere", "torus", "lumps", "rocker-arm.obj", "homer.obj")


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("name", BODIES)
def test_fronts_and_backs_of_one_body_alternate(renderer, name, orthographic):
    rng = np.random.default_rng([orthographic, 43])
    if name == "lumps":
        mesh = random_closed_mesh(rng, bodies=1)
    else:
        mesh = (
            dd.load_mesh(good(name))
            if "." in name
            else {"box": box, "sphere": sphere, "torus": torus}[name]()
        )
    scene = renderer.upload(mesh)
    deepest = 0
    for _ in range(3):
        layers = renderer.peel(scene, random_camera(rng, mesh, orthographic, 120))
        inside = check_nesting(layers, mesh, bodies=1)
        assert inside.max() >= 1
        deepest = max(deepest, int(layers.count.max()))
    assert deepest >= {"box": 2, "sphere": 2, "lumps": 2}.get(name, 4)
    scene.release()


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_nesting_is_at_most_the_number_of_bodies(renderer, orthographic):
    rng = np.random.default_rng([orthographic, 47])
    deepest = 0
    for bodies in (2, 3, 5):
        mesh = random_closed_mesh(rng, bodies)
        inside = check_nesting(
            peel(renderer, mesh, random_camera(rng, mesh, orthographic, 120)), mesh, bodies
        )
        deepest = max(deepest, int(inside.max()))
    assert deepest >= 2


# Spheres as (center, radius, is the wall of a cavity), and the facings along the ray through the
# middle. A nested body is entered before the outer one is left; a cavity is a gap in the solid.
ORIGIN = (0.0, 0.0, 0.0)
SHELLS = {
    "nested": ([(ORIGIN, 1.0, False), (ORIGIN, 0.5, False)], "FFBB"),
    "cavity": ([(ORIGIN, 1.0, False), (ORIGIN, 0.5, True)], "FBFB"),
    "body in a cavity": (
        [(ORIGIN, 1.0, False), (ORIGIN, 0.7, True), (ORIGIN, 0.4, False)],
        "FBFBFB",
    ),
    "three nested": ([(ORIGIN, 1.0, False), (ORIGIN, 0.7, False), (ORIGIN, 0.4, False)], "FFFBBB"),
    "two in one": (
        [(ORIGIN, 1.0, False), ((0, 0, 0.4), 0.3, False), ((0, 0, -0.4), 0.3, False)],
        "FFBFBB",
    ),
    "overlapping": ([((0, 0, 0.3), 0.6, False), ((0, 0, -0.3), 0.6, False)], "FFBB"),
    "behind each other": ([((0, 0, 0.6), 0.4, False), ((0, 0, -0.6), 0.4, False)], "FBFB"),
}


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("name", SHELLS)
def test_shells_are_crossed_in_the_order_of_their_spheres(renderer, name, orthographic):
    """The faces lie between each sphere and one that is smaller by the sagitta.

    So a crossing lies between those of the two spheres. The order is certain for a ray that meets
    both or neither of each pair, if these ranges do not overlap.
    """
    shells, through_the_middle = SHELLS[name]
    rings, sides = 40, 80
    parts = [sphere(r, rings, sides, center) for center, r, _ in shells]
    mesh = merged(
        *(inside_out(p) if wall else p for p, (_, _, wall) in zip(parts, shells, strict=True))
    )
    camera = dd.Camera.look_at(
        (0.02, 0.03, 4), (0, 0, 0), (0, 1, 0), fov_y_deg=32.0, width=81, height=61
    )
    if orthographic:
        camera = dd.Camera.orthographic((2.9, 2.2), camera.camera_from_world, 81, 61)
    layers = peel(renderer, mesh, camera)
    check_even(layers)
    check_nesting(layers, mesh, sum(not wall for _, _, wall in shells))

    origins, directions, _ = pixel_rays(camera)
    certain = np.ones((camera.height, camera.width), bool)
    lows, highs, hits = [], [], []
    for center, radius, _ in shells:
        inner = radius - sphere_sagitta(radius, rings, sides)
        toward = np.array(center) - origins
        middle = (toward * directions).sum(-1)
        offset_squared = (toward**2).sum(-1) - middle**2
        certain &= (offset_squared > radius**2) | (offset_squared < inner**2)
        outer_half = np.sqrt((radius**2 - offset_squared).clip(0))
        inner_half = np.sqrt((inner**2 - offset_squared).clip(0))
        lows += [middle - outer_half, middle + inner_half]
        highs += [middle - inner_half, middle + outer_half]
        hits += [offset_squared < inner**2] * 2
    facings = np.array([side for _, _, wall in shells for side in ("BF" if wall else "FB")])
    low, high = (np.where(hits, values, np.inf) for values in (lows, highs))
    order = np.argsort(low, axis=0)
    low, high, is_hit = (
        np.take_along_axis(np.asarray(a), order, axis=0) for a in (low, high, hits)
    )
    with np.errstate(invalid="ignore"):  # infinity minus infinity, for misses
        certain &= ((low[1:] - high[:-1] > 4 * RELATIVE * 6) | ~is_hit[1:]).all(axis=0)
    # Everything except rims.
    assert certain.mean() > 0.8
    strings = set()
    for row, column in np.argwhere(certain).tolist():
        wanted = "".join(facings[order[:, row, column][is_hit[:, row, column]]])
        pixel = row * camera.width + column
        fronts = layers.front_facing[layers.offsets[pixel] : layers.offsets[pixel + 1]]
        assert "".join(np.where(fronts, "F", "B")) == wanted, (row, column)
        strings.add(wanted)
    assert through_the_middle in strings
    assert "" in strings


@pytest.mark.parametrize("first", ["near", "far"])
def test_coincident_walls_are_ordered_by_face_index(renderer, first):
    """Where two boxes share a wall, a back and a front at one depth come in the order of faces.

    In either order, both boxes are solid without a gap.
    """
    near, far = box((-1, -1, 0), (1, 1, 1)), box((-1, -1, -1), (1, 1, 0))
    pair = (near, far) if first == "near" else (far, near)
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[2, 3] = 5
    layers = peel(renderer, merged(*pair), dd.Camera.orthographic((3, 3), pose, 24, 24))
    check_even(layers)
    # Depths 4, 5, 5, 6 at the 16 x 16 covered pixels.
    assert (layers.count == 4).sum() == len(layers.depth) / 4 == 256
    np.testing.assert_array_equal(
        layers.depth.reshape(-1, 4), np.tile(np.float32([4, 5, 5, 6]), (256, 1))
    )
    facing = [True, False, True, False] if first == "near" else [True, True, False, False]
    np.testing.assert_array_equal(layers.front_facing.reshape(-1, 4), np.tile(facing, (256, 1)))
    check_nesting(layers, merged(*pair), bodies=1)
    assert set(np.unique(layers.solid_length)) == {0, 2}
