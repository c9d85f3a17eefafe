"""Materials of Blender: the node that renders, and the plain color."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .._srgb import srgb_from_linear

__all__ = ["has_faces", "materials_of", "output_node", "plain_color"]


def materials_of(obj: Any, layer: Any) -> list[Any]:
    """Return the material of each slot of an object; a view layer may override them."""
    override = layer.material_override
    return [override or slot.material for slot in obj.material_slots]


def output_node(material: Any, target: str = "CYCLES") -> Any:
    """Return the output node of a material for an engine; None without nodes."""
    import bpy

    # Since 5.0 all materials have nodes, and to ask is deprecated.
    if bpy.app.version < (5, 0) and not material.use_nodes:
        return None
    return None if material.node_tree is None else material.node_tree.get_output_node(target)


def has_faces(material: Any) -> bool:
    """Return whether rays meet faces of a material; not if it is a volume alone, such as fog."""
    output = None if material is None else output_node(material)
    if output is None:
        return True
    return bool(output.inputs["Surface"].is_linked or not output.inputs["Volume"].is_linked)


def plain_color(material: Any) -> npt.NDArray[np.uint8]:
    """Return the color of a material without its textures: (4,) sRGB, opaque; white for None.

    It is the value of the input "Base Color" or "Color" of the shader, or else the viewport's.
    """
    if material is None:
        return np.full(4, 255, np.uint8)
    color = list(material.diffuse_color)[:3]
    output = output_node(material)
    for link in () if output is None else output.inputs["Surface"].links:
        sockets = [link.from_node.inputs.get(name) for name in ("Base Color", "Color")]
        given = [socket for socket in sockets if socket is not None]
        if given:
            color = list(given[0].default_value)[:3]
    return srgb_from_linear(np.array([*color, 1.0]))
