"""Attributes of crossings: against the float64 oracle, closed forms, each other, and bit for bit.

How far an attribute may be off
-------------------------------
The contract is 1e-5 on faces whose image is nowhere thinner than MIN_ALTITUDE, and 0.01 degree for normals.
What follows from it, and from float32 as the type of the results:

* barycentric: 1e-5 each. Vertices are stored on a grid; where that alone moves a face's image by more than
  1e-5 of its altitude (a camera close to a large mesh), as far as it does.
* position: corner 0 + b1 e1 + b2 e2, so at most 2e-5 of the longest edge; and the rounding of its
  coordinates to float32, half an ulp, with as much again of the mesh's radius for the sum.
* uv, vertex colors: the same sum over corner values: 2e-5 of the largest of them.
* texture: what the picture changes by when uv moves by its tolerance.
* outside of the face, where the rasterizer covers a pixel that it should not, the point is moved into it.
  Where negative weights become 0 and the others share, each moves by no more than the negative ones sum to;
  where it is the nearest point, its image moves by MARGIN at most, and weights by that over the altitude.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import oracle
import pytest
from conftest import no_gl_objects_left
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meshes import REAL, good
from shapes import (
    box,
    grid_step,
    inside_out,
    merged,
    moved,
    moved_camera,
    painted,
    peel,
    pixel_rays,
    random_camera,
    random_closed_mesh,
    render,
    rotation,
    scaled,
    scaled_camera,
    sealed_t_junction,
    soups,
    sphere,
    turned_view,
    view_of,
)

import ddepth_gl as dd
from ddepth_gl.engines.shared import (
    attribute_pass,
    crossing_keys,
    crossing_lists,
    face_attributes,
)

# Name: (numbers per crossing, dtype). The specification, so not taken from the package.
SPECIFIED = {
    "face": (0, np.int64),
    "normal": (3, np.float32),
    "smooth_normal": (3, np.float32),
    "barycentric": (3, np.float32),
    "uv": (2, np.float32),
    "color": (4, np.float32),
    "object_id": (0, np.int32),
    "position": (3, np.float32),
}
ALL = tuple(SPECIFIED)

CONTRACT = 1e-5
MIN_ALTITUDE = 1 / 16  # pixels
MARGIN = 1 / 128  # pixels that the rasterizer may move a face's border by
NORMAL = np.radians(0.01)
UNIT = 2.0**-24  # half an ulp of float32, relatively

# Corner normals come from a slow loop: so many faces of an image are looked at.
SMOOTH_FACES = 150

FACE_ON = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), fov_y_deg=40.0, width=40, height=30)
QUAD = np.array([(-1.0, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)])
QUAD_FACES = np.array([(0, 1, 2), (0, 2, 3)])
QUAD_UV = np.array([(0.0, 0), (1, 0), (1, 1), (0, 1)])


# ---------------------------------------------------------------------------------------------------------
# Judging
# ---------------------------------------------------------------------------------------------------------


def mix(weights, corners) -> np.ndarray:
    """Corner 0 + b1 (corner 1 - corner 0) + b2 (corner 2 - corner 0), float64: (N,3), (N,3,C) to (N,C)."""
    weights, corners = np.asarray(weights, np.float64), np.asarray(corners, np.float64)
    return (
        corners[:, 0]
        + weights[:, 1:2] * (corners[:, 1] - corners[:, 0])
        + weights[:, 2:3] * (corners[:, 2] - corners[:, 0])
    )


def vertex_colors(mesh, face, weights) -> np.ndarray:
    """(N,4) linear."""
    if mesh.colors is None:
        return np.ones((len(face), 4))
    return mix(weights, oracle.linear_rgba(mesh.colors)[mesh.faces[face]])


def textured(mesh, face, uv, uv_error) -> tuple[np.ndarray, np.ndarray]:
    """(N,4) linear color of each face's picture at uv, and by how much it changes when uv is off."""
    color, change = np.ones((len(face), 4)), np.zeros((len(face), 4))
    for k, picture in enumerate(mesh.textures):
        here = mesh.texture_id[face] == k
        texels = uv_error[here] * sum(picture.shape[:2])
        color[here], steepness = oracle.texture_at(picture, uv[here], texels)
        change[here] = steepness * texels[:, None]
    return color, change


def within(name, got, expected, allowed, where) -> None:
    error = np.abs(np.asarray(got, np.float64) - expected)
    allowed = np.broadcast_to(allowed if np.ndim(allowed) != 1 else allowed[:, None], error.shape)
    bad = np.argwhere(~(error <= allowed))
    if len(bad):
        i = bad[0, 0]
        raise AssertionError(
            f"{name}: {len(set(bad[:, 0].tolist()))} of {len(error)} are off, the first at {where(i)}: "
            f"{got[i]} instead of {expected[i]}, allowed {allowed[i]}"
        )


def judge(mesh: dd.Mesh, camera: dd.Camera, pixel, face, got: dict) -> int:
    """Holds attributes of crossings to what is specified; how many of them were held to the oracle's."""
    count = len(pixel)
    for name, values in got.items():
        channels, dtype = SPECIFIED[name]
        assert values.dtype == dtype, name
        assert values.shape == ((count, channels) if channels else (count,)), name

    np.testing.assert_array_equal(got["face"], face)
    np.testing.assert_array_equal(got["object_id"], mesh.object_id[face])
    if mesh.uv is None:
        assert np.isnan(got["uv"]).all()
    has_values = [name for name in got if name != "uv" or mesh.uv is not None]
    for name in has_values:
        assert np.isfinite(got[name]).all(), (
            f"{name} is not finite at {(~np.isfinite(got[name])).sum()}"
        )
    if not count:
        return 0

    def where(i):
        row, column = divmod(int(pixel[i]), camera.width)
        return f"row {row}, column {column}, face {int(face[i])}"

    # What holds of every crossing, be its face as thin as it likes. Three weights that are rounded once each
    # sum to 1 within 3 half ulps; 1e-6 leaves room for a sum in float32.
    weights = got["barycentric"]
    assert (weights >= 0).all()
    within("sum of weights", weights.astype(np.float64).sum(1, keepdims=True), 1.0, 1e-6, where)

    truth = oracle.attributes(mesh.vertices, mesh.faces, view_of(camera), pixel, face)
    has_area = np.isfinite(truth.normal).all(axis=1)
    for name in ("normal", "smooth_normal"):
        length = np.linalg.norm(got[name][has_area].astype(np.float64), axis=1)
        # Three components, rounded: 3**0.5 half ulps, and a square root and a division in float32.
        within(f"length of {name}", length[:, None], np.ones((len(length), 1)), 8 * UNIT, where)

    # Attributes agree with the weights that are given beside them, which are rounded to float32.
    corners = mesh.vertices[mesh.faces[face]]
    edge = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    radius = float(np.linalg.norm(np.ptp(mesh.bounds, axis=0))) / 2
    rounding = UNIT * np.abs(corners).max(axis=1) + 4 * UNIT * radius + grid_step(mesh)
    within(
        "position", got["position"], mix(weights, corners), 1e-6 * edge[:, None] + rounding, where
    )
    uv_size = np.ones(count)
    if mesh.uv is not None:
        corner_uv = mesh.uv[mesh.faces[face]].astype(np.float64)
        uv_size = np.maximum(1, np.abs(corner_uv).max(axis=(1, 2)))
        within("uv", got["uv"], mix(weights, corner_uv), 1e-6 * uv_size, where)
    # A texel's place, uv times size, in float32: uv's own rounding, the product's and the half texel's.
    picture, change = textured(mesh, face, got["uv"].astype(np.float64), 4 * UNIT * uv_size)
    tint = vertex_colors(mesh, face, weights)
    within("color", got["color"], tint * picture, 2e-6 + change, where)

    # The oracle.
    held = np.flatnonzero((truth.altitude > MIN_ALTITUDE) & (truth.outside < 1))
    face, truth = face[held], select(truth, held)
    got = {name: values[held] for name, values in got.items()}

    def where(i):
        row, column = divmod(int(pixel[held[i]]), camera.width)
        return (
            f"row {row}, column {column}, face {int(face[i])}, {truth.altitude[i]:.3g} pixels high"
        )

    # The grid: both ends of the altitude move, by so many pixels at the nearest corner (half as much again
    # for a skewed K, and for the slant of the rays). Image weights become the weights by a division by z.
    moves = 1.5 * grid_step(mesh) / camera.pixel_footprint(truth.nearest)
    ratio = 1 if camera.is_orthographic else truth.farthest / truth.nearest
    by_grid = 2 * moves / truth.altitude * ratio
    by_clamping = np.maximum(2 * truth.outside, MARGIN / truth.altitude * ratio) * (
        truth.outside > 0
    )
    weight_error = np.maximum(CONTRACT, by_grid) + by_clamping
    within("barycentric", got["barycentric"], truth.barycentric, weight_error, where)
    within(
        "position",
        got["position"],
        truth.position,
        (2 * weight_error * edge[held])[:, None] + rounding[held],
        where,
    )
    error = 2 * weight_error * uv_size[held]
    uv = np.full((len(held), 2), np.nan)
    if mesh.uv is not None:
        uv = mix(truth.barycentric, corner_uv[held])
        within("uv", got["uv"], uv, error, where)
    picture, change = textured(mesh, face, uv, error)
    tint = vertex_colors(mesh, face, truth.barycentric)
    within("color", got["color"], tint * picture, (2 * weight_error)[:, None] + change, where)
    # Unit vectors: the angle between them is the length of their difference.
    angle = np.linalg.norm(got["normal"] - truth.normal, axis=1)
    within("normal", angle[:, None], np.zeros((len(angle), 1)), NORMAL, where)
    judge_smooth(
        mesh,
        face,
        truth.outside,
        got["barycentric"],
        truth.barycentric,
        got["smooth_normal"],
        where,
    )
    return len(held)


def judge_smooth(mesh, face, outside, weights, exact_weights, got, where) -> None:
    """Smooth normals of some of the faces, with the oracle's weights; outside of a face with those given."""
    wanted = np.unique(face)
    if len(wanted) > SMOOTH_FACES:
        wanted = np.random.default_rng(len(face)).choice(wanted, SMOOTH_FACES, replace=False)
    normals, certain = oracle.corner_normals(mesh.vertices, mesh.faces, wanted)
    index = {f: i for i, f in enumerate(wanted.tolist()) if certain[i]}
    here = np.array([i for i, f in enumerate(face.tolist()) if f in index], int)
    if not len(here):
        return
    corners = normals[[index[f] for f in face[here].tolist()]]
    used = np.where(outside[here, None] > 0, weights[here], exact_weights[here])
    expected = mix(used, corners)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    angle = np.linalg.norm(got[here] - expected, axis=1)
    within(
        "smooth_normal", angle[:, None], np.zeros((len(here), 1)), NORMAL, lambda i: where(here[i])
    )


def select(truth: oracle.Attributes, which) -> oracle.Attributes:
    return replace(truth, **{name: getattr(truth, name)[which] for name in vars(truth)})


def judge_layers(mesh, camera, layers) -> int:
    got = {name: getattr(layers, name) for name in ALL}
    return judge(mesh, camera, layers.pixel, layers.face, got)


def judge_maps(mesh, camera, maps) -> int:
    """Both sheets, and what stands where a ray meets nothing."""
    held = 0
    for sheet in ("entry", "exit"):
        images = {name: getattr(maps, f"{sheet}_{name}") for name in ALL}
        hit = ~np.isnan(getattr(maps, sheet))
        for name, image in images.items():
            channels, dtype = SPECIFIED[name]
            assert image.shape == hit.shape + ((channels,) if channels else ()), name
            miss = image[~hit]
            assert (np.isnan(miss) if dtype == np.float32 else miss == -1).all(), name
        got = {name: image[hit] for name, image in images.items()}
        held += judge(mesh, camera, np.flatnonzero(hit), images["face"][hit], got)
    return held


def judge_both(renderer, mesh, camera, **crop) -> int:
    """Both sheets and all layers of one image."""
    scene = renderer.upload(mesh)
    held = judge_layers(mesh, camera, renderer.peel(scene, camera, attributes=ALL, **crop))
    held += judge_maps(mesh, camera, renderer.entry_exit(scene, camera, attributes=ALL, **crop))
    scene.release()
    return held


def same_arrays(one, other, names) -> None:
    for name in names:
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype, name
        assert a.shape == b.shape, name
        assert a.tobytes() == b.tobytes(), f"{name}: {np.argwhere(~same_number(a, b))[:3].tolist()}"


def same_number(a, b):
    return (a == b) | ((a != a) & (b != b))


MAP_NAMES = ("entry", "exit", *(f"{sheet}_{name}" for sheet in ("entry", "exit") for name in ALL))
LAYER_NAMES = ("offsets", "depth", "front_facing", "truncated", *ALL)


# ---------------------------------------------------------------------------------------------------------
# The oracle's own formulas, against closed forms
# ---------------------------------------------------------------------------------------------------------


def test_oracle_weights_of_a_face_on_triangle_are_linear_in_the_image():
    """Corners at image (0, 0), (8, 0) and (0, 8): the weights of the last two are u / 8 and v / 8."""
    view = oracle.View(np.eye(3), np.eye(4), 8, 8, orthographic=True)
    vertices = [(0, 0, 3), (8, 0, 3), (0, 8, 3)]
    pixel = np.arange(64)
    found = oracle.attributes(vertices, [(0, 1, 2)], view, pixel, np.zeros(64, int))
    u, v = pixel % 8 + 0.5, pixel // 8 + 0.5
    np.testing.assert_allclose(
        found.barycentric, np.stack([1 - (u + v) / 8, u / 8, v / 8], 1), atol=1e-14
    )
    np.testing.assert_allclose(found.position, np.stack([u, v, np.full(64, 3)], 1), atol=1e-14)
    np.testing.assert_allclose(found.altitude, 8 / np.sqrt(2))
    np.testing.assert_allclose(found.depth, 3)
    # x right, y down: this order of corners is counter-clockwise seen from behind, along +z.
    np.testing.assert_allclose(found.normal, np.broadcast_to((0, 0, 1), (64, 3)))
    np.testing.assert_allclose(found.outside, np.maximum(0, (u + v) / 8 - 1))


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_oracle_finds_the_weights_that_a_point_was_made_with(orthographic, offset):
    """The principal point is moved so that the point's image is a pixel center."""
    rng = np.random.default_rng([orthographic, int(offset)])
    for _ in range(40):
        world = rng.normal(size=(3, 3)) + offset
        weights = rng.dirichlet((1, 1, 1))
        pose = np.eye(4)
        pose[:3, :3] = rotation(rng)
        pose[:3, 3] = -pose[:3, :3] @ world.mean(0) + (0, 0, 8)
        K = np.array([[30, 5, 0], [0, 25, 0], [0, 0, 1.0]])
        point = pose[:3, :3] @ (weights @ world) + pose[:3, 3]
        image = K @ (point[0], point[1], 1) if orthographic else K @ point / point[2]
        K[:2, 2] = (6.5, 4.5) - image[:2]
        view = oracle.View(K, pose, 11, 9, orthographic)
        found = oracle.attributes(world, [(0, 1, 2)], view, [4 * 11 + 6], [0])
        # Rounding of coordinates near 1e6, 1e-10, over edges of about one, seen under up to a steep angle.
        tolerance = 1e-10 + 1e-15 * offset * 50 / max(found.altitude[0], 1e-3) * 30
        np.testing.assert_allclose(found.barycentric[0], weights, atol=tolerance)
        np.testing.assert_allclose(
            found.position[0], weights @ world, atol=5 * tolerance, rtol=1e-15
        )
        np.testing.assert_allclose(found.depth[0], point[2], atol=5 * tolerance)


def test_oracle_altitude():
    """A right triangle with legs of 3 and 4 pixels is 3 * 4 / 5 high over its longest side."""
    vertices = np.array([(0, 0, 2), (6, 0, 2), (0, 8, 2), (0, 0, -1)], float)
    faces = [(0, 1, 2), (0, 1, 3), (0, 0, 1)]
    view = oracle.View(np.eye(3), np.eye(4), 8, 8)
    found = oracle.attributes(vertices, faces, view, [9, 9, 9], [0, 1, 2])
    np.testing.assert_allclose(found.altitude, (2.4, 0, 0))  # behind the camera; without area


def test_oracle_corner_normals_of_a_hinge():
    """Two triangles that fold along an edge. Beyond 45 degrees each keeps its own normal."""
    for fold_deg in (10.0, 44.9, 45.1, 80.0):
        fold = np.radians(fold_deg)
        # The left one in the plane z = 0, the right one turned down by the fold about the y axis; the angle
        # at the shared corner 0 is 45 degrees in the left and atan(2) in the right.
        vertices = [(0, 0, 0), (0, 1, 0), (-1, 1, 0), (2 * np.cos(fold), 1, -2 * np.sin(fold))]
        faces = [(0, 1, 2), (0, 3, 1)]
        normals, certain = oracle.corner_normals(vertices, faces, [0, 1])
        assert certain.all()
        left, right = np.array((0, 0, 1)), np.array((np.sin(fold), 0, np.cos(fold)))
        mean = np.pi / 4 * left + np.arctan(2) * right
        mean /= np.linalg.norm(mean)
        if fold_deg > 45:
            np.testing.assert_allclose(normals, [[left] * 3, [right] * 3], atol=1e-12)
        else:
            np.testing.assert_allclose(normals[0, [0, 2]], [mean, left], atol=1e-12)
            np.testing.assert_allclose(normals[1, [0, 1]], [mean, right], atol=1e-12)


def test_oracle_corner_normals_do_not_depend_on_how_a_plane_is_cut():
    """That is what the weighting with angles is for. Split vertices and faces without area change nothing."""
    apex = (0, 0, 0.3)
    rim = [(np.cos(a), np.sin(a), 0) for a in np.radians((0, 70, 190))]
    middle = np.mean(rim[:2], axis=0)
    plain = oracle.corner_normals([apex, *rim], [(0, 1, 2), (0, 2, 3), (0, 3, 1)], [1])[0]
    cut = oracle.corner_normals(
        [apex, *rim, middle],
        [(0, 1, 4), (0, 2, 3), (0, 3, 1), (0, 4, 2), (1, 1, 2), (0, 0, 0)],
        [1],
    )[0]
    np.testing.assert_allclose(plain[0, 0], cut[0, 0], atol=1e-12)
    split = oracle.corner_normals(
        [apex, rim[0], rim[1], apex, rim[1], rim[2], apex, rim[2], rim[0]],
        np.arange(9).reshape(3, 3),
        [1],
    )[0]
    np.testing.assert_allclose(plain, split, atol=1e-15)


def test_oracle_corner_normals_say_when_they_hang_on_rounding():
    faces = [(0, 1, 2), (0, 3, 1)]
    at_limit = [(0, 0, 0), (0, 1, 0), (-1, 1, 0), (np.sqrt(0.5), 1, -np.sqrt(0.5))]
    assert not oracle.corner_normals(at_limit, faces, [0])[1].any()
    nearly_flat = [(0, 0, 0), (0, 1, 0), (-1, 1, 0), (1e-11, 0.5, 0)]
    assert not oracle.corner_normals(nearly_flat, faces, [0])[1].any()


def test_oracle_srgb():
    """Levels and the values that tables give for them, and the ends."""
    table = {0: 0.0, 10: 0.003035, 11: 0.003347, 128: 0.215861, 188: 0.502886, 255: 1.0}
    np.testing.assert_allclose(
        oracle.linear_from_srgb(list(table)), list(table.values()), atol=5e-7
    )
    np.testing.assert_allclose(oracle.linear_rgba((0, 255, 0, 51)), (0, 1, 0, 0.2))


def test_oracle_texture_of_a_row():
    """Along u: texel centers at halves, straight in between, around the ends."""
    picture = np.zeros((1, 4, 4), np.uint8)
    picture[0, :, 3] = (0, 51, 204, 255)  # alpha is linear: 0, 0.2, 0.8, 1
    u = np.linspace(-1, 2, 301)
    color, _ = oracle.texture_at(picture, np.stack([u, np.full_like(u, 0.3)], 1))
    expected = np.interp(u % 1, np.arange(-0.125, 1.2, 0.25), (1, 0, 0.2, 0.8, 1, 0))
    np.testing.assert_allclose(color[:, 3], expected, atol=1e-12)


def test_oracle_texture_has_v_up():
    picture = np.zeros((2, 1, 4), np.uint8)
    picture[0, 0] = (255, 0, 0, 255)  # the top row
    color, _ = oracle.texture_at(picture, [(0.5, 0.75), (0.5, 0.25), (0.5, 0.5), (0.1, 1.75)])
    np.testing.assert_allclose(color[:, 0], (1, 0, 0.5, 1))


def test_oracle_texture_steepness_bounds_the_change():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (6, 5, 4)).astype(np.uint8)
    for texels in (0.01, 0.5, 2.0):
        uv = rng.uniform(-1, 2, (500, 2))
        step = rng.uniform(-texels, texels, (500, 2)) / (5, 6)
        one, steepness = oracle.texture_at(picture, uv, texels)
        other, _ = oracle.texture_at(picture, uv + step)
        assert (np.abs(other - one) <= 2 * texels * steepness + 1e-12).all()


# ---------------------------------------------------------------------------------------------------------
# The judge, before renderers that are right or wrong in a known way
# ---------------------------------------------------------------------------------------------------------


def right_answers(mesh, camera) -> tuple:
    """Pixel and face of every crossing, and the oracle's attributes as a renderer would give them."""
    crossings = oracle.all_crossings(mesh.vertices, mesh.faces, view_of(camera))
    pixel, face = (
        np.repeat(np.arange(crossings.stable.size), np.diff(crossings.offsets)),
        crossings.face,
    )
    truth = oracle.attributes(mesh.vertices, mesh.faces, view_of(camera), pixel, face)
    weights = np.maximum(truth.barycentric, 0)
    weights /= weights.sum(1, keepdims=True)
    uv = mix(weights, mesh.uv[mesh.faces[face]])
    wanted, index = np.unique(face, return_inverse=True)
    smooth = mix(weights, oracle.corner_normals(mesh.vertices, mesh.faces, wanted)[0][index])
    got = {
        "normal": truth.normal,
        "smooth_normal": smooth / np.linalg.norm(smooth, axis=1, keepdims=True),
        "barycentric": weights,
        "uv": uv,
        "color": vertex_colors(mesh, face, weights)
        * textured(mesh, face, uv, np.zeros(len(uv)))[0],
        "position": mix(weights, mesh.vertices[mesh.faces[face]]),
    }
    got = {name: values.astype(np.float32) for name, values in got.items()}
    return pixel, face, got | {"face": face, "object_id": mesh.object_id[face]}


def mistakes(mesh, camera, pixel, face, got) -> dict[str, dict]:
    """What renderers answer that each do one thing wrong."""
    weights = got["barycentric"].astype(np.float64)
    uv, position, no_error = got["uv"].astype(np.float64), got["position"], np.zeros(len(face))
    tint = vertex_colors(mesh, face, weights)
    wrong: dict[str, dict] = {}
    wrong["an attribute is NaN"] = {
        "color": np.where(pixel[:, None] == pixel[0], np.nan, got["color"])
    }
    wrong["weights rolled"] = {"barycentric": np.roll(weights, 1, axis=1)}
    wrong["weights that are negative"] = {"barycentric": weights + np.array((2e-5, -1e-5, -1e-5))}

    z = camera.project(mesh.vertices)[1][mesh.faces[face]]
    affine = weights * z / (weights * z).sum(1, keepdims=True)
    wrong["weights of the image, not of the face"] = {
        "barycentric": affine,
        "position": mix(affine, mesh.vertices[mesh.faces[face]]),
        "uv": mix(affine, mesh.uv[mesh.faces[face]]),
    }

    side = np.sign((got["normal"] * pixel_directions(camera, pixel)).sum(1))[:, None]
    wrong["normals toward the camera"] = {"normal": got["normal"] * -side}
    wrong["normals off by a fiftieth of a degree"] = {"normal": got["normal"] @ turned_by(0.02)}
    wrong["normals not of unit length"] = {"normal": got["normal"] * 1.00001}
    wrong["flat normals as smooth ones"] = {"smooth_normal": got["normal"]}
    wanted, index = np.unique(face, return_inverse=True)
    smooth = mix(
        weights, oracle.corner_normals(mesh.vertices, mesh.faces, wanted, smooth_deg=180)[0][index]
    )
    smooth /= np.linalg.norm(smooth, axis=1, keepdims=True)
    wrong["smooth over every edge"] = {"smooth_normal": smooth}

    wrong["v down"] = {"uv": uv * (1, -1) + (0, 1)}
    wrong["uv off by 1e-4"] = {"uv": uv + 1e-4}
    upside_down, _ = textured(mesh, face, uv * (1, -1) + (0, 1), no_error)
    wrong["pictures upside down"] = {"color": tint * upside_down}
    texels = np.array([(1, 1), *(picture.shape[1::-1] for picture in mesh.textures)])
    shifted, _ = textured(mesh, face, uv + 0.5 / texels[mesh.texture_id[face] + 1], no_error)
    wrong["texel centers at integers"] = {"color": tint * shifted}
    first = np.minimum(mesh.texture_id, 0)
    one = dd.Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, texture=mesh.textures, texture_id=first)
    wrong["always the first picture"] = {"color": tint * textured(one, face, uv, no_error)[0]}
    wrong["no tint"] = {"color": textured(mesh, face, uv, no_error)[0]}
    wrong["no alpha"] = {"color": got["color"] * (1, 1, 1, 0) + (0, 0, 0, 1)}

    wrong["object ids of the next face"] = {"object_id": np.roll(mesh.object_id, 1)[face]}
    pose = camera.camera_from_world
    wrong["positions in the camera frame"] = {"position": position @ pose[:3, :3].T + pose[:3, 3]}
    half = 0.5 * camera.pixel_footprint(camera.project(position)[1])[:, None]
    wrong["positions off by half a pixel"] = {"position": position + half * pose[0, :3]}
    return wrong


def turned_by(angle_deg: float) -> np.ndarray:
    """A rotation by a small angle about an axis that few normals are near to."""
    x, y, z = np.radians(angle_deg) * np.array((0.6, -0.64, 0.48))
    return np.array([[1, -z, y], [z, 1, -x], [-y, x, 1]])


def test_the_judge_knows_right_from_wrong():
    rng = np.random.default_rng(3)
    mesh = painted(rng, random_closed_mesh(rng, bodies=2))
    camera = random_camera(rng, mesh, orthographic=False)
    pixel, face, right = right_answers(mesh, camera)
    assert judge(mesh, camera, pixel, face, right) > 0.8 * len(pixel)
    for what, wrong in mistakes(mesh, camera, pixel, face, right).items():
        wrong = {name: values.astype(SPECIFIED[name][1]) for name, values in wrong.items()}
        try:
            judge(mesh, camera, pixel, face, right | wrong)
        except AssertionError:
            continue
        pytest.fail(f"passed: {what}")


# ---------------------------------------------------------------------------------------------------------
# Against the oracle
# ---------------------------------------------------------------------------------------------------------


FEW_FACES = ("suzanne.obj", "Duck.glb")  # enough for `make test-fast`


@pytest.mark.parametrize(
    "name",
    [name if name in FEW_FACES else pytest.param(name, marks=pytest.mark.slow) for name in REAL],
)
def test_real_meshes(renderer, name):
    mesh = dd.load_mesh(good(name))
    cameras = dd.Camera.orbit(mesh, views=2, width=130, height=100)
    extent = 1.2 * np.linalg.norm(np.ptp(mesh.bounds, axis=0))
    cameras[1] = dd.Camera.orthographic(extent, cameras[1].camera_from_world, 110, 130)
    assert sum(judge_both(renderer, mesh, camera) for camera in cameras) > 2000


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("seed", range(4))
def test_random_closed_meshes(renderer, seed, orthographic):
    """Skewed, off-center cameras; everything painted at random."""
    rng = np.random.default_rng([seed, orthographic, 31])
    mesh = painted(rng, random_closed_mesh(rng), colors=seed != 1, textures=(3, 2, 0, 1)[seed])
    assert judge_both(renderer, mesh, random_camera(rng, mesh, orthographic)) > 500


@pytest.mark.parametrize("seed", range(3))
def test_camera_inside_the_mesh(renderer, seed):
    rng = np.random.default_rng([seed, 37])
    mesh = painted(rng, random_closed_mesh(rng, bodies=4))
    eye = mesh.vertices[rng.integers(len(mesh.vertices))] * rng.uniform(0.3, 0.95)
    pose = np.eye(4)
    pose[:3, :3] = rotation(rng)
    pose[:3, 3] = -pose[:3, :3] @ eye
    K = [[50.0, 3.0, 61.5], [0.0, 55.0, 43.0], [0.0, 0.0, 1.0]]
    camera = dd.Camera.from_intrinsics(K, pose, 120, 90)
    assert judge_both(renderer, mesh, camera) > 100
    assert (
        judge_both(renderer, mesh, random_camera(rng, mesh, orthographic=True, cutting=True)) > 100
    )


def test_faces_that_reach_behind_the_camera(renderer):
    """In a room all of whose walls do: the point is where the ray meets the wall, by a formula."""
    rng = np.random.default_rng(5)
    low, high = np.array((-3.0, -2, -1)), np.array((4.0, 5, 2))
    room = box(low, high)
    mesh = dd.Mesh(room.vertices, room.faces[:, ::-1], uv=room.vertices[:, :2] * (0.1, 0.2))
    for _ in range(4):
        pose = np.eye(4)
        pose[:3, :3] = rotation(rng)
        pose[:3, 3] = -pose[:3, :3] @ rng.uniform(-0.9, 0.9, 3)
        K = [[20.0, 3.0, 31.5], [0.0, 25.0, 23.0], [0.0, 0.0, 1.0]]
        camera = dd.Camera.from_intrinsics(K, pose, 60, 45)
        maps = render(renderer, mesh, camera, attributes=ALL)
        judge_maps(mesh, camera, maps)
        origins, directions, _ = pixel_rays(camera)
        with np.errstate(divide="ignore"):
            t = np.maximum((low - origins) / directions, (high - origins) / directions).min(-1)
        expected = origins + t[..., None] * directions
        # Weights within 1e-5, so points within 2e-5 of the longest edge, 10. Near an edge the other face may
        # answer; the point is then as far off as the rasterizer moves the edge.
        face = maps.entry_face.ravel()
        truth = oracle.attributes(
            mesh.vertices, mesh.faces, view_of(camera), np.arange(len(face)), face
        )
        clear = truth.outside.reshape(t.shape) == 0
        off = np.abs(maps.entry_position - expected).max(-1)
        assert clear.sum() > 2500
        assert off[clear].max() <= 2e-4
        assert np.abs(maps.entry_uv - maps.entry_position[..., :2] * (0.1, 0.2)).max() <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_crop(renderer, orthographic):
    rng = np.random.default_rng([5, orthographic, 41])
    mesh = painted(rng, random_closed_mesh(rng, bodies=5))
    camera = random_camera(rng, mesh, orthographic)
    _, depth = camera.project(mesh.vertices)
    near, far = np.quantile(depth[depth > 0], [0.3, 0.7])
    for crop in ({"near": near, "far": far}, {"near": near}, {"far": far}):
        assert judge_both(renderer, mesh, camera, **crop) > 200


@pytest.mark.slow
@pytest.mark.parametrize("offset", [(1e6, -1e6, 5e5), (0.0, 0.0, 1e6)])
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_far_from_the_origin(renderer, offset, orthographic):
    rng = np.random.default_rng([43, orthographic])
    mesh = painted(rng, random_closed_mesh(rng, bodies=3))
    away = np.eye(4)
    away[:3, 3] = offset
    there = dd.Mesh(moved(mesh, away).vertices, mesh.faces, **mesh._attributes())
    camera = moved_camera(random_camera(rng, mesh, orthographic), away)
    assert judge_both(renderer, there, camera) > 500


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1e-25, 1e-9, 1e9, 1e25])
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_tiny_and_huge(renderer, factor, orthographic):
    rng = np.random.default_rng([47, orthographic])
    mesh = painted(rng, random_closed_mesh(rng, bodies=2))
    other = dd.Mesh(scaled(mesh, factor).vertices, mesh.faces, **mesh._attributes())
    camera = scaled_camera(random_camera(rng, mesh, orthographic), factor)
    assert judge_both(renderer, other, camera) > 500


few = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.slow
@few
@given(
    scene=soups(), seed=st.integers(0, 2**32 - 1), colors=st.booleans(), textures=st.integers(0, 3)
)
def test_soups(renderer, scene, seed, colors, textures):
    """Coincident, duplicated, degenerate and interpenetrating faces; corners on the grid of the vertices."""
    mesh, camera = scene
    mesh = painted(np.random.default_rng(seed), mesh, colors, textures)
    judge_both(renderer, mesh, camera)
    maps = render(renderer, mesh, camera, surfaces="any", attributes=ALL)
    judge_maps(mesh, camera, maps)


def test_needles(renderer):
    """Thousands of faces a hundredth as wide as long, many of them thinner than a pixel."""
    rng = np.random.default_rng(23)
    ends = rng.normal(size=(1000, 2, 3))
    across = rng.normal(size=(1000, 3)) * 1e-2
    vertices = np.concatenate([ends, (ends[:, 0] + across)[:, None]], axis=1).reshape(-1, 3)
    mesh = painted(rng, dd.Mesh(vertices, np.arange(3000).reshape(-1, 3)))
    assert judge_both(renderer, mesh, dd.Camera.orbit(mesh, views=1, width=100, height=90)[0]) > 500


def test_many_and_long_pictures(renderer):
    """More pictures than a device has texture units, some longer than it allows a texture to be."""
    rng = np.random.default_rng(103)
    mesh = random_closed_mesh(rng)
    sizes = [*rng.integers(1, 40, (200, 2)), (1, 20001), (20003, 2), (150, 217)]
    chosen = rng.integers(-1, len(sizes), len(mesh.faces))
    chosen[rng.random(len(chosen)) < 0.5] = len(sizes) - 1 - rng.integers(0, 3)
    mesh = dd.Mesh(
        mesh.vertices,
        mesh.faces,
        uv=rng.uniform(-1, 2, (len(mesh.vertices), 2)),
        texture=[rng.integers(0, 256, (*size, 4)).astype(np.uint8) for size in sizes],
        texture_id=chosen,
    )
    assert judge_both(renderer, mesh, random_camera(rng, mesh, False)) > 1000


# ---------------------------------------------------------------------------------------------------------
# Against closed forms
# ---------------------------------------------------------------------------------------------------------


def test_uv_that_is_an_affine_function_of_position(renderer):
    """Then it is that function of the point given beside it, on every face, however it is seen."""
    rng = np.random.default_rng(53)
    mesh = random_closed_mesh(rng)
    matrix, shift = rng.normal(size=(3, 2)), rng.normal(size=2)
    mesh = dd.Mesh(mesh.vertices, mesh.faces, uv=mesh.vertices @ matrix + shift)
    camera = random_camera(rng, mesh, orthographic=False)
    layers = peel(renderer, mesh, camera, attributes=("uv", "position"))
    expected = layers.position.astype(np.float64) @ matrix + shift
    assert len(expected) > 1000
    # The point is off by 2e-5 of an edge at most as the weights are, and so is uv; its rounding is less.
    assert np.abs(layers.uv - expected).max() <= 1e-5


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_positions_lie_on_the_rays(renderer, orthographic):
    """Their images are the pixel centers, and their depths the depths."""
    rng = np.random.default_rng([59, orthographic])
    mesh = random_closed_mesh(rng)
    camera = random_camera(rng, mesh, orthographic)
    layers = peel(renderer, mesh, camera, attributes=ALL)
    truth = oracle.attributes(mesh.vertices, mesh.faces, view_of(camera), layers.pixel, layers.face)
    held = (truth.outside == 0) & (truth.altitude > MIN_ALTITUDE)
    assert held.sum() > 1000
    image, depth = camera.project(layers.position[held].astype(np.float64))
    center = camera.pixel_centers().reshape(-1, 2)[layers.pixel[held]]
    # In the image a point is off by 1e-5 of its face, which is smaller than the image; the rounding of a
    # coordinate, 2**-24 of less than 4, is some 1e-5 pixels at up to 100 pixels to the unit.
    assert np.abs(image - center).max() <= 1e-5 * 200 + 1e-4
    # Along a steep face depth changes by up to altitude over its length; so only what is not steep.
    flat = np.abs((truth.normal[held] * pixel_directions(camera, layers.pixel[held])).sum(1)) > 0.2
    error = np.abs(layers.depth[held] - depth)[flat]
    assert (error <= 2e-6 * depth[flat] + 1e-4).all()


def pixel_directions(camera, pixel):
    """(N,3) directions of the rays of some pixels, world frame."""
    return pixel_rays(camera)[1].reshape(-1, 3)[pixel]


def picture_camera(width: int, height: int) -> dd.Camera:
    """Orthographic, from z = 5 down, onto the square from -1 to 1: the pixels are the texels of a picture."""
    pose = np.diag([1.0, -1, -1, 1])
    pose[2, 3] = 5
    return dd.Camera.orthographic((2, 2), pose, width, height)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (7, 3), (3, 8), (64, 33)])
def test_a_picture_seen_texel_by_texel_is_that_picture(renderer, height, width):
    rng = np.random.default_rng([height, width])
    picture = rng.integers(0, 256, (height, width, 4)).astype(np.uint8)
    mesh = dd.Mesh(QUAD, QUAD_FACES, uv=QUAD_UV, texture=picture)
    maps = render(renderer, mesh, picture_camera(width, height), attributes="color")
    # At texel centers, within 1e-6 of a texel times its width or height: neighbors mix in by as much.
    np.testing.assert_allclose(maps.entry_color, oracle.linear_rgba(picture), atol=2e-5)
    assert np.isnan(maps.exit_color).all()


@pytest.mark.parametrize("shift", [(-1, 0), (0, -3), (2, 5), (-7, 64)])
def test_pictures_repeat(renderer, shift):
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 256, (6, 5, 3)).astype(np.uint8)
    mesh = dd.Mesh(QUAD, QUAD_FACES, uv=QUAD_UV + shift, texture=picture)
    maps = render(renderer, mesh, picture_camera(5, 6), attributes="color")
    expected = oracle.linear_from_srgb(picture)
    # uv near 64 is rounded to 2**-18, times 6 texels.
    np.testing.assert_allclose(maps.entry_color[..., :3], expected, atol=6e-5)
    np.testing.assert_array_equal(maps.entry_color[..., 3], 1)  # a picture without alpha is opaque


def test_a_picture_is_filtered_around_its_borders(renderer):
    """One black and one white texel, seen in 32 columns: a triangle wave in linear light."""
    picture = np.array([[0, 255]], np.uint8)
    mesh = dd.Mesh(QUAD, QUAD_FACES, uv=QUAD_UV, texture=picture)
    maps = render(renderer, mesh, picture_camera(32, 4), attributes="color")
    u = (np.arange(32) + 0.5) / 32
    expected = np.interp(u, (-0.25, 0.25, 0.75, 1.25), (1, 0, 1, 0))
    np.testing.assert_allclose(
        maps.entry_color[..., 0], np.broadcast_to(expected, (4, 32)), atol=1e-5
    )


def test_colors_are_decoded_before_they_are_mixed(renderer):
    """Black at the left corners, white at the right: half the light in the middle, which sRGB calls 188."""
    colors = np.array(
        [(0, 0, 0, 0), (255, 255, 255, 255), (255, 255, 255, 255), (0, 0, 0, 0)], np.uint8
    )
    mesh = dd.Mesh(QUAD, QUAD_FACES, colors=colors)
    maps = render(renderer, mesh, picture_camera(16, 3), attributes="color")
    expected = np.broadcast_to(((np.arange(16) + 0.5) / 16)[None, :, None], (3, 16, 4))
    np.testing.assert_allclose(maps.entry_color, expected, atol=CONTRACT)


def test_one_picture_after_another(renderer):
    """A picture for each face, none for some; vertex colors tint them all."""
    pictures = [
        np.full((2, 3, 4), level, np.uint8) for level in ((255, 0, 0, 255), (0, 128, 0, 51))
    ]
    pictures.append(np.full((1, 1, 3), 255, np.uint8))
    quads = merged(*(moved(dd.Mesh(QUAD, QUAD_FACES), shifted(3.0 * k)) for k in range(5)))
    tints = np.array(
        [(255, 255, 255, 255), (255, 255, 255, 255), (188, 255, 0, 102), (10, 20, 30, 40)]
    )
    mesh = dd.Mesh(
        quads.vertices,
        quads.faces,
        uv=np.tile(QUAD_UV, (5, 1)) * 17 - 3,
        colors=np.repeat([*tints, tints[0]], 4, axis=0),
        texture=pictures,
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
    maps = render(renderer, with_uv, picture_camera(8, 4), attributes=("color", "uv"))
    assert (maps.entry_color == 1).all()
    u, v = np.meshgrid((np.arange(8) + 0.5) / 8, 1 - (np.arange(4) + 0.5) / 4)
    np.testing.assert_allclose(maps.entry_uv, np.stack([u, v], -1), atol=CONTRACT)


def test_a_seam_in_uv(renderer):
    """Two halves of a square that meet in vertices of the same position but other uv: each keeps its own."""
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
    maps = render(renderer, mesh, picture_camera(16, 8), attributes=("uv", "smooth_normal"))
    u = (np.arange(8) + 0.5) / 8
    expected = np.concatenate([u, 5 + u / 2])
    np.testing.assert_allclose(
        maps.entry_uv[..., 0], np.broadcast_to(expected, (8, 16)), atol=5 * CONTRACT
    )
    np.testing.assert_allclose(
        maps.entry_smooth_normal, np.broadcast_to((0, 0, 1), (8, 16, 3)), atol=1e-6
    )


def test_normals_of_a_box_and_its_inside(renderer):
    """The counter-clockwise side, whoever looks; edges of 90 degrees are not smooth."""
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
    """Far nearer to the true ones than the faces' are, and the same with every vertex split."""
    mesh = sphere(1.0, 24, 48)
    camera = dd.Camera.look_at((4, 3, 2), (0, 0, 0), (0, 0, 1), fov_y_deg=35.0, width=90, height=90)
    names = ("normal", "smooth_normal", "position")
    layers = peel(renderer, mesh, camera, attributes=names)
    radial = layers.position / np.linalg.norm(layers.position, axis=1, keepdims=True)
    flat, smooth = (np.linalg.norm(getattr(layers, name) - radial, axis=1) for name in names[:2])
    # A face's corners are up to half a cell's diagonal, 0.0926, from its middle. Interpolated, the error is
    # of second order: at most the square of that, and the corners' own is smaller by symmetry.
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
    # Left in the plane z = 0, its corner at x = 0 shared by position with the right one, which folds down.
    mesh = dd.Mesh(
        np.concatenate([half - (1, 0, 0), half @ turn.T]),
        np.concatenate([QUAD_FACES, QUAD_FACES + 4]),
    )
    maps = render(
        renderer, mesh, picture_camera(41, 20), attributes=("face", "smooth_normal", "barycentric")
    )
    hit = maps.entry_face >= 0
    face, weights = maps.entry_face[hit], maps.entry_barycentric[hit].astype(np.float64)
    assert set(np.unique(face)) == {0, 1, 2, 3}
    left, right = np.array((0.0, 0, 1)), turn @ (0, 0, 1)
    # At both ends of the fold the angles of either side add up to 90 degrees.
    seam = (left + right) / np.linalg.norm(left + right) if fold_deg < 45 else None
    at_vertex = []
    for k, x in enumerate(mesh.vertices[:, 0]):
        own = left if k < 4 else right
        at_vertex.append(own if seam is None or abs(x) > 1e-9 else seam)
    expected = mix(weights, np.array(at_vertex)[mesh.faces[face]])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(maps.entry_smooth_normal[hit], expected, atol=NORMAL / 10)


def test_faces_without_area_do_not_bend_smooth_normals(renderer):
    """They have no normal, whatever rounding says; nor do they make NaN where their corners are shared."""
    rng = np.random.default_rng(61)
    clean = sphere(1.0, 12, 24)
    ends = clean.faces[rng.integers(0, len(clean.faces), 200)]
    twice = ends[:, [0, 1, 1]]
    count = len(clean.vertices)
    # Another vertex at the same place, and three corners of one place.
    copies = np.concatenate([clean.vertices, clean.vertices])
    same_place = np.stack([ends[:, 0], ends[:, 0] + count, ends[:, 1]], 1)
    one_place = np.stack([ends[:, 2], ends[:, 2] + count, ends[:, 2]], 1)
    mesh = dd.Mesh(copies, np.concatenate([clean.faces, twice, same_place, one_place]))
    camera = dd.Camera.look_at((4, 3, 2), (0, 0, 0), (0, 0, 1), fov_y_deg=35.0, width=70, height=70)
    one, other = (peel(renderer, m, camera, attributes=ALL) for m in (clean, mesh))
    held = np.isin(other.face, np.arange(len(clean.faces)))
    np.testing.assert_array_equal(other.face[held], one.face)
    np.testing.assert_allclose(other.smooth_normal[held], one.smooth_normal, atol=1e-6)
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
    assert met, "no view met the face without area; the test says nothing"


def test_rays_exactly_through_a_face_without_area(renderer):
    """Then all of its weights are 0 / 0. Integers of pixels and powers of two, so nothing is rounded."""
    pose = np.diag([1.0, -1, -1, 1])
    pose[:3, 3] = 0, 32, 16
    camera = dd.Camera(np.eye(3), pose, 32, 32, True)  # a pixel to the mesh unit
    # From pixel center to pixel center, either way round; the middle vertex is off the grid that corners are
    # snapped to. That takes it off the edge, some to either side; only on one of them the edge is covered.
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


# ---------------------------------------------------------------------------------------------------------
# The same bits
# ---------------------------------------------------------------------------------------------------------


def assorted(rng, kind: str) -> dd.Mesh:
    mesh = random_closed_mesh(rng)
    if kind == "open":
        mesh = dd.Mesh(mesh.vertices, mesh.faces[rng.random(len(mesh.faces)) < 0.6])
    elif kind == "soup":
        faces = rng.permuted(mesh.faces, axis=1)[rng.integers(0, len(mesh.faces), 900)]
        mesh = dd.Mesh(mesh.vertices, faces)
    return painted(rng, mesh)


@pytest.mark.parametrize("kind", ["closed", "open", "soup"])
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_entry_and_exit_follow_bit_for_bit(renderer, kind, orthographic):
    rng = np.random.default_rng([orthographic, 71])
    mesh = assorted(rng, kind)
    scene = renderer.upload(mesh)
    camera = random_camera(rng, mesh, orthographic, cutting=kind == "open")
    _, depth = camera.project(mesh.vertices)
    crop = dict(zip(("near", "far"), np.quantile(depth[depth > 0], [0.2, 0.8]), strict=True))
    for arguments in ({}, crop):
        layers = renderer.peel(scene, camera, attributes=ALL, **arguments)
        same_arrays(layers, renderer.peel(scene, camera, attributes=ALL, **arguments), LAYER_NAMES)
        for surfaces in ("oriented", "any"):
            arguments_of_maps = {"surfaces": surfaces, "attributes": ALL, **arguments}
            direct = renderer.entry_exit(scene, camera, **arguments_of_maps)
            same_arrays(layers.entry_exit(surfaces), direct, MAP_NAMES)
            same_arrays(renderer.entry_exit(scene, camera, **arguments_of_maps), direct, MAP_NAMES)
    scene.release()


@pytest.mark.parametrize("name", ["rocker-arm.obj", "spot/spot.obj", "CesiumMilkTruck.glb"])
def test_entry_and_exit_follow_bit_for_bit_on_real_meshes(renderer, name):
    mesh = dd.load_mesh(good(name))
    scene = renderer.upload(mesh)
    for camera in dd.Camera.orbit(mesh, views=2, width=200, height=150):
        layers = renderer.peel(scene, camera, attributes=ALL)
        for surfaces in ("oriented", "any"):
            direct = renderer.entry_exit(scene, camera, surfaces=surfaces, attributes=ALL)
            same_arrays(layers.entry_exit(surfaces), direct, MAP_NAMES)
    scene.release()


def test_max_layers_gives_the_first_of_all(renderer):
    rng = np.random.default_rng(73)
    mesh = painted(rng, random_closed_mesh(rng, bodies=5))
    scene = renderer.upload(mesh)
    camera = random_camera(rng, mesh, False)
    whole = renderer.peel(scene, camera, attributes=ALL)
    most = int(whole.count.max())
    assert most >= 4
    for k in (1, 2, 3, most - 1, most, most + 1):
        cut = renderer.peel(scene, camera, max_layers=k, attributes=ALL)
        first = whole.layer < k
        for name in ("depth", "front_facing", *ALL):
            assert getattr(cut, name).tobytes() == getattr(whole, name)[first].tobytes(), name
    scene.release()


def test_many_images_are_the_same_as_one_by_one(renderer):
    """Of different sizes and kinds, with other calls in between; and asking changes no depth."""
    rng = np.random.default_rng(79)
    mesh, other_mesh = (painted(rng, random_closed_mesh(rng, bodies=3)) for _ in range(2))
    scene, other_scene = renderer.upload(mesh), renderer.upload(other_mesh)
    cameras = [random_camera(rng, mesh, bool(i % 2), 60) for i in range(5)]
    alone = [renderer.entry_exit(scene, camera, attributes=ALL) for camera in cameras]
    between = renderer.peel(other_scene, cameras[0], attributes=ALL)
    for i, maps in enumerate(renderer.entry_exit_many(scene, cameras, attributes=ALL)):
        same_arrays(maps, alone[i], MAP_NAMES)
        same_arrays(renderer.peel(other_scene, cameras[0], attributes=ALL), between, LAYER_NAMES)
        same_arrays(renderer.entry_exit(scene, cameras[i]), maps, ("entry", "exit"))
        same_arrays(
            renderer.peel(scene, cameras[i]).entry_exit(), maps, ("entry", "exit", "entry_face")
        )
    assert i == len(cameras) - 1
    scene.release()
    other_scene.release()


def test_each_alone_is_the_same_as_all_together(renderer):
    rng = np.random.default_rng(83)
    mesh = painted(rng, random_closed_mesh(rng))
    scene = renderer.upload(mesh)
    camera = random_camera(rng, mesh, False, 60)
    maps = renderer.entry_exit(scene, camera, attributes=ALL)
    layers = renderer.peel(scene, camera, attributes=ALL)
    for name in ALL:
        sheets = ("entry", "exit", f"entry_{name}", f"exit_{name}")
        same_arrays(renderer.entry_exit(scene, camera, attributes=(name,)), maps, sheets)
        same_arrays(renderer.entry_exit(scene, camera, attributes=name), maps, sheets)
        same_arrays(
            renderer.peel(scene, camera, attributes=[name]), layers, ("depth", "face", name)
        )
    shuffled = tuple(reversed(ALL)) + ALL[:3]
    same_arrays(renderer.entry_exit(scene, camera, attributes=shuffled), maps, MAP_NAMES)
    same_arrays(renderer.peel(scene, camera, attributes=iter(shuffled)), layers, LAYER_NAMES)
    scene.release()


def test_two_scenes_keep_their_own_pictures(renderer):
    """The second one's textures and colors must not be left bound for the first, nor freed with it."""
    camera = picture_camera(6, 5)
    rng = np.random.default_rng(89)
    pictures = [rng.integers(0, 256, (5, 6, 4)).astype(np.uint8) for _ in range(3)]
    scenes = [renderer.upload(dd.Mesh(QUAD, QUAD_FACES, uv=QUAD_UV, texture=p)) for p in pictures]
    plain = renderer.upload(dd.Mesh(QUAD, QUAD_FACES))

    def check(k):
        maps = renderer.entry_exit(scenes[k], camera, attributes="color")
        np.testing.assert_allclose(maps.entry_color, oracle.linear_rgba(pictures[k]), atol=2e-5)

    for k in (0, 1, 2, 1, 0):
        check(k)
        assert (renderer.entry_exit(plain, camera, attributes="color").entry_color == 1).all()
    scenes[1].release()
    check(0)
    check(2)
    for scene in (scenes[0], scenes[2], plain):
        scene.release()


# ---------------------------------------------------------------------------------------------------------
# What comes back, and limits
# ---------------------------------------------------------------------------------------------------------


def test_arrays_are_contiguous_and_the_callers_own(renderer):
    rng = np.random.default_rng(97)
    mesh = painted(rng, random_closed_mesh(rng, bodies=2))
    scene = renderer.upload(mesh)
    camera = random_camera(rng, mesh, False, 40)
    maps, layers = (
        renderer.entry_exit(scene, camera, attributes=ALL),
        renderer.peel(scene, camera, attributes=ALL),
    )
    arrays = {name: getattr(maps, name) for name in MAP_NAMES} | {
        f"layers.{name}": getattr(layers, name) for name in ALL
    }
    before = {name: array.tobytes() for name, array in arrays.items()}
    for name, array in arrays.items():
        assert array.flags.c_contiguous, name
        assert array.flags.writeable, name
        # A reshaped array is fine, one that keeps a larger one alive, or memory of the driver's, is not.
        owner = array if array.base is None else array.base
        assert owner.flags.owndata, name
        assert owner.nbytes == array.nbytes, name
    # Nothing is shared with the renderer, nor between the arrays.
    renderer.entry_exit(scene, camera, attributes=ALL)
    renderer.peel(scene, camera, attributes=ALL)
    for name, array in arrays.items():
        assert array.tobytes() == before[name], name
        array.fill(0)
        before[name] = array.tobytes()
    same_arrays(
        renderer.entry_exit(scene, camera, attributes=ALL),
        renderer.peel(scene, camera, attributes=ALL).entry_exit(),
        MAP_NAMES,
    )
    scene.release()


def test_an_image_of_nothing(renderer):
    mesh = painted(np.random.default_rng(1), box())
    away = dd.Camera.look_at((0, 0, 5), (0, 0, 9), (0, 1, 0), fov_y_deg=40.0, width=7, height=5)
    scene = renderer.upload(mesh)
    layers = renderer.peel(scene, away, attributes=ALL)
    assert not layers.count.any()
    judge_layers(mesh, away, layers)
    judge_maps(mesh, away, renderer.entry_exit(scene, away, attributes=ALL))
    scene.release()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 500), (500, 1), (67, 31)])
def test_images_of_odd_shapes(renderer, width, height):
    rng = np.random.default_rng([width, height])
    mesh = painted(rng, sphere(2.0, 20, 30))
    K = [[150.0, 0, width / 2], [0, 150.0, height / 2], [0, 0, 1]]
    pose = np.eye(4)
    pose[2, 3] = 4
    assert judge_both(renderer, mesh, dd.Camera.from_intrinsics(K, pose, width, height)) >= 4


def test_dense_and_rows_carry_attributes(renderer):
    rng = np.random.default_rng(101)
    mesh = painted(rng, random_closed_mesh(rng, bodies=3))
    camera = random_camera(rng, mesh, False, 40)
    layers = peel(renderer, mesh, camera, attributes=ALL)
    maps = layers.entry_exit("any")
    for name in ALL:
        stack = layers.dense(name)
        assert stack.shape[:3] == (layers.count.max(), camera.height, camera.width)
        assert stack[0].tobytes() == getattr(maps, f"entry_{name}").tobytes(), name
    part = layers.rows(3, 17)
    assert (
        part.color.tobytes()
        == layers.color[layers.offsets[3 * camera.width] :][: len(part.depth)].tobytes()
    )


@pytest.mark.slow
def test_millions_of_crossings(renderer):
    """More than 65,535 groups of 64: 80 sheets on 256 x 256 pixels, where weights have a closed form."""
    heights = np.linspace(-1, 1, 80)
    vertices = (QUAD[None] * (1.5, 1.5, 0) + heights[:, None, None] * (0, 0, 1)).reshape(-1, 3)
    faces = (QUAD_FACES[None] + 4 * np.arange(80)[:, None, None]).reshape(-1, 3)
    camera = picture_camera(256, 256)
    layers = peel(
        renderer,
        dd.Mesh(vertices, faces, object_id=np.arange(160)),
        camera,
        attributes=("barycentric", "object_id"),
    )
    assert len(layers.depth) == 80 * 256 * 256
    np.testing.assert_array_equal(layers.object_id, layers.face)
    # Every sheet covers the image. With x and y from 0 to 1 on it, the weights below its diagonal are
    # 1 - x, x - y and y.
    image = camera.pixel_centers().reshape(-1, 2)
    x, y = (image[:, 0] / 128 - 1) / 3 + 0.5, (1 - image[:, 1] / 128) / 3 + 0.5
    below = np.stack([1 - x, x - y, y], 1)
    above = np.stack([1 - y, x, y - x], 1)
    stack = layers.dense("barycentric").reshape(80, -1, 3)
    upper = layers.dense("face").reshape(80, -1)[..., None] % 2 == 1
    for k in range(80):
        assert np.abs(stack[k] - np.where(upper[k], above, below)).max() <= CONTRACT


@pytest.mark.parametrize("wrong", ["depth", "Normal", "normals", "entry_face", "", ["normal"], {}])
def test_names_that_do_not_exist(renderer, wrong):
    scene = renderer.upload(box())
    for call in (renderer.entry_exit, renderer.peel):
        with pytest.raises(dd.RequestError, match=r"smooth_normal.*not"):
            call(scene, FACE_ON, attributes=("face", wrong))
    with pytest.raises(dd.RequestError, match=r"smooth_normal.*not"):
        renderer.entry_exit_many(scene, [FACE_ON], attributes=(wrong,))
    scene.release()


def test_what_was_not_asked_for_is_an_error_that_says_how_to_ask(renderer):
    scene = renderer.upload(box())
    maps, layers = (
        renderer.entry_exit(scene, FACE_ON, attributes="uv"),
        renderer.peel(scene, FACE_ON, attributes="uv"),
    )
    with pytest.raises(dd.RequestError, match=r'attributes=\("normal",\)'):
        _ = maps.entry_normal
    with pytest.raises(dd.RequestError, match=r'attributes=\("normal",\)'):
        _ = layers.normal
    scene.release()


def test_a_memory_limit_counts_attributes(renderer):
    """All of them are 76 bytes a crossing, as results alone; what is there without them is less than 40."""
    mesh = painted(np.random.default_rng(2), random_closed_mesh(np.random.default_rng(2), bodies=3))
    camera = dd.Camera.orbit(mesh, views=1, width=64, height=48)[0]
    scene = renderer.upload(mesh)
    limit = 40 * len(renderer.peel(scene, camera).depth)
    before = renderer.peel(scene, camera, memory_limit=limit)
    with pytest.raises(dd.DeviceMemoryError, match="memory_limit"):
        renderer.peel(scene, camera, memory_limit=limit, attributes=ALL)
    same_arrays(renderer.peel(scene, camera, attributes=ALL), before, ("offsets", "depth", "face"))
    scene.release()


def test_a_mesh_beyond_the_largest_table_is_a_clear_error(renderer, monkeypatch):
    mesh = painted(np.random.default_rng(2), random_closed_mesh(np.random.default_rng(2)))
    camera = dd.Camera.orbit(mesh, views=1, width=64, height=48)[0]
    scene = renderer.upload(mesh)
    monkeypatch.setattr(renderer._context, "max_texels", 3 * len(mesh.vertices) - 1)
    for draw in (renderer.entry_exit, renderer.peel):
        with pytest.raises(
            dd.DeviceMemoryError, match=rf"vertices has {3 * len(mesh.vertices):,} .*; split"
        ):
            draw(scene, camera, attributes=("barycentric",))
    monkeypatch.undo()
    assert np.isfinite(renderer.peel(scene, camera, attributes=("barycentric",)).barycentric).all()
    scene.release()


@pytest.mark.parametrize(("block", "batch"), [(7, 1024), (1000, 1024), (1024, 3 * 1024)])
def test_it_does_not_matter_how_many_crossings_are_worked_out_together(
    renderer, monkeypatch, block, batch
):
    """Pixels with more crossings than a block, blocks that fill a batch to the last place, empty blocks."""
    rng = np.random.default_rng(109)
    mesh = painted(rng, merged(*(box() for _ in range(5)), random_closed_mesh(rng)))
    camera = dd.Camera.orbit(mesh, views=1, width=90, height=70)[0]
    scene = renderer.upload(mesh)
    names = [f"{side}_{name}" for side in ("entry", "exit") for name in ALL]
    maps, layers = (
        draw(scene, camera, attributes=ALL) for draw in (renderer.entry_exit, renderer.peel)
    )
    assert layers.count.max() > 7
    assert len(layers.depth) > 4 * batch
    for module in (crossing_keys, crossing_lists, face_attributes):
        monkeypatch.setattr(module, "BLOCK_SIZE", block)
    monkeypatch.setattr(attribute_pass, "_BATCH_SIZE", batch)
    same_arrays(renderer.entry_exit(scene, camera, attributes=ALL), maps, names)
    same_arrays(renderer.peel(scene, camera, attributes=ALL), layers, ("offsets", "depth", *ALL))
    scene.release()


def test_attributes_leave_no_gl_objects_behind(renderer):
    mesh = painted(np.random.default_rng(0), random_closed_mesh(np.random.default_rng(0), bodies=3))
    cameras = dd.Camera.orbit(mesh, views=2, width=50, height=40)

    def everything():
        scene = renderer.upload(mesh)
        renderer.peel(scene, cameras[0], attributes=ALL)
        renderer.peel(scene, cameras[0], attributes=ALL, max_layers=1)
        renderer.entry_exit(scene, cameras[0], attributes=ALL, near=1.0, far=2.0)
        for _ in renderer.entry_exit_many(scene, cameras, attributes=ALL):
            break  # and the second one is thrown away
        scene.release()

    everything()  # the programs are made once and kept
    with no_gl_objects_left(renderer):
        for _ in range(3):
            everything()


def test_points_are_within_the_rasterizers_reach_of_their_pixels(renderer):
    """Also on needles, and where a pixel is just outside of a face or on one without area."""
    rng = np.random.default_rng(0)
    ends = rng.normal(size=(1000, 2, 3))
    across = rng.normal(size=(1000, 3)) * 1e-3
    needles = np.concatenate([ends, (ends[:, 0] + across)[:, None]], 1).reshape(-1, 3)
    mesh = dd.Mesh(needles, np.arange(3000).reshape(-1, 3))
    cases = [(mesh, dd.Camera.orbit(mesh, views=1, width=512, height=512)[0])]
    cases.append((sealed_t_junction(), turned_view(4.3818, -0.0745, -0.1515)))
    for mesh, camera in cases:
        layers = peel(renderer, mesh, camera, attributes="position")
        image, _ = camera.project(layers.position.astype(np.float64))
        off = np.linalg.norm(image - camera.pixel_centers().reshape(-1, 2)[layers.pixel], axis=1)
        assert off.max() <= MARGIN + 1e-3  # and the rounding of positions to float32
