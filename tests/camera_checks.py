"""Checks that tests of camera files share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ddepth_gl.camera.camera import Camera
from ddepth_gl.errors import CameraError
from ddepth_gl.io.cameras.read import load_cameras

# An OpenGL camera at (5, 0, 1) that looks along world -x with world z up: its axes right, up and
# backward are the world's y, z and x.
NERF_POSE = [[0, 0, 1, 5], [1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]]
# The same camera in OpenCV's frame: right = y, down = 1 - z, forward = 5 - x.
CAMERA_FROM_WORLD = [[0, 1, 0, 0], [0, 0, -1, 1], [-1, 0, 0, 5], [0, 0, 0, 1]]


def refused(path: Any, *words: str, **arguments: Any) -> str:
    """Load a bad file and return the message: one line that ends with what to do."""
    with pytest.raises(CameraError) as caught:
        load_cameras(path, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert ";" in message
    for word in words:
        assert word in message, message
    return message


def check(camera: Camera, K: Any, pose: Any = CAMERA_FROM_WORLD, size: Any = (64, 48)) -> None:
    np.testing.assert_allclose(camera.K, K, rtol=1e-12)
    np.testing.assert_allclose(camera.camera_from_world, pose, atol=1e-12)
    assert (camera.width, camera.height) == tuple(size)
    assert not camera.is_orthographic
