"""Skins of COLLADA files: vertices moved by joints, in the pose of the scene."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from .document import DaeDocument, Element, numbers

__all__ = ["skinned_vertices"]


def skinned_vertices(
    document: DaeDocument,
    skin: Element,
    instance: Element,
    world_from_node: dict[Element, npt.NDArray[np.float64]],
    vertices: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return skinned vertices in world coordinates (COLLADA 1.4.1, 4-7, "Skin Deformation").

    Args:
        document: the file.
        skin: an element ``skin``.
        instance: the ``instance_controller``, which names the roots of the skeleton.
        world_from_node: (4, 4) transforms of all nodes.
        vertices: (V, 3) positions at rest.

    Raises:
        MeshError: a joint is missing, or the weights do not match the vertices.
    """
    shape = skin.find("bind_shape_matrix")
    world_from_shape = np.eye(4)
    if shape is not None:
        world_from_shape = numbers(shape).reshape(4, 4)
    rest = vertices @ world_from_shape[:3, :3].T + world_from_shape[:3, 3]
    joints, weights = skin.find("joints"), skin.find("vertex_weights")
    if joints is None or weights is None:
        raise MeshError("a skin of it has no joints or weights; export it again")
    sources = {semantic: source for semantic, _, source, _ in document.inputs(joints)}
    inverse_bind = document.rows(sources["INV_BIND_MATRIX"]).reshape(-1, 4, 4)
    nodes = _joint_nodes(document, sources["JOINT"], instance, world_from_node)
    if len(nodes) != len(inverse_bind):
        raise MeshError("a skin of it has not one matrix for each joint; export it again")
    moves = np.stack([*(world_from_node[n] for n in nodes)]) @ inverse_bind
    moves = np.concatenate([moves, np.eye(4)[None]])  # the joint -1 is the shape itself
    offsets = {
        semantic: (offset, source) for semantic, offset, source, _ in document.inputs(weights)
    }
    values = document.rows(offsets["WEIGHT"][1]).reshape(-1)
    counts_element, rows_element = weights.find("vcount"), weights.find("v")
    if counts_element is None or rows_element is None:
        raise MeshError("a skin of it has no weights; export it again")
    counts = numbers(counts_element, np.int64)
    stride = max(offset for offset, _ in offsets.values()) + 1
    rows = numbers(rows_element, np.int64)
    if len(counts) != len(vertices) or int(counts.sum()) * stride != len(rows):
        raise MeshError("a skin of it has not the weights of each vertex; export it again")
    rows = rows.reshape(-1, stride)
    joint, weight = rows[:, offsets["JOINT"][0]], rows[:, offsets["WEIGHT"][0]]
    is_right = (joint >= -1) & (joint < len(nodes)) & (weight >= 0) & (weight < len(values))
    if not is_right.all():
        raise MeshError("a skin of it has wrong indices; export it again")
    vertex = np.repeat(np.arange(len(vertices)), counts)
    share = values[weight]
    result, total = np.zeros_like(rest), np.zeros(len(rest))
    chosen = moves[joint]
    moved = np.einsum("nij,nj->ni", chosen[:, :3, :3], rest[vertex]) + chosen[:, :3, 3]
    np.add.at(result, vertex, moved * share[:, None])
    np.add.at(total, vertex, share)
    is_bound = total > 0
    result[is_bound] /= total[is_bound, None]
    result[~is_bound] = rest[~is_bound]
    return result


def _joint_nodes(
    document: DaeDocument,
    source: Element,
    instance: Element,
    world_from_node: dict[Element, npt.NDArray[np.float64]],
) -> list[Element]:
    """Return the node of each joint: by its sid below a skeleton's root, or by its id."""
    names_element = source.find("Name_array")
    if names_element is None:
        names_element = source.find("IDREF_array")
    names = [] if names_element is None else (names_element.text or "").split()
    roots = [document.target((s.text or "").strip()) for s in instance.findall("skeleton")]
    below = [node for root in roots if root is not None for node in root.iter("node")]
    by_name: dict[str, Element] = {}
    for node in (*below, *world_from_node):
        for name in (node.get("sid"), node.get("id"), node.get("name")):
            if name and node in world_from_node:
                by_name.setdefault(name, node)
    missing = [name for name in names if name not in by_name]
    if missing or not names:
        raise MeshError(f"a skin of it lacks the joint {missing[:1]}; export it again")
    return [by_name[name] for name in names]
