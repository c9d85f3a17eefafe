"""Checks of layers: invariants, even counts and nesting."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import oracle

import ddepth_gl as dd

# Relative error of depths by contract. A float32 value, its rounding and a division are 3 * 2**-23,
# or 3.6e-7.
RELATIVE = 2e-6

FACE_ON = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), fov_y_deg=40.0, width=40, height=30)
QUAD = np.array([(-1.0, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)])
QUAD_FACES = np.array([(0, 1, 2), (0, 2, 3)])


def same_bits(one: dd.DepthLayers, other: dd.DepthLayers) -> None:
    for name in ("offsets", "depth", "face", "front_facing", "truncated"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name


def check_invariants(layers: dd.DepthLayers, faces: int) -> None:
    """Check properties that all layers have at every pixel, for any mesh."""
    camera = layers.camera
    pixels = camera.width * camera.height
    assert layers.offsets.shape == (pixels + 1,)
    assert layers.offsets[0] == 0
    assert layers.offsets[-1] == len(layers.depth) == len(layers.face) == len(layers.front_facing)
    assert (np.diff(layers.offsets) >= 0).all()
    dtypes: dict[str, type[np.generic]] = {
        "offsets": np.int64,
        "depth": np.float32,
        "face": np.int64,
    }
    dtypes |= {"front_facing": np.bool_, "truncated": np.bool_}
    for name, dtype in dtypes.items():
        array = getattr(layers, name)
        assert array.dtype == dtype, name
        assert array.flags.c_contiguous, name
        assert array.flags.owndata, name
    assert layers.truncated.shape == (camera.height, camera.width)
    # A crossing that was counted and not peeled would be NaN.
    assert np.isfinite(layers.depth).all()
    assert (layers.depth > 0).all()
    assert ((layers.face >= 0) & (layers.face < faces)).all()
    # Strictly ascending in (depth, face), so no face occurs twice.
    pixel = layers.pixel
    follows = pixel[1:] == pixel[:-1]
    ascends = (layers.depth[1:] > layers.depth[:-1]) | (
        (layers.depth[1:] == layers.depth[:-1]) & (layers.face[1:] > layers.face[:-1])
    )
    assert (ascends | ~follows).all()


def check_even(layers: dd.DepthLayers) -> None:
    """Check that every pixel, without exception, has as many fronts as backs."""
    odd = np.argwhere(layers.odd)
    assert not len(odd), (
        f"{len(odd)} pixels with an odd count, the first at (row, column) {odd[0].tolist()}"
    )
    step = np.where(layers.front_facing, 1, -1)
    balance = np.bincount(layers.pixel, step, minlength=layers.offsets.size - 1)
    assert not balance.any(), (
        f"{np.count_nonzero(balance)} pixels where fronts and backs do not balance"
    )


def is_in_doubt(layers: dd.DepthLayers, mesh: dd.Mesh, pixel: int) -> bool:
    """Return whether a pixel is within 1/128 pixel of an edge, so that faces are uncertain."""
    camera = layers.camera
    row, column = divmod(pixel, camera.width)
    K = camera.K.copy()
    K[:2, 2] -= column, row
    view = oracle.View(K, camera.camera_from_world, 1, 1, camera.is_orthographic, None, None)
    here = mesh.faces[layers.face[layers.offsets[pixel] : layers.offsets[pixel + 1]]]
    # In most cases the faces at the pixel suffice.
    return any(
        not oracle.all_crossings(mesh.vertices, f, view).stable[0, 0] for f in (here, mesh.faces)
    )


def check_nesting(
    layers: dd.DepthLayers, mesh: dd.Mesh, bodies: int | None = None
) -> npt.NDArray[Any]:
    """Check the nesting of a closed mesh seen from outside, and return it.

    A ray is in no body at its start and its end, and in 0 to `bodies` bodies in between.

    With one body, fronts and backs strictly alternate. Start and end are checked at every pixel. In
    between there are two exceptions. Within 1/128 pixel of an edge, the rasterizer may cover other
    faces than the ray meets. Crossings closer to each other than their errors may be swapped, so
    the nesting is checked only after all of them.
    """
    inside, at_start = layers.nesting
    assert not at_start.any()
    follows = np.append(layers.pixel[1:] == layers.pixel[:-1], False)
    gap = np.diff(layers.depth.astype(np.float64), append=0.0)
    is_settled = ~follows | (gap > 2 * RELATIVE * layers.depth.astype(np.float64))
    assert (inside[~follows] == 0).all()
    wrong = is_settled & ((inside < 0) | (False if bodies is None else inside > bodies))
    pixels = np.unique(layers.pixel[wrong])
    # Only a small part of the image is within 1/128 pixel of an edge.
    assert len(pixels) <= 10 + 0.002 * layers.count.size
    for pixel in pixels.tolist():
        assert is_in_doubt(layers, mesh, pixel), (
            f"(row, column) {divmod(pixel, layers.camera.width)}: nested "
            f"{inside[layers.offsets[pixel] : layers.offsets[pixel + 1]].tolist()}"
        )
    return inside
