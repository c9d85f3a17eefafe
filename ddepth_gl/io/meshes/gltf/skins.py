"""Skins of glTF files: vertices that follow the joints of a skeleton (glTF 2.0, section 3.7.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...._text import counted
from ....errors import MeshError
from ..merge import MeshPart
from ..work_limit import WorkLimit
from .accessors import GltfAccessors
from .document import GltfDocument
from .draco import PrimitiveArrays
from .nodes import GltfNodes

__all__ = ["GltfSkins", "Influences", "read_influences"]

_ROWS = 65_536  # vertices that are blended at a time


class Influences(NamedTuple):
    """The joints that each vertex follows, four for each pair of attributes JOINTS_n, WEIGHTS_n.

    Attributes:
        joints: (V, 4) indices into the joints of a skin, for each pair.
        weights: (V, 4) numbers for each pair, as in the file.
    """

    joints: list[npt.NDArray[Any]]
    weights: list[npt.NDArray[Any]]

    def of_vertices(self, rows: npt.NDArray[np.int64] | slice) -> Influences:
        """Return those of some vertices."""
        return Influences(
            [each[rows] for each in self.joints], [each[rows] for each in self.weights]
        )

    def normalized(self) -> Influences:
        """Return weights that add up to 1 for each vertex, as three.js does.

        Negative weights count as 0. A vertex whose weights are all 0 follows its first joint. The
        joints of weight 0 become 0, since exporters leave anything there.
        """
        weights = [np.maximum(_fractions(each), 0.0, dtype=np.float64) for each in self.weights]
        total = sum(each.sum(axis=1) for each in weights)
        is_loose = total == 0
        weights[0][is_loose, 0] = 1.0
        scale = 1.0 / np.where(is_loose, 1.0, total)
        weights = [each * scale[:, None] for each in weights]
        joints = [
            np.where(weight == 0, 0, joint).astype(np.int64)
            for joint, weight in zip(self.joints, weights, strict=True)
        ]
        return Influences(joints, weights)


def _fractions(weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if weights.dtype.kind in "iu":  # fractions, even if not marked normalized
        return np.asarray(weights / float(np.iinfo(weights.dtype).max))
    return weights


def read_influences(
    attributes: Any, arrays: PrimitiveArrays, count: int, work: WorkLimit
) -> Influences | None:
    """Return the influences of a primitive, None if it has none.

    Args:
        attributes: accessors of the primitive's attributes, by name.
        arrays: the arrays of these accessors.
        count: number of vertices.
        work: limit on the work.

    Raises:
        MeshError: the attributes are damaged or do not fit each other.
    """
    joints: list[npt.NDArray[Any]] = []
    weights: list[npt.NDArray[Any]] = []
    while (joint_name := f"JOINTS_{len(joints)}") in attributes:
        weight_name = f"WEIGHTS_{len(joints)}"
        joint = arrays.array(attributes[joint_name], joint_name, (4,))
        weight = arrays.array(attributes[weight_name], weight_name, (4,))
        work.spend(4 * count)
        for name, array in ((joint_name, joint), (weight_name, weight)):
            if len(array) != count:
                raise MeshError(f"it has {len(array)} {name} for {count} vertices; export it again")
        if joint.dtype.kind == "f" and not (joint == np.floor(joint)).all():
            raise MeshError(f"its {joint_name} are not integers; export it again")
        if not np.isfinite(weight).all():
            raise MeshError(f"its {weight_name} are not all finite; export it again")
        joints.append(joint)
        weights.append(weight)
    return Influences(joints, weights) if joints else None


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
        can_mirror = bool((np.linalg.det(matrices[:, :, :3]) < 0).any())
        vertices = part.vertices.astype(np.float64)
        is_mirrored = np.zeros(len(vertices), bool)
        for start in range(0, len(vertices), _ROWS):
            rows = slice(start, start + _ROWS)
            few = influences.of_vertices(rows).normalized()
            _check_joints(few, len(matrices), part.name)
            blended = self._blended(matrices, few)
            if can_mirror:
                is_mirrored[rows] = np.linalg.det(blended[:, :, :3]) < 0
            vertices[rows] = np.einsum("vij,vj->vi", blended[:, :, :3], vertices[rows])
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
        self, matrices: npt.NDArray[np.float64], influences: Influences
    ) -> npt.NDArray[np.float64]:
        """Return (V, 3, 4), for each vertex the weighted sum of the matrices of its joints."""
        blended = np.zeros((len(influences.joints[0]), 3, 4))
        for joint, weight in zip(influences.joints, influences.weights, strict=True):
            self._work.spend(4 * len(joint))
            for column in range(4):
                if weight[:, column].any():
                    blended += weight[:, column, None, None] * matrices[joint[:, column]]
        return blended


def _check_joints(influences: Influences, count: int, name: str) -> None:
    for joint in influences.joints:
        for bad in (int(joint.min()), int(joint.max())):
            if not 0 <= bad < count:
                raise MeshError(
                    f"a vertex of part {name!r} follows joint {bad} of {counted(count, 'joint')}; "
                    "export it again"
                )
