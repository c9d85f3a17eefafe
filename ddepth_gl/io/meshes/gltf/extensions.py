"""Extensions of glTF that a file may require although they are not read: they keep the geometry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["keeps_geometry", "lost_appearance"]

# Materials, textures, lights and metadata. Which texture a face loses is told where it is read.
_PREFIXES = (
    "ADOBE_materials_",
    "EXT_lights_",
    "EXT_materials_",
    "EXT_texture_",
    "FB_materials_",
    "KHR_lights_",
    "KHR_materials_",
    "KHR_texture_",
    "KHR_xmp",
    "MPEG_texture_",
    "MSFT_packing_",
    "MSFT_texture_",
    "NV_materials_",
)
# What is added to nodes and meshes, which stay as they are: data of other programs, sounds,
# outlines, coarser levels of detail, what users may do.
_NAMES = {
    "AGI_articulations",
    "AGI_stk_metadata",
    "CESIUM_primitive_outline",
    "EXT_mesh_features",
    "EXT_mesh_manifold",
    "EXT_mesh_primitive_edge_visibility",
    "EXT_structural_metadata",
    "FB_geometry_metadata",
    "GODOT_single_root",
    "GRIFFEL_bim_data",
    "KHR_node_hoverability",
    "KHR_node_selectability",
    "KHR_techniques_webgl",
    "MPEG_audio_spatial",
    "MSFT_audio_emitter",
    "MSFT_lod",
}
# Of these, nothing is lost that a mesh could hold: they only change how light is reflected, are
# told with the texture, or are read.
_UNTOLD = ("KHR_lights_", "KHR_materials_", "KHR_texture_", "KHR_xmp", "EXT_texture_", "MSFT_")


def keeps_geometry(extension: str) -> bool:
    """Return whether an extension is known to leave the geometry as it is."""
    return extension.startswith(_PREFIXES) or extension in _NAMES


def lost_appearance(tree: Any) -> Iterator[str]:
    """Yield a text for each required extension whose content is left out.

    Args:
        tree: the JSON object of the file.
    """
    for extension in dict.fromkeys(tree.get("extensionsRequired", [])):
        if keeps_geometry(extension) and not extension.startswith(_UNTOLD):
            yield f"what its extension {extension} adds"
