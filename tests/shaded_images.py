"""Shaded images in tests: rendering with checks, and the luminance of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import oracle

import ddepth_gl as dd

QUAD = np.array([(-1.0, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)])
QUAD_FACES = np.array([(0, 1, 2), (0, 2, 3)])
QUAD_UV = np.array([(0.0, 0), (1, 0), (1, 1), (0, 1)])
FACE_ON = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), fov_y_deg=30.0, width=64, height=48)


def shade(
    renderer: dd.DepthRenderer, mesh: dd.Mesh, camera: dd.Camera, **arguments: Any
) -> npt.NDArray[np.uint8]:
    """Return the shaded image of a mesh, after checks that hold for every image."""
    scene = renderer.upload(mesh)
    image = renderer.shade(scene, camera, **arguments)
    scene.release()
    assert image.dtype == np.uint8
    assert image.shape == (camera.height, camera.width, 4)
    assert image.flags.c_contiguous
    assert image.flags.owndata
    assert image.flags.writeable
    assert not image[image[..., 3] == 0].any()
    return image


def light(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return (H, W) linear luminance, 0..1, ignoring alpha (ITU-R BT.709)."""
    return np.asarray(oracle.linear_from_srgb(image[..., :3]) @ (0.2126, 0.7152, 0.0722))
