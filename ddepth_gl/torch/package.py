"""The package torch, or an error that says how to install it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._packages import import_needed
from ..errors import DatasetError

if TYPE_CHECKING:
    import torch
else:
    torch = import_needed("torch", "ddepth_gl.torch", DatasetError, "torch")
    import_needed("torch.utils.data", "ddepth_gl.torch", DatasetError, "torch")

__all__ = ["torch"]
