"""Samples of tensors, with the camera beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..camera.camera import Camera
from .package import torch

__all__ = ["as_tensors"]


def as_tensors(arrays: Mapping[str, npt.NDArray[Any]], camera: Camera) -> dict[str, Any]:
    """Return arrays as tensors that share their memory, and those of the camera.

    Besides the arrays: K (3, 3) and camera_from_world (4, 4) float64, and is_orthographic bool, see
    `Camera`.
    """
    camera_arrays = {"K": camera.K, "camera_from_world": camera.camera_from_world}
    return {
        **{name: torch.from_numpy(array) for name, array in arrays.items()},
        **{name: torch.from_numpy(np.array(array)) for name, array in camera_arrays.items()},
        "is_orthographic": camera.is_orthographic,
    }
