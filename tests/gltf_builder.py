"""Small glTF files with several meshes, skins and animations, built piece by piece."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mesh_files import TETRA_FACES, TETRA_VERTICES, Tree, glb, put

import ddepth_gl as dd

_COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


class Gltf:
    """A glTF tree and its buffer. Methods add an item and return its index.

    Attributes:
        tree: the JSON object.
    """

    def __init__(self) -> None:
        self._content = b""
        self.tree: Tree = {"asset": {"version": "2.0"}, "bufferViews": [], "accessors": []}

    def add(self, kind: str, **item: Any) -> int:
        self.tree.setdefault(kind, []).append(item)
        return len(self.tree[kind]) - 1

    def node(self, *, is_root: bool = True, **item: Any) -> int:
        index = self.add("nodes", **item)
        if is_root:
            self.tree.setdefault("scenes", [{"nodes": []}])[0]["nodes"].append(index)
        return index

    def view(self, array: npt.NDArray[Any]) -> int:
        start = len(self._content)
        self._content += array.tobytes() + bytes(-array.nbytes % 4)
        return self.add("bufferViews", buffer=0, byteOffset=start, byteLength=array.nbytes)

    def array(self, array: Any, dtype: str = "f4", **more: Any) -> int:
        """Add an accessor (N,), (N, width) or, of matrices, (N, 4, 4)."""
        array = np.asarray(array, "<" + dtype)
        if array.ndim == 3:
            array = array.transpose(0, 2, 1).reshape(-1, 16)
        width = 1 if array.ndim == 1 else array.shape[1]
        return self.add(
            "accessors",
            bufferView=self.view(np.ascontiguousarray(array)),
            componentType=_COMPONENTS[dtype],
            count=len(array),
            type=_TYPES[width],
            **more,
        )

    def sparse(
        self, count: int, rows: Any, values: Any, rows_dtype: str = "u2", base: Any = None
    ) -> int:
        """Add a sparse accessor of floats, over zeros or over (N, width) values."""
        values = np.asarray(values, "<f4")
        item: Tree = {"componentType": 5126, "count": count, "type": _TYPES[values.shape[1]]}
        if base is not None:
            item["bufferView"] = self.view(np.asarray(base, "<f4"))
        item["sparse"] = {
            "count": len(values),
            "indices": {
                "bufferView": self.view(np.asarray(rows, "<" + rows_dtype)),
                "componentType": _COMPONENTS[rows_dtype],
            },
            "values": {"bufferView": self.view(values)},
        }
        return self.add("accessors", **item)

    def mesh(self, vertices: Any, faces: Any, **more: Any) -> int:
        """Add a mesh of one primitive.

        Args:
            vertices: (V, 3) positions, or the index of their accessor.
            faces: (F, 3) indices.
            more: "targets" and "weights" of the mesh; other names are attributes.
        """
        primitive: Tree = {"indices": self.array(np.ravel(faces), "u2")}
        mesh: Tree = {"primitives": [primitive]}
        if "targets" in more:
            primitive["targets"] = more.pop("targets")
        if "weights" in more:
            mesh["weights"] = more.pop("weights")
        position = vertices if isinstance(vertices, int) else self.array(vertices)
        primitive["attributes"] = {"POSITION": position, **more}
        return self.add("meshes", **mesh)

    def animation(self, *channels: Tree, **more: Any) -> int:
        """Add an animation; each channel has "node", "path", "times", "values", maybe "mode"."""
        samplers, targets = [], []
        for k, channel in enumerate(channels):
            output = channel["values"]
            samplers.append(
                {
                    "input": self.array(channel["times"]),
                    "output": output if isinstance(output, int) else self.array(output),
                    "interpolation": channel.get("mode", "LINEAR"),
                }
            )
            target = {name: channel[name] for name in ("node", "path") if name in channel}
            targets.append({"sampler": k, "target": target})
        return self.add("animations", samplers=samplers, channels=targets, **more)

    def glb(self) -> bytes:
        self.tree["buffers"] = [{"byteLength": len(self._content)}]
        return glb(self.tree, self._content)

    def write(self, folder: Path) -> Path:
        return put(folder, "a.glb", self.glb())

    def load(self, folder: Path, **options: Any) -> dd.Mesh:
        return dd.load_mesh(self.write(folder), **options)


def turn(axis: int, degrees: float) -> npt.NDArray[np.float64]:
    """Return the quaternion (x, y, z, w) of a rotation about an axis."""
    half = np.radians(degrees) / 2
    quaternion = np.zeros(4)
    quaternion[axis], quaternion[3] = np.sin(half), np.cos(half)
    return quaternion


def moved(
    translation: Any = (0, 0, 0), axis: int = 0, degrees: float = 0.0, scale: Any = (1, 1, 1)
) -> npt.NDArray[np.float64]:
    """Return the (4, 4) matrix of a scale, then a rotation about an axis, then a translation."""
    matrix = np.eye(4)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    matrix[:3, :3] *= scale
    matrix[:3, 3] = translation
    return matrix


def points(matrix: Any, vertices: Any) -> npt.NDArray[np.float64]:
    """Return vertices transformed by a (4, 4) matrix."""
    return np.asarray(np.asarray(vertices) @ matrix[:3, :3].T + matrix[:3, 3])


def everything() -> bytes:
    """Return a GLB with a skin, sparse morph targets, instances, a hidden node and an animation."""
    g = Gltf()
    rows = np.tile((0.75, 0.25, 0, 0), (4, 1))
    more = {
        "JOINTS_0": g.array(np.tile((1, 0, 0, 0), (4, 1)), "u1"),
        "WEIGHTS_0": g.array(rows),
        "JOINTS_1": g.array(np.zeros((4, 4)), "u2"),
        "WEIGHTS_1": g.array(rows * 255, "u1", normalized=True),
        "COLOR_0": g.array(rows[:, :3]),
        "targets": [
            {
                "POSITION": g.sparse(4, [1, 3], [(0, 0, 1), (1, 0, 0)]),
                "COLOR_0": g.array(-rows[:, :3] / 2),
            },
            {"POSITION": g.array(np.eye(4, 3))},
        ],
        "weights": [0.5, 0.25],
    }
    base = g.sparse(4, [1, 2], TETRA_VERTICES[[1, 2]], "u1", base=TETRA_VERTICES)
    mesh = g.mesh(base, TETRA_FACES, **more)
    g.node(children=[1], rotation=list(turn(1, 30)))
    g.node(is_root=False, matrix=moved((1, 2, 3)).T.ravel().tolist())
    inverses = g.array(np.stack((np.eye(4), moved((0, 1, 0), 0, 40))))
    skin = g.add("skins", joints=[0, 1], inverseBindMatrices=inverses)
    g.node(mesh=mesh, skin=skin, weights=[1.0, 0.5])
    attributes = {
        "TRANSLATION": g.array(np.eye(3)),
        "ROTATION": g.array(np.eye(3, 4), "i1", normalized=True),
        "SCALE": g.sparse(3, [0, 1, 2], np.ones((3, 3))),
    }
    extensions = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    g.node(mesh=mesh, extensions=extensions)
    g.node(mesh=mesh, extensions={"KHR_node_visibility": {"visible": False}})
    times, identity = [0.0, 1.0], np.array([turn(0, 0)] * 6)
    g.animation(
        {"node": 0, "path": "rotation", "times": times, "values": identity, "mode": "CUBICSPLINE"},
        {"node": 1, "path": "translation", "times": times, "values": np.eye(2, 3)},
        {"node": 1, "path": "scale", "times": times, "values": np.ones((2, 3)), "mode": "STEP"},
        {"node": 2, "path": "weights", "times": times, "values": np.arange(4) / 4},
        {"path": "weights", "times": times, "values": np.arange(4) / 4},
        name="all",
    )
    return g.glb()
