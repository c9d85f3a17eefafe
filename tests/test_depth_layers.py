"""DepthLayers: derived quantities against arithmetic, closed forms and volumes; memory; views."""

from __future__ import annotations

import pickle
import tracemalloc
from itertools import pairwise

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meshes import good
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from shapes import (
    box,
    grid_step,
    inside_out,
    merged,
    peel,
    pixel_rays,
    random_camera,
    random_closed_mesh,
    rotation,
    sphere,
    sphere_sagitta,
    view_of,
)

import ddepth_gl as dd

# The largest relative error of a depth: the contract of every crossing.
RELATIVE = 2e-6


def by_hand(pixels: list[list[tuple[float, bool]]], width: int = 1) -> dd.DepthLayers:
    """Return layers from lists of (depth, is_front), one per pixel; distance is depth."""
    height = len(pixels) // width
    camera = dd.Camera.orthographic((1.0, 1.0), np.eye(4), width, height)
    crossings = [crossing for pixel in pixels for crossing in pixel]
    return dd.DepthLayers(
        offsets=np.cumsum([0, *map(len, pixels)]),
        depth=np.array([depth for depth, _ in crossings], np.float32),
        face=np.arange(len(crossings)),
        front_facing=np.array([front for _, front in crossings], bool),
        truncated=np.zeros((height, width), bool),
        camera=camera,
    )


# By arithmetic


def test_more_fronts_than_backs_tell_nothing():
    for facing in ("F", "FFB", "FBF"):
        layers = by_hand(
            [[(k + 1.0, side == "F") for k, side in enumerate(facing)], [(1.0, False)]]
        )
        assert layers.intervals(0, 0) == []
        assert np.isnan(layers.solid_length[0, 0])
        inside, at_start = layers.nesting
        assert np.isnan(inside[: len(facing)]).all()
        assert np.isnan(at_start[0])
        assert (inside[-1], at_start[1], layers.solid_length[1, 0]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("facing", "pieces"),
    [
        ("", []),
        ("FB", [(1, 2)]),
        ("FBFB", [(1, 2), (3, 4)]),  # two bodies, or one with a cavity
        ("FFBB", [(1, 4)]),  # overlapping or nested bodies count once
        ("FFBFBB", [(1, 6)]),
        ("FBFFBB", [(1, 2), (3, 6)]),
        ("B", [(0, 1)]),  # the ray starts inside the solid
        ("BB", [(0, 2)]),
        ("BFB", [(0, 1), (2, 3)]),
        ("FBB", [(0, 3)]),
        ("BF", []),  # a body wound inward encloses nothing
        ("BFFB", [(3, 4)]),
    ],
)
def test_intervals_and_length_follow_from_facing_and_nesting(facing, pieces):
    layers = by_hand(
        [[(k + 1.0, side == "F") for k, side in enumerate(facing)], [(1.0, True), (7.0, False)]]
    )
    assert layers.intervals(0, 0) == pieces
    assert layers.intervals(1, 0) == [(1, 7)]
    # Exact, since the depths are integers.
    assert layers.solid_length.tolist() == [[sum(b - a for a, b in pieces)], [6]]
    assert layers.solid_length.dtype == np.float32
    pixels, ends = layers.solid_pieces
    assert pixels.tolist() == [0] * len(pieces) + [1]
    assert ends.tolist() == [[*piece] for piece in [*pieces, (1, 7)]]
    assert (pixels.dtype, ends.dtype) == (np.int64, np.float32)


@settings(max_examples=100)
@given(
    bodies=st.lists(
        st.lists(st.tuples(st.integers(-20, 60), st.integers(1, 40)), max_size=6),
        min_size=1,
        max_size=6,
    )
)
def test_length_is_that_of_the_union(bodies):
    """Bodies are integer intervals and rays start at 0: unit cells count the union exactly."""
    pixels, expected = [], []
    for intervals in bodies:
        ends = [(start, True) for start, _ in intervals] + [
            (start + n, False) for start, n in intervals
        ]
        pixels.append([(float(depth), front) for depth, front in sorted(ends) if depth > 0])
        cells = {cell for start, n in intervals for cell in range(max(start, 0), max(start + n, 0))}
        expected.append(len(cells))
    layers = by_hand(pixels)
    assert layers.solid_length.ravel().tolist() == expected
    for row, length in enumerate(expected):
        assert sum(b - a for a, b in layers.intervals(row, 0)) == length


# By closed forms


def chords(rays, center, radius) -> tuple[np.ndarray, np.ndarray]:
    """Return distances (H, W) where rays enter and leave a ball, at least 0; equal at misses."""
    origins, directions, _ = rays
    toward = np.asarray(center, float) - origins
    middle = (toward * directions).sum(-1)
    half_squared = radius**2 - ((toward * toward).sum(-1) - middle**2)
    half = np.sqrt(half_squared.clip(0))
    return (middle - half).clip(0), (middle + half).clip(0)


def union_length(one, other) -> np.ndarray:
    """Return the length of the union of two intervals."""
    overlap = (np.minimum(one[1], other[1]) - np.maximum(one[0], other[0])).clip(0)
    return one[1] - one[0] + other[1] - other[0] - overlap


CAMERAS = [
    dd.Camera.look_at((3.5, 1.0, 2.0), (0.1, 0, 0), fov_y_deg=50.0, width=90, height=70),
    dd.Camera.orthographic(
        (3.2, 2.6),
        dd.Camera.look_at((3, -2, 1), (0, 0, 0), width=8, height=8).camera_from_world,
        90,
        70,
    ),
]
INSIDE = dd.Camera.look_at((0.2, 0.1, -0.3), (1, 0.2, 0), fov_y_deg=100.0, width=60, height=50)


def check_length(renderer, mesh, camera, low, high, crossings=4) -> None:
    """Check `low` <= solid length <= `high` where the coverage is certain.

    Each crossing is off by at most RELATIVE of the farthest distance. The grid of the vertices
    (1e-9 here) and the steepness at the silhouette contribute far less.
    """
    layers = peel(renderer, mesh, camera)
    stable = oracle.all_crossings(mesh.vertices, mesh.faces, view_of(camera)).stable
    assert stable.mean() > 0.5
    assert layers.count.max() <= crossings
    length = layers.solid_length.astype(np.float64)
    slack = crossings * RELATIVE * layers.distance.max()
    assert (length >= low - slack)[stable].all()
    assert (length <= high + slack)[stable].all()
    assert (length > 0).sum() > 500
    assert not layers.odd.any() or camera is INSIDE


# The faces, and so the solid, lie between the true sphere and one smaller by the sagitta.
@pytest.mark.parametrize(
    "camera", [*CAMERAS, INSIDE], ids=["perspective", "orthographic", "inside"]
)
class TestSpheres:
    S = sphere_sagitta(1.0, 48, 96)

    def test_one(self, renderer, camera):
        rays = pixel_rays(camera)
        low, high = (np.subtract(*chords(rays, (0, 0, 0), r)[::-1]) for r in (1 - self.S, 1.0))
        check_length(renderer, sphere(), camera, low, high, 2)

    def test_two_that_overlap_count_once(self, renderer, camera):
        rays = pixel_rays(camera)
        center = np.array([0.5, 0.3, -0.2])
        low, high = (
            union_length(chords(rays, (0, 0, 0), 1 - s), chords(rays, center, 0.8 * (1 - s)))
            for s in (self.S, 0.0)
        )
        check_length(renderer, merged(sphere(), sphere(0.8, center=center)), camera, low, high)

    def test_two_apart_add_up(self, renderer, camera):
        rays = pixel_rays(camera)
        center = np.array([0.2, -1.2, 0.3])
        low, high = (
            union_length(
                chords(rays, (0, 0, 0), 0.6 * (1 - s)), chords(rays, center, 0.5 * (1 - s))
            )
            for s in (self.S, 0.0)
        )
        check_length(renderer, merged(sphere(0.6), sphere(0.5, center=center)), camera, low, high)

    def test_a_nested_body_counts_once(self, renderer, camera):
        rays = pixel_rays(camera)
        low, high = (np.subtract(*chords(rays, (0, 0, 0), r)[::-1]) for r in (1 - self.S, 1.0))
        mesh = merged(sphere(0.3, center=(0.5, 0, 0)), sphere())
        check_length(renderer, mesh, camera, low, high)

    def test_a_cavity_does_not_count(self, renderer, camera):
        """The camera inside is in the cavity."""
        rays = pixel_rays(camera)
        solid = {r: np.subtract(*chords(rays, (0, 0, 0), r)[::-1]) for r in (1 - self.S, 1.0)}
        hollow = {
            r: np.subtract(*chords(rays, (0, 0, 0), r)[::-1]) for r in (0.6 * (1 - self.S), 0.6)
        }
        (low, high), (small, large) = solid.values(), hollow.values()
        check_length(
            renderer, merged(sphere(), inside_out(sphere(0.6))), camera, low - large, high - small
        )


@pytest.mark.parametrize("camera", CAMERAS, ids=["perspective", "orthographic"])
@pytest.mark.parametrize("seed", range(3))
def test_a_rotated_box(renderer, seed, camera):
    turn = rotation(np.random.default_rng(seed))
    half = np.array([0.9, 0.6, 0.4])
    straight = box(-half, half)
    mesh = dd.Mesh(straight.vertices @ turn.T, straight.faces)
    origins, directions, _ = pixel_rays(camera)
    with np.errstate(divide="ignore"):
        planes = (np.array([[-half], [half]])[:, None] - origins @ turn) / (directions @ turn)
    length = (
        (planes.max(0).min(-1) - planes.min(0).max(-1)).clip(0).reshape(camera.height, camera.width)
    )
    check_length(renderer, mesh, camera, length, length, 2)


def test_intervals_are_depths_not_distances(renderer):
    """A wide view of the slab 2 < z < 3: at the corner pixel the length exceeds the depths' 1."""
    camera = dd.Camera.from_intrinsics([[10.0, 0, 15], [0, 10.0, 10], [0, 0, 1]], np.eye(4), 30, 20)
    layers = peel(renderer, box((-50, -50, 2), (50, 50, 3)), camera)
    ((entry, exit_),) = layers.intervals(0, 0)
    assert (entry, exit_) == pytest.approx((2, 3), rel=RELATIVE)
    # The ray through (0.5, 0.5): x = -1.45 z, y = -0.95 z.
    stretch = np.sqrt(1.45**2 + 0.95**2 + 1)
    # The ends, at distances of 2 and 3 times the stretch, are each off by RELATIVE of themselves.
    assert layers.solid_length[0, 0] == pytest.approx(stretch, rel=(2 + 3) * RELATIVE)
    np.testing.assert_allclose(layers.distance[:2], [2 * stretch, 3 * stretch], rtol=RELATIVE)


# By volume


def volume_of(renderer, mesh, seed, size) -> float:
    """Return the sum of the lengths times a pixel's area, from a random direction."""
    diagonal = np.linalg.norm(np.ptp(mesh.bounds, axis=0))
    pose = np.eye(4)
    pose[:3, :3] = rotation(np.random.default_rng(seed))
    pose[:3, 3] = -pose[:3, :3] @ mesh.bounds.mean(axis=0) + (0, 0, diagonal)
    camera = dd.Camera.orthographic((1.02 * diagonal,) * 2, pose, size, size)
    length = peel(renderer, mesh, camera).solid_length
    return length.sum(dtype=np.float64) * (1.02 * diagonal / size) ** 2


def volume_of_sphere(radius: float, rings: int = 48, sides: int = 96) -> float:
    """Return the volume of the faceted `sphere`: a pile of frustums over regular polygons."""
    polar = np.pi * np.arange(rings + 1) / rings
    height = -np.diff(radius * np.cos(polar))
    area = sides / 2 * np.sin(2 * np.pi / sides) * (radius * np.sin(polar)) ** 2
    return float((height / 3 * (area[:-1] + area[1:] + np.sqrt(area[:-1] * area[1:]))).sum())


HOLLOW = merged(sphere(), inside_out(sphere(0.7)))
SPHERES = {
    "sphere": (sphere(), volume_of_sphere(1)),
    "cavity": (HOLLOW, volume_of_sphere(1) - volume_of_sphere(0.7)),
    "nested": (merged(sphere(), sphere(0.7)), volume_of_sphere(1)),
    "body in a cavity": (
        merged(HOLLOW, sphere(0.5)),
        volume_of_sphere(1) - volume_of_sphere(0.7) + volume_of_sphere(0.5),
    ),
    "apart": (
        merged(sphere(), sphere(0.6, center=(1.8, 0, 0))),
        volume_of_sphere(1) + volume_of_sphere(0.6),
    ),
}


@pytest.mark.parametrize("name", SPHERES)
def test_volume_of_spheres(renderer, name):
    """The error is below a thousandth of the volume.

    The unit sphere has a radius of at least 55 pixels. Its silhouette is a ring of 350 pixels. The
    chords there, up to 2 sqrt(2 * 55) = 21 pixels, are hit at random with a deviation of 6. In sum
    that is 6 sqrt(350) = 110 of 4/3 pi 55**3, or 0.016 %. The smaller spheres have shorter
    silhouettes. The smallest volume is 0.66 of the sphere's: 2 * 0.016 / 0.66 = 0.05 %. A
    thousandth is several times that.
    """
    mesh, volume = SPHERES[name]
    assert volume_of(renderer, mesh, 0, 300) == pytest.approx(volume, rel=1e-3)


def edges_through_faces(vertices: np.ndarray, faces: np.ndarray) -> int:
    """Return how many edges pass through the interior of a face that they share no corner with.

    0 if the surface does not intersect itself. Where two faces intersect, an edge of one passes
    through the other. It may also pass through an edge of the other, but that is as unlikely as an
    edge through a corner.
    """
    edges = np.unique(np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    middle, center = vertices[edges].mean(axis=1), vertices[faces].mean(axis=1)
    reach = np.linalg.norm(vertices[edges[:, 0]] - middle, axis=1)
    size = np.linalg.norm(vertices[faces] - center[:, None], axis=2).max(axis=1)
    near = cKDTree(center).query_ball_point(middle, reach + size.max())
    edge = np.repeat(np.arange(len(edges)), [len(found) for found in near])
    face = np.concatenate(near).astype(np.int64)
    close = np.linalg.norm(middle[edge] - center[face], axis=1) <= reach[edge] + size[face]
    edge, face = edge[close], face[close]
    apart = (faces[face][:, :, None] != edges[edge][:, None, :]).all(axis=(1, 2))
    p, q = (vertices[edges[edge[apart], k]] for k in range(2))
    corners = [vertices[faces[face[apart], k]] for k in range(3)]

    def volume(o, x, y, z):
        return np.einsum("ij,ij->i", x - o, np.cross(y - o, z - o))

    through_plane = volume(*corners, p) * volume(*corners, q) < 0
    sides = np.array([volume(p, q, corners[k], corners[(k + 1) % 3]) for k in range(3)])
    return int((through_plane & ((sides > 0).all(axis=0) | (sides < 0).all(axis=0))).sum())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rocker-arm.obj", "homer.obj"])
def test_meshes_of_one_body_without_self_intersections(name):
    """So no point is inside it twice, and `Mesh.volume`, by divergence, is the solid's volume."""
    mesh = dd.load_mesh(good(name))
    assert mesh.is_oriented
    vertices, index = np.unique(mesh.vertices, axis=0, return_inverse=True)
    faces = index.reshape(-1)[mesh.faces]
    links = (np.concatenate([faces[:, 0], faces[:, 1]]), np.concatenate([faces[:, 1], faces[:, 2]]))
    bodies, _ = connected_components(
        coo_matrix((np.ones(len(links[0])), links), (len(vertices),) * 2)
    )
    assert bodies == 1
    assert edges_through_faces(vertices, faces) == 0
    # An intersection is found: a second copy of some faces, moved by a fiftieth of an edge.
    moved = (
        vertices
        + 0.02 * np.linalg.norm(vertices[faces[:, 0]] - vertices[faces[:, 1]], axis=1).mean()
    )
    both = np.concatenate([vertices, moved]), np.concatenate([faces, faces[:200] + len(vertices)])
    assert edges_through_faces(*both) > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rocker-arm.obj", "homer.obj", "cavity"])
def test_volume_converges(renderer, name):
    """The project promises a tenth of a percent at 1024x1024.

    Away from silhouettes, a pixel's center represents its square to second order. At silhouettes
    of smooth bodies chords fall like a square root, so the sum converges with order 3/2. So eight
    times the pixels per side reduce the error at least eightfold, unless there is a bias.
    """
    if name in SPHERES:
        mesh, volume = SPHERES[name]
    else:
        mesh = dd.load_mesh(good(name))
        volume = mesh.volume
    off = {
        size: [abs(volume_of(renderer, mesh, seed, size) / volume - 1) for seed in range(3)]
        for size in (128, 1024)
    }
    assert max(off[1024]) <= 1e-3
    assert np.mean(off[1024]) <= np.mean(off[128]) / 8


# Memory


def test_derived_quantities_take_little_memory():
    """At most so many bytes per crossing, results included; and nothing is cached."""
    size, most = 256, 20
    layers = dd.DepthLayers(
        offsets=np.arange(size * size + 1) * most,
        depth=np.tile(np.arange(1, most + 1, dtype=np.float32), size * size),
        face=np.zeros(size * size * most, np.int64),
        front_facing=np.tile(np.array([True, False]), size * size * most // 2),
        truncated=np.zeros((size, size), bool),
        camera=dd.Camera.orthographic(2.0, np.eye(4), size, size),
    )
    for job, allowed in (
        (lambda: layers.dense("depth"), 8),
        (lambda: layers.dense_many(("depth", "face", "front_facing")), 17),
        (lambda: layers.points(), 24),
        (lambda: layers.nesting, 20),
        (lambda: layers.entry_exit(), 24),
        (lambda: layers.solid_length, 36),
        (lambda: layers.intervals(7, 9), 0.5),
    ):
        tracemalloc.start()
        job()
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < allowed * len(layers.depth)
        assert kept < 0.5 * len(layers.depth)


# Views of the same crossings


@pytest.fixture
def some(renderer):
    """A mesh of several bodies, a camera and the layers."""
    rng = np.random.default_rng(31)
    mesh = random_closed_mesh(rng, bodies=4)
    camera = random_camera(rng, mesh, False)
    return mesh, camera, peel(renderer, mesh, camera)


def test_count_offsets_pixel_and_layer_agree(some):
    _, camera, layers = some
    assert layers.count.shape == layers.odd.shape == (camera.height, camera.width)
    assert layers.count.dtype == np.int32
    assert layers.count.max() >= 4
    assert not layers.odd.any()
    for index in np.random.default_rng(0).integers(0, layers.count.size, 200):
        first, last = layers.offsets[index], layers.offsets[index + 1]
        assert layers.count.flat[index] == last - first
        assert (layers.pixel[first:last] == index).all()
        assert layers.layer[first:last].tolist() == list(range(last - first))


@pytest.mark.parametrize(
    ("name", "dtype", "missing"),
    [
        ("depth", np.float32, np.nan),
        ("distance", np.float32, np.nan),
        ("face", np.int64, -1),
        ("front_facing", np.bool_, False),
    ],
)
def test_dense(some, name, dtype, missing):
    _, camera, layers = some
    whole = layers.dense(name)
    assert whole.shape == (layers.count.max(), camera.height, camera.width)
    assert whole.dtype == dtype
    assert whole.flags.c_contiguous
    values = getattr(layers, name)
    np.testing.assert_array_equal(whole.reshape(len(whole), -1)[layers.layer, layers.pixel], values)
    beyond = np.arange(len(whole))[:, None, None] >= layers.count
    np.testing.assert_array_equal(whole[beyond], np.full(beyond.sum(), missing, dtype))
    for height in (0, 1, 3, len(whole), np.int64(len(whole) + 2)):
        stack = layers.dense(name, max_layers=height)
        assert stack.shape == (height, *whole.shape[1:])
        np.testing.assert_array_equal(stack[: len(whole)], whole[:height])
        np.testing.assert_array_equal(
            stack[len(whole) :], np.full_like(stack[len(whole) :], missing)
        )


@pytest.mark.parametrize("block", [1, 5, 1 << 15])
@pytest.mark.parametrize("max_layers", [None, 0, 1, 3, 20])
def test_dense_many_puts_every_value_in_its_place(monkeypatch, block, max_layers):
    """Against a loop over all crossings; empty pixels, a pixel larger than a block, rows of 3."""
    monkeypatch.setattr("ddepth_gl.results.crossing_rows.BLOCK_SIZE", block)
    rng = np.random.default_rng(7)
    count = np.array([0, 3, 1, 0, 0, 7, 2, 2, 0, 1, 4, 0])
    offsets = np.cumsum([0, *count])
    size = int(offsets[-1])
    values = {
        "depth": np.sort(rng.random(size)).astype(np.float32),
        "face": rng.integers(0, 99, size),
        "front_facing": rng.random(size) < 0.5,
        "normal": rng.random((2 * size, 3)).astype(np.float32)[::2],  # not contiguous
        "uv": rng.random((size, 2)).astype(np.float32),
        "object_id": rng.integers(0, 9, size).astype(np.int32),
    }
    layers = dd.DepthLayers(
        offsets=offsets,
        **{name: values[name] for name in ("depth", "face", "front_facing")},
        truncated=np.zeros((3, 4), bool),
        camera=dd.Camera.orthographic(2.0, np.eye(4), 4, 3),
        attributes={name: values[name] for name in ("normal", "uv", "object_id")},
    )
    stacks = layers.dense_many(iter(values), max_layers)
    assert list(stacks) == list(values)
    depth = 7 if max_layers is None else max_layers
    for name, each in values.items():
        fill = {"f": np.nan, "i": -1, "b": False}[each.dtype.kind]
        expected = np.full((depth, 3, 4, *each.shape[1:]), fill, each.dtype)
        for pixel in range(12):
            for layer in range(min(count[pixel], depth)):
                expected[layer, pixel // 4, pixel % 4] = each[offsets[pixel] + layer]
        np.testing.assert_array_equal(stacks[name], expected, strict=True)
        assert stacks[name].flags.c_contiguous
        assert stacks[name].flags.owndata or stacks[name].base.flags.owndata
        np.testing.assert_array_equal(layers.dense(name, max_layers), expected, strict=True)
        once_more = np.full_like(expected, 7)
        assert layers.dense(name, max_layers, out=once_more) is once_more
        np.testing.assert_array_equal(once_more, expected)
    again = layers.dense_many(values, max_layers, out={**stacks, "uv": stacks["uv"].copy()})
    for name in values:
        assert (again[name] is stacks[name]) == (name != "uv")
    assert layers.dense_many("depth").keys() == {"depth"}
    assert layers.dense_many(()) == {}


def test_stacks_that_are_overwritten_must_fit(some):
    layers = some[2]
    right = layers.dense("depth", 3)
    fixed = right.copy()
    fixed.flags.writeable = False
    wide = np.full((*right.shape[:2], 2 * right.shape[2]), np.nan, np.float32)
    for wrong, what in (
        (right[:2], r"float32 of shape \(2, "),
        (right.astype(np.float64), r"float64 of shape \(3, "),
        (right.tolist(), "list$"),
        (fixed, "a read-only one$"),
        (wide[..., ::2], "one with gaps"),
        (3, "int$"),
    ):
        words = rf"out for depth must be a .* float32 of shape \(3, .*\), not {what}"
        with pytest.raises(dd.RequestError, match=words) as caught:
            layers.dense("depth", 3, out=wrong)
        assert "nan" not in str(caught.value)
    with pytest.raises(dd.RequestError, match="out must be a dict"):
        layers.dense_many(("depth",), 3, out=right)
    # Nothing is overwritten unless all fit; merging is for arrays of any kind.
    before = right.copy()
    with pytest.raises(dd.RequestError, match="out for face"):
        layers.dense_many(("depth", "face"), 3, out={"depth": right, "face": right})
    np.testing.assert_array_equal(right, before)
    merged = layers.dense("depth", 3, min_gap=0.5, out=right)
    assert merged is right
    np.testing.assert_array_equal(merged, layers.merged(0.5).dense("depth", 3))


@pytest.mark.parametrize("min_gap", [0.0, 0.5])
def test_stacks_that_are_overwritten_must_not_share_memory(min_gap):
    depth = np.arange(1, 9, dtype=np.float32)
    normal = np.ones((8, 3), np.float32)
    layers = dd.DepthLayers(
        np.arange(9), depth, np.zeros(8, int), np.zeros(8, bool), np.zeros((2, 4), bool),
        dd.Camera.orthographic(2.0, np.eye(4), 4, 2), {"normal": normal, "smooth_normal": normal},
    )  # fmt: skip
    for name, own in (("depth", layers.depth.reshape(1, 2, 4)),
                      ("depth", layers.normal.reshape(-1)[4:12].reshape(1, 2, 4)),
                      ("normal", layers.smooth_normal.reshape(1, 2, 4, 3)),
                      ("front_facing", layers.truncated.reshape(1, 2, 4))):  # fmt: skip
        before = own.copy()
        own.flags.writeable = True
        with pytest.raises(dd.RequestError, match=f"^out for {name} shares memory with the layers"):
            layers.dense(name, 1, min_gap=min_gap, out=own)
        np.testing.assert_array_equal(own, before)
    memory = np.full(40, 7, np.float32)
    normals, depths = memory[:24].reshape(1, 2, 4, 3), memory[20:28].reshape(1, 2, 4)
    for out in (
        {"normal": normals, "smooth_normal": normals}, {"depth": depths, "normal": normals}
    ):  # fmt: skip
        with pytest.raises(
            dd.RequestError, match=r"^out for .* shares memory with out for "
        ) as one:
            layers.dense_many(out, 1, min_gap=min_gap, out=out)
        assert "\n" not in str(one.value)
        assert (memory == 7).all()
    # Side by side is fine, and so is an array that is not asked for.
    depths = memory[24:32].reshape(1, 2, 4)
    out = {"normal": normals, "depth": depths, "distance": depths}
    stacks = layers.dense_many(("depth", "normal"), 1, min_gap=min_gap, out=out)
    np.testing.assert_array_equal(stacks["depth"].ravel(), np.arange(1, 9))
    assert (stacks["normal"] == 1).all()


def test_distance_is_along_the_ray(some):
    _, camera, layers = some
    _, _, depth_per_distance = pixel_rays(camera)
    expected = layers.depth / depth_per_distance.ravel()[layers.pixel]
    # Rounded to float32 once: half an ulp, 2**-24; the rest is float64.
    np.testing.assert_allclose(layers.distance.astype(np.float64), expected, rtol=1.01 * 2.0**-24)
    assert layers.distance.dtype == np.float32


@pytest.mark.parametrize("frame", ["world", "camera"])
def test_points_of_each_layer_lie_on_the_surface(some, frame):
    mesh, camera, layers = some
    clouds = layers.points(frame, dtype=np.float64)
    assert [len(cloud) for cloud in clouds] == np.bincount(layers.layer).tolist()
    for k, cloud in enumerate(clouds):
        here = layers.layer == k
        pixels, depth = camera.project(cloud, frame)
        # In row-major order, at pixel centers, at the depths; in float64 throughout.
        rows, columns = np.divmod(layers.pixel[here], camera.width)
        np.testing.assert_allclose(pixels, np.stack([columns, rows], 1) + 0.5, atol=1e-9)
        np.testing.assert_allclose(depth, layers.depth[here], rtol=1e-12)
        if frame == "world":
            corner = mesh.vertices[mesh.faces[layers.face[here], 0]]
            off = np.abs(((cloud - corner) * mesh.face_normals()[layers.face[here]]).sum(1))
            # Errors add up: of the distance, and of the vertices' grid. Where a face covers a pixel
            # center up to 1/128 pixel outside it, its depth is clamped to the face's depths, which
            # is off the plane by as much.
            footprint = camera.pixel_footprint(layers.depth[here].astype(np.float64))
            stretch = layers.distance[here] / layers.depth[here]
            allowed = (
                RELATIVE * layers.distance[here]
                + grid_step(mesh)
                + footprint * stretch * 2**0.5 / 128
            )
            assert (off <= allowed).all()
            assert np.mean(off <= RELATIVE * layers.distance[here] + grid_step(mesh)) > 0.999
    assert all(cloud.dtype == np.float32 for cloud in layers.points())


def test_rows_are_those_of_the_whole(some):
    _, camera, layers = some
    height = camera.height
    cuts = [0, 1, height // 3, height // 2, height]
    parts = [layers.rows(a, b) for a, b in pairwise(cuts)]
    for name in ("depth", "face", "front_facing", "distance"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(part, name) for part in parts]), getattr(layers, name)
        )
    for name in ("count", "truncated", "odd", "solid_length"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(part, name) for part in parts]), getattr(layers, name)
        )
    assert all(part.offsets[0] == 0 for part in parts)
    # The points stay in place in the world: only the principal point moves, by whole rows.
    together = np.concatenate(
        [part.points(dtype=np.float64)[0] for part in parts if len(part.depth)]
    )
    np.testing.assert_allclose(together, layers.points(dtype=np.float64)[0], atol=1e-12)


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_rows_are_what_their_camera_sees(renderer, orthographic):
    rng = np.random.default_rng([37, orthographic])
    mesh = random_closed_mesh(rng, bodies=3)
    camera = random_camera(rng, mesh, orthographic)
    whole = peel(renderer, mesh, camera)
    middle = int(np.median(whole.pixel)) // camera.width
    part = whole.rows(middle - 10, middle + 13)
    assert part.camera.height == 23
    direct = peel(renderer, mesh, part.camera)
    # Vertices are snapped to the grid of another image: equal only where the coverage is certain.
    stable = oracle.all_crossings(mesh.vertices, mesh.faces, view_of(part.camera)).stable
    np.testing.assert_array_equal(part.count[stable], direct.count[stable])
    kept, kept_direct = (stable.ravel()[layers.pixel] for layers in (part, direct))
    assert kept.sum() > 500
    np.testing.assert_array_equal(part.face[kept], direct.face[kept_direct])
    np.testing.assert_array_equal(part.front_facing[kept], direct.front_facing[kept_direct])
    # The same plane in double precision, rounded to float32 at most three times in each image.
    np.testing.assert_allclose(part.depth[kept], direct.depth[kept_direct], rtol=6 * 2.0**-23)


def test_odd_where_a_mesh_is_open(renderer):
    """A box without its lid, from above: one crossing inside the rim, none outside."""
    open_box = dd.Mesh(
        box().vertices, [face for face in box().faces if (box().vertices[face][:, 2] < 1).any()]
    )
    assert not open_box.is_closed
    camera = dd.Camera.orthographic(
        (4, 4),
        dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), width=8, height=8).camera_from_world,
        20,
        20,
    )
    layers = peel(renderer, open_box, camera)
    # The box fills the middle half of the image: rows and columns 5 to 14.
    expected = np.zeros((20, 20), bool)
    expected[5:15, 5:15] = True
    np.testing.assert_array_equal(layers.odd, expected)
    np.testing.assert_array_equal(layers.count, expected)


def test_the_repr_is_one_line(renderer):
    layers = peel(renderer, box(), CAMERAS[0], attributes=("normal", "uv"))
    assert (
        repr(layers)
        == f"<DepthLayers 90x70, {len(layers.depth):,} crossings, at most 2 a pixel, normal, uv>"
    )
    assert repr(by_hand([[]])) == "<DepthLayers 1x1, 0 crossings, at most 0 a pixel>"
    maps = layers.entry_exit()
    assert repr(maps) == "<DepthMaps 90x70, face, normal, uv>"


def test_is_oriented_is_the_meshs(renderer):
    assert peel(renderer, box(), CAMERAS[0]).rows(30, 40).is_oriented
    assert not peel(renderer, inside_out(box()), CAMERAS[0]).is_oriented
    unknown = by_hand([[(1.0, True), (2.0, False)]])
    assert not unknown.is_oriented
    assert not pickle.loads(pickle.dumps(unknown)).is_oriented


# Empty images and bad arguments


def test_a_mesh_out_of_view(renderer):
    away = dd.Camera.look_at((0, 0, 5), (0, 0, 9), (0, 1, 0), width=6, height=4)
    layers = peel(renderer, box(), away)
    assert len(layers.depth) == 0
    assert layers.count.tolist() == [[0] * 6] * 4
    for name in ("odd", "truncated", "solid_length"):
        assert not getattr(layers, name).any()
    assert layers.solid_length.shape == (4, 6)
    for name in ("depth", "distance", "face", "front_facing"):
        assert layers.dense(name).shape == (0, 4, 6)
        assert layers.dense(name, max_layers=2).shape == (2, 4, 6)
    assert layers.points() == []
    assert layers.intervals(3, 5) == []
    assert len(layers.distance) == len(layers.pixel) == len(layers.layer) == 0
    for surfaces in ("oriented", "any"):
        maps = layers.entry_exit(surfaces)
        assert np.isnan(maps.entry).all()
        assert (maps.exit_face == -1).all()
    assert layers.rows(1, 3).count.shape == (2, 6)


@pytest.mark.parametrize(
    ("start", "stop"), [(-1, 2), (2, 2), (3, 2), (0, 5), (4, 5), (0.0, 2), (0, True)]
)
def test_rows_out_of_range(start, stop):
    layers = by_hand([[(1.0, True), (2.0, False)]] * 4)
    with pytest.raises(dd.RequestError, match=r"rows must.*4"):
        layers.rows(start, stop)


@pytest.mark.parametrize(("row", "column"), [(-1, 0), (4, 0), (0, -1), (0, 1), (0.5, 0)])
def test_no_such_pixel(row, column):
    layers = by_hand([[(1.0, True), (2.0, False)]] * 4)
    with pytest.raises(dd.RequestError, match="no pixel"):
        layers.intervals(row, column)


def test_bad_arguments():
    layers = by_hand([[(1.0, True), (2.0, False)]])
    for name in ("normals", "offsets", "", None, ["depth"], {}):
        with pytest.raises(dd.RequestError, match="dense takes depth"):
            layers.dense(name)
    for names in (("depth", "normals"), "normals", None, 3, [["depth"]], {"": 1}):
        with pytest.raises(dd.RequestError, match="dense takes depth"):
            layers.dense_many(names)
    with pytest.raises(dd.NotAskedForError, match="normal"):
        layers.dense_many(("depth", "normal"))
    for bad in (-1, 1.5, True, "2"):
        with pytest.raises(dd.RequestError, match="max_layers"):
            layers.dense("depth", max_layers=bad)
    with pytest.raises(dd.RequestError, match="surfaces"):
        layers.entry_exit("both")
    with pytest.raises(dd.CameraError):
        layers.points("image")


def test_the_solid_needs_all_crossings(renderer):
    """A ball's back faces alone would look like a camera inside it."""
    camera = CAMERAS[0]
    for arguments, match in (
        ({"max_layers": 1}, "max_layers"),
        ({"near": 4.0}, "near"),
        ({"far": 4.0}, "far"),
    ):
        layers = peel(renderer, sphere(), camera, **arguments)
        with pytest.raises(dd.RequestError, match=match):
            layers.solid_length  # noqa: B018
        for pixel in ((35, 45), (0, 0)):  # also where none was cut off
            with pytest.raises(dd.RequestError, match=match):
                layers.intervals(*pixel)
    # Limits that cut nothing off change nothing.
    whole = peel(renderer, sphere(), camera)
    kept = peel(renderer, sphere(), camera, near=0.1, far=100.0, max_layers=2)
    np.testing.assert_array_equal(kept.solid_length, whole.solid_length)


def test_rows_and_pixels_may_be_small_numpy_integers():
    layers = by_hand([[(1.0, True), (2.0, False)]] * 900, width=30)
    np.testing.assert_array_equal(
        layers.rows(np.uint8(20), np.uint8(25)).offsets, layers.rows(20, 25).offsets
    )
    assert layers.intervals(np.uint8(20), np.uint8(7)) == [(1.0, 2.0)]
