"""Loading of small files in tests, and sizes of the meshes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ddepth_gl as dd

__all__ = ["area", "loaded", "refused", "volume"]


def loaded(path: Path, **options: Any) -> dd.Mesh:
    """Load a mesh; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return dd.load_mesh(path, **options)


def refused(path: Path, message: str, **options: Any) -> None:
    """Check that loading raises a MeshError of one line."""
    with pytest.raises(dd.MeshError, match=message) as caught:
        dd.load_mesh(path, **options)
    assert "\n" not in str(caught.value)


def volume(mesh: dd.Mesh, of: Any = slice(None)) -> float:
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces[of]].astype(np.float64), 1, 0)
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def area(mesh: dd.Mesh) -> float:
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces].astype(np.float64), 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)
