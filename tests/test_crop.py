"""The crop: near and far."""

from __future__ import annotations

import numpy as np
import pytest
from shapes import box, render
from views import views

import ddepth_gl as dd


def steps_of_depth():
    """Return plates at depths 1, 2, 4 and 8, face-on to a camera at the origin, with both windings.

    The depths are exact in every number format, so near and far select them without doubt.
    """
    quad = np.array([[-20.0, -20, 1], [20, -20, 1], [20, 20, 1], [-20, 20, 1]])
    facing = np.array([[0, 2, 1], [0, 3, 2]])
    vertices = np.concatenate([quad * (1, 1, z) for z in (1, 2, 4, 8)])
    faces = np.concatenate([np.concatenate([facing, facing[:, ::-1]]) + 4 * k for k in range(4)])
    return dd.Mesh(vertices, faces)


@pytest.mark.parametrize("surfaces", ["oriented", "any"])
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_near_and_far_are_inclusive(renderer, orthographic, surfaces):
    mesh = steps_of_depth()
    K = [[20.0, 0, 8], [0, 20.0, 6], [0, 0, 1]]
    camera = dd.Camera(np.array(K), np.eye(4), 16, 12, orthographic)
    scene = renderer.upload(mesh)

    def above(z):
        return float(np.nextafter(np.float32(z), np.float32(100)))

    def below(z):
        return float(np.nextafter(np.float32(z), np.float32(0)))

    cases = [
        (None, None, 1, 8), (1.0, 8.0, 1, 8), (2.0, None, 2, 8), (None, 4.0, 1, 4),
        (2.0, 4.0, 2, 4), (above(1), below(8), 2, 4), (above(2), None, 4, 8),
        (None, below(4), 1, 2), (0.0, 1.0, 1, 1), (8.0, np.inf, 8, 8),
        (above(2), below(4), None, None), (8.5, None, None, None), (None, 0.5, None, None),
        (2, 4, 2, 4), (np.float32(2), np.int64(4), 2, 4),
    ]  # fmt: skip
    for near, far, entry, exit_ in cases:
        maps = renderer.entry_exit(
            scene, camera, surfaces=surfaces, near=near, far=far, attributes=("face",)
        )
        for got, face, expected in (
            (maps.entry, maps.entry_face, entry),
            (maps.exit, maps.exit_face, exit_),
        ):
            if expected is None:
                assert np.isnan(got).all(), (near, far)
                assert (face == -1).all()
            else:
                assert (got == expected).all(), (near, far)
                assert (face >= 0).all()
    scene.release()


@pytest.mark.parametrize(
    ("near", "far"),
    [
        (-1.0, None), (None, 0.0), (None, -2.0), (2.0, 2.0), (3.0, 2.0), (np.nan, None),
        (None, np.nan), (np.inf, None), (-np.inf, np.inf), ("near", None),
        (None, [1.0, 2.0]), (1j, None),
    ],
)  # fmt: skip
def test_an_invalid_crop_is_an_error(renderer, near, far):
    scene = renderer.upload(box())
    with pytest.raises(dd.RequestError):
        renderer.entry_exit(scene, views(1.8)["plain"], near=near, far=far)
    scene.release()


@pytest.mark.parametrize(
    ("near", "far", "kept"), [(1e-60, None, True), (None, 1e300, True), (1e300, None, False)]
)
def test_a_crop_beyond_float32(renderer, near, far, kept):
    """Limits outside float32's range still work."""
    maps = render(renderer, box(), views(1.8)["plain"], near=near, far=far)
    assert maps.mask.any() == kept
