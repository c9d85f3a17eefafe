"""Directions that settings name: an axis such as ``y`` or ``-z``, or three numbers."""

from __future__ import annotations

import re

from ..errors import DatasetError, MeshError
from ..mesh.validate import checked_up

__all__ = ["Axis", "direction_fault", "direction_of"]

Axis = tuple[float, float, float]

_AXIS = re.compile(r"([+-]?)([xyz])")


def direction_of(name: str, text: str) -> Axis | None:
    """Return the unit vector that a setting names; None for ``auto``.

    Args:
        name: name of the setting in the error message.
        text: ``auto``, an axis such as ``y``, ``+y`` or ``-y``, or ``X,Y,Z``.

    Raises:
        DatasetError: it is none of these.
    """
    plain = text.strip().lower()
    if plain == "auto":
        return None
    axis = _AXIS.fullmatch(plain)
    if axis is not None:
        length = -1.0 if axis[1] == "-" else 1.0
        x, y, z = (length if axis[2] == letter else 0.0 for letter in "xyz")
        return x, y, z
    try:
        return checked_up([float(number) for number in plain.split(",")])
    except (ValueError, MeshError):
        raise DatasetError(
            f"{name} must be auto, an axis such as y or -z, or a direction X,Y,Z, not {text!r}"
        ) from None


def direction_fault(name: str, text: str) -> list[str]:
    """Return the message of `direction_of` in a list; empty if there is no error."""
    try:
        direction_of(name, text)
    except DatasetError as error:
        return [str(error)]
    return []
