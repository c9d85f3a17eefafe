"""Polygons cut into triangles, judged by the even-odd rule and by counting edges."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest

import ddepth_gl as dd
from ddepth_gl.io.meshes.polygon_ears import clipped_ears
from ddepth_gl.io.meshes.polygon_minimum import least_negative
from ddepth_gl.io.meshes.polygon_work import PolygonWork
from ddepth_gl.io.meshes.polygons import triangulated

ELL = [(0, 0), (4, 0), (4, 1), (1, 1), (1, 4), (0, 4)]
ON_A_LINE = [(0, 0), (2, 0), (4, 0), (4, 1), (1, 1), (1, 2), (1, 4), (0, 4), (0, 2), (0, 1)]
WINDOW = [(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (1, 1), (1, 3), (3, 3), (3, 1), (1, 1)]
REPEATED = [(0, 0), (0, 0), (4, 0), (4, 1), (1, 1), (1, 1), (1, 4), (0, 4)]
SPIKE = [(0, 0), (4, 0), (6, 0), (4, 0), (4, 4), (2, 1), (0, 4)]


def cut(points, vertices=None):
    points = np.asarray(points, float)
    vertices = np.c_[points, np.zeros(len(points))] if vertices is None else vertices
    count = len(points)
    triangles, polygon = triangulated(vertices, np.arange(count), np.array([count]))
    assert triangles.shape == (count - 2, 3)
    assert (polygon == 0).all()
    assert has_outline(triangles, count)
    return triangles


def has_outline(triangles, count):
    """Return whether the edges that triangles do not share are those of the outline."""
    edges = Counter((int(t[k]), int(t[(k + 1) % 3])) for t in triangles for k in range(3))
    edges.update(((i + 1) % count, i) for i in range(count))
    return all(number == edges[b, a] for (a, b), number in list(edges.items()))


def inside(points, queries):
    result = np.zeros(len(queries), bool)
    x, y = queries.T
    for (ax, ay), (bx, by) in zip(points, np.roll(points, -1, axis=0), strict=True):
        crosses = (ay <= y) != (by <= y)
        with np.errstate(all="ignore"):
            result ^= crosses & (x < ax + (y - ay) / (by - ay) * (bx - ax))
    return result


def covered(points, triangles, queries):
    count = np.zeros(len(queries), int)
    for a, b, c in points[triangles]:
        sides = [
            (q[0] - p[0]) * (queries[:, 1] - p[1]) - (q[1] - p[1]) * (queries[:, 0] - p[0])
            for p, q in ((a, b), (b, c), (c, a))
        ]
        count += np.all([s > 0 for s in sides], axis=0) | np.all([s < 0 for s in sides], axis=0)
    return count


def check(points, rng, vertices=None):
    points = np.asarray(points, float)
    queries = rng.uniform(points.min(), points.max(), (200, 2))
    triangles = cut(points, vertices)
    np.testing.assert_array_equal(covered(points, triangles, queries), inside(points, queries))


def random_outline(rng, on_a_lattice):
    """Return a random polygon that does not cross itself, by untangling a random tour."""
    count = int(rng.integers(4, 16))
    points = rng.uniform(-1, 1, (count, 2))
    if on_a_lattice:
        points = np.unique(rng.integers(-3, 4, (count + 2, 2)), axis=0).astype(float)
        rng.shuffle(points)
    count, changed = len(points), True

    def length(i, j):
        return float(np.hypot(*(points[i] - points[j % count])))

    while changed:
        changed = False
        for i in range(count - 2):
            for j in range(i + 2, count - (i == 0)):
                if length(i, i + 1) + length(j, j + 1) > length(i, j) + length(i + 1, j + 1) + 1e-9:
                    points[i + 1 : j + 1] = points[i + 1 : j + 1][::-1].copy()
                    changed = True
    return points


def variant(points, kind, rng):
    if kind == "collinear":
        middles = (points + np.roll(points, -1, axis=0)) / 2
        return np.stack((points, middles), axis=1).reshape(-1, 2)
    if kind == "repeated":
        return np.repeat(points, rng.integers(1, 3, len(points)), axis=0)
    if kind == "hole":
        x, y = points.T
        if x @ np.roll(y, -1) < y @ np.roll(x, -1):
            points = points[::-1]
        square = np.array([(-9, -9), (9, -9), (9, 9), (-9, 9.0)])
        hole = np.roll(points, -int(points.sum(axis=1).argmin()), axis=0)[::-1]
        hole = np.roll(hole, 1, axis=0)
        return np.concatenate((square[:1], hole, hole[:1], square))
    return points


@pytest.mark.parametrize("kind", ["plain", "collinear", "repeated", "hole"])
@pytest.mark.parametrize("on_a_lattice", [False, True])
def test_random_outlines_in_random_planes(kind, on_a_lattice):
    rng = np.random.default_rng(5)
    for _ in range(25):
        points = variant(random_outline(rng, on_a_lattice), kind, rng)
        points = np.roll(points, int(rng.integers(len(points))), axis=0)[:: rng.choice([-1, 1])]
        axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        axes = np.eye(3)[rng.permutation(3)] if on_a_lattice else axes
        offset = rng.choice([0.0, 1e3, 1e6]) * rng.normal(size=3).round()
        check(points, rng, np.c_[points, np.zeros(len(points))] @ axes + offset)


@pytest.mark.parametrize("points", [ELL, ON_A_LINE, WINDOW, REPEATED, SPIKE])
def test_every_first_corner_and_direction(points):
    rng = np.random.default_rng(1)
    for shift in range(len(points)):
        turned = np.roll(points, shift, axis=0)
        check(turned, rng)
        check(turned[::-1], rng)


@pytest.mark.parametrize("points", [ELL, ON_A_LINE, WINDOW, REPEATED, SPIKE])
def test_the_slow_search_alone(points):
    points = np.asarray(points, float)
    triangles = clipped_ears(points, PolygonWork())
    assert len(clipped_ears(points, PolygonWork(10_000))) == 0
    assert has_outline(triangles, len(points))
    queries = np.random.default_rng(2).uniform(-1, 5, (500, 2))
    np.testing.assert_array_equal(covered(points, triangles, queries), inside(points, queries))


def test_quads():
    rng = np.random.default_rng(3)
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1.0)])
    dart = np.array([(0, 0), (4, 0), (1, 1), (0, 4.0)])
    np.testing.assert_array_equal(cut(square), [(0, 1, 2), (0, 2, 3)])
    for shift in range(4):
        check(np.roll(dart, shift, axis=0), rng)
    np.testing.assert_array_equal(cut(np.roll(dart, 1, axis=0)), [(0, 1, 3), (1, 2, 3)])
    # Not planar, but not folded by more than 90 degrees: first to third corner.
    bent = np.c_[square, [0, 0, 0, 0.5]]
    np.testing.assert_array_equal(cut(square, bent), [(0, 1, 2), (0, 2, 3)])


def test_polygons_of_all_sizes_in_order():
    vertices = np.random.default_rng(4).normal(size=(9, 3))
    counts = np.array([3, 0, 5, 2, 4, 1, 3, 6])
    triangles, polygon = triangulated(vertices, np.arange(counts.sum()) % 9, counts)
    np.testing.assert_array_equal(polygon, np.repeat(np.arange(8), np.maximum(counts - 2, 0)))
    starts = np.cumsum(counts) - counts
    assert (triangles >= starts[polygon, None]).all()
    assert (triangles < (starts + counts)[polygon, None]).all()
    nothing = triangulated(vertices, np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert [rows.shape for rows in nothing] == [(0, 3), (0,)]


@pytest.mark.parametrize("scale", [1.0, 1e200, np.nan, np.inf, 0.0])
def test_outlines_without_a_right_answer_stay_closed(scale):
    rng = np.random.default_rng(6)
    for count in (5, 6, 20, 200):
        with np.errstate(all="ignore"):
            points = rng.normal(size=(count, 2)) * scale
        cut(points)
    cut([(0, 0), (2, 0), (0, 2), (2, 2), (1, 5)])


def test_a_polygon_that_is_not_planar_covers_its_outline_once():
    rng = np.random.default_rng(7)
    points = np.array(ON_A_LINE, float)
    check(points, rng, np.c_[points, rng.normal(size=len(points)) * 0.1])


# A window whose corners lie on edges of the square, or on the edge of another window.
TOUCHING = [(0, 0), (4, 0), (4, 4), (0, 4), (0, 2), (2, 3), (4, 2), (2, 1), (0, 2)]
TOUCHING_TOP = [(0, 0), (4, 0), (4, 4), (2, 4), (3, 3), (2, 0), (1, 3), (2, 4), (0, 4)]


def area(points, triangles=None):
    if triangles is None:
        x, y = points.T
        return abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    a, b, c = np.c_[points, np.zeros((len(points), 3 - points.shape[1]))][triangles].swapaxes(0, 1)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def rotated(points, rng, decimals=6):
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return np.round(np.c_[points, np.zeros(len(points))] @ axes + rng.normal(size=3), decimals)


@pytest.mark.parametrize("points", [TOUCHING, TOUCHING_TOP])
@pytest.mark.parametrize("decimals", [6, 15])
def test_outlines_that_touch_themselves_when_rounded(points, decimals):
    rng = np.random.default_rng(9)
    for _ in range(60):
        turned = np.roll(np.array(points, float), int(rng.integers(9)), axis=0)
        vertices = rotated(turned, rng, decimals)
        work = PolygonWork()
        triangles, _ = triangulated(vertices, np.arange(9), np.array([9]), work)
        assert has_outline(triangles, 9)
        assert area(vertices, triangles) == pytest.approx(12, abs=1e-4)
        work.tell(pytest.fail)


def test_sides_of_slits_that_differ_by_the_rounding():
    rng = np.random.default_rng(10)
    for _ in range(60):
        vertices = rotated(np.array(WINDOW, float), rng)
        vertices += rng.integers(-1, 2, vertices.shape) * 1e-6
        count = len(vertices)
        triangles, _ = triangulated(vertices, np.arange(count), np.array([count]))
        assert has_outline(triangles, count)
        assert area(vertices, triangles) == pytest.approx(12, abs=1e-4)


def test_a_large_outline_that_touches_itself():
    rng = np.random.default_rng(11)
    side = np.linspace(0, 4, 500, endpoint=False)
    ring = np.array(TOUCHING_TOP, float)
    bottom = np.c_[side, 0.2 * (np.arange(500) % 2)]  # a saw
    points = np.concatenate((bottom, ring[1:3], [(2, 4), (3, 3), (2, 0.2), (1, 3)], ring[7:]))
    points[500 + 4] = (side[251], 0.0) if bottom[251, 1] == 0 else (side[251], 0.2)
    vertices = rotated(points, rng)
    count = len(points)
    triangles, _ = triangulated(vertices, np.arange(count), np.array([count]))
    assert has_outline(triangles, count)
    assert area(vertices, triangles) == pytest.approx(area(points), abs=1e-3)


def test_the_least_area_is_that_of_all_triangulations():
    rng = np.random.default_rng(12)

    def all_of(i, j):
        if j - i < 2:
            yield []
        for k in range(i + 1, j):
            for left in all_of(i, k):
                yield from ([*left, (i, k, j), *right] for right in all_of(k, j))

    for _ in range(10):
        points = rng.normal(size=(7, 2))
        x, y = points.T
        points = points if x @ np.roll(y, -1) > y @ np.roll(x, -1) else points[::-1].copy()
        triangles = least_negative(points[None], PolygonWork())[0]
        assert has_outline(triangles, 7)
        least = min(area(points, np.array(each)) for each in all_of(0, 6))
        assert area(points, triangles) == pytest.approx(least, rel=1e-9)


CROSSING = np.array([(0, 0), (2, 0), (0, 2), (2, 2), (1, 5)])


@pytest.mark.parametrize("suffix", ["obj", "off", "ply", "dae"])
def test_polygons_that_cross_themselves_are_told(tmp_path, suffix):
    rows = [f"{x} {y} 0" for x, y in CROSSING]
    text = {
        "obj": "".join(f"v {row}\n" for row in rows) + "f 1 2 3 4 5\nf 1 2 3\n",
        "off": "OFF\n5 2 0\n" + "\n".join(rows) + "\n5 0 1 2 3 4\n3 0 1 2\n",
        "ply": "ply\nformat ascii 1.0\nelement vertex 5\nproperty float x\nproperty float y\n"
        "property float z\nelement face 2\nproperty list uchar int vertex_indices\nend_header\n"
        + "\n".join(rows)
        + "\n5 0 1 2 3 4\n3 0 1 2\n",
        "dae": '<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">'
        '<library_geometries><geometry id="g"><mesh><source id="s"><float_array id="a" count="15">'
        + " ".join(rows)
        + '</float_array><technique_common><accessor source="#a" count="5" stride="3"/>'
        '</technique_common></source><vertices id="v"><input semantic="POSITION" source="#s"/>'
        '</vertices><polylist count="2"><input semantic="VERTEX" source="#v" offset="0"/>'
        "<vcount>5 3</vcount><p>0 1 2 3 4 0 1 2</p></polylist></mesh></geometry>"
        '</library_geometries><library_visual_scenes><visual_scene id="w"><node>'
        '<instance_geometry url="#g"/></node></visual_scene></library_visual_scenes><scene>'
        '<instance_visual_scene url="#w"/></scene></COLLADA>',
    }[suffix]
    (tmp_path / f"m.{suffix}").write_text(text)
    with pytest.warns(UserWarning, match="outlines of 1 polygon that cross themselves"):
        mesh = dd.load_mesh(tmp_path / f"m.{suffix}")
    assert len(mesh.faces) == 4


def test_polygons_that_take_too_long_are_told():
    rng = np.random.default_rng(13)
    work, told = PolygonWork(steps=1_000_000), []
    points = rng.uniform(size=(20 * 300, 3)) * [1, 1, 0]
    counts = np.full(20, 300)
    triangles, _ = triangulated(points, np.arange(len(points)), counts, work)
    for i in range(20):
        assert has_outline(triangles[i * 298 : (i + 1) * 298] - i * 300, 300)
    work.tell(told.append)
    assert told == ["exact shape of the outlines of 20 polygons that take too long: fans"]


@pytest.mark.slow
def test_small_files_take_bounded_time():
    rng = np.random.default_rng(14)
    few = rng.integers(0, 1000, (10, 3)) * [1, 1, 0]
    many = rng.uniform(size=(4900, 3)) * [1, 1, 0]
    lattice = np.c_[np.arange(1900) % 97, np.arange(1900) * 31 % 89, np.zeros(1900)]
    tangle = rng.integers(0, 10, 100_000)
    tangle[1::7] = tangle[::7][: len(tangle[1::7])]
    pentagons = rng.integers(0, 4900, 5 * 200_000)
    for vertices, corners, size in (
        (few, tangle, 100_000),
        (many, np.concatenate([rng.permutation(4900) for _ in range(100)]), 4900),
        (lattice, np.concatenate([np.roll(np.arange(1900), k) for k in range(300)]), 1900),
        (many, pentagons, 5),
    ):
        start = time.perf_counter()
        work, told = PolygonWork(), []
        counts = np.full(len(corners) // size, size)
        triangles, _ = triangulated(vertices, corners, counts, work)
        work.tell(told.append)
        assert time.perf_counter() - start < 30  # 15, and twice that on a busy machine
        assert told
        assert len(triangles) == len(counts) * (size - 2)


@pytest.mark.slow
def test_large_outlines_take_bounded_time():
    rng = np.random.default_rng(8)
    angles = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    radii = rng.uniform(0.5, 1.0, len(angles))
    star = np.c_[radii * np.cos(angles), radii * np.sin(angles)]
    tangle = rng.uniform(size=(100_000, 2))
    start = time.process_time()
    for points in (star, tangle, np.tile(star[:1], (100_000, 1))):
        vertices = np.c_[points, np.zeros(len(points))]
        triangles, _ = triangulated(vertices, np.arange(len(points)), np.array([len(points)]))
        a, b, c = points[triangles].transpose(1, 0, 2)
        area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
        x, y = points.T
        shoelace = (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
        assert area.sum() == pytest.approx(shoelace, rel=1e-6, abs=1e-6)
        if points is star:
            assert (area > 0).all()
    assert time.process_time() - start < 15
