"""The nodes of a glTF document: which of them the default scene shows, and where each one is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from .document import GltfDocument

__all__ = ["GltfNodes", "rotation_rows"]

_NOTHING: Mapping[str, npt.NDArray[np.float64]] = {}


class GltfNodes:
    """The nodes of a document in one pose.

    Args:
        document: the glTF document.
        posed: what an animation sets: by node, its "translation" (3,), "rotation" (4,) x y z w,
            "scale" (3,) and "weights" (T,). What is missing stays as in the document.

    Raises:
        MeshError: the scene is no tree, or a transform is not finite.
    """

    def __init__(
        self,
        document: GltfDocument,
        posed: Mapping[int, Mapping[str, npt.NDArray[np.float64]]],
    ) -> None:
        self._document = document
        self._posed = posed
        self._world_from_node: dict[int, npt.NDArray[np.float64]] = {}
        self._parents: dict[int, int] | None = None
        self._shown: list[int] = []
        self._walk()

    def shown(self) -> list[int]:
        """Return the nodes of the default scene, parents before children, in file order.

        Nodes that KHR_node_visibility hides are not among them, nor are their children.
        """
        return self._shown

    def world_from_node(self, index: Any) -> npt.NDArray[np.float64]:
        """Return the (4, 4) global transform of a node, which need not be in the scene."""
        pending: dict[int, None] = {}  # in order, and found at once: chains may be long
        while index not in self._world_from_node:
            if index in pending:
                raise _no_tree(index)
            self._document.item("nodes", index)
            pending[index] = None
            parent = self._parent(index)
            if parent is None:
                break
            index = parent
        world = self._world_from_node.get(index, np.eye(4))
        for each in reversed(pending):
            world = world @ self._parent_from_node(each)
            self._world_from_node[each] = world
        return world

    def weights(self, index: int) -> npt.NDArray[np.float64]:
        """Return the (T,) weights of the morph targets of a node's mesh; none if not given.

        Those of an animation go before those of the node, and these before those of the mesh.
        """
        posed = self._posed.get(index, _NOTHING)
        if "weights" in posed:
            return posed["weights"]
        node = self._document.item("nodes", index)
        mesh = self._document.item("meshes", node["mesh"])
        given = node.get("weights") or mesh.get("weights") or ()
        return np.array(given, np.float64).reshape(len(given))

    def _walk(self) -> None:
        nodes = self._document.tree.get("nodes", [])
        if self._document.tree.get("scenes"):
            scene = self._document.item("scenes", self._document.tree.get("scene", 0))
            roots = scene.get("nodes", [])
        else:
            below = {child for node in nodes for child in node.get("children", [])}
            roots = [i for i in range(len(nodes)) if i not in below]
        stack = [(root, np.eye(4), True) for root in reversed(roots)]
        while stack:
            index, world_from_parent, is_shown = stack.pop()
            node = self._document.item("nodes", index)
            if index in self._world_from_node:
                raise _no_tree(index)
            world_from_node = world_from_parent @ self._parent_from_node(index)
            self._world_from_node[index] = world_from_node
            visibility = node.get("extensions", {}).get("KHR_node_visibility", {})
            is_shown = is_shown and visibility.get("visible", True) is not False
            if is_shown:
                self._shown.append(index)
            children = reversed(node.get("children", []))
            stack.extend((child, world_from_node, is_shown) for child in children)

    def _parent(self, index: int) -> int | None:
        if self._parents is None:
            nodes = self._document.tree["nodes"]
            self._parents = {c: i for i, node in enumerate(nodes) for c in node.get("children", [])}
        return self._parents.get(index)

    def _parent_from_node(self, index: int) -> npt.NDArray[np.float64]:
        """Return the (4, 4) local transform of a node."""
        node = self._document.item("nodes", index)
        posed = self._posed.get(index, _NOTHING)
        if "matrix" in node:
            given: npt.NDArray[np.float64] = np.array(node["matrix"], np.float64).reshape(4, 4)
            given = given.T  # stored column by column
            if not {"translation", "rotation", "scale"} & set(posed):
                return _finite(given)
            translation = given[:3, 3]
            # glTF does not allow to animate such a node. Viewers split its matrix as here.
            scale = np.linalg.norm(given[:3, :3], axis=0)
            scale[0] *= -1.0 if np.linalg.det(given[:3, :3]) < 0 else 1.0
            rotation = given[:3, :3] / np.where(scale == 0, 1.0, scale)
        else:
            translation = _vector(node.get("translation", (0.0, 0.0, 0.0)), 3)
            turn = _vector(node.get("rotation", (0.0, 0.0, 0.0, 1.0)), 4)
            rotation = np.array(rotation_rows(*turn))
            scale = _vector(node.get("scale", (1.0, 1.0, 1.0)), 3)
        if "rotation" in posed:
            rotation = np.array(rotation_rows(*posed["rotation"]))
        matrix = np.eye(4)
        matrix[:3, :3] = rotation * posed.get("scale", scale)
        matrix[:3, 3] = posed.get("translation", translation)
        return _finite(matrix)


def rotation_rows(x: Any, y: Any, z: Any, w: Any) -> tuple[tuple[Any, Any, Any], ...]:
    """Return the three rows of the rotation matrix of a quaternion of any length.

    Args:
        x: numbers, or arrays of equal shapes. A quaternion of zeros is no rotation.
        y: like x.
        z: like x.
        w: like x.
    """
    n = 2.0 / (x * x + y * y + z * z + w * w + 1e-300)
    return (
        (1 - n * (y * y + z * z), n * (x * y - z * w), n * (x * z + y * w)),
        (n * (x * y + z * w), 1 - n * (x * x + z * z), n * (y * z - x * w)),
        (n * (x * z - y * w), n * (y * z + x * w), 1 - n * (x * x + y * y)),
    )


def _vector(given: Any, length: int) -> npt.NDArray[np.float64]:
    return np.array(given, np.float64).reshape(length)


def _finite(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if not np.isfinite(matrix).all():
        raise MeshError("a node of its scene has a transform that is not finite; export it again")
    return matrix


def _no_tree(index: int) -> MeshError:
    return MeshError(
        f"node {index} of its scene has two parents or contains itself; export it again"
    )
