"""Names of materials in OBJ and MTL files, which comments may follow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from .mtl import cut_names

__all__ = ["material_named", "means_none", "shorter_names"]

_Material = TypeVar("_Material")
_NUMBER = re.compile(r"#\d+\s*$")  # "Material #25" is a name, not one of "Material"
_NONE = ("(null)", "none", "off")  # what exporters write for no material


def material_named(
    name: str, materials: Mapping[str, _Material], shorter: Mapping[str, _Material]
) -> _Material | None:
    """Return the material that a `usemtl` names; None if no library defines it.

    The exact name counts first. Then a # may begin a comment, in the `usemtl` and in the `newmtl`,
    with or without blanks around it.

    Args:
        name: what stands behind `usemtl`, with single blanks.
        materials: materials by what stands behind their `newmtl`, with single blanks.
        shorter: the same by `shorter_names`.
    """
    names = [each for each in cut_names(name) if each]
    for each in names:
        if each in materials:
            return materials[each]
    for each in names[:1] if _NUMBER.search(name) else names:
        if each in shorter:
            return shorter[each]
    return None


def shorter_names(materials: Mapping[str, _Material]) -> dict[str, _Material]:
    """Return materials by the names that are left if a # begins a comment, each of one only."""
    shorter: dict[str, list[_Material]] = {}
    for name, material in materials.items():
        for each in cut_names(name)[1:]:
            shorter.setdefault(each, []).append(material)
    return {name: found[0] for name, found in shorter.items() if len(found) == 1}


def means_none(name: str) -> bool:
    """Return whether a name of a material stands for none."""
    return name.lower() in _NONE
