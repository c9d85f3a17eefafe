"""Content of glTF files that a `Mesh` does not hold, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..alpha_modes import alpha_notes
from ..options import LoadOptions
from .materials import is_emissive_only

__all__ = ["gltf_left_out"]

_TRIANGLE_MODES = (4, 5, 6)
_OTHER_TEXTURES = ("normalTexture", "occlusionTexture")
_TEXTURES_OF_MODELS = (
    ("pbrMetallicRoughness", "metallicRoughnessTexture"),
    ("extensions", "specularGlossinessTexture"),
)


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
    with_colors = [each for each in primitives if "COLOR_0" in (each.get("attributes") or ())]
    tinted = {str(each.get("material")) for each in with_colors}
    textures = [
        each
        for index, each in enumerate(materials)
        if options.appearance and _has_other_textures(each, str(index) in tinted)
    ]
    modes = [each.get("alphaMode", "OPAQUE") for each in materials]
    marked = [each for each in materials if each.get("doubleSided") is True]
    for items, text in (
        (_objects(tree, "animations") if options.pose is None else [], "animations"),
        (
            [each for each in primitives if each.get("mode", 4) not in _TRIANGLE_MODES],
            "primitives of points or lines",
        ),
        (textures, "materials with textures other than the base color"),
    ):
        if items:
            yield f"{text}: {len(items)}", False
    for text, warn in alpha_notes(options, modes.count("MASK"), modes.count("BLEND")):
        yield text, not warn
    if marked:
        text = "materials marked doubleSided (geometry decides which faces are two-sided)"
        yield f"{text}: {len(marked)}", True


def _has_other_textures(material: dict[str, Any], has_vertex_colors: bool) -> bool:
    """Return whether a material has textures besides the one that is shown as its color."""
    if any(name in material for name in _OTHER_TEXTURES):
        return True
    if "emissiveTexture" in material and not _is_emissive_only(material, has_vertex_colors):
        return True
    return any(name in str(material.get(model)) for model, name in _TEXTURES_OF_MODELS)


def _is_emissive_only(material: dict[str, Any], has_vertex_colors: bool) -> bool:
    try:
        return is_emissive_only(material, has_vertex_colors)
    except (TypeError, AttributeError):  # no face uses it, or the reader would have reported it
        return False


def _objects(parent: Any, name: str) -> list[dict[str, Any]]:
    """Return the JSON objects in a list of the parent."""
    items = parent.get(name)
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []
