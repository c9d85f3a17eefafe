"""`oracle.check` with renderers that are right or wrong in a known way."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from oracle_scenes import (
    BOX_CORNERS,
    BOX_FACES,
    checked,
    float32,
    joined,
    look,
    plain,
    rotation,
    sphere,
    torus,
)

# What a correct renderer may do


SCENES = {
    "sphere": sphere(4),
    "torus": torus(),
    "box": (BOX_CORNERS, BOX_FACES),
    "interpenetrating": joined(
        sphere(3), (sphere(3)[0] * 0.8 + [0.5, 0.3, 0], sphere(3)[1]), torus()
    ),
    "open sheet": (torus()[0], torus()[1][::3]),
    "random faces": (
        np.random.default_rng(0).normal(0, 0.6, (120, 3)),
        np.random.default_rng(1).permutation(np.arange(120)).reshape(-1, 3),
    ),
}


def moved(vertices, view, distance, rng):
    """Return the vertices, their projections moved by up to `distance` pixels at the same depth."""
    M = view.camera_from_world
    p = vertices @ M[:3, :3].T + M[:3, 3]
    angle, length = rng.uniform(0, 2 * np.pi, len(p)), distance * np.sqrt(rng.uniform(0, 1, len(p)))
    step = np.stack([length * np.cos(angle), length * np.sin(angle)]) * (
        1 if view.orthographic else p[:, 2]
    )
    p[:, :2] += (np.linalg.inv(view.K[:2, :2]) @ step).T
    return (p - M[:3, 3]) @ M[:3, :3]


@pytest.mark.parametrize("surfaces", ["oriented", "any"])
@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("scene", SCENES)
def test_check_accepts_a_renderer_that_moves_vertices_within_the_margin(
    scene, orthographic, surfaces
):
    vertices, faces = SCENES[scene]
    rng = np.random.default_rng(len(scene))
    R = np.eye(3) if scene == "box" and orthographic else rotation(rng)
    view = look(
        100, 80, R, (0.03, 0.01, 4), 28.0 if orthographic else 110.0, orthographic=orthographic
    )
    for margin in (1 / 128, 0.2):  # 0.2 puts most of the image in the band
        ref = oracle.reference(vertices, faces, view, surfaces, margin)
        other = oracle.reference(
            moved(vertices, view, margin * 0.99, rng), faces, view, surfaces, margin
        )
        report = oracle.check(ref, float32(other.entry), float32(other.exit), flat_fraction=0)
        assert report.ok, str(report)
        assert report.band > 0
        assert report.covered > 100 * (margin < 0.1)
        exact = checked(ref)
        assert exact.ok, str(exact)
        assert exact.max_relative_error < 1e-7


def test_check_notices_a_renderer_that_moves_vertices_farther():
    vertices, faces = SCENES["sphere"]
    view = look(100, 80, focal=110.0)
    ref = oracle.reference(vertices, faces, view)
    other = oracle.reference(moved(vertices, view, 0.1, np.random.default_rng(0)), faces, view)
    report = oracle.check(ref, float32(other.entry), float32(other.exit), flat_fraction=0)
    assert report.coverage_mismatches
    assert report.depth_failures


def test_a_crack_and_a_rim_excuse_a_miss():
    """Snapping may open a T-junction between two quads, but not a shared edge."""
    corners = np.array([[-1, -1], [1, -1], [1, 0], [-1, 0], [-1, 1], [1, 1], [0.1, 0]], float)
    # The seam runs along the pixel centers of row 16.
    vertices = np.column_stack([corners + 0.5 / 32, np.ones(7)])
    upper = [[0, 2, 1], [0, 3, 2]]
    shared, split = [[3, 4, 5], [3, 5, 2]], [[3, 4, 6], [6, 4, 5], [6, 5, 2]]
    for lower, accepted in ((shared, False), (split, True)):
        ref = oracle.reference(vertices, upper + lower, plain())
        holed = ref.entry.copy()
        assert not ref.entry_stable[16, 9]
        holed[16, 9] = np.nan
        assert checked(ref, holed).ok == accepted


# What a correct renderer may not do


@pytest.fixture(scope="module")
def scene():
    """A torus and a box behind it, both wider than a pixel in every feature."""
    box = BOX_CORNERS * 0.9 + [0.2, 0.1, 3], BOX_FACES
    view = look(80, 64, t=(0, 0, 5), focal=80.0)
    ref = oracle.reference(*joined(torus(), box), view)
    assert checked(ref).ok
    assert checked(ref).covered > 2000
    return ref


def test_rejects_small_errors_of_depth(scene):
    report = checked(scene, scene.entry * (1 + 5e-6))
    assert not report.ok
    assert report.within_flat < 0.6
    assert report.max_relative_error == pytest.approx(5e-6, rel=0.02)
    # A single pixel is detected if the face is not steep: the back of the box is face-on.
    flat = np.argwhere(scene.exit_stable & (scene.exit_slope == 0))
    assert len(flat) > 100
    row, column = flat[len(flat) // 2]
    exit = scene.exit.copy()
    exit[row, column] *= 1 + 5e-6
    report = checked(scene, exit=exit)
    assert [f[:3] for f in report.depth_failures] == [(row, column, "exit")]
    assert report.max_error_over_allowed > 1
    assert f"row {row}, column {column}" in str(report)


def test_the_slope_excuses_no_more_than_the_margin(scene):
    steep = np.argwhere(scene.entry_stable & (scene.entry_slope > 0.03) & (scene.entry_slope < 0.1))
    row, column = steep[len(steep) // 2]
    for pixels, accepted in ((0.5, True), (-0.5, True), (1.5, False), (-1.5, False)):
        entry = scene.entry.copy()
        entry[row, column] += pixels * scene.margin * scene.entry_slope[row, column]
        assert checked(scene, entry, flat_fraction=0.99).ok == accepted


def test_the_allowance_follows_the_plane_where_it_is_not_linear():
    # A floor half a pixel below the horizon. With margin 0.3, rays meet it 0.2 to 0.8 pixels below.
    floor = np.array([[-400, 1, -30], [400, 1, -30], [0, 1, 900]], float)
    ref = oracle.reference(floor, [[0, 1, 2]], plain(), margin=0.3)
    assert ref.entry_stable[16, 16]
    for factor, accepted in ((0.63, True), (0.62, False), (2.49, True), (2.51, False)):
        entry = ref.entry.copy()
        entry[16, 16] *= factor
        assert checked(ref, entry, flat_fraction=0.99).ok == accepted


@pytest.mark.parametrize("name", ["entry", "exit"])
def test_rejects_every_single_hole_inside_and_extra_value_outside(scene, name):
    """Break one pixel at a time: every 41st stable one, and each covered one in the band."""
    sheet = scene.sheets[name]
    hit = np.isfinite(sheet.depth)
    for row, column in np.argwhere(sheet.stable)[::41]:
        values = sheet.depth.copy()
        values[row, column] = np.nan if hit[row, column] else 4.0
        report = checked(scene, **{name: values})
        assert [f[:3] for f in report.coverage_mismatches] == [(row, column, name)]

    rejected = excused = 0
    for row, column in np.argwhere(~sheet.stable & hit):
        values = sheet.depth.copy()
        values[row, column] = np.nan
        around = hit[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        report = checked(scene, **{name: values})
        if around.all():
            assert not report.ok, (row, column)
        rejected += not report.ok
        excused += report.ok
    assert rejected > 10
    assert excused > 0  # along the outline


def test_rejects_holes_and_views_through_an_interior_edge():
    """A square in front of another has its diagonal exactly on pixel centers: it must be opaque."""
    corners = np.array(
        [[-0.25, -0.25, 1], [0.25, -0.25, 1], [0.25, 0.25, 1], [-0.25, 0.25, 1]], float
    )
    square = corners, [[0, 2, 1], [0, 3, 2]]
    split = corners[[0, 2, 1, 0, 3, 2]], [[0, 1, 2], [3, 4, 5]]  # vertices not shared by index
    behind = corners * (4, 4, 2), [[1, 0, 3], [1, 3, 2]]  # split along the other diagonal
    for front in (square, split):
        for surfaces in ("oriented", "any"):
            ref = oracle.reference(*joined(front, behind), plain(), surfaces)
            assert not ref.entry_stable[12, 12]
            assert ref.entry[12, 12] == 1
            assert checked(ref).ok
            for wrong in (np.nan, 2.0, 1.5, 1 + 5e-6, 0.5, np.inf, -np.inf):
                entry = ref.entry.copy()
                entry[12, 12] = wrong
                report = checked(ref, entry)
                assert [f[:3] for f in report.band_failures] == [(12, 12, "entry")], wrong
                assert "face 0 in [1, 1]" in str(report)
    # Shifted by half a pixel, the front square's outline runs through centers: there, both may be
    # the answer.
    third = corners * (9, 9, 3), behind[1]
    ref = oracle.reference(*joined((corners - [0.5 / 32, 0, 0], square[1]), behind, third), plain())
    for value, accepted in ((1.0, True), (2.0, True), (3.0, False), (np.nan, False), (1.5, False)):
        entry = ref.entry.copy()
        assert not ref.entry_stable[14, 7]
        entry[14, 7] = value
        assert checked(ref, entry).ok == accepted


def test_rejects_a_wrong_value_in_the_band(scene):
    for name in ("entry", "exit"):
        sheet = scene.sheets[name]
        band = np.argwhere(~sheet.stable)
        assert len(band) > 30
        for row, column in band[::5]:
            for wrong in (2.0, 6.1, 11.0):
                values = sheet.depth.copy()
                values[row, column] = wrong
                report = checked(scene, **{name: values})
                assert [f[:3] for f in report.band_failures] == [(row, column, name)]


def test_rejects_swapped_shifted_and_flipped_sheets(scene):
    entry, exit = float32(scene.entry), float32(scene.exit)
    wrong = {
        "swapped": (exit, entry),
        "entry twice": (entry, entry),
        "one pixel down": (np.roll(entry, 1, axis=0), np.roll(exit, 1, axis=0)),
        "one pixel left": (np.roll(entry, -1, axis=1), np.roll(exit, -1, axis=1)),
        "rows flipped": (entry[::-1], exit[::-1]),
        "columns flipped": (entry[:, ::-1], exit[:, ::-1]),
        "empty": (entry * np.nan, exit * np.nan),
        "zero for a miss": (np.nan_to_num(entry), np.nan_to_num(exit)),
        "inf for a miss": (np.where(np.isnan(entry), np.inf, entry), exit),
    }
    for what, sheets in wrong.items():
        report = oracle.check(scene, *sheets, flat_fraction=0)
        assert not report.ok, what
        assert "FAILED" in str(report)
    half = look(80, 64, t=(0, 0, 5), focal=80.0)
    half.K[:2, 2] += 0.5
    other = oracle.reference(scene.vertices, scene.faces, half)
    assert not oracle.check(scene, float32(other.entry), float32(other.exit), flat_fraction=0).ok
    with pytest.raises(ValueError, match="shape"):
        oracle.check(scene, entry.T, exit.T)


def test_rejects_the_first_exit_and_the_last_entry(scene):
    """The nearest back face and the farthest front face are right for convex objects only."""
    layers = oracle.all_crossings(scene.vertices, scene.faces, scene.view)
    pixel = np.repeat(np.arange(scene.entry.size), np.diff(layers.offsets))
    first_exit, last_entry = np.full(scene.entry.size, np.inf), np.full(scene.entry.size, -np.inf)
    np.minimum.at(first_exit, pixel[~layers.front], layers.depth[~layers.front])
    np.maximum.at(last_entry, pixel[layers.front], layers.depth[layers.front])
    first_exit, last_entry = (
        np.where(np.isinf(x), np.nan, x).reshape(scene.entry.shape)
        for x in (first_exit, last_entry)
    )
    assert len(checked(scene, exit=first_exit).depth_failures) > 100
    assert len(checked(scene, entry=last_entry).depth_failures) > 100


def test_absolute_tolerance_is_added(scene):
    assert not checked(scene, scene.entry + 1e-4).ok
    assert checked(scene, scene.entry + 1e-4, absolute=1.2e-4).ok
