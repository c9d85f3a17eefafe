"""Instances of a glTF node: copies of its mesh, each with a transform (EXT_mesh_gpu_instancing)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from ..merge import MeshPart
from .accessors import GltfAccessors
from .nodes import rotation_rows

__all__ = ["instance_count", "instance_transforms", "joined", "separate"]

_NAME = "EXT_mesh_gpu_instancing"
_WIDTHS = {"TRANSLATION": 3, "ROTATION": 4, "SCALE": 3}


def instance_count(node: Any, accessors: GltfAccessors) -> int:
    """Return the number of instances of a node; 0 if it is a plain node.

    Args:
        node: the node.
        accessors: arrays of the document.

    Raises:
        MeshError: the instances have not equally many translations, rotations and scales.
    """
    if _NAME not in node.get("extensions", {}):
        return 0
    if node.get("skin") is not None:
        raise MeshError(
            f"a node has a skin and {_NAME}, which glTF does not define; export plain nodes"
        )
    counts = {len(array) for array in _attributes(node, accessors).values()}
    if len(counts) != 1:
        raise MeshError(
            f"its {_NAME} has {' and '.join(map(str, sorted(counts))) or 'no'} "
            "transforms for the instances of a node; export it again"
        )
    return counts.pop()


def instance_transforms(node: Any, accessors: GltfAccessors) -> npt.NDArray[np.float64]:
    """Return the (N, 4, 4) transforms of the instances of a node, in its frame.

    Args:
        node: a node with instances.
        accessors: arrays of the document.

    Raises:
        MeshError: they are not valid.
    """
    given = {name: array.astype(np.float64) for name, array in _attributes(node, accessors).items()}
    matrices = np.tile(np.eye(4), (instance_count(node, accessors), 1, 1))
    if "ROTATION" in given:
        rows = np.array(rotation_rows(*given["ROTATION"].T))
        matrices[:, :3, :3] = rows.transpose(2, 0, 1)
    if "SCALE" in given:
        matrices[:, :3, :3] *= given["SCALE"][:, None]
    if "TRANSLATION" in given:
        matrices[:, :3, 3] = given["TRANSLATION"]
    if not np.isfinite(matrices).all():
        raise MeshError(f"its {_NAME} has numbers that are not finite; export it again")
    return matrices


def separate(
    parts: Sequence[MeshPart], world_from_instance: npt.NDArray[np.float64]
) -> list[MeshPart]:
    """Return the instances of a node's parts, each instance an object "name #k".

    Args:
        parts: the parts of the node.
        world_from_instance: (N, 4, 4) transforms of the instances.
    """
    return [
        replace(
            part,
            name=f"{part.name} #{k}",
            object_key=(part.object_key, k),
            world_from_part=world_from_part,
        )
        for k, world_from_part in enumerate(world_from_instance)
        for part in parts
    ]


def joined(
    parts: Sequence[MeshPart], world_from_instance: npt.NDArray[np.float64]
) -> list[MeshPart]:
    """Return the instances of a node's parts, those of each part as one part of the same object.

    Args:
        parts: the parts of the node.
        world_from_instance: (N, 4, 4) transforms of the instances.
    """
    return [_repeated(part, world_from_instance) for part in parts]


def _attributes(node: Any, accessors: GltfAccessors) -> dict[str, npt.NDArray[Any]]:
    attributes = node["extensions"][_NAME]["attributes"]
    return {
        name: accessors.array(attributes[name], name, (width,))
        for name, width in _WIDTHS.items()
        if name in attributes
    }


def _repeated(part: MeshPart, world_from_part: npt.NDArray[np.float64]) -> MeshPart:
    """Return all instances of a part as one part, in world coordinates, one after another."""
    count = len(world_from_part)
    linear, offset = world_from_part[:, :3, :3], world_from_part[:, None, :3, 3]
    vertices = part.vertices.astype(np.float64) @ linear.transpose(0, 2, 1) + offset
    starts = np.arange(count) * len(part.vertices)
    faces = part.faces.astype(np.int64) + starts[:, None, None]
    is_mirrored = np.linalg.slogdet(linear)[0] < 0
    faces[is_mirrored] = faces[is_mirrored][:, :, [0, 2, 1]]
    colors = part.colors
    if colors is not None and len(colors) != 1:
        colors = np.tile(colors, (count, 1))
    return replace(
        part,
        vertices=vertices.reshape(-1, 3),
        faces=faces.reshape(-1, 3),
        world_from_part=np.eye(4),
        uv=None if part.uv is None else np.tile(part.uv, (count, 1)),
        colors=colors,
    )
