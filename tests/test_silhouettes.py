"""Silhouettes with swapped entry and exit: one rule for sheets, layers and solid lengths."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from crossings import by_hand
from shapes import box, inside_out, merged, rotation, view_of

import ddepth_gl as dd
from ddepth_gl.engines.request import SheetRequest
from ddepth_gl.engines.shared.finishing import FinishPass
from ddepth_gl.results.silhouettes import fix_silhouettes

# From docs/conventions.md: the largest swap in pixel footprints; the largest in a 2x2 block.
LIMIT, BLOCK_LIMIT = 15.625, 1.0
RELATIVE = 2e-6


def camera_of(orthographic, width=17, height=9):
    """Return a camera along +z; the middle column has x = 0; footprints are 1 or depth / 64."""
    if orthographic:
        return dd.Camera.orthographic((width, height), np.eye(4), width, height)
    K = [[64.0, 0, width / 2], [0, 64.0, height / 2], [0, 0, 1]]
    return dd.Camera.from_intrinsics(K, np.eye(4), width, height)


def same_bits(maps, others):
    return all(
        np.array_equal(getattr(maps, sheet).view(np.uint32), getattr(others, sheet).view(np.uint32))
        for sheet in ("entry", "exit")
    )


def seen(renderer, mesh, camera, surfaces="auto"):
    """Return maps and layers, after checking that all ways to the maps yield the same bits."""
    scene = renderer.upload(mesh)
    maps = renderer.entry_exit(scene, camera, surfaces=surfaces)
    layers = renderer.peel(scene, camera)
    with renderer.entry_exit(scene, camera, surfaces=surfaces, output="gpu") as device:
        assert same_bits(device.numpy(), maps)
    scene.release()
    assert same_bits(layers.entry_exit(surfaces), maps)
    return maps, layers


# The rule, by hand


@pytest.mark.parametrize(
    ("crossings", "entry", "exit_", "length"),
    [
        ("B4 F4.5", 4.25, 4.25, 0),  # a silhouette: equal depths, no length
        ("B4 F4", 4, 4, 0),
        ("B4 F4.5 F6 B8", 4.5, 8, 2),  # in front of a body
        ("F2 B3 B4 F4.5", 2, 4, 1),  # behind a body
        ("F2 B3 B4 F4.5 F6 B8", 2, 8, 3),  # between two bodies
        ("B4 B4.1 F4.2 F4.5", 4.15, 4.15, 0),  # two silhouettes in one pixel
        ("F2 F3 B4 B5 B6 F6", 2, 6, 3),  # behind two bodies that overlap
        ("B1 B4 F4.5", 4.25, 4.25, 1),  # the camera is inside a body
        ("B4 F40", 40, 4, np.nan),  # beyond the limit: a body wound inward
    ],
)
def test_the_rule_in_lists_of_crossings(crossings, entry, exit_, length):
    layers = by_hand([[crossings, "", ""], ["", "", ""], ["", "", "F1 B2"]], oriented=True)
    footprint = layers.camera.pixel_footprint(np.ones(1)).item()
    assert footprint == pytest.approx(2 / 3)  # the limit is 10.4
    maps = layers.entry_exit()
    assert (maps.entry[0, 0], maps.exit[0, 0]) == pytest.approx((entry, exit_), rel=1e-6)
    assert (maps.entry[0, 0] == maps.exit[0, 0]) == (entry == exit_)
    assert layers.solid_length[0, 0] == pytest.approx(length, nan_ok=True)
    assert sum(b - a for a, b in layers.intervals(0, 0)) == pytest.approx(np.nan_to_num(length))
    # Layers stay sorted by depth, of any facing.
    assert layers.depth[: layers.offsets[1]].tolist() == [
        float(np.float32(word[1:])) for word in crossings.split()
    ]
    # Other meshes are not fixed: their sheets are those of the faces.
    other = by_hand([[crossings, "", ""], ["", "", ""], ["", "", "F1 B2"]]).entry_exit()
    fronts, backs = (
        [float(word[1:]) for word in crossings.split() if word[0] == side] for side in ("F", "B")
    )
    assert (other.entry[0, 0], other.exit[0, 0]) == (np.float32(fronts[0]), np.float32(backs[-1]))


# The limits, on the CPU and on the GPU


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("where", ["cpu", "gpu"])
def test_the_limits(renderer, where, orthographic):
    """Alone or in blocks, a swap just below the limit is fixed, one just above is not."""
    camera = camera_of(orthographic)
    rows, columns = camera.height, camera.width
    shape = (rows, columns)
    near = np.full(shape, 128.0, np.float32)
    footprint = 1.0 if orthographic else 128 / 64
    entry, exit_ = near - np.float32(1), near.copy()  # not swapped, except for:
    fixed = np.zeros(shape, bool)
    for number, factor in enumerate((0.02, 0.5, 1 - 2**-12, 1 + 2**-12, 2.0, 9.0)):
        entry[1, 1 + 2 * number] = near[0, 0] + np.float32(LIMIT * footprint * factor)
        fixed[1, 1 + 2 * number] = factor < 1
    for number, factor in enumerate((0.1, 1 - 2**-12, 1 + 2**-12, 8.0)):
        block = slice(5, 7), slice(3 * number, 3 * number + 2)
        entry[block] = near[0, 0] + np.float32(BLOCK_LIMIT * footprint * factor)
        fixed[block] = factor < 1
    given = entry.copy(), exit_.copy()
    if where == "cpu":
        fix_silhouettes(entry, exit_, camera, lambda: True)
    else:
        scene = renderer.upload(box())
        with renderer._context as context:
            finish = FinishPass(context, inverted_entries=False)
            buffer = context.gl.buffer(np.concatenate([entry, exit_]).tobytes())
            finished = context.gl.buffer(reserve=buffer.size)
            finish.run(buffer, scene, [camera], SheetRequest(), [(finished, 0)])
            entry, exit_ = np.frombuffer(finished.read(), np.float32).reshape(2, *shape)
            for each in (buffer, finished, finish):
                each.release()
        scene.release()
    middle = (given[0] + given[1]) / np.float32(2)
    np.testing.assert_array_equal(entry, np.where(fixed, middle, given[0]))
    np.testing.assert_array_equal(exit_, np.where(fixed, middle, given[1]))


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize(
    ("across", "limit"), [(0.45, LIMIT), (3.0, BLOCK_LIMIT)], ids=["a column", "blocks"]
)
def test_the_limits_in_images(renderer, across, limit, orthographic):
    """A body wound inward, beside a larger one: rays meet its back first, by its thickness."""
    camera = camera_of(orthographic)
    footprint = 1.0 if orthographic else 128 / 64
    beside = box((-900, -100, 100), (-700, 100, 400))
    for factor in (0.1, 0.96, 1.04, 8.0):
        thickness = limit * footprint * factor
        half = across * footprint
        body = inside_out(box((-half, -3 * footprint, 128), (half, 3 * footprint, 128 + thickness)))
        mesh = merged(beside, body)
        assert mesh.is_oriented  # as a whole
        maps, layers = seen(renderer, mesh, camera, "oriented")
        found = maps.entry[4, 8], maps.exit[4, 8]
        expected = (128 + thickness / 2,) * 2 if factor < 1 else (128 + thickness, 128)
        np.testing.assert_allclose(found, expected, rtol=RELATIVE)
        assert np.isnan(layers.solid_length[4, 8])


# In images of closed meshes


def wedge(x, slope, rows):
    """Return a prism along y with a tilted ridge at `x`; its two sides are nearly edge-on."""
    y = np.array([-rows / 2 - 1.0, rows / 2 + 1.0])
    section = np.array([[0.0, 0.0], [3.0, -3.0 * slope], [3.0, 3.0 * slope]])
    vertices = [
        (x + across, at, 8 * slope + along + 2 * at) for at in y for across, along in section
    ]
    faces = [(0, 2, 1), (3, 4, 5), (0, 1, 4), (0, 4, 3), (1, 2, 5), (1, 5, 4), (2, 0, 3), (2, 3, 5)]
    mesh = dd.Mesh(vertices, faces)
    return mesh if mesh.volume > 0 else inside_out(mesh)


@pytest.mark.parametrize("slope", [10.0, 200.0, 900.0])
def test_nearly_edge_on(renderer, slope):
    """The ridge is a thousandth of a pixel beside the pixel centers, so these are swapped.

    By more than a footprint where the sides are steepest: each falls by `slope` footprints a pixel.
    """
    camera = camera_of(True)
    maps, layers = seen(renderer, wedge(2**-10, slope, camera.height), camera)
    first = layers.offsets[:-1].reshape(maps.mask.shape)[:, 8]
    assert (layers.count[:, 8] == 2).all()
    assert not layers.front_facing[first].any()
    apart = layers.depth[first + 1] - layers.depth[first]
    assert apart.max() > 0.9 * 2 * slope * 2**-10
    np.testing.assert_array_equal(maps.thickness[:, 8], 0)
    # The depth of the ridge in each row.
    y = np.arange(camera.height) - camera.height / 2 + 0.5
    ridge = 8 * slope + 2 * y
    assert (abs(maps.entry[:, 8] - ridge) <= slope * 2**-10 + RELATIVE * ridge).all()
    np.testing.assert_array_equal(layers.solid_length[:, 8], 0)
    assert (layers.solid_length[:, 9] > 0).all()


def test_an_image_full_of_bodies_as_small_as_pixels(renderer):
    """Bars of one pixel side by side, with edges at pixel centers: no ray is inside any."""
    bars = []
    for x in range(-8, 9):
        left, right = (x - 0.5 + 2**-10, x + 0.5 - 2**-10)
        vertices = [
            (across, y, 50 + 0.3 * y + along)
            for y in (-6.0, 6.0)
            for across, along in ((left, 0), (x, -5), (right, 0), (x, 5))
        ]
        sides = [(k, (k + 1) % 4, (k + 1) % 4 + 4, k + 4) for k in range(4)]
        faces = [t for a, b, c, d in sides for t in ((a, b, c), (a, c, d))]
        bar = dd.Mesh(vertices, [*faces, (0, 2, 1), (0, 3, 2), (4, 5, 6), (4, 6, 7)])
        bars.append(bar if bar.volume > 0 else inside_out(bar))
    camera = dd.Camera.orthographic((16, 8), np.eye(4), 16, 8)  # centers at k + 1/2
    maps, layers = seen(renderer, merged(*bars), camera)
    assert maps.mask.all()
    first = layers.offsets[:-1]
    assert not layers.front_facing[first].any()
    np.testing.assert_array_equal(maps.thickness, 0)
    np.testing.assert_array_equal(layers.solid_length, 0)


def cubes():
    """Yield cubes aligned with the pixels: stacked, overlapping and apart."""
    yield "one", box()
    yield "stack", merged(*[box((x, -0.5, -0.5), (x + 1, 0.5, 0.5)) for x in (-2, -1, 0, 1)])
    yield "pile", merged(*[box((-1, -1, z), (1, 1, z + 0.5)) for z in (-1.0, -0.5, 0.5)])
    yield "nested", merged(box(), box((-0.5,) * 3, (0.5,) * 3), box((-1, -1, 1), (1, 1, 2)))
    yield (
        "staircase",
        merged(*[box((k / 2 - 1, -1 + k / 4, k / 2), (k / 2, 0, k / 2 + 0.5)) for k in range(4)]),
    )


def cube_cameras(orthographic):
    """Yield face-on cameras, edges through pixel centers or beside; then slightly turned ones."""
    rng = np.random.default_rng(11)
    for angle in (0.0, 1e-6, 1e-3, 1.0):
        axis = rng.normal(size=3)
        x, y, z = axis / np.linalg.norm(axis)
        skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        pose = np.eye(4)
        pose[:3, :3] += np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
        pose[2, 3] = 6.0
        for half in (0.0, 0.5):
            pixels = 12 + half
            if orthographic:
                yield dd.Camera.orthographic(40 / pixels, pose, 40, 40)
            else:
                K = [[5 * pixels, 0, 20], [0, 5 * pixels, 20], [0, 0, 1]]
                yield dd.Camera.from_intrinsics(K, pose, 40, 40)


def true_length(mesh, camera):
    """Return (H, W) length inside the solid from the oracle's crossings, and where it is certain.

    For cameras outside the mesh.
    """
    found = oracle.all_crossings(mesh.vertices, mesh.faces, view_of(camera))
    length = np.zeros(found.stable.size)
    for pixel in np.flatnonzero(np.diff(found.offsets)):
        bodies = 0
        for crossing in range(found.offsets[pixel], found.offsets[pixel + 1]):
            if bodies > 0:
                length[pixel] += found.depth[crossing] - found.depth[crossing - 1]
            bodies += 1 if found.front[crossing] else -1
    return length.reshape(found.stable.shape) * camera.distance_per_depth(), found.stable


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize(("name", "mesh"), list(cubes()))
def test_cubes_aligned_with_the_pixels(renderer, name, mesh, orthographic):
    swapped = 0
    for camera in cube_cameras(orthographic):
        maps, layers = seen(renderer, mesh, camera)
        np.testing.assert_array_equal(np.isnan(maps.entry), np.isnan(maps.exit))
        thickness, length = maps.thickness[maps.mask], layers.solid_length
        assert (thickness >= 0).all()
        assert (length >= 0).all()
        assert (length[maps.mask] <= thickness + 2 * RELATIVE * maps.exit_distance[maps.mask]).all()
        assert not length[~maps.mask].any()
        truth, stable = true_length(mesh, camera)
        slack = layers.count * RELATIVE * np.nan_to_num(maps.exit_distance) + 1e-6
        assert (abs(length - truth) <= slack)[stable].all()
        inside, at_start = layers.nesting
        assert not at_start.any()
        swapped += int((inside < 0).sum())
    if name == "one" and not orthographic:
        assert swapped > 50  # or nothing was tested


@pytest.mark.parametrize("seed", range(6))
def test_cubes_turned_at_random(renderer, seed):
    rng = np.random.default_rng([3, seed])
    parts = [box(low, low + rng.uniform(0.3, 1.2, 3)) for low in rng.uniform(-1, 0.5, (6, 3))]
    mesh = merged(*[dd.Mesh(part.vertices @ rotation(rng).T, part.faces) for part in parts])
    camera = dd.Camera.look_at((3.5, 2.5, 3), (0, 0, 0), fov_y_deg=45, width=70, height=60)
    maps, layers = seen(renderer, mesh, camera)
    length, thickness = layers.solid_length, maps.thickness
    assert (thickness[maps.mask] >= 0).all()
    assert (
        length <= np.nan_to_num(thickness) + 4 * RELATIVE * np.nan_to_num(maps.exit_distance)
    ).all()
    truth, stable = true_length(mesh, camera)
    slack = layers.count * RELATIVE * np.nan_to_num(maps.exit_distance) + 1e-6
    assert (abs(length - truth) <= slack)[stable].all()
    assert stable.mean() > 0.5
