"""surfaces="auto": sheets against the oracle, with faces whose kind is known by construction."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import oracle
import pytest
from meshes import REAL, good
from shapes import (
    box,
    grid_faces,
    inside_out,
    merged,
    peel,
    random_camera,
    random_closed_mesh,
    render,
    sealed_t_junction,
    sphere,
    torus,
    view_of,
)

import ddepth_gl as dd


class Made(NamedTuple):
    """A mesh with the kind of each face.

    Attributes:
        mesh: the mesh.
        two_sided: (F,) bool.
    """

    mesh: dd.Mesh
    two_sided: np.ndarray


def without_faces(mesh, removed):
    return dd.Mesh(mesh.vertices, np.delete(mesh.faces, removed, axis=0))


def twisted(mesh):
    """Return the mesh with one face wound the other way."""
    faces = mesh.faces.copy()
    faces[3] = faces[3, ::-1]
    return dd.Mesh(mesh.vertices, faces)


def doubled(mesh):
    return dd.Mesh(mesh.vertices, np.concatenate([mesh.faces, mesh.faces[:, ::-1]]))


def sheet(z=0.0, size=1.5):
    """Return a flat sheet in a plane of constant z, not parallel to any edge of a box."""
    corners = np.array([[-1.0, -0.3, z], [0.9, -0.8, z], [1.1, 0.7, z], [-0.6, 1.0, z]])
    return dd.Mesh(corners * [size, size, 1.0], [[0, 1, 2], [0, 2, 3]])


def placed(mesh, *offset):
    return dd.Mesh(mesh.vertices + np.array(offset, float), mesh.faces)


def made(*parts):
    """Return parts (mesh, two-sided) as one mesh, their faces in random order."""
    mesh = merged(*(mesh for mesh, _ in parts))
    two_sided = np.concatenate([np.full(len(part.faces), kind) for part, kind in parts])
    order = np.random.default_rng(len(mesh.faces)).permutation(len(mesh.faces))
    return Made(dd.Mesh(mesh.vertices, mesh.faces[order]), two_sided[order])


BALL, RING = sphere(0.8, 12, 20), torus(1.0, 0.4, 24, 14)
MESHES = {
    "closed": made((RING, False), (placed(BALL, 0.5, 0.2, 0.1), False)),
    "cavity": made((box(), False), (inside_out(BALL), False)),
    "open": made((without_faces(BALL, slice(40, 70)), True)),
    "sheet": made((sheet(), True)),
    "inward": made((inside_out(RING), True)),
    "doubled": made((doubled(box()), True)),
    "twisted": made((twisted(RING), True)),
    "closed and sheet": made((RING, False), (sheet(), True)),
    "closed and inward": made((RING, False), (placed(inside_out(BALL), 0.9, 0.3, 0.6), True)),
    "everything": made(
        (placed(RING, 0, 0, 1.1), False),
        (box((-0.7, -0.7, -0.7), (0.7, 0.7, 0.7)), False),
        (inside_out(box((-0.3, -0.3, -0.3), (0.3, 0.3, 0.3))), False),
        (placed(without_faces(BALL, slice(40, 90)), 1.4, 0, 0), True),
        (sheet(0.9, 2.0), True),
        (placed(doubled(box()), -2.3, 0.2, 0.4), True),
        (placed(twisted(BALL), 0, 1.7, 0), True),
        (placed(inside_out(BALL), 0.3, -1.9, 0.5), True),
    ),
}
KINDS = {
    "closed": "oriented",
    "cavity": "oriented",
    "open": "any",
    "sheet": "any",
    "inward": "any",
    "doubled": "any",
    "twisted": "any",
    "closed and sheet": "mixed",
    "closed and inward": "mixed",
    "everything": "mixed",
}


def cameras_of(mesh, seed=0, size=110):
    rng = np.random.default_rng(seed)
    return [random_camera(rng, mesh, orthographic, size) for orthographic in (False, True)]


def check(maps, mesh, two_sided, camera, near=None, far=None):
    """Check an image against the oracle; return the reference."""
    view = view_of(camera, near, far)
    reference = oracle.reference(mesh.vertices, mesh.faces, view, two_sided=two_sided)
    report = oracle.check(reference, maps.entry, maps.exit)
    assert report.ok, str(report)
    assert report.covered > 400
    return reference


@pytest.mark.slow
@pytest.mark.parametrize("name", MESHES)
def test_made_meshes_equal_the_oracle(renderer, name):
    mesh, two_sided = MESHES[name]
    for camera in cameras_of(mesh):
        maps = render(renderer, mesh, camera, attributes=("face",))
        assert maps.surfaces == KINDS[name]
        reference = check(maps, mesh, two_sided, camera)
        for got, wanted in (
            (maps.entry_face, reference.sheets["entry"]),
            (maps.exit_face, reference.sheets["exit"]),
        ):
            # Coincident faces tie within rounding in the oracle, and exactly in an image.
            same = (got == wanted.face)[wanted.stable].mean()
            assert same > (0.4 if "doubled" in name else 0.97)


@pytest.mark.parametrize("seed", range(8))
def test_random_bodies_of_both_kinds_equal_the_oracle(renderer, seed):
    rng = np.random.default_rng([77, seed])
    parts = []
    for _ in range(6):
        mesh = random_closed_mesh(rng, bodies=1)
        mesh = placed(mesh, *rng.normal(size=3))
        kind = int(rng.integers(4))
        change = (lambda m: m, twisted, inside_out, lambda m: without_faces(m, [0, 1]))[kind]
        parts.append((change(mesh), kind > 0))
    mesh, two_sided = made(*parts)
    if not np.array_equal(mesh.bodies.two_sided_faces, two_sided):
        # An inward body may lie inside an outward one, and is a cavity then.
        two_sided = mesh.bodies.two_sided_faces
        assert {"inward", "cavity"} & set(mesh.bodies.kind.tolist())
    for camera in cameras_of(mesh, seed):
        check(render(renderer, mesh, camera), mesh, two_sided, camera)


def test_crops(renderer):
    mesh, two_sided = MESHES["everything"]
    for camera in cameras_of(mesh, 3):
        _, depth = camera.project(mesh.vertices)
        near, far = np.quantile(depth, [0.3, 0.7])
        maps = render(renderer, mesh, camera, near=near, far=far)
        check(maps, mesh, two_sided, camera, near, far)


@pytest.mark.parametrize("name", MESHES)
def test_from_outside_every_crossed_pixel_has_an_entry_before_an_exit(renderer, name):
    mesh, two_sided = MESHES[name]
    scene = renderer.upload(mesh)
    for camera in dd.Camera.orbit(mesh, views=4, width=90, height=80, seed=4):
        maps, layers = renderer.entry_exit(scene, camera), renderer.peel(scene, camera)
        reference = oracle.reference(
            mesh.vertices, mesh.faces, view_of(camera), two_sided=two_sided
        )
        # The oracle's band holds the pixels within 1/128 of an edge.
        stable = reference.entry_stable & reference.exit_stable
        assert stable.mean() > 0.5
        crossed = stable & (layers.count > 0)
        assert crossed.any()
        assert maps.mask[crossed].all()
        assert (maps.entry <= maps.exit)[maps.mask].all()
    scene.release()


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_meshes_from_outside(renderer, name):
    mesh = dd.load_mesh(good(name))
    scene = renderer.upload(mesh)
    for camera in dd.Camera.orbit(mesh, views=2, width=160, height=120, seed=5):
        maps, layers = renderer.entry_exit(scene, camera), renderer.peel(scene, camera)
        assert maps.surfaces == mesh.bodies.surfaces
        crossed = layers.count > 0
        assert (maps.mask == crossed)[crossed].mean() > 0.999  # but for the rims of open bodies
        assert (maps.entry <= maps.exit)[maps.mask].all()
    scene.release()


@pytest.mark.parametrize("name", ["closed", "open", "everything"])
def test_layers_return_the_same_sheets(renderer, name):
    mesh, two_sided = MESHES[name]
    scene = renderer.upload(mesh)
    for camera in cameras_of(mesh, 1):
        names = ("face", "normal", "barycentric")
        maps = renderer.entry_exit(scene, camera, attributes=names)
        layers = renderer.peel(scene, camera, attributes=names)
        np.testing.assert_array_equal(layers.two_sided, two_sided[layers.face])
        again = layers.entry_exit()
        assert again.surfaces == maps.surfaces == KINDS[name]
        for each in (
            "entry",
            "exit",
            "entry_face",
            "exit_face",
            "entry_normal",
            "exit_barycentric",
        ):
            assert getattr(again, each).tobytes() == getattr(maps, each).tobytes()
    scene.release()


def test_every_way_to_render_returns_the_same(renderer):
    """On the device, many at once, in frames, and beside images with other surfaces."""
    mesh, _ = MESHES["everything"]
    scene = renderer.upload(mesh)
    cameras = dd.Camera.orbit(mesh, views=18, width=60, height=50, seed=2)
    alone = [renderer.entry_exit(scene, camera) for camera in cameras]
    many = list(renderer.entry_exit_many(scene, cameras))
    framed = list(renderer.render_many(scene, cameras, layers=True))
    for camera, one, other, frame in zip(cameras, alone, many, framed, strict=True):
        any_side = renderer.entry_exit(scene, camera, surfaces="any")
        by_facing = renderer.entry_exit(scene, camera, surfaces="oriented")
        repeated = renderer.entry_exit(scene, camera)
        for each in (other, frame.maps, repeated):
            assert each.surfaces == "mixed"
            assert each.entry.tobytes() == one.entry.tobytes()
            assert each.exit.tobytes() == one.exit.tobytes()
        assert not np.array_equal(any_side.entry, by_facing.entry, equal_nan=True)
        np.testing.assert_array_equal(frame.image[..., 3] > 0, one.mask)
        np.testing.assert_array_equal(renderer.shade(scene, camera)[..., 3] > 0, one.mask)
    if renderer._context.has_compute:
        with renderer.entry_exit(scene, cameras[0], output="gpu") as maps:
            assert maps.surfaces == "mixed"
            assert maps.numpy().entry.tobytes() == alone[0].entry.tobytes()
            assert maps.numpy().exit.tobytes() == alone[0].exit.tobytes()
    scene.release()


@pytest.mark.parametrize("decal_first", [False, True])
def test_ties_between_both_kinds_go_by_face_index(renderer, decal_first):
    """A decal lies exactly on a wall that faces the camera, another on the wall behind."""
    wall, decals = box((-1, -1, -1), (1, 1, 1)), [sheet(1.0, 0.5), sheet(-1.0, 0.5)]
    parts = [*decals, wall] if decal_first else [wall, *decals]
    mesh = merged(*parts)
    assert mesh.bodies.surfaces == "mixed"
    is_wall = np.concatenate([np.full(len(part.faces), part is wall) for part in parts])
    camera = dd.Camera.orthographic(
        3.0, dd.Camera.look_at((0, 0, 5), (0, 0, 0), up=(0, 1, 0)).camera_from_world, 61, 61
    )
    maps = render(renderer, mesh, camera, attributes=("face",))
    assert maps.entry[30, 30] == 4
    assert maps.exit[30, 30] == 6
    # The smallest index at the entry, the largest at the exit.
    assert is_wall[maps.entry_face[30, 30]] != decal_first
    assert is_wall[maps.exit_face[30, 30]] == decal_first
    assert is_wall[maps.entry_face[30, 12]]
    assert is_wall[maps.exit_face[30, 12]]


def test_the_fronts_of_two_sided_faces_behind_the_exit_of_closed_bodies(renderer):
    """Depths worked out by hand: a sheet before, between and behind two boxes."""
    near, far = box((-1, -1, 1), (1, 1, 2)), box((-1, -1, -2), (1, 1, -1))
    camera = dd.Camera.orthographic(
        1.0, dd.Camera.look_at((0, 0, 9), (0, 0, 0), up=(0, 1, 0)).camera_from_world, 5, 5
    )
    for z, entry, exit_ in ((3.0, 6.0, 11.0), (0.0, 7.0, 11.0), (-4.0, 7.0, 13.0)):
        for flip in (False, True):
            cut = sheet(z, 3.0)
            mesh = merged(near, far, inside_out(cut) if flip else cut)
            maps = render(renderer, mesh, camera)
            assert (maps.entry[2, 2], maps.exit[2, 2]) == (entry, exit_)


def test_any_and_oriented_do_not_look_for_bodies(renderer):
    mesh = dd.Mesh(RING.vertices, RING.faces)
    scene = renderer.upload(mesh)
    camera = cameras_of(mesh)[0]
    renderer.entry_exit(scene, camera, surfaces="any")
    renderer.entry_exit(scene, camera, surfaces="oriented")
    renderer.peel(scene, camera).dense("depth")
    assert mesh._bodies is None
    renderer.entry_exit(scene, camera)
    assert mesh._bodies is not None
    scene.release()


def bow_tie():
    """Return a prism over two triangles that meet in a point: the smaller one is inside out.

    It is one closed, consistently wound body of positive volume.
    """
    outline = np.array([[-1.0, -1.0], [-1.0, 1.0], [2.0, -2.0], [2.0, 2.0]])
    count = len(outline)
    vertices = [[x, y, z] for z in (-1.0, 1.0) for x, y in outline]
    side = grid_faces(2, count)
    ends = [[0, 1, 2], [0, 2, 3], [4, 6, 5], [4, 7, 6]]
    mesh = dd.Mesh(vertices, np.concatenate([side, ends]))
    return mesh if mesh.volume > 0 else inside_out(mesh)


def test_a_body_that_is_inside_out_in_places(renderer):
    mesh = bow_tie()
    assert mesh.bodies.kind.tolist() == ["outward"]
    scene = renderer.upload(mesh)
    exchanged = 0
    for camera in dd.Camera.orbit(mesh, views=5, width=90, height=70, seed=3):
        names = ("face", "normal")
        by_facing = renderer.entry_exit(scene, camera, surfaces="oriented", attributes=names)
        maps = renderer.entry_exit(scene, camera, attributes=names)
        swapped = by_facing.entry > by_facing.exit
        exchanged += int(swapped.sum())
        assert (maps.entry <= maps.exit)[maps.mask].all()
        np.testing.assert_array_equal(maps.mask, by_facing.mask)
        is_mean = maps.entry == maps.exit  # at silhouettes
        turned = swapped & ~is_mean
        np.testing.assert_array_equal(maps.entry[turned], by_facing.exit[turned])
        np.testing.assert_array_equal(maps.entry_face[turned], by_facing.exit_face[turned])
        np.testing.assert_array_equal(maps.exit_normal[turned], by_facing.entry_normal[turned])
        np.testing.assert_array_equal(maps.entry_face[~turned], by_facing.entry_face[~turned])
        layers = renderer.peel(scene, camera, attributes=("normal",)).entry_exit()
        assert layers.entry.tobytes() == maps.entry.tobytes()
        assert layers.exit_normal.tobytes() == maps.exit_normal.tobytes()
        if renderer._context.has_compute:
            with renderer.entry_exit(scene, camera, output="gpu") as on_device:
                assert on_device.numpy().entry.tobytes() == maps.entry.tobytes()
                assert on_device.numpy().exit.tobytes() == maps.exit.tobytes()
    assert exchanged > 500
    scene.release()


def test_objects_are_judged_on_their_own(renderer):
    """A closed box of two objects that share edges: each is open alone, its faces two-sided."""
    mesh = box()
    halves = dd.Mesh(mesh.vertices, mesh.faces, object_id=[0] * 6 + [1] * 6)
    assert halves.bodies.surfaces == "oriented"
    camera = cameras_of(mesh)[0]
    scene = renderer.upload(halves)
    layers = renderer.peel(scene, camera, attributes=("object_id",))
    scene.release()
    assert not layers.two_sided.any()
    assert layers.entry_exit().surfaces == "oriented"
    for each, maps in layers.objects().items():
        alone = dd.Mesh(mesh.vertices, mesh.faces[halves.object_id == each])
        wanted = render(renderer, alone, camera, attributes=("face",))
        own = layers.of_object(each)
        assert own.two_sided.all()
        for got in (maps, own.entry_exit()):
            assert got.surfaces == wanted.surfaces == "any"
            assert got.entry.tobytes() == wanted.entry.tobytes()
            assert got.exit.tobytes() == wanted.exit.tobytes()
        assert own.objects()[each].entry.tobytes() == wanted.entry.tobytes()


# What is solid


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_the_solid_length_of_bodies_of_both_kinds(renderer, orthographic):
    """Against the oracle's crossings of the solid bodies alone."""
    mesh, two_sided = MESHES["everything"]
    camera = cameras_of(mesh, 6)[orthographic]
    layers = renderer.peel(scene := renderer.upload(mesh), camera)
    scene.release()
    found = oracle.all_crossings(mesh.vertices, mesh.faces, view_of(camera))
    length = np.zeros(camera.width * camera.height)
    for pixel in np.flatnonzero(np.diff(found.offsets)):
        crossings = np.arange(found.offsets[pixel], found.offsets[pixel + 1])
        solid = crossings[~two_sided[found.face[crossings]]]
        if not len(solid):
            length[pixel] = np.nan
        bodies = 0
        for crossing, following in pairwise(solid):
            bodies += 1 if found.front[crossing] else -1
            length[pixel] += (bodies > 0) * (found.depth[following] - found.depth[crossing])
    truth = length.reshape(found.stable.shape) * camera.distance_per_depth()
    np.testing.assert_allclose(
        layers.solid_length[found.stable], truth[found.stable], rtol=1e-5, atol=1e-5
    )
    assert np.isnan(truth[found.stable]).any()
    assert (truth[found.stable] > 0).any()
    inside, at_start = layers.nesting
    unknown = np.isnan(layers.solid_length)
    np.testing.assert_array_equal(np.isnan(at_start), unknown.reshape(-1))
    np.testing.assert_array_equal(np.isnan(inside), unknown.reshape(-1)[layers.pixel])
    assert not at_start[~unknown.reshape(-1)].any()
    # `odd` counts all crossings.
    np.testing.assert_array_equal(layers.odd, layers.count % 2 == 1)


def test_what_has_no_volume_is_not_solid(renderer):
    """A box with a reversed copy of its faces once had a solid length of 0."""
    for name, solid in (("doubled", False), ("open", False), ("inward", False), ("closed", True)):
        mesh, _ = MESHES[name]
        layers = renderer.peel(scene := renderer.upload(mesh), cameras_of(mesh)[0])
        scene.release()
        crossed = layers.count > 0
        assert np.isnan(layers.solid_length[crossed]).all() != solid
        assert not layers.solid_length[~crossed].any()


def test_boxes_that_share_a_wall_are_solid(renderer):
    mesh = merged(box((-1, -1, -1), (1, 1, 0)), box((-1, -1, 0), (1, 1, 1)))
    assert mesh.bodies.kind.tolist() == ["doubled"]
    assert mesh.bodies.is_solid.all()
    camera = dd.Camera.orthographic(
        1.0, dd.Camera.look_at((0, 0, 5), (0, 0, 0), up=(0, 1, 0)).camera_from_world, 7, 7
    )
    layers = renderer.peel(scene := renderer.upload(mesh), camera)
    scene.release()
    assert (layers.count == 4).all()
    np.testing.assert_allclose(layers.solid_length, 2.0, rtol=1e-6)
    assert layers.two_sided.all()


# In files and pickles


@pytest.mark.parametrize("name", ["closed", "open", "everything"])
def test_copies_know_how_faces_count(renderer, name, tmp_path):
    mesh, _ = MESHES[name]
    ids = np.arange(len(mesh.faces)) % 3
    mesh = dd.Mesh(mesh.vertices, mesh.faces, object_id=ids)
    scene, camera = renderer.upload(mesh), cameras_of(mesh, 2)[0]
    maps = renderer.entry_exit(scene, camera)
    layers = renderer.peel(scene, camera, attributes=("object_id",))
    scene.release()

    def stored(result, path=tmp_path / "result.npz"):
        dd.write_npz(path, result)
        return dd.load_npz(path)

    for clone in (stored, copy.deepcopy, lambda result: pickle.loads(pickle.dumps(result))):
        assert clone(maps).surfaces == maps.surfaces == KINDS[name]
        again = clone(layers)
        np.testing.assert_array_equal(again.two_sided, layers.two_sided, strict=True)
        np.testing.assert_array_equal(again.solid_length, layers.solid_length, strict=True)
        for ours, theirs in (
            (layers.entry_exit(), again.entry_exit()),
            (layers.rows(10, 30).entry_exit(), again.rows(10, 30).entry_exit()),
            (layers.of_object(1).entry_exit(), again.of_object(1).entry_exit()),
            (layers.objects()[2], again.objects()[2]),
        ):
            assert ours.surfaces == theirs.surfaces
            assert ours.entry.tobytes() == theirs.entry.tobytes()
            assert ours.exit.tobytes() == theirs.exit.tobytes()


def test_maps_made_by_hand():
    camera = cameras_of(box())[0]
    image = np.ones((camera.height, camera.width), np.float32)
    assert dd.DepthMaps(image, image, camera).surfaces is None
    assert dd.DepthMaps(image, image, camera, surfaces="mixed").surfaces == "mixed"
    with pytest.raises(dd.RequestError, match="surfaces must be 'oriented' or 'any' or 'mixed'"):
        dd.DepthMaps(image, image, camera, surfaces="auto")


# What was once wrong


def test_seals_of_a_closed_body_beside_an_open_one(renderer):
    """Faces without area seal T-junctions of a closed body, whatever else the mesh holds."""
    sealed = sealed_t_junction()
    scrap = dd.Mesh([[0.0, 0.0, 0.0], [0.01, 0.0, 0.0], [0.0, 0.01, 0.0]], [[0, 1, 2]])
    alone, beside = dd.Mesh(sealed.vertices, sealed.faces), merged(sealed, scrap)
    assert alone.bodies.surfaces == "oriented"
    assert beside.bodies.surfaces == "mixed"
    areas = np.linalg.norm(
        np.cross(*np.diff(alone.vertices[alone.faces], axis=1).transpose(1, 0, 2)), axis=1
    )
    assert (areas == 0).any()
    for seed in range(6):
        camera = dd.Camera.orbit(alone, views=1, width=300, height=300, seed=seed)[0]
        lone, layers = (peel(renderer, mesh, camera) for mesh in (alone, beside))
        own = layers.face < len(alone.faces)
        count = np.bincount(layers.pixel[own], minlength=lone.count.size).reshape(lone.count.shape)
        np.testing.assert_array_equal(count, lone.count)


@pytest.mark.parametrize("samples", [1, 2])
def test_the_photo_shows_the_entry_where_a_body_is_inside_out(renderer, samples):
    mesh = bow_tie()
    colors = np.random.default_rng(1).integers(0, 256, (len(mesh.vertices), 4)).astype(np.uint8)
    colors[:, 3] = 255
    mesh = dd.Mesh(mesh.vertices, mesh.faces, colors=colors)
    scene = renderer.upload(mesh)
    exchanged = 0
    for camera in dd.Camera.orbit(mesh, views=3, width=90, height=70, seed=3):
        small = camera
        maps = renderer.entry_exit(scene, camera, attributes=("shaded_color",))
        by_facing = renderer.entry_exit(scene, camera, surfaces="oriented")
        exchanged += int((by_facing.entry > by_facing.exit).sum())
        if samples == 1:
            frame = renderer.render(scene, camera)
            for image in (renderer.shade(scene, camera), frame.image):
                shown = oracle.linear_rgba(image)[..., :3]
                error = np.abs(shown - maps.entry_shaded_color[..., :3])[maps.mask]
                assert error.max() < 0.01
        else:
            # Samples average to what an image of twice the size averages to.
            K = np.diag([2.0, 2.0, 1.0]) @ camera.K
            large = dd.Camera(K, camera.camera_from_world, 180, 140)
            fine = renderer.entry_exit(scene, large, attributes=("shaded_color",))
            color = np.where(fine.mask[..., None], fine.entry_shaded_color[..., :3], 0.0)
            mean = color.reshape(70, 2, 90, 2, 3).mean(axis=(1, 3))
            whole = fine.mask.reshape(70, 2, 90, 2).all(axis=(1, 3))
            image = renderer.shade(scene, small, samples=2)
            shown = oracle.linear_rgba(image)[..., :3]
            assert np.abs(shown - mean)[whole].max() < 0.02
    assert exchanged > 500
    scene.release()


def test_where_a_body_is_inside_out_nothing_is_known_to_be_solid(renderer):
    mesh = bow_tie()
    camera = dd.Camera.orbit(mesh, views=1, width=90, height=70, seed=3)[0]
    layers = peel(renderer, mesh, camera)
    by_facing = layers.entry_exit("oriented")
    swapped = by_facing.entry - by_facing.exit > 0.2
    assert swapped.sum() > 50
    assert np.isnan(layers.solid_length[swapped]).all()
    inside, at_start = layers.nesting
    unknown = np.isnan(layers.solid_length).reshape(-1)
    np.testing.assert_array_equal(np.isnan(at_start), unknown)
    np.testing.assert_array_equal(np.isnan(inside), unknown[layers.pixel])
    # Elsewhere the larger lobe alone is crossed, and all of it is solid.
    known = layers.entry_exit().mask & ~unknown.reshape(swapped.shape) & (layers.count == 2)
    known &= by_facing.exit - by_facing.entry > 0.05
    assert known.sum() > 300
    np.testing.assert_array_equal(layers.solid_length[known], by_facing.thickness[known])


def test_objects_keep_what_was_decided_whatever_is_seen(renderer, tmp_path):
    """An object of a closed body and an open one, of which the camera sees one alone."""
    far = sheet(0.0, 1.0)
    parts = [box(), dd.Mesh(far.vertices + np.array([50.0, 0.0, 0.0]), far.faces)]
    mesh = merged(*parts)
    mesh = dd.Mesh(mesh.vertices, mesh.faces, object_id=[7] * len(mesh.faces))
    camera = dd.Camera.look_at((0, 0, 5), (0, 0, 0), up=(0, 1, 0), width=20, height=20)
    layers = peel(renderer, mesh, camera, attributes=("object_id",))
    assert not layers.two_sided.any()
    dd.write_npz(tmp_path / "layers.npz", layers)
    for each in (layers, copy.deepcopy(layers), dd.load_npz(tmp_path / "layers.npz")):
        assert each.objects()[7].surfaces == "mixed"
        assert each.of_object(7).entry_exit().surfaces == "mixed"
        assert each.of_object(8).entry_exit().surfaces is None
