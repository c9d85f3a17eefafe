"""What can be asked for of a crossing besides its depth: names, shapes, dtypes; and who may ask how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import shown
from ..errors import RequestError

__all__ = ["ATTRIBUTES", "Attribute", "checked_attributes", "checked_names"]


@dataclass(frozen=True)
class Attribute:
    """One quantity of a crossing.

    Attributes:
        name: as it is asked for.
        channels: numbers per crossing; 0 for a scalar, whose arrays have no last axis.
        dtype: of the arrays.
        fill: what stands where there is no crossing.
        meaning: one line.
    """

    name: str
    channels: int
    dtype: type[np.generic]
    fill: float | int
    meaning: str

    @property
    def bytes(self) -> int:
        """Of one crossing."""
        return max(1, self.channels) * np.dtype(self.dtype).itemsize

    def empty(self, *shape: int) -> npt.NDArray[Any]:
        """An array of `shape` crossings, all fill."""
        return np.full(
            (*shape, self.channels) if self.channels else shape, self.fill, dtype=self.dtype
        )


ATTRIBUTES = {
    attribute.name: attribute
    for attribute in (
        Attribute("face", 0, np.int64, -1, "index of the face"),
        Attribute(
            "normal", 3, np.float32, np.nan, "the face's unit normal, counter-clockwise side, world"
        ),
        Attribute(
            "smooth_normal",
            3,
            np.float32,
            np.nan,
            "unit normal interpolated over smooth edges, world",
        ),
        Attribute(
            "barycentric", 3, np.float32, np.nan, "weights of the face's corners, in their order"
        ),
        Attribute("uv", 2, np.float32, np.nan, "texture coordinates, v up; NaN on a mesh without"),
        Attribute("color", 4, np.float32, np.nan, "linear red, green, blue and alpha, 0..1; unlit"),
        Attribute("shaded_color", 4, np.float32, np.nan, "linear, under the light of `shade`"),
        Attribute("object_id", 0, np.int32, -1, "of the face"),
        Attribute("position", 3, np.float32, np.nan, "the point, world frame, mesh units"),
    )
}


def checked_attributes(
    given: Any, shape: tuple[int, ...], check: Callable[[Attribute, Any, tuple[int, ...]], Any]
) -> dict[str, Any]:
    """Return the attributes of a result as a dict.

    Args:
        given: names of `ATTRIBUTES` to whatever `check` takes.
        shape: of the result.
        check: returns what to store, given an attribute, its value and the shape of its arrays.

    Raises:
        RequestError: it is no mapping, or there is no attribute of that name.
    """
    if not isinstance(given, Mapping):
        raise RequestError(f"attributes must be a dict of names to arrays, not {shown(given)}")
    checked = {}
    for name in checked_names(given):
        attribute = ATTRIBUTES[name]
        whole = (*shape, attribute.channels) if attribute.channels else shape
        checked[name] = check(attribute, given[name], whole)
    return checked


def checked_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names asked for, once each, in the order of `ATTRIBUTES`; a single string is one name.

    Raises:
        RequestError: there is no attribute of that name.
    """
    try:
        each = iter((names,) if isinstance(names, str) else names)
    except Exception:  # of whatever has no elements
        raise RequestError(f"attributes must be a tuple of names, not {shown(names)}") from None
    wanted = set()
    for name in each:
        if not isinstance(name, str) or name not in ATTRIBUTES:
            raise RequestError(f"attributes may hold {', '.join(ATTRIBUTES)}, not {shown(name)}")
        wanted.add(name)
    return tuple(name for name in ATTRIBUTES if name in wanted)
