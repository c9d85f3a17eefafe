"""Test meshes outside the repository, in the folder named by the variable DDEPTH_MESHES."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MESHES = Path(os.environ.get("DDEPTH_MESHES", Path(__file__).parents[2] / "shared" / "meshes"))
REAL = (
    "suzanne.obj", "spot/spot.obj", "rocker-arm.obj", "homer.obj", "stanford-bunny.obj", "ogre.obj",
    "not_convex.obj", "multibody.stl", "Duck.glb", "CesiumMilkTruck.glb",
)  # fmt: skip
ABSENT = "set DDEPTH_MESHES to the folder of test meshes"
_FORMATS = (".obj", ".stl", ".ply", ".off", ".glb", ".gltf")


def good(name: str) -> Path:
    """Return the path of a file under good/; skip the test if it is absent."""
    path = MESHES / "good" / name
    if not path.exists():
        pytest.skip(f"{path} is absent; {ABSENT}")
    return path


def bad_files() -> list[object]:
    """Return a parameter for each mesh file under bad/; one that skips if there are none."""
    paths = sorted(p for p in (MESHES / "bad").rglob("*") if p.suffix.lower() in _FORMATS)
    absent = pytest.mark.skip(reason=f"{MESHES / 'bad'} is absent; {ABSENT}")
    return [pytest.param(p, id=p.name) for p in paths] or [
        pytest.param(None, id="absent", marks=absent)
    ]
