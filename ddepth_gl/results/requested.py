"""Attributes of results as typed properties; the error for a missing one says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

import numpy as np

from ..errors import NotAskedForError
from .attributes import ATTRIBUTES

__all__ = ["RequestedArray", "WithRequestedArrays"]

ArrayT = TypeVar("ArrayT", covariant=True)


class RequestedArray(property, Generic[ArrayT]):
    """A property that returns one array of ``result.attributes``.

    Type checkers take the type of the array from the brackets, as in
    ``normal = RequestedArray[Float32Array]("normal")``.

    Args:
        name: of the attribute.
        sheet: "entry" or "exit" if the result has an array for each sheet; None for layers.

    Raises:
        NotAskedForError: when read, if the result lacks the attribute.
    """

    def __init__(self, name: str, sheet: Literal["entry", "exit"] | None = None) -> None:
        attribute = ATTRIBUTES[name]
        axes = ["H", "W"] if sheet else ["M"]
        axes += [str(attribute.channels)] if attribute.channels else []
        shape = ", ".join(axes) if len(axes) > 1 else "M,"
        where = f" of each {sheet}" if sheet else ""
        super().__init__(lambda result: result._requested_array(name, sheet))
        self.__doc__ = f"({shape}) {np.dtype(attribute.dtype)}{where}: {attribute.meaning}."
        self.attribute = name

    @overload
    def __get__(self, instance: None, owner: type, /) -> RequestedArray[ArrayT]: ...
    @overload
    def __get__(self, instance: Any, owner: type | None = None, /) -> ArrayT: ...
    def __get__(self, instance: Any, owner: type | None = None, /) -> Any:
        return super().__get__(instance, owner)


class WithRequestedArrays:
    """Base class of results that have `RequestedArray` properties.

    `dir` lists only those that exist. The error for a misspelled name suggests the nearest one.
    """

    attributes: Mapping[str, Any]

    if not TYPE_CHECKING:  # with __getattr__, a type checker would accept any name

        def __getattr__(self, name: str) -> Any:
            kind = type(self)
            if hasattr(kind, name):  # a property that raised an AttributeError
                return object.__getattribute__(self, name)
            names = [each for each in {*dir(kind), *vars(self)} if not each.startswith("_")]
            nearest = () if name.startswith("_") else difflib.get_close_matches(name, names, n=1)
            hint = "".join(f"; did you mean {each!r}?" for each in nearest)
            # With `name`, Python does not append a suggestion of its own.
            raise AttributeError(f"{kind.__name__} has no attribute {name!r}{hint}", name=name)

    def _requested_array(self, name: str, sheet: str | None = None) -> Any:
        """Return an array of `attributes`, see `RequestedArray`."""
        if name not in self.attributes:
            title = f"{sheet}_{name}" if sheet else name
            # Layers of `render` have an argument of their own.
            also = "" if sheet else " (in render: layer_attributes)"
            raise NotAskedForError(f'{title} was not asked for; pass attributes=("{name}",){also}')
        found = self.attributes[name]
        return getattr(found, sheet) if sheet else found

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not self._lacks(name)]

    def _lacks(self, name: str) -> bool:
        declared = getattr(type(self), name, None)
        return isinstance(declared, RequestedArray) and declared.attribute not in self.attributes
