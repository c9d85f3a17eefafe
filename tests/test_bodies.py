"""Bodies of a mesh: against dictionaries and exact fractions, closed forms, and solid angles."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from meshes import REAL, good
from shapes import box, grid_faces, inside_out, merged, rotation, sealed_t_junction, soups
from shapes import sphere as round_sphere
from shapes import torus as round_torus

import ddepth_gl as dd
from ddepth_gl.mesh import bodies as bodies_module
from ddepth_gl.mesh import edges
from ddepth_gl.mesh.bodies import BODY_KINDS
from ddepth_gl.mesh.demo import demo_mesh
from ddepth_gl.mesh.enclosure import enclosing_bodies

LARGE = ("ogre.obj", "stanford-bunny.obj")  # the dictionaries take seconds

# The independent truth


def by_hand(mesh):
    """Return bodies as (faces, closed, consistent, doubled, duplicates), by dictionaries alone."""
    triples = [tuple(map(tuple, corners)) for corners in mesh.vertices[mesh.faces].tolist()]
    proper = [face for face, triple in enumerate(triples) if len(set(triple)) == 3]
    sides = defaultdict(list)  # an edge as a set of two positions -> its faces and directions
    for face in proper:
        for k in range(3):
            start, end = triples[face][k], triples[face][(k + 1) % 3]
            sides[frozenset((start, end))].append((face, start < end))
    left, found = set(proper), []
    for first in proper:
        if first not in left:
            continue
        left.remove(first)
        waiting, body = [first], [first]
        while waiting:
            triple = triples[waiting.pop()]
            for k in range(3):
                for other, _ in sides[frozenset((triple[k], triple[(k + 1) % 3]))]:
                    if other in left:
                        left.remove(other)
                        waiting.append(other)
                        body.append(other)
        edges = {
            frozenset((triples[face][k], triples[face][(k + 1) % 3]))
            for face in body
            for k in range(3)
        }
        closed = all(len(sides[edge]) % 2 == 0 for edge in edges)
        consistent = all(
            abs(sum(1 if forward else -1 for _, forward in sides[edge])) <= 1 for edge in edges
        )
        windings = defaultdict(set)
        for face in body:
            a, b, c = triples[face]
            windings[frozenset((a, b, c))].add(max((a, b, c), (b, c, a), (c, a, b)))
        doubled = any(len(each) == 2 for each in windings.values())
        found.append((sorted(body), closed, consistent, doubled, len(body) - len(windings)))
    return found


def exact_volume(mesh, faces):
    total = Fraction(0)
    for corners in mesh.vertices[mesh.faces[faces]].tolist():
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (map(Fraction, corner) for corner in corners)
        total += ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
    return total / 6


def winding_number(point, corners):
    """Return the winding number: solid angles (van Oosterom and Strackee, 1983) over 4 pi."""
    a, b, c = (corners[:, k] - point for k in range(3))
    la, lb, lc = (np.linalg.norm(each, axis=1) for each in (a, b, c))
    triple = (a * np.cross(b, c)).sum(1)
    dots = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
    return 2 * np.arctan2(triple, dots).sum() / (4 * np.pi)


def check(mesh, with_volume=True):
    """Compare everything but cavities with the truth."""
    bodies, truth = mesh.bodies, by_hand(mesh)
    assert len(bodies) == len(truth)
    of_face = np.full(len(mesh.faces), -1)
    for number, (faces, closed, consistent, doubled, duplicates) in enumerate(truth):
        of_face[faces] = number
        assert bodies.face_count[number] == len(faces)
        assert bodies.is_closed[number] == closed
        assert bodies.is_consistent[number] == consistent
        assert bodies.duplicate_faces[number] == duplicates
        corners = mesh.vertices[mesh.faces[faces]]
        low, high = corners.min((0, 1)), corners.max((0, 1))
        np.testing.assert_array_equal(bodies.bounds[number], (low, high))
        area = np.linalg.norm(
            np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
        ).sum()
        assert bodies.area[number] == pytest.approx(area / 2, rel=1e-9)
        kind = bodies.kind[number]
        assert kind in BODY_KINDS
        assert (kind == "open") == (not closed)
        assert (kind == "mixed") == (closed and not consistent)
        assert (kind == "doubled") == (closed and consistent and doubled)
        if with_volume and closed and consistent:
            volume = exact_volume(mesh, faces)
            scale = area / 2 * float(np.linalg.norm(high - low))
            assert bodies.volume[number] == pytest.approx(
                float(volume), rel=1e-9, abs=1e-13 * scale
            )
            if not doubled:
                # Exact volumes are 0 or well above the limit in these meshes.
                expected = {"flat"} if abs(volume) <= 1e-9 * scale else {"outward"}
                assert kind in (
                    expected if volume >= 0 or "flat" in expected else {"inward", "cavity"}
                )
    np.testing.assert_array_equal(bodies.of_face, of_face)
    assert mesh.is_closed == (bool(truth) and bool(bodies.is_closed.all()))
    assert mesh.is_oriented == bool(
        bodies.is_closed.all() and bodies.is_consistent.all() and mesh.volume > 0
    )
    by_facing = np.isin(bodies.kind, ["outward", "cavity"])
    np.testing.assert_array_equal(bodies.counts_by_facing, by_facing)
    two_sided = [number < 0 or not by_facing[number] for number in of_face]
    np.testing.assert_array_equal(bodies.two_sided_faces, two_sided)
    return bodies


def kinds(mesh):
    return check(mesh).kind.tolist()


def sphere(radius=1.0, center=(0.0, 0.0, 0.0)):
    return round_sphere(radius, 12, 17, center)


def torus(**arguments):
    return round_torus(steps=20, sides=11, **arguments)


def of_faces(mesh, faces):
    return dd.Mesh(mesh.vertices, faces)


# Closed forms


def test_a_box():
    bodies = check(box((1, 2, 3), (2, 4, 6)))
    assert bodies.kind.tolist() == ["outward"]
    assert bodies.volume.tolist() == pytest.approx([6.0])
    assert bodies.area.tolist() == pytest.approx([22.0])
    assert bodies.bounds.tolist() == [[[1, 2, 3], [2, 4, 6]]]
    assert (bodies.of_face == 0).all()
    assert bodies.counts_by_facing.tolist() == [True]
    assert not bodies.two_sided_faces.any()
    assert repr(bodies) == "Bodies(1 outward)"


def test_a_box_inside_out_is_no_cavity_of_itself():
    assert kinds(inside_out(box())) == ["inward"]
    assert kinds(merged(box(), inside_out(box((3, 0, 0), (4, 1, 1))))) == ["outward", "inward"]


def test_cavities_nested_three_deep():
    radii = (3.0, 2.5, 2.0, 1.5, 1.0, 0.5)
    shells = [sphere(r) if k % 2 == 0 else inside_out(sphere(r)) for k, r in enumerate(radii)]
    assert kinds(merged(*shells)) == ["outward", "cavity"] * 3
    # The order of the file does not matter.
    assert kinds(merged(*shells[::-1])) == ["cavity", "outward"] * 3
    # Inward at the outside, and outward in it: only the outermost is two-sided.
    turned = [inside_out(shell) for shell in shells]
    assert kinds(merged(*turned)) == ["inward", "outward", "cavity", "outward", "cavity", "outward"]


def test_the_solid_of_a_cavity_must_be_outward_closed_and_whole():
    hole = inside_out(sphere(0.5))
    assert kinds(merged(box(), hole)) == ["outward", "cavity"]
    assert kinds(merged(inside_out(box()), hole)) == ["inward", "inward"]
    assert kinds(merged(of_faces(box(), box().faces[1:]), hole)) == ["open", "inward"]
    mixed = of_faces(box(), np.concatenate((box().faces[:5, ::-1], box().faces[5:])))
    assert kinds(merged(mixed, hole)) == ["mixed", "inward"]


@pytest.mark.parametrize(
    ("hole", "inside"),
    [
        (sphere(0.3, (0.6, 0.6, 0.6)), True),  # inside the box, near a corner
        (sphere(0.3, (0.9, 0.0, 0.0)), False),  # through a wall
        (sphere(0.3, (1.5, 1.5, 1.5)), False),
        (box((-0.5, -0.5, 1.25), (0.5, 0.5, 1.5)), False),  # above
        (box((-0.5, -0.5, -1.5), (0.5, 0.5, -1.25)), False),  # below
        (box((-0.5, -0.5, -3), (0.5, 0.5, 3)), False),  # longer than the box
        (box((-2, -2, -2), (2, 2, 2)), False),  # around
        (box((-0.5, -0.5, 1), (0.5, 0.5, 2)), False),  # touches from outside, in a face
    ],
)
def test_inside_or_not(hole, inside):
    found = kinds(merged(box(), inside_out(hole)))
    assert found == ["outward", "cavity" if inside else "inward"]


def test_a_cavity_beside_the_tube_of_a_torus_lies_in_its_bounds_only():
    for center, kind in (((0, 0, 0), "inward"), ((1, 0, 0), "cavity"), ((0, -1, 0), "cavity")):
        ball = inside_out(sphere(0.2, center))
        assert kinds(merged(torus(), ball)) == ["outward", kind]


def test_a_cavity_must_be_inside_with_all_that_is_looked_at():
    # The center of the first face lies inside, in each case.
    def first_faces_inside(hole, solid):
        corners = solid.vertices[solid.faces]
        centers = hole.vertices[hole.faces].mean(axis=1)
        inside = np.isin(
            np.arange(12), enclosing_bodies(centers, corners, np.zeros(len(corners), int))[0]
        )
        return of_faces(hole, hole.faces[np.argsort(~inside, kind="stable")]), inside

    # Within the bounds of a torus, from inside its tube through its hole into the tube again.
    rod, inside = first_faces_inside(inside_out(box((-1, -0.1, -0.1), (1, 0.1, 0.1))), torus())
    assert 0 < inside.sum() < 12
    assert kinds(merged(torus(), rod)) == ["outward", "inward"]
    # The tips of a flat body stick out of the box, where no center lies.
    tips = np.array([(1.2, 0, 0), (-0.5, 0.5, 0), (-0.5, -0.5, 0), (0, 0, 0.1), (0, 0, -0.1)])
    spike = dd.Mesh(tips, [(0, 1, 3), (1, 2, 3), (2, 0, 3), (1, 0, 4), (2, 1, 4), (0, 2, 4)])
    assert spike.volume > 0
    assert np.abs(spike.vertices[spike.faces].mean(axis=1)).max() < 1
    assert kinds(merged(box(), inside_out(spike))) == ["outward", "inward"]
    within = dd.Mesh(tips * 0.8, spike.faces)
    assert kinds(merged(box(), inside_out(within))) == ["outward", "cavity"]
    # Half of its faces in one body, half in another, is inside none.
    two = merged(
        box((-2, -1, -1), (0, 1, 1)), box((0, -3, -3), (1, 3, 3)), box((-9, -9, 5), (9, 9, 9))
    )
    between = inside_out(box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5)))
    assert kinds(merged(two, between)) == ["outward"] * 3 + ["inward"]


def test_cavities_that_touch_their_solid():
    # In one vertex: an octahedron whose tips lie within faces of the box; then at a shared vertex.
    vertices = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
    faces = [(x, y, z) if (x + y + z) % 2 == 0 else (x, z, y)
             for x in (0, 1) for y in (2, 3) for z in (4, 5)]  # fmt: skip
    octahedron = dd.Mesh(vertices, faces)
    if octahedron.volume > 0:
        octahedron = inside_out(octahedron)
    assert kinds(merged(box(), octahedron)) == ["outward", "cavity"]
    corner = inside_out(dd.Mesh([(1, 1, 1), (0, 1, 0.5), (0.5, 0, 0), (0, 0.5, 1)],
                                [(0, 1, 2), (0, 2, 3), (0, 3, 1), (1, 3, 2)]))  # fmt: skip
    corner = corner if corner.volume < 0 else inside_out(corner)
    assert kinds(merged(box(), corner)) == ["outward", "cavity"]


def test_boxes_that_touch():
    one = box((0, 0, 0), (1, 1, 1))
    assert kinds(merged(one, box((1, 1, 1), (2, 2, 2)))) == ["outward", "outward"]  # in a vertex
    # In an edge: four faces meet there, and connect both.
    both = check(merged(one, box((1, 1, 0), (2, 2, 1))))
    assert both.kind.tolist() == ["outward"]
    assert both.volume.tolist() == pytest.approx([2.0])
    # In a face of the same triangles: the two copies are a face and its reverse.
    beside = of_faces(one, one.faces)
    mirrored = beside.transformed(np.diag((-1.0, 1.0, 1.0, 1.0)))
    wall = check(merged(beside, mirrored))
    assert wall.kind.tolist() == ["doubled"]
    assert wall.duplicate_faces.tolist() == [2]
    # In a face of other triangles, at the same edges.
    other = box((-1, 0, 0), (0, 1, 1))
    assert len(check(merged(one, other))) == 1
    # In a face that is larger: nothing is connected.
    assert kinds(merged(one, box((1, -1, -1), (2, 3, 3)))) == ["outward", "outward"]


def test_open_mixed_flat_and_doubled():
    faces = box().faces
    assert kinds(of_faces(box(), faces[1:])) == ["open"]
    assert kinds(of_faces(box(), np.concatenate((faces[:1, ::-1], faces[1:])))) == ["mixed"]
    sheet = dd.Mesh([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], [(0, 1, 2), (0, 2, 3)])
    assert kinds(sheet) == ["open"]
    both_sides = np.concatenate((sheet.faces, sheet.faces[:, ::-1]))
    assert kinds(of_faces(sheet, both_sides)) == ["doubled"]
    # A sheet closed by other triangles on its back has no pair of coincident faces.
    assert kinds(of_faces(sheet, [*sheet.faces, (0, 3, 1), (1, 3, 2)])) == ["flat"]
    # A box whose every face has its reverse; one face of which has.
    assert kinds(of_faces(box(), np.concatenate((faces, faces[:, ::-1])))) == ["doubled"]
    assert kinds(of_faces(box(), np.concatenate((faces, faces[3:4, ::-1])))) == ["open"]
    one_pair = np.concatenate((faces, faces[3:4], faces[3:4, ::-1]))
    bodies = check(of_faces(box(), one_pair))
    assert bodies.kind.tolist() == ["doubled"]
    assert bodies.duplicate_faces.tolist() == [2]
    # Every face twice, wound alike: still by facing.
    assert kinds(of_faces(box(), np.concatenate((faces, faces)))) == ["outward"]


@pytest.mark.parametrize("turn", [0, 1, 2])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_reversed_copies_are_found_from_any_corner(turn, order):
    faces = box().faces
    reverse = np.roll(faces[5, ::-1], turn)[None]
    bodies = check(of_faces(box(), np.concatenate((faces, faces[5:6, list(order)], reverse))))
    assert bodies.kind.tolist() == ["doubled"]
    alike = np.roll(faces[5], turn)[None]
    bodies = check(of_faces(box(), np.concatenate((faces, faces[5:6, list(order)], alike))))
    assert bodies.kind.tolist() == ["mixed"]  # four faces at its edges, three wound alike


@pytest.mark.parametrize("height", [1e-12, 1e-7])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_flatness_has_a_limit(height, offset):
    # Two triangles and a lid over them. The limit for this shape is a height of about 1e-9.
    low = np.array([(0, 0, 0), (1, 0, 0), (0.3, 1, 0), (0.4, 0.3, height)])
    # Far from the origin the height is a multiple of what float64 still distinguishes there.
    shift = np.array((offset, -offset, 0))
    mesh = dd.Mesh(low + shift, [(0, 2, 1), (0, 1, 3), (1, 2, 3), (2, 0, 3)])
    assert mesh.bodies.kind.tolist() == ["flat" if height < 1e-9 else "outward"]


def strip(twists, steps=30, sides=4, full=False):
    """Return a band around the z axis whose cross-section turns by half a turn per twist."""
    around = 2 * np.pi * np.arange(steps) / steps
    across = np.linspace(-0.3, 0.3, sides)
    turn = twists * around[:, None] / 2
    ring = 1 + across * np.cos(turn)
    vertices = np.stack(
        (ring * np.cos(around)[:, None], ring * np.sin(around)[:, None], across * np.sin(turn)), -1
    )
    index = np.arange(steps * sides).reshape(steps, sides)
    following = np.concatenate((index[1:], index[:1] if twists % 2 == 0 else index[:1, ::-1]))
    a, b = index[:, :-1].ravel(), index[:, 1:].ravel()
    c, d = following[:, :-1].ravel(), following[:, 1:].ravel()
    return dd.Mesh(
        vertices.reshape(-1, 3), np.concatenate((np.stack((a, c, d), 1), np.stack((a, d, b), 1)))
    )


def test_a_moebius_strip_cannot_be_wound_consistently():
    plain, twisted = check(strip(0)), check(strip(1))
    assert plain.kind.tolist() == twisted.kind.tolist() == ["open"]
    assert plain.is_consistent.tolist() == [True]
    assert twisted.is_consistent.tolist() == [False]


def test_a_torus_and_a_klein_bottle():
    assert kinds(torus()) == ["outward"]
    rows, columns = 12, 10
    grid = torus().vertices[: rows * columns]
    index = np.arange(rows * columns).reshape(rows, columns)
    following = np.concatenate((index[1:], index[:1, ::-1]))
    a, b = index.ravel(), np.roll(index, -1, 1).ravel()
    c, d = following.ravel(), np.roll(following, -1, 1).ravel()
    faces = np.concatenate((np.stack((a, c, d), 1), np.stack((a, d, b), 1)))
    bottle = check(dd.Mesh(grid, faces))
    assert bottle.kind.tolist() == ["mixed"]
    assert bottle.is_closed.tolist() == [True]
    # The same grid without the reversal.
    assert check(dd.Mesh(grid, grid_faces(rows, columns, wrap_rows=True))).is_consistent.all()


def test_faces_that_use_a_position_twice_belong_to_no_body():
    far = box((5, 0, 0), (6, 1, 1))
    two = merged(box(), far)
    bridge = [(0, 8, 8), (0, 0, 8), (3, 3, 3)]
    bodies = check(of_faces(two, np.concatenate((two.faces[:12], bridge, two.faces[12:]))))
    assert bodies.kind.tolist() == ["outward", "outward"]
    assert bodies.of_face[12:15].tolist() == [-1, -1, -1]
    assert bodies.two_sided_faces[12:15].all()
    # Two indices at one position; -0.0 is 0.0.
    vertices = np.concatenate((box((0, 0, 0)).vertices, [(-0.0, 0.0, -0.0)]))
    assert check(dd.Mesh(vertices, [*box().faces, (0, 8, 1)])).of_face[-1] == -1


def test_faces_without_area_that_seal_a_t_junction_connect():
    bodies = check(sealed_t_junction())
    assert bodies.kind.tolist() == ["outward"]
    assert (bodies.of_face == 0).all()


def test_a_face_of_the_smallest_mesh():
    assert kinds(dd.Mesh(np.eye(3), [(0, 1, 2)])) == ["open"]


@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e30])
def test_any_scale(scale):
    mesh = merged(sphere(1.0), inside_out(sphere(0.5)))
    bodies = dd.Mesh(mesh.vertices * scale, mesh.faces).bodies
    assert bodies.kind.tolist() == ["outward", "cavity"]


def test_a_small_body_far_from_the_origin():
    step = 2.0**-10
    low = np.array((2.0**20, -(2.0**20), 2.0**19))
    bodies = check(merged(box(), box(low, low + step)))
    assert bodies.volume.tolist() == pytest.approx([8.0, step**3], rel=1e-12)


def test_bodies_are_numbered_by_their_first_faces():
    mesh = merged(*[box((k, 0, 0), (k + 0.5, 1, 1)) for k in range(20)])
    order = np.random.default_rng(3).permutation(len(mesh.faces))
    bodies = check(of_faces(mesh, mesh.faces[order]))
    _, first = np.unique(bodies.of_face, return_index=True)
    assert (np.diff(first) > 0).all()


def test_chains_are_followed_to_their_ends():
    # Strips in random order of faces: long chains of links between faces.
    rng = np.random.default_rng(1)
    count = 3000
    x = np.arange(count // 2 + 1)
    low = np.stack((x, np.zeros_like(x), np.zeros_like(x)), 1)
    strip = np.concatenate([low, low + np.array((0, 1, 0))]).astype(float)
    n = len(x)
    a, b = np.arange(n - 1), np.arange(1, n)
    faces = np.concatenate((np.stack((a, b, b + n), 1), np.stack((a, b + n, a + n), 1)))
    for order in (np.arange(len(faces)), rng.permutation(len(faces))):
        two = np.concatenate((faces[order], faces[order] + 2 * n))
        mesh = dd.Mesh(np.concatenate((strip, strip + np.array((0, 0, 1)))), two)
        assert mesh.bodies.face_count.tolist() == [len(faces)] * 2


# Random meshes


@pytest.mark.slow
@given(soups())
@hypothesis_settings(max_examples=150)
def test_soups(given):
    check(given[0])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_random_closed_bodies_are_inside_as_solid_angles_say(seed):
    """Disjoint or nested bodies with a margin: no body touches another."""
    rng = np.random.default_rng(seed)
    parts, balls = [], []
    while len(parts) < 12:
        center, radius = rng.uniform(-1, 1, 3), rng.uniform(0.05, 1.2)
        apart = [np.linalg.norm(center - c) for c, _ in balls]
        if any(
            abs(r - radius) * 0.8 < d < (r + radius) * 1.02
            for d, (_, r) in zip(apart, balls, strict=True)
        ):
            continue
        balls.append((center, radius))
        ball = round_sphere(radius, int(rng.integers(12, 20)), int(rng.integers(15, 30)))
        ball = dd.Mesh(ball.vertices @ rotation(rng).T + center, ball.faces)
        parts.append(inside_out(ball) if rng.random() < 0.6 else ball)
    mesh = merged(*parts)
    bodies = check(mesh, with_volume=False)
    for number, part in enumerate(parts):
        if part.volume > 0:
            assert bodies.kind[number] == "outward"
            continue
        around = [
            winding_number(part.vertices[0], other.vertices[other.faces])
            for other in parts
            if other.volume > 0
        ]
        np.testing.assert_allclose(around, np.rint(around), atol=1e-6)
        inside = bool(around) and max(around) > 0.5
        assert bodies.kind[number] == ("cavity" if inside else "inward")


def test_points_in_line_with_edges_and_vertices():
    """Rays through vertices, along edges and within faces, and points on a grid of a box."""
    steps = np.arange(-1.5, 1.75, 0.25)
    points = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    for mesh in (box(), of_faces(box(), box().faces[:, [1, 2, 0]]), dd.Mesh(
        np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)], float),
        [(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4), (2, 0, 5), (1, 2, 5), (3, 1, 5), (0, 3, 5)],
    )):  # fmt: skip
        norm = np.abs(points).sum(1) if len(mesh.vertices) == 6 else np.abs(points).max(1)
        corners = mesh.vertices[mesh.faces]
        assert mesh.volume > 0
        point, body = enclosing_bodies(points, corners, np.full(len(corners), 7))
        assert (body == 7).all()
        inside = np.zeros(len(points), bool)
        inside[point] = True
        certain = norm != 1.0  # points on the surface may be either
        np.testing.assert_array_equal(inside[certain], (norm < 1.0)[certain])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_rays_through_edges_within_rounding(seed):
    """The ray of each point passes through an edge as exactly as float64 can say."""
    rng = np.random.default_rng(seed)
    ball = round_sphere(1.0, 24, 37)
    corners = (ball.vertices @ rotation(rng).T)[ball.faces]
    which = rng.integers(0, len(corners), 50_000)
    start, end = corners[which, 0], corners[which, 1]
    points = start + rng.random((len(which), 1)) * (end - start)
    points[:, 2] = rng.uniform(-1.5, 1.5, len(which))
    distance = np.linalg.norm(points, axis=1)
    certain = np.abs(distance - 1) > 0.02  # the largest sagitta is 0.006
    inside = np.zeros(len(points), bool)
    inside[enclosing_bodies(points, corners, np.zeros(len(corners), np.int64))[0]] = True
    np.testing.assert_array_equal(inside[certain], (distance < 1)[certain])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_winding_numbers_of_self_intersecting_bodies(seed):
    rng = np.random.default_rng(seed)
    mesh = round_torus(steps=40, sides=20)
    # Twice around, crossing itself: winding numbers up to 2 and down to -1.
    vertices = mesh.vertices * (1 + 0.6 * np.sin(3 * mesh.vertices[:, [1]] * 4))
    vertices = vertices @ rotation(rng).T
    corners = vertices[mesh.faces]
    points = rng.uniform(-1.5, 1.5, (400, 3))
    exact = np.array([winding_number(point, corners) for point in points])
    point, _ = enclosing_bodies(points, corners, np.zeros(len(corners), np.int64))
    inside = np.zeros(len(points), bool)
    inside[point] = True
    np.testing.assert_array_equal(inside, exact > 0.5)


def test_many_points_and_faces_are_split_into_pieces(monkeypatch):
    mesh = merged(*[round_sphere(0.4, 8, 9, (x, y, 0)) for x in range(6) for y in range(6)])
    bodies = mesh.bodies.of_face
    points = np.random.default_rng(0).uniform(-0.5, 5.5, (300, 3)) * (1, 1, 0.05)
    corners = mesh.vertices[mesh.faces]
    whole = enclosing_bodies(points, corners, bodies)
    for name, value in (("_PAIRS_PER_PIECE", 64), ("_POINTS_PER_BLOCK", 70), ("_MAX_SIGNS", 10)):
        monkeypatch.setattr(f"ddepth_gl.mesh.enclosure.{name}", value)
        for one, other in zip(whole, enclosing_bodies(points, corners, bodies), strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(whole[0]) > 50
    nearest = np.rint(points[whole[0], :2]).astype(int)
    np.testing.assert_array_equal(whole[1], nearest @ (6, 1))


def test_the_time_is_bounded(monkeypatch):
    mesh = merged(*[round_sphere(0.4, 8, 9, (x, y, 0)) for x in range(6) for y in range(6)])
    points = np.random.default_rng(0).uniform(-0.5, 5.5, (300, 3)) * (1, 1, 0.05)
    given = points, mesh.vertices[mesh.faces], mesh.bodies.of_face
    whole = np.stack(enclosing_bodies(*given))
    monkeypatch.setattr("ddepth_gl.mesh.enclosure._POINTS_PER_BLOCK", 20)
    monkeypatch.setattr("ddepth_gl.mesh.enclosure._MAX_TESTS", 10_000)
    part = np.stack(enclosing_bodies(*given))
    assert 0 < part.shape[1] < whole.shape[1]
    np.testing.assert_array_equal(part, whole[:, : part.shape[1]])


def test_no_points_inside():
    corners = box().vertices[box().faces]
    for points in (np.zeros((0, 3)), np.full((2, 3), 9.0)):
        point, body = enclosing_bodies(points, corners, np.zeros(12, int))
        assert len(point) == len(body) == 0


def test_both_ways_to_sort_agree():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 50, 1000)
    large = small + (2**62 - 1000)
    for numbers in (small, large):
        in_order, order = edges._sorted_with_order(numbers)
        np.testing.assert_array_equal(in_order, np.sort(numbers))
        np.testing.assert_array_equal(numbers[order], in_order)
        assert len(set(order.tolist())) == len(numbers)


# Real meshes


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in REAL],
)
@pytest.mark.slow
def test_real_meshes(name):
    mesh = dd.load_mesh(good(name))
    bodies = check(mesh, with_volume=len(mesh.faces) < 30_000)
    assert bodies.face_count.sum() == (bodies.of_face >= 0).sum()


def test_the_demo_mesh():
    bodies = demo_mesh().bodies
    assert Counter(bodies.kind.tolist()) == {"outward": 5, "cavity": 1}
    assert not bodies.two_sided_faces.any()


# The object


def test_bodies_are_computed_once_and_when_needed(monkeypatch):
    calls = []
    find = bodies_module.find_bodies
    monkeypatch.setattr(
        "ddepth_gl.mesh.mesh.find_bodies", lambda *given: calls.append(1) or find(*given)
    )
    mesh = box()
    assert mesh.is_oriented
    assert not calls
    assert mesh.bodies is mesh.bodies
    assert calls == [1]


def test_bodies_cannot_be_changed():
    bodies = box().bodies
    with pytest.raises(dataclasses.FrozenInstanceError):
        bodies.kind = None
    for field in dataclasses.fields(bodies):
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
            getattr(bodies, field.name).flags.writeable = True
    assert bodies.of_face.dtype == np.int32
