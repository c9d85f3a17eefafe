"""Skins of glTF files: vertices that follow the joints of a skeleton (glTF 2.0, section 3.7.3)."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..._text import counted
from ...errors import MeshError
from .gltf_accessors import GltfAccessors
from .gltf_document import GltfDocument
from .gltf_nodes import GltfNodes
from .merge import MeshPart
from .work_limit import WorkLimit

__all__ = ["GltfSkins", "Influences", "read_influences"]

_ROWS = 65_536  # vertices that are blended at a time


class Influences(NamedTuple):
    """The joints that each vertex follows, four for each pair of attributes JOINTS_n, WEIGHTS_n.

    Attributes:
        joints: (V, 4) integers each, indices into the joints of a skin.
        weights: (V, 4) floats each, at least 0. All of one vertex add up to 1.
    """

    joints: list[npt.NDArray[np.int64]]
    weights: list[npt.NDArray[np.float64]]

    def of_vertices(self, used: npt.NDArray[np.int64]) -> Influences:
        """Return those of some vertices."""
        return Influences(
            [each[used] for each in self.joints], [each[used] for each in self.weights]
        )


def read_influences(
    names: Container[str], read: Callable[..., npt.NDArray[Any]], count: int
) -> Influences | None:
    """Return the influences of a primitive, None if it has none.

    As in three.js, weights are divided by their sum, negative ones count as 0, and a vertex whose
    weights are all 0 follows its first joint.

    Args:
        names: names of the primitive's attributes.
        read: returns an attribute, with the arguments of `GltfAccessors.array`.
        count: number of vertices.

    Raises:
        MeshError: the attributes do not fit each other.
    """
    joints: list[npt.NDArray[np.int64]] = []
    weights: list[npt.NDArray[np.float64]] = []
    total = np.zeros(count)
    while (joint_name := f"JOINTS_{len(joints)}") in names:
        weight_name = f"WEIGHTS_{len(joints)}"
        given, weight = read(joint_name, (4,), as_stored=True), read(weight_name, (4,))
        for name, array in ((joint_name, given), (weight_name, weight)):
            if len(array) != count:
                raise MeshError(f"it has {len(array)} {name} for {count} vertices; export it again")
        joint = given.astype(np.int64)
        if given.dtype.kind == "f" and not np.array_equal(joint, given):
            raise MeshError(f"its {joint_name} are not integers; export it again")
        if weight.dtype.kind in "iu":  # fractions, even if not marked normalized
            weight = weight / float(np.iinfo(weight.dtype).max)
        if not np.isfinite(weight).all():
            raise MeshError(f"its {weight_name} are not all finite; export it again")
        joints.append(joint)
        weights.append(np.maximum(weight.astype(np.float64), 0.0))
        total += weights[-1].sum(axis=1)
    if not joints:
        return None
    is_loose = total == 0
    weights[0][is_loose, 0] = total[is_loose] = 1.0
    for each, weight in zip(joints, weights, strict=True):
        weight /= total[:, None]
        each[weight == 0] = 0  # exporters leave anything there
    return Influences(joints, weights)


class GltfSkins:
    """The skins of a document in one pose.

    Args:
        document: the glTF document.
        accessors: its arrays.
        nodes: its nodes, in their pose.
        work: limit on the work.
    """

    def __init__(
        self,
        document: GltfDocument,
        accessors: GltfAccessors,
        nodes: GltfNodes,
        work: WorkLimit,
    ) -> None:
        self._document = document
        self._accessors = accessors
        self._nodes = nodes
        self._work = work
        self._matrices: dict[int, npt.NDArray[np.float64]] = {}

    def posed(self, part: MeshPart, influences: Influences, skin: Any) -> MeshPart:
        """Return a part with each vertex where the joints of a skin take it, in world coordinates.

        Where a joint mirrors, a face is turned if the blended transforms of most of its corners
        mirror, so that its outside stays outside.

        Args:
            part: the part at rest, in its own frame.
            influences: the joints of its vertices.
            skin: index of the skin.

        Raises:
            MeshError: the skin or an influence is not valid.
        """
        matrices = self._world_from_rest(skin)
        for joint in influences.joints:
            for bad in (int(joint.min()), int(joint.max())):
                if not 0 <= bad < len(matrices):
                    raise MeshError(
                        f"a vertex of part {part.name!r} follows joint {bad} of "
                        f"{counted(len(matrices), 'joint')}; export it again"
                    )
        can_mirror = bool((np.linalg.det(matrices[:, :, :3]) < 0).any())
        vertices = part.vertices.astype(np.float64)
        is_mirrored = np.zeros(len(vertices), bool)
        for start in range(0, len(vertices), _ROWS):
            rows = slice(start, start + _ROWS)
            blended = self._blended(matrices, influences, rows)
            if can_mirror:
                is_mirrored[rows] = np.linalg.det(blended[:, :, :3]) < 0
            vertices[rows] = (blended[:, :, :3] @ vertices[rows, :, None])[:, :, 0]
            vertices[rows] += blended[:, :, 3]
        faces = part.faces
        if is_mirrored.any():
            turned = np.count_nonzero(is_mirrored[faces], axis=1) >= 2
            faces = np.where(turned[:, None], faces[:, [0, 2, 1]], faces)
        return replace(part, vertices=vertices, faces=faces, world_from_part=np.eye(4))

    def _world_from_rest(self, index: Any) -> npt.NDArray[np.float64]:
        """Return (J, 3, 4), for each joint of a skin its transform of vertices at rest."""
        skin = self._document.item("skins", index)
        if index not in self._matrices:
            joints = skin["joints"]
            world_from_joint = np.array(
                [self._nodes.world_from_node(joint) for joint in joints]
            ).reshape(-1, 4, 4)
            if skin.get("inverseBindMatrices") is not None:
                given = self._accessors.array(
                    skin["inverseBindMatrices"], "inverse bind matrix", (16,)
                )
                if len(given) < len(joints):
                    raise MeshError(
                        f"its skin {index} has {len(given)} inverse bind matrices for "
                        f"{counted(len(joints), 'joint')}; export it again"
                    )
                columns = given[: len(joints)].astype(np.float64).reshape(-1, 4, 4)
                world_from_joint = world_from_joint @ columns.transpose(0, 2, 1)
            if not np.isfinite(world_from_joint).all():
                raise MeshError(
                    f"its skin {index} has matrices that are not finite; export it again"
                )
            self._matrices[index] = world_from_joint[:, :3]
        return self._matrices[index]

    def _blended(
        self, matrices: npt.NDArray[np.float64], influences: Influences, rows: slice
    ) -> npt.NDArray[np.float64]:
        """Return (V, 3, 4), for each vertex the weighted sum of the matrices of its joints."""
        blended: npt.NDArray[np.float64] | float = 0.0
        for joint, weight in zip(influences.joints, influences.weights, strict=True):
            for column in range(4):
                few = weight[rows, column]
                if few.any():
                    self._work.spend(len(few))
                    blended = blended + few[:, None, None] * matrices[joint[rows, column]]
        return np.asarray(blended)
