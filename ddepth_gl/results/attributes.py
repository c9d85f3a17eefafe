"""The attributes that can be requested of crossings: names, shapes, dtypes and fill values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import shown
from ..errors import RequestError

__all__ = ["ATTRIBUTES", "COLOR_ATTRIBUTES", "Attribute", "checked_attributes", "checked_names"]


@dataclass(frozen=True)
class Attribute:
    """One quantity of a crossing besides its depth.

    Attributes:
        name: as requested.
        channels: numbers per crossing; 0 for a scalar, whose arrays have no last axis.
        dtype: of the arrays.
        fill: value where there is no crossing.
        meaning: for docstrings; names frame and unit.
    """

    name: str
    channels: int
    dtype: type[np.generic]
    fill: float | int
    meaning: str

    @property
    def bytes(self) -> int:
        """Bytes per crossing."""
        return max(1, self.channels) * np.dtype(self.dtype).itemsize

    def empty(self, *shape: int) -> npt.NDArray[Any]:
        """Return an array of this shape, one fill value per crossing and channel."""
        return np.full(
            (*shape, self.channels) if self.channels else shape, self.fill, dtype=self.dtype
        )


# `DepthRenderer.entry_exit` describes each attribute.
ATTRIBUTES = {
    attribute.name: attribute
    for attribute in (
        Attribute("face", 0, np.int64, -1, "index of the face in the mesh as uploaded"),
        Attribute(
            "normal", 3, np.float32, np.nan, "unit normal, counter-clockwise side, world frame"
        ),
        Attribute("smooth_normal", 3, np.float32, np.nan, "interpolated unit normal, world frame"),
        Attribute("barycentric", 3, np.float32, np.nan, "weights of the face's corners, in order"),
        Attribute("uv", 2, np.float32, np.nan, "texture coordinates, v up"),
        Attribute("color", 4, np.float32, np.nan, "linear RGBA in 0..1, unlit"),
        Attribute("shaded_color", 4, np.float32, np.nan, "linear RGBA in 0..1, lit as by `shade`"),
        Attribute("object_id", 0, np.int32, -1, "object of the face"),
        Attribute("position", 3, np.float32, np.nan, "the point, world frame, mesh units"),
    )
}


def checked_attributes(
    attributes: Any, shape: tuple[int, ...], check: Callable[[Attribute, Any, tuple[int, ...]], Any]
) -> dict[str, Any]:
    """Return the attributes of a result as a dict, in the order of `ATTRIBUTES`.

    Args:
        attributes: mapping of attribute names to values that `check` accepts.
        shape: of the result, without channels.
        check: returns the value to store; takes the attribute, its value and the expected shape.

    Raises:
        RequestError: `attributes` is not a mapping, or a name is unknown.
    """
    if not isinstance(attributes, Mapping):
        raise RequestError(f"attributes must be a dict of names to arrays, not {shown(attributes)}")
    checked = {}
    for name in checked_names(attributes):
        attribute = ATTRIBUTES[name]
        full_shape = (*shape, attribute.channels) if attribute.channels else shape
        checked[name] = check(attribute, attributes[name], full_shape)
    return checked


# Attributes that depend on colors, uv or textures of the mesh.
COLOR_ATTRIBUTES = frozenset(("color", "shaded_color", "uv"))


def checked_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the requested names in the order of `ATTRIBUTES`, without duplicates.

    Args:
        names: attribute names; a single string is one name.

    Raises:
        RequestError: `names` is not iterable, or a name is unknown.
    """
    try:
        iterator = iter((names,) if isinstance(names, str) else names)
    except Exception:  # a foreign __iter__ may raise anything
        raise RequestError(f"attributes must be a tuple of names, not {shown(names)}") from None
    requested = set()
    for name in iterator:
        if not isinstance(name, str) or name not in ATTRIBUTES:
            raise RequestError(f"attributes may hold {', '.join(ATTRIBUTES)}, not {shown(name)}")
        requested.add(name)
    return tuple(name for name in ATTRIBUTES if name in requested)
