"""Content of glTF files that a `Mesh` does not hold, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .options import LoadOptions

__all__ = ["gltf_left_out"]

_TRIANGLE_MODES = (4, 5, 6)
_OTHER_TEXTURES = ("normalTexture", "occlusionTexture", "emissiveTexture")


def gltf_left_out(tree: Any, options: LoadOptions) -> Iterator[tuple[str, bool]]:
    """Yield a text for each kind of content that is left out, with its number.

    Items of a wrong type are skipped: the reader reports those that it needs.

    Args:
        tree: the JSON object of the file.
        options: options of `load_mesh`.

    Yields:
        The text, and whether the geometry decides instead, so that nothing is lost.
    """
    primitives = [
        primitive for mesh in _objects(tree, "meshes") for primitive in _objects(mesh, "primitives")
    ]
    materials = _objects(tree, "materials")
    textures = [
        material
        for material in materials
        if any(name in material for name in _OTHER_TEXTURES)
        or "metallicRoughnessTexture" in str(material.get("pbrMetallicRoughness"))
    ]
    for items, text, is_decided in (
        (_objects(tree, "animations") if options.pose is None else [], "animations", False),
        (
            [each for each in primitives if each.get("mode", 4) not in _TRIANGLE_MODES],
            "primitives of points or lines",
            False,
        ),
        (textures, "materials with textures other than the base color", False),
        (
            [each for each in materials if each.get("alphaMode", "OPAQUE") != "OPAQUE"],
            "materials with an alphaMode (the whole face counts)",
            False,
        ),
        (
            [each for each in materials if each.get("doubleSided") is True],
            "materials marked doubleSided (geometry decides which faces are two-sided)",
            True,
        ),
    ):
        if items:
            yield f"{text}: {len(items)}", is_decided


def _objects(parent: Any, name: str) -> list[dict[str, Any]]:
    """Return the JSON objects in a list of the parent."""
    items = parent.get(name)
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []
