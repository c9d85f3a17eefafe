"""Invariants: equivalent scenes, cameras and calls yield equal depth maps (hypothesis).

Maps can be equal in three degrees:

* The same bits, if the numbers that reach the GPU are the same.
* The same coverage at every pixel and depths within rounding, if only the order of a face's corners
  differs. The plane is then set up from another corner, in double precision, and rounds
  differently.
* Depths within rounding at the oracle's stable pixels, if the projection of a corner may move.
"""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from closed_forms import MARGIN, ROUNDING
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapes import (
    grid_step,
    moved,
    moved_camera,
    pixel_rays,
    random_camera,
    random_closed_mesh,
    render,
    rotation,
    scaled,
    scaled_camera,
    view_of,
)

import ddepth_gl as dd

# All examples share one renderer on purpose: the tests also show that no scene affects the next.
few, many = (
    settings(
        max_examples=count,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    for count in (25, 50)
)

surfaces_of = st.sampled_from(["oriented", "any"])


@st.composite
def scenes(draw, size=48, bodies=3, kinds=(False, True)):
    """Draw a closed mesh of lumpy bodies, a camera outside it, and the generator that made both."""
    seed = draw(st.integers(0, 2**32 - 1))
    orthographic = draw(st.sampled_from(kinds))
    count = draw(st.integers(1, bodies))
    rng = np.random.default_rng(seed)
    mesh = random_closed_mesh(rng, count)
    return mesh, random_camera(rng, mesh, orthographic, size), rng


def sheets_of(maps):
    return {"entry": maps.entry, "exit": maps.exit}


def assert_same_bits(one, other):
    for name in ("entry", "exit"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
    assert one.has_faces == other.has_faces
    if one.has_faces:
        np.testing.assert_array_equal(one.entry_face, other.entry_face)
        np.testing.assert_array_equal(one.exit_face, other.exit_face)


def allowed_change(mesh, camera, reference, name, vertex_error):
    """Return the (H, W) limit of a depth's change if the face's corners move by `vertex_error`.

    Both depths are rounded. If a plane moves by `vertex_error`, its crossing moves by that distance
    divided by the cosine between ray and normal.
    """
    sheet = reference.sheets[name]
    _, directions, depth_per_distance = pixel_rays(camera)
    cosine = np.abs((mesh.face_normals()[sheet.face] * directions).sum(-1))
    with np.errstate(divide="ignore"):
        return 2 * ROUNDING * sheet.depth + vertex_error / cosine * depth_per_distance


def assert_same_where_stable(reference, one, other, allowed, factor=1.0):
    """Assert equal coverage, and depths equal up to `factor`, at the oracle's stable pixels."""
    for name in ("entry", "exit"):
        sheet = reference.sheets[name]
        before, after = (np.float64(getattr(maps, name)) for maps in (one, other))
        assert (np.isnan(before) == np.isnan(after))[sheet.stable].all()
        held = sheet.stable & ~np.isnan(before)
        error = np.abs(after / factor - before)[held]
        limit = allowed[name][held]
        assert (error <= limit).all(), f"{name}: {(error / limit).max():.3g} times the limit"


# Position and scale


@many
@given(scene=scenes(), surfaces=surfaces_of, reach=st.sampled_from([0.0, 1.0, 30.0]))
@pytest.mark.slow
def test_moving_mesh_and_camera_together_changes_nothing(renderer, scene, surfaces, reach):
    mesh, camera, rng = scene
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = rotation(rng), rng.normal(size=3) * reach
    other_mesh, other_camera = moved(mesh, motion), moved_camera(camera, motion)
    one = render(renderer, mesh, camera, surfaces=surfaces)
    other = render(renderer, other_mesh, other_camera, surfaces=surfaces)
    reference = oracle.reference(mesh.vertices, mesh.faces, view_of(camera), surfaces)
    # Moved vertices round to other points of the grid. Float64 adds its rounding at `reach`.
    error = grid_step(mesh) + grid_step(other_mesh) + 32 * 2.0**-52 * (reach * 3 + 10)
    allowed = {
        name: allowed_change(mesh, camera, reference, name, error) for name in ("entry", "exit")
    }
    assert_same_where_stable(reference, one, other, allowed)
    report = oracle.check(
        oracle.reference(other_mesh.vertices, other_mesh.faces, view_of(other_camera), surfaces),
        other.entry,
        other.exit,
    )
    assert report.ok, str(report)


@pytest.mark.slow
@many
@given(scene=scenes(), exponent=st.integers(-60, 60))
def test_scaling_by_a_power_of_two_scales_the_bits(renderer, scene, exponent):
    mesh, camera, _ = scene
    factor = 2.0**exponent
    one = render(renderer, mesh, camera, attributes=("face",))
    other = render(
        renderer, scaled(mesh, factor), scaled_camera(camera, factor), attributes=("face",)
    )
    for name in ("entry", "exit"):
        np.testing.assert_array_equal(getattr(one, name) * np.float32(factor), getattr(other, name))
        np.testing.assert_array_equal(getattr(one, f"{name}_face"), getattr(other, f"{name}_face"))


@few
@given(scene=scenes(), power=st.floats(-18, 18), surfaces=surfaces_of)
def test_scaling_scales_depth(renderer, scene, power, surfaces):
    mesh, camera, _ = scene
    factor = 10.0**power
    one = render(renderer, mesh, camera, surfaces=surfaces)
    other = render(renderer, scaled(mesh, factor), scaled_camera(camera, factor), surfaces=surfaces)
    reference = oracle.reference(mesh.vertices, mesh.faces, view_of(camera), surfaces)
    # The grid's step is a power of two, so it does not scale with the mesh.
    allowed = {
        name: allowed_change(mesh, camera, reference, name, 2 * grid_step(mesh))
        for name in ("entry", "exit")
    }
    assert_same_where_stable(reference, one, other, allowed, factor)


# Faces and vertices


def split_in_three(mesh):
    """Split each face at its centroid."""
    middle = mesh.vertices[mesh.faces].mean(1)
    new = len(mesh.vertices) + np.arange(len(mesh.faces))
    a, b, c = mesh.faces.T
    faces = np.concatenate([np.stack(t, -1) for t in ((a, b, new), (b, c, new), (c, a, new))])
    return dd.Mesh(np.concatenate([mesh.vertices, middle]), faces)


def split_in_four(mesh):
    """Split each face at its edges' midpoints, which neighbors share."""
    edges = np.sort(np.concatenate([mesh.faces[:, (j, (j + 1) % 3)] for j in range(3)]), axis=1)
    unique, inverse = np.unique(edges, axis=0, return_inverse=True)
    ab, bc, ca = len(mesh.vertices) + inverse.reshape(3, -1)
    a, b, c = mesh.faces.T
    faces = np.concatenate(
        [np.stack(t, -1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    )
    return dd.Mesh(np.concatenate([mesh.vertices, mesh.vertices[unique].mean(1)]), faces)


@many
@given(scene=scenes(), split=st.sampled_from([split_in_three, split_in_four]), surfaces=surfaces_of)
@pytest.mark.slow
def test_splitting_every_face_changes_no_depth(renderer, scene, split, surfaces):
    mesh, camera, _ = scene
    finer = split(mesh)
    assert finer.is_closed
    one = render(renderer, mesh, camera, surfaces=surfaces)
    other = render(renderer, finer, camera, surfaces=surfaces)
    reference = oracle.reference(mesh.vertices, mesh.faces, view_of(camera), surfaces)
    # The new corners, and all points between them, lie on the face up to the grid.
    allowed = {
        name: allowed_change(mesh, camera, reference, name, 2 * grid_step(mesh))
        for name in ("entry", "exit")
    }
    # Beside a new edge the rasterizer may assign a pixel to the part across the edge, whose depths
    # end there. Then its depth is that of the same plane within the margin, as in the oracle. No
    # other pixel may change, so such a pixel must be unstable in the oracle of the finer mesh.
    finer_reference = oracle.reference(finer.vertices, finer.faces, view_of(camera), surfaces)
    for name, sheet in reference.sheets.items():
        beside = sheet.stable & (sheet.candidate >= 0) & ~finer_reference.sheets[name].stable
        c, at = reference.candidates, sheet.candidate[beside]
        allowed[name][beside] += np.maximum(c.high[at] - c.depth[at], c.depth[at] - c.low[at])
    assert_same_where_stable(reference, one, other, allowed)


@pytest.mark.slow
@many
@given(scene=scenes(), surfaces=surfaces_of)
def test_the_order_of_faces_and_corners_does_not_matter(renderer, scene, surfaces):
    """Coverage is the same at every pixel, unstable ones included; depths are within rounding.

    Depths need not have the same bits. A plane is set up from the face's first corner, so its
    doubles differ in their last bits, which float32 seldom shows.
    """
    mesh, camera, rng = scene
    order = rng.permutation(len(mesh.faces))
    turn = rng.integers(0, 3, len(order))[:, None]
    faces = np.take_along_axis(mesh.faces[order], (np.arange(3) + turn) % 3, axis=1)
    one = render(renderer, mesh, camera, surfaces=surfaces, attributes=("face",))
    other = render(
        renderer, dd.Mesh(mesh.vertices, faces), camera, surfaces=surfaces, attributes=("face",)
    )
    for name in ("entry", "exit"):
        before, after = getattr(one, name), getattr(other, name)
        np.testing.assert_array_equal(np.isnan(before), np.isnan(after))
        held = ~np.isnan(before)
        np.testing.assert_array_max_ulp(before[held], after[held], 3)
        # The same face under its new index, except where two are within rounding of each other.
        found, expected = getattr(other, f"{name}_face"), getattr(one, f"{name}_face")
        back = np.append(order, -1)[found]
        assert (back == expected).mean() > 0.999


@many
@given(scene=scenes(), surfaces=surfaces_of)
def test_split_vertices_do_not_matter(renderer, scene, surfaces):
    """Corners at one position under several indices, as in a soup or at UV seams, stay together."""
    mesh, camera, rng = scene
    one = render(renderer, mesh, camera, surfaces=surfaces, attributes=("face",))
    soup = dd.Mesh(
        mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3)
    )
    # A seam splits only some corners.
    seam = mesh.faces.copy()
    seam[rng.random(seam.shape) < 0.2] += len(mesh.vertices)
    for other_mesh in (soup, dd.Mesh(np.tile(mesh.vertices, (2, 1)), seam)):
        other = render(renderer, other_mesh, camera, surfaces=surfaces, attributes=("face",))
        assert_same_bits(one, other)


@few
@given(scene=scenes(), surfaces=surfaces_of)
def test_unused_vertices_do_not_matter(renderer, scene, surfaces):
    """Unused vertices within the mesh's bounds, which set the vertices' grid, change nothing."""
    mesh, camera, rng = scene
    extra = rng.uniform(*mesh.bounds, size=(50, 3))
    vertices = np.concatenate([extra, mesh.vertices])
    one = render(renderer, mesh, camera, surfaces=surfaces, attributes=("face",))
    other = render(
        renderer,
        dd.Mesh(vertices, mesh.faces + 50),
        camera,
        surfaces=surfaces,
        attributes=("face",),
    )
    assert_same_bits(one, other)


# The two sheets


@many
@given(scene=scenes(size=96, bodies=5), surfaces=surfaces_of)
def test_closed_meshes(renderer, scene, surfaces):
    """Each pixel has both sheets or neither, and its entry is never beyond its exit."""
    mesh, camera, _ = scene
    maps = render(renderer, mesh, camera, surfaces=surfaces)
    np.testing.assert_array_equal(np.isnan(maps.entry), np.isnan(maps.exit))
    wrong = maps.entry > maps.exit
    assert not wrong.any(), (
        f"entry beyond exit at {np.argwhere(wrong)[:3].tolist()}, by "
        f"{((maps.entry - maps.exit) / maps.exit)[wrong].max():.3g} relatively"
    )
    assert (maps.entry[maps.mask] > 0).all()


@many
@given(scene=scenes())
def test_surfaces_any_contains_oriented(renderer, scene):
    """A face has exactly the same depth with surfaces "any" and "oriented"."""
    mesh, camera, _ = scene
    oriented, either = (
        render(renderer, mesh, camera, surfaces=name) for name in ("oriented", "any")
    )
    entered, left = ~np.isnan(oriented.entry), ~np.isnan(oriented.exit)
    assert (either.entry[entered] <= oriented.entry[entered]).all()
    assert (either.exit[left] >= oriented.exit[left]).all()
    np.testing.assert_array_equal(either.mask, entered | left)
    # Each sheet is one of the pixel's four depths; inverting the mesh yields the other two.
    inverted = render(renderer, dd.Mesh(mesh.vertices, mesh.faces[:, ::-1]), camera)
    nearest = np.fmin(oriented.entry, inverted.entry)
    farthest = np.fmax(oriented.exit, inverted.exit)
    np.testing.assert_array_max_ulp(either.entry[either.mask], nearest[either.mask], 3)
    np.testing.assert_array_max_ulp(either.exit[either.mask], farthest[either.mask], 3)


@many
@given(scene=scenes(), surfaces=surfaces_of)
def test_every_depth_lies_on_its_face(renderer, scene, surfaces):
    """The point at an entry lies on `entry_face`, the point at an exit on `exit_face`."""
    mesh, camera, _ = scene
    maps = render(renderer, mesh, camera, surfaces=surfaces, attributes=("face",))
    found = oracle.find_candidates(mesh.vertices, mesh.faces, view_of(camera))
    pairs = found.pixel * len(mesh.faces) + found.face
    normals, corners = mesh.face_normals(), mesh.vertices[mesh.faces]
    _, directions, depth_per_distance = pixel_rays(camera)
    for sheet, face, front in (
        (maps.entry, maps.entry_face, True),
        (maps.exit, maps.exit_face, False),
    ):
        np.testing.assert_array_equal(face == -1, np.isnan(sheet))
        hit = face >= 0
        if not hit.any():
            continue
        pixel, index, depth = np.flatnonzero(hit), face[hit], np.float64(sheet[hit])
        # The pixel is within the oracle's margin of the face, which has the right facing.
        at = np.searchsorted(pairs, pixel * len(mesh.faces) + index).clip(0, len(pairs) - 1)
        assert (found.pixel[at] == pixel).all()
        assert (found.face[at] == index).all()
        assert (found.clearance[at] >= -MARGIN).all()
        if surfaces == "oriented":
            assert ((found.front[at] == front) | found.thin[at]).all()
        # The depth is within the face's depths. The point is on the plane, or beside the face's rim
        # at most the margin away from it.
        point = camera.unproject(camera.pixel_centers()[hit], depth)
        corner_depths = (
            corners[index] @ camera.camera_from_world[2, :3] + camera.camera_from_world[2, 3]
        )
        slack = ROUNDING * depth + grid_step(mesh)
        assert (depth >= corner_depths.min(1) - slack).all()
        assert (depth <= corner_depths.max(1) + slack).all()
        off = np.abs(((point - corners[index, 0]) * normals[index]).sum(-1))
        cosine = np.abs((normals[index] * directions[hit]).sum(-1))
        distance = depth / depth_per_distance[hit]
        limit = ROUNDING * distance * cosine + grid_step(mesh)
        pixel_size = (1 if camera.is_orthographic else distance) / min(
            camera.K[0, 0], camera.K[1, 1]
        )
        inner = found.clearance[at] > MARGIN
        assert (off <= limit)[inner].all()
        # A skewed pixel is wider than it is along its axes; twice covers the cameras here.
        assert (off <= limit + 2 * MARGIN * pixel_size).all()


# Calls


@few
@given(scene=scenes(), surfaces=surfaces_of, faces=st.booleans())
def test_the_same_call_returns_the_same_bits(renderer, scene, surfaces, faces):
    """Repeat a call on the same scene after other calls, and on a new scene."""
    mesh, camera, rng = scene
    arguments = {"surfaces": surfaces, "attributes": ("face",) if faces else ()}
    scene = renderer.upload(mesh)
    one = renderer.entry_exit(scene, camera, **arguments)
    renderer.entry_exit(
        scene, random_camera(rng, mesh, not camera.is_orthographic, 40), near=0.5, far=2.0
    )
    render(renderer, dd.Mesh(mesh.vertices[:, ::-1], mesh.faces), camera, attributes=("face",))
    assert_same_bits(one, renderer.entry_exit(scene, camera, **arguments))
    scene.release()
    assert_same_bits(one, render(renderer, mesh, camera, **arguments))
    # Asking for faces does not change depths.
    bare = render(renderer, mesh, camera, surfaces=surfaces)
    assert bare.entry.tobytes() == one.entry.tobytes()
    assert bare.exit.tobytes() == one.exit.tobytes()


@pytest.mark.slow
@few
@given(
    scene=scenes(), surfaces=surfaces_of, faces=st.booleans(), crop=st.booleans(), data=st.data()
)
def test_many_is_a_loop(renderer, scene, surfaces, faces, crop, data):
    """`entry_exit_many` equals a loop bit for bit, for all cameras and with other calls between."""
    mesh, camera, rng = scene
    kinds = data.draw(st.lists(st.tuples(st.booleans(), st.sampled_from([2, 17, 40])), max_size=7))
    cameras = [camera, *(random_camera(rng, mesh, kind, size) for kind, size in kinds)]
    arguments = {"surfaces": surfaces, "attributes": ("face",) if faces else ()}
    if crop:
        _, depth = camera.project(mesh.vertices)
        arguments |= {"near": float(np.median(depth)) * 0.9, "far": float(depth.max())}
    uploaded = renderer.upload(mesh)
    expected = [renderer.entry_exit(uploaded, one, **arguments) for one in cameras]
    pipelined = []
    for maps in renderer.entry_exit_many(uploaded, iter(cameras), **arguments):
        pipelined.append(maps)
        if len(pipelined) == 1:
            renderer.entry_exit(uploaded, cameras[-1])
    uploaded.release()
    assert len(pipelined) == len(cameras)
    for one, other, given_camera in zip(expected, pipelined, cameras, strict=True):
        assert other.camera is given_camera
        assert_same_bits(one, other)


# Cameras


def opengl_projection(camera, near=0.1, far=100.0):
    """Return the OpenGL projection matrix of a camera, as in textbooks."""
    W, H, K = camera.width, camera.height, camera.K
    P = np.zeros((4, 4))
    P[0, 0], P[0, 1], P[1, 1] = 2 * K[0, 0] / W, -2 * K[0, 1] / W, 2 * K[1, 1] / H
    if camera.is_orthographic:
        P[0, 3], P[1, 3] = 2 * K[0, 2] / W - 1, 1 - 2 * K[1, 2] / H
        P[2, 2], P[2, 3], P[3, 3] = -2 / (far - near), -(far + near) / (far - near), 1
    else:
        P[0, 2], P[1, 2] = 1 - 2 * K[0, 2] / W, 2 * K[1, 2] / H - 1
        P[2, 2], P[2, 3], P[3, 2] = -(far + near) / (far - near), -2 * far * near / (far - near), -1
    return P


@pytest.mark.slow
@many
@given(scene=scenes(), as_matrix=st.booleans())
def test_opengl_and_intrinsics_are_one_camera(renderer, scene, as_matrix):
    mesh, camera, _ = scene
    world_from_camera = np.linalg.inv(camera.camera_from_world) @ np.diag([1.0, -1, -1, 1])
    if camera.is_orthographic or as_matrix:
        intrinsics = opengl_projection(camera)
    else:
        intrinsics = camera.K
        # The same camera with OpenCV's pixel centers.
        shifted = camera.K - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
        other = dd.Camera.from_intrinsics(
            shifted, camera.camera_from_world, camera.width, camera.height, pixel_center=0.0
        )
        np.testing.assert_allclose(other.K, camera.K, rtol=1e-15, atol=1e-13)
    other = dd.Camera.from_opengl(intrinsics, world_from_camera, camera.width, camera.height)
    assert other.is_orthographic == camera.is_orthographic
    one, two = render(renderer, mesh, camera), render(renderer, mesh, other)
    # The pose is inverted twice in float64, a few 1e-15: the same as a vertex error of that size.
    reference = oracle.reference(mesh.vertices, mesh.faces, view_of(camera))
    error = 1e-14 * np.abs(camera.camera_from_world).max() * 10
    allowed = {
        name: allowed_change(mesh, camera, reference, name, error) for name in ("entry", "exit")
    }
    assert_same_where_stable(reference, one, two, allowed)


@few
@given(scene=scenes(), quarter=st.integers(0, 3), translation=st.tuples(*[st.integers(-8, 8)] * 3))
def test_opengl_and_intrinsics_return_the_same_bits(renderer, scene, quarter, translation):
    """The pose has an exact inverse: quarter turns, and translations by integers over 4."""
    mesh, camera, _ = scene
    turn = np.linalg.matrix_power(np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]), quarter)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn, np.array(translation) / 4 + (0, 0, 6)
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3], world_from_camera[:3, 3] = turn.T, -turn.T @ pose[:3, 3]
    one = dd.Camera(camera.K, pose, camera.width, camera.height)
    other = dd.Camera.from_opengl(
        camera.K, world_from_camera @ np.diag([1.0, -1, -1, 1]), camera.width, camera.height
    )
    np.testing.assert_array_equal(one.camera_from_world, other.camera_from_world)
    assert_same_bits(render(renderer, mesh, one), render(renderer, mesh, other))


@pytest.mark.slow
@many
@given(scene=scenes(size=64), surfaces=surfaces_of, data=st.data())
def test_a_window_is_a_crop_of_the_larger_image(renderer, scene, surfaces, data):
    mesh, camera, _ = scene
    left = data.draw(st.integers(0, camera.width - 1))
    top = data.draw(st.integers(0, camera.height - 1))
    width = data.draw(st.integers(1, camera.width - left))
    height = data.draw(st.integers(1, camera.height - top))
    K = camera.K - np.array([[0, 0, left], [0, 0, top], [0, 0, 0]])
    window = dd.Camera(K, camera.camera_from_world, width, height, camera.is_orthographic)
    whole = render(renderer, mesh, camera, surfaces=surfaces)
    part = render(renderer, mesh, window, surfaces=surfaces)
    reference = oracle.reference(mesh.vertices, mesh.faces, view_of(window), surfaces)
    # The shifted principal point is rounded in float64; nothing else changes but rounding.
    allowed = {
        name: allowed_change(mesh, window, reference, name, 1e-13) for name in ("entry", "exit")
    }
    rows, columns = slice(top, top + height), slice(left, left + width)
    cropped = dd.DepthMaps(whole.entry[rows, columns], whole.exit[rows, columns], window)
    assert_same_where_stable(reference, cropped, part, allowed)
    report = oracle.check(reference, part.entry, part.exit, flat_fraction=0.99)
    assert report.ok, str(report)


@pytest.mark.slow
@many
@given(scene=scenes(kinds=(True,)), surfaces=surfaces_of)
def test_a_distant_narrow_camera_is_almost_orthographic(renderer, scene, surfaces):
    """A narrow camera at distance D sees almost what a parallel camera sees.

    A point's projection differs by (u - cx) (z - D) / D pixels, which is the oracle's margin here.
    Its depth differs by a constant.
    """
    mesh, parallel, _ = scene
    radius = float(np.linalg.norm(np.ptp(mesh.bounds, axis=0))) / 2
    _, depth = parallel.project(mesh.vertices)
    D = 4000.0 * radius
    pose = parallel.camera_from_world.copy()
    back = D - depth.mean()
    pose[2, 3] += back
    K = parallel.K.copy()
    K[:2, :2] *= D
    distant = dd.Camera.from_intrinsics(K, pose, parallel.width, parallel.height)

    one, _ = parallel.project(mesh.vertices)
    two, _ = distant.project(mesh.vertices)
    seen = np.abs(two - one).max()
    assert seen < 0.05
    maps = render(renderer, mesh, distant, surfaces=surfaces)
    reference = oracle.reference(
        mesh.vertices, mesh.faces, view_of(parallel), surfaces, margin=seen * np.sqrt(2) + MARGIN
    )
    # Depth is float32 at D. The flat fraction means nothing here, since the margin is large.
    report = oracle.check(
        reference,
        maps.entry - np.float64(back),
        maps.exit - np.float64(back),
        absolute=ROUNDING * 1.01 * D,
        flat_fraction=0.0,
    )
    assert report.ok, str(report)
    assert report.covered > 50
