"""Meshes far from the origin, and tiny and huge meshes."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from closed_forms import ROUNDING, assert_within, bracket, longest_edge, torus_form, torus_spread
from shapes import moved, moved_camera, pixel_rays, render, scaled, scaled_camera, torus, view_of
from views import views

FAR_AWAY = np.array([5e6, -3e6, 2e5])


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("detail", [1.0, 0.01], ids=["meter", "centimeter"])
def test_a_mesh_far_from_the_origin(renderer, detail, orthographic, record_property):
    """Depth survives the rounding of vertices and camera when a small mesh is moved to 5e6.

    Float64 represents 5e6 to 2**-30 = 9.3e-10, so each coordinate moves by up to half of that. The
    translation of the pose is a sum of three products of that size, and it is inverted. That adds a
    few roundings: 4e-9 in all.
    """
    mesh = scaled(torus(1.0, 0.35, 90, 45), detail)
    camera = scaled_camera(views(1.35)["orthographic_skew" if orthographic else "plain"], detail)
    if orthographic:  # nearer, so that a large depth does not hide the effect of rounding
        camera = scaled_camera(views(1.35)["orthographic"], detail)
    shift = np.eye(4)
    shift[:3, 3] = FAR_AWAY
    here = render(renderer, mesh, camera)
    far_camera = moved_camera(camera, shift)
    far = render(renderer, moved(mesh, shift), far_camera)

    reference = oracle.reference(mesh.vertices, mesh.faces, view_of(camera))
    worst = 0.0
    for name in ("entry", "exit"):
        sheet = reference.sheets[name]
        before, after = (
            getattr(here, name).astype(np.float64),
            getattr(far, name).astype(np.float64),
        )
        assert (np.isnan(before) == np.isnan(after))[sheet.stable].all()
        both = sheet.stable & ~np.isnan(before) & ~np.isnan(after)
        assert both.sum() > 500
        error = (np.abs(after - before) / before)[both]
        # 4e-9 across the ray changes the depth by 4e-9 times the face's slope per footprint.
        footprint = (1 / camera.K[0, 0]) if orthographic else before[both] / camera.K[0, 0]
        slant = 4e-9 * (1 + sheet.slope[both] / footprint) / before[both]
        assert (error <= 2 * ROUNDING + 2 * slant).all()
        if detail == 1.0:
            assert (error <= 2e-6).all()
        worst = max(worst, error.max())
    record_property("largest_relative_change", worst)

    # Points of the same pixels differ by the rounding of depth, the moved rays, and the sum with
    # the camera's position.
    same = here.mask & far.mask & reference.entry_stable & reference.exit_stable
    for k, sheet in enumerate((here.entry, here.exit)):
        near_by = here.points(dtype=np.float64)[k][same[here.mask]]
        away = far.points(dtype=np.float64)[k][same[far.mask]] - FAR_AWAY
        distance = (sheet / pixel_rays(camera)[2])[same]
        slope = reference.sheets[("entry", "exit")[k]].slope[same]
        footprint = (1 / camera.K[0, 0]) if orthographic else sheet[same] / camera.K[0, 0]
        allowed = 2 * ROUNDING * distance + 8e-9 * (2 + slope / footprint)
        assert (np.linalg.norm(away - near_by, axis=1) <= allowed).all()
        # float32 represents 5e6 only to half a unit, so its points are no better.
        single = far.points()[k][same[far.mask]]
        assert single.dtype == np.float32
        assert np.abs(single - FAR_AWAY - near_by).max() <= 0.25 + 1e-6


@pytest.mark.parametrize("view", ["plain", "orthographic_skew"])
@pytest.mark.parametrize("exponent", [-66, -20, 20, 66])
def test_scaling_by_a_power_of_two_is_exact(renderer, exponent, view):
    """Only exponents change, from vertices to depth, for factors from 1e-20 to 1e20."""
    mesh, camera = torus(1.0, 0.35, 60, 30, (0.3, 0.2, -0.1)), views(1.8)[view]
    factor = 2.0**exponent
    one = render(renderer, mesh, camera, attributes=("face",))
    other = render(
        renderer, scaled(mesh, factor), scaled_camera(camera, factor), attributes=("face",)
    )
    assert one.mask.mean() > 0.05
    for name in ("entry", "exit"):
        np.testing.assert_array_equal(getattr(other, name), getattr(one, name) * np.float32(factor))
        np.testing.assert_array_equal(getattr(other, f"{name}_face"), getattr(one, f"{name}_face"))


@pytest.mark.parametrize("view", ["plain", "orthographic_skew"])
@pytest.mark.parametrize("factor", [1e-20, 1e-6, 1e6, 1e20])
def test_tiny_and_huge_meshes(renderer, factor, view, record_property):
    mesh, camera = torus(1.0, 0.35, 60, 30), views(1.35)[view]
    small, eye = scaled(mesh, factor), scaled_camera(camera, factor)
    maps = render(renderer, small, eye)
    report = oracle.check(
        oracle.reference(small.vertices, small.faces, view_of(eye)), maps.entry, maps.exit
    )
    assert report.ok, str(report)
    assert report.covered > 500
    spread = torus_spread(1.0, 0.35, 60, 30)
    forms = [[torus_form(factor * 1.0, factor * (0.35 + s))] for s in (spread, -spread)]
    if factor in (1e-6, 1e6):  # at the others the quartic's coefficients leave float64's range
        assert_within(maps, bracket(eye, *forms), longest_edge(small), record_property)
