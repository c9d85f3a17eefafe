"""Small files of every format that `test_damaged_files` damages."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
from gltf_builder import everything
from gltf_compressed import draco_tree, meshopt_tree
from mesh_files import (
    SMALL_FILES,
    TETRA,
    TEXTURE,
    UV_UP,
    glb,
    off,
    ply,
    png,
    textured_gltf,
    textured_obj,
)
from scene_files import COLORED_3MF, SKINNED_DAE, USD_TEXTURED, textured

__all__ = ["CASES_OF_DAMAGE", "DamageCase"]


@dataclass(frozen=True)
class DamageCase:
    """A mesh file with its side files, the mesh file first.

    Attributes:
        files: contents by name.
        options: options of `load_mesh`.
        count: number of seeds that the test suite tries; few where a process is started for each.
    """

    files: dict[str, bytes]
    options: dict[str, Any] = field(default_factory=dict)
    count: int = 150


_MTL = b"newmtl paint\nKd 0.5 0.2 0.1\nd 0.5\nmap_Kd -s 2 2 1 -o 0.5 0 0 -clamp on a.png\n"
_CONCAVE = [(0, 1, 2, 3)]
_DART = np.array([(0, 0, 0), (4, 0, 0), (1, 1, 0), (0, 4, 0)], np.float32)

CASES_OF_DAMAGE = {
    **{name: DamageCase({name: data}) for name, data in SMALL_FILES.items()},
    "textured.obj": DamageCase(
        {"t.obj": textured_obj(), "a.mtl": _MTL, "a.png": png(TEXTURE)}, {"blend_cutoff": 0.5}
    ),
    "concave.off": DamageCase({"c.off": off(_DART, _CONCAVE)}),
    "mixed.ply": DamageCase({"m.ply": ply("binary_little_endian", _DART, [*_CONCAVE, (0, 1, 2)])}),
    "colored.ply": DamageCase(
        {"c.ply": ply("ascii", colors=np.arange(12).reshape(4, 3) * 20, extra=True)}
    ),
    "textured.glb": DamageCase({"t.glb": glb(*textured_gltf(png(TEXTURE), uv=UV_UP))}),
    "meshopt.glb": DamageCase({"m.glb": glb(*meshopt_tree())}),
    "draco.glb": DamageCase({"d.glb": glb(*draco_tree(TETRA))}, count=10),
    "everything.glb": DamageCase({"e.glb": everything()}, {"pose": (0, 0.5)}, 400),
    # Each starts a process.
    "colored.3mf": DamageCase({"c.3mf": COLORED_3MF}, count=12),
    "textured.dae": DamageCase(
        {"t.dae": textured("a.png").encode(), "a.png": png(TEXTURE)}, count=6
    ),
    "skinned.dae": DamageCase({"s.dae": SKINNED_DAE.encode()}, count=6),
}
if find_spec("pxr") is not None:
    CASES_OF_DAMAGE["textured.usda"] = DamageCase(
        {"t.usda": b"#usda 1.0\n" + USD_TEXTURED.encode(), "pic.png": png(TEXTURE)}, count=4
    )
