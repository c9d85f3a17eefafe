"""The attribute judge: compares attributes of crossings with their specification and the oracle.

Tolerances
----------
The contract is 1e-5 on faces whose image is nowhere thinner than MIN_ALTITUDE, and 0.01 degree for
normals. From it, and from float32 results, follow these tolerances:

* barycentric: 1e-5 each. Vertices are stored on a grid, which may move a face's image by more than
  1e-5 of its altitude (a camera close to a large mesh). Then that displacement is the tolerance.
* position: corner 0 + b1 e1 + b2 e2, so 2e-5 of the longest edge. Half an ulp for rounding the
  coordinates to float32, and the same fraction of the mesh's radius for the sum.
* uv, vertex colors: the same sum over corner values, so 2e-5 of the largest of them.
* texture: the change of the texture when uv moves by its tolerance.
* outside of the face, where the rasterizer covers a pixel that it should not, the point is moved
  into the face. If negative weights become 0 and the others are normalized, each weight moves by no
  more than the sum of the negative ones. If the nearest point is taken, its image moves by MARGIN
  at most, and weights by that divided by the altitude.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import oracle
from shapes import (
    grid_step,
    pixel_rays,
    view_of,
)

import ddepth_gl as dd

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Named = dict[str, Array]  # arrays by the name of their attribute
Describe = Callable[[int], str]  # tells where the crossing with that index is

# Name: (numbers per crossing, dtype). Written out, as this is the specification.
SPECIFIED: dict[str, tuple[int, type[np.generic]]] = {
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
MARGIN = 1 / 128  # pixels by which the rasterizer may move a face's border
NORMAL = np.radians(0.01)
UNIT = 2.0**-24  # half an ulp of float32, relative

# Faces of an image whose smooth normals are checked, as the oracle computes these in a slow loop.
SMOOTH_FACES = 150

FACE_ON = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), fov_y_deg=40.0, width=40, height=30)
QUAD = np.array([(-1.0, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)])
QUAD_FACES = np.array([(0, 1, 2), (0, 2, 3)])
QUAD_UV = np.array([(0.0, 0), (1, 0), (1, 1), (0, 1)])


def mix(weights: npt.ArrayLike, corners: npt.ArrayLike) -> Floats:
    """Return (N, C) float64: (N, 3, C) corner values, weighted by (N, 3) barycentric weights."""
    weights, corners = np.asarray(weights, np.float64), np.asarray(corners, np.float64)
    mixed: Floats = (
        corners[:, 0]
        + weights[:, 1:2] * (corners[:, 1] - corners[:, 0])
        + weights[:, 2:3] * (corners[:, 2] - corners[:, 0])
    )
    return mixed


def vertex_colors(mesh: dd.Mesh, face: Array, weights: Array) -> Floats:
    """Return (N, 4) linear vertex colors, white on a mesh without colors."""
    if mesh.colors is None:
        return np.ones((len(face), 4))
    return mix(weights, oracle.linear_rgba(mesh.colors)[mesh.faces[face]])


def textured(mesh: dd.Mesh, face: Array, uv: Floats, uv_error: Floats) -> tuple[Floats, Floats]:
    """Return (N, 4) linear color of each face's texture at uv, and its change by an error of uv."""
    color, change = np.ones((len(face), 4)), np.zeros((len(face), 4))
    for k, texture in enumerate(mesh.textures):
        here = mesh.texture_id[face] == k
        texels = uv_error[here] * sum(texture.shape[:2])
        color[here], steepness = oracle.texture_at(texture, uv[here], texels)
        change[here] = steepness * texels[:, None]
    return color, change


def within(name: str, got: Array, expected: Any, allowed: npt.ArrayLike, where: Describe) -> None:
    error = np.abs(np.asarray(got, np.float64) - expected)
    allowed = np.asarray(allowed)
    allowed = np.broadcast_to(allowed if allowed.ndim != 1 else allowed[:, None], error.shape)
    bad = np.argwhere(~(error <= allowed))
    if len(bad):
        i = bad[0, 0]
        raise AssertionError(
            f"{name}: {len(set(bad[:, 0].tolist()))} of {len(error)} are off, the first at "
            f"{where(i)}: {got[i]} instead of {expected[i]}, allowed {allowed[i]}"
        )


def judge(mesh: dd.Mesh, camera: dd.Camera, pixel: Array, face: Array, got: Named) -> int:
    """Check attributes of crossings; return the number that was compared with the oracle."""
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

    def where(i: int) -> str:
        row, column = divmod(int(pixel[i]), camera.width)
        return f"row {row}, column {column}, face {int(face[i])}"

    # These hold for every crossing, also on slivers. Three weights that are rounded once each sum
    # to 1 within 3 half ulps; 1e-6 leaves room for a sum in float32.
    weights = got["barycentric"]
    assert (weights >= 0).all()
    within("sum of weights", weights.astype(np.float64).sum(1, keepdims=True), 1.0, 1e-6, where)

    truth = oracle.attributes(mesh.vertices, mesh.faces, view_of(camera), pixel, face)
    has_area = np.isfinite(truth.normal).all(axis=1)
    for name in ("normal", "smooth_normal"):
        length = np.linalg.norm(got[name][has_area].astype(np.float64), axis=1)
        # Three components, rounded: 3**0.5 half ulps, and a square root and a division in float32.
        within(f"length of {name}", length[:, None], np.ones((len(length), 1)), 8 * UNIT, where)

    # Attributes agree with the weights returned with them, which are rounded to float32.
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
    # The position in the texture, uv times size, in float32: uv, the product and the half texel are
    # each rounded.
    texture, change = textured(mesh, face, got["uv"].astype(np.float64), 4 * UNIT * uv_size)
    tint = vertex_colors(mesh, face, weights)
    within("color", got["color"], tint * texture, 2e-6 + change, where)

    # Against the oracle.
    checked = np.flatnonzero((truth.altitude > MIN_ALTITUDE) & (truth.outside < 1))
    face, truth = face[checked], select(truth, checked)
    got = {name: values[checked] for name, values in got.items()}

    def where_checked(i: int) -> str:
        row, column = divmod(int(pixel[checked[i]]), camera.width)
        return (
            f"row {row}, column {column}, face {int(face[i])}, {truth.altitude[i]:.3g} pixels high"
        )

    # The grid moves both ends of the altitude, by this many pixels at the nearest corner. The
    # factor 1.5 is for a skewed K and oblique rays. Weights in the image are divided by z.
    moves = 1.5 * grid_step(mesh) / camera.pixel_footprint(truth.nearest)
    ratio = 1 if camera.is_orthographic else truth.farthest / truth.nearest
    by_grid = 2 * moves / truth.altitude * ratio
    by_clamping = np.maximum(2 * truth.outside, MARGIN / truth.altitude * ratio) * (
        truth.outside > 0
    )
    weight_error = np.maximum(CONTRACT, by_grid) + by_clamping
    within("barycentric", got["barycentric"], truth.barycentric, weight_error, where_checked)
    within(
        "position",
        got["position"],
        truth.position,
        (2 * weight_error * edge[checked])[:, None] + rounding[checked],
        where_checked,
    )
    error = 2 * weight_error * uv_size[checked]
    uv: npt.NDArray[Any] = np.full((len(checked), 2), np.nan)
    if mesh.uv is not None:
        uv = mix(truth.barycentric, corner_uv[checked])
        within("uv", got["uv"], uv, error, where_checked)
    texture, change = textured(mesh, face, uv, error)
    tint = vertex_colors(mesh, face, truth.barycentric)
    within(
        "color", got["color"], tint * texture, (2 * weight_error)[:, None] + change, where_checked
    )
    # The angle between unit vectors is about the length of their difference.
    angle = np.linalg.norm(got["normal"] - truth.normal, axis=1)
    within("normal", angle[:, None], np.zeros((len(angle), 1)), NORMAL, where_checked)
    judge_smooth(
        mesh,
        face,
        truth.outside,
        got["barycentric"],
        truth.barycentric,
        got["smooth_normal"],
        where_checked,
    )
    return len(checked)


def judge_smooth(
    mesh: dd.Mesh,
    face: Array,
    outside: Floats,
    weights: Array,
    exact_weights: Floats,
    got: Array,
    where: Describe,
) -> None:
    """Check smooth normals on some faces, by the oracle's weights, or outside by `weights`."""
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


def select(truth: oracle.Attributes, which: Array) -> oracle.Attributes:
    return replace(truth, **{name: getattr(truth, name)[which] for name in vars(truth)})


def judge_layers(mesh: dd.Mesh, camera: dd.Camera, layers: dd.DepthLayers) -> int:
    got = {name: getattr(layers, name) for name in ALL}
    return judge(mesh, camera, layers.pixel, layers.face, got)


def judge_maps(mesh: dd.Mesh, camera: dd.Camera, maps: dd.DepthMaps) -> int:
    """Check both sheets and the fill values of misses."""
    checked = 0
    for sheet in ("entry", "exit"):
        images = {name: getattr(maps, f"{sheet}_{name}") for name in ALL}
        hit = ~np.isnan(getattr(maps, sheet))
        for name, image in images.items():
            channels, dtype = SPECIFIED[name]
            assert image.shape == hit.shape + ((channels,) if channels else ()), name
            miss = image[~hit]
            assert (np.isnan(miss) if dtype == np.float32 else miss == -1).all(), name
        got = {name: image[hit] for name, image in images.items()}
        checked += judge(mesh, camera, np.flatnonzero(hit), images["face"][hit], got)
    return checked


def judge_both(renderer: dd.DepthRenderer, mesh: dd.Mesh, camera: dd.Camera, **crop: Any) -> int:
    """Render and check both sheets and all layers of one image."""
    scene = renderer.upload(mesh)
    checked = judge_layers(mesh, camera, renderer.peel(scene, camera, attributes=ALL, **crop))
    checked += judge_maps(mesh, camera, renderer.entry_exit(scene, camera, attributes=ALL, **crop))
    scene.release()
    return checked


def same_arrays(one: object, other: object, names: Iterable[str]) -> None:
    for name in names:
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype, name
        assert a.shape == b.shape, name
        assert a.tobytes() == b.tobytes(), f"{name}: {np.argwhere(~same_number(a, b))[:3].tolist()}"


def same_number(a: Array, b: Array) -> Array:
    return np.asarray((a == b) | ((a != a) & (b != b)))


MAP_NAMES = ("entry", "exit", *(f"{sheet}_{name}" for sheet in ("entry", "exit") for name in ALL))
LAYER_NAMES = ("offsets", "depth", "front_facing", "truncated", *ALL)


def pixel_directions(camera: dd.Camera, pixel: Array) -> Floats:
    """Return (N, 3) directions of the rays of some pixels, world frame."""
    return pixel_rays(camera)[1].reshape(-1, 3)[pixel]


def texture_camera(width: int, height: int) -> dd.Camera:
    """Return an orthographic camera above the square from -1 to 1, whose pixels are texels."""
    pose = np.diag([1.0, -1, -1, 1])
    pose[2, 3] = 5
    return dd.Camera.orthographic((2, 2), pose, width, height)
