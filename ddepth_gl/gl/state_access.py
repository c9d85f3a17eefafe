"""Entry: one piece of a context's state. StateAccess: functions that query and set it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ctypes import c_char_p, c_double, c_float, c_int, c_int64, c_ubyte, c_uint, c_void_p
from dataclasses import dataclass
from typing import Any

from .loader import Loader

__all__ = ["Entry", "Reader", "StateAccess", "Values", "Writer", "joined"]

Values = tuple[Any, ...]
Reader = Callable[[], Values]
Writer = Callable[..., None]

_GET: dict[Any, str] = {
    c_int: "glGetIntegerv",
    c_float: "glGetFloatv",
    c_double: "glGetDoublev",
}
_GET_INDEXED: dict[Any, str] = {
    c_int: "glGetIntegeri_v",
    c_int64: "glGetInteger64i_v",
    c_float: "glGetFloati_v",
    c_double: "glGetDoublei_v",
    c_ubyte: "glGetBooleani_v",
}
_PROFILE, _COMPATIBILITY, _NUM_EXTENSIONS, _EXTENSIONS = 0x9126, 2, 0x821D, 0x1F03


@dataclass(frozen=True)
class Entry:
    """One piece of state.

    Attributes:
        read: returns its value.
        write: takes the value as arguments.
        neutral: the value that passes rely on; None if they set one themselves.
    """

    read: Reader
    write: Writer
    neutral: Values | None = None


class StateAccess:
    """Queries and setters of one context, which is current in every call.

    Args:
        loader: the context's functions.
        version: its version, such as 430.

    Attributes:
        version: the same.
        extensions: names of its extensions.
        is_compatible: whether it has the compatibility profile, with its additional state.
    """

    def __init__(self, loader: Loader, version: int) -> None:
        self._loader, self.version = loader, version
        self._functions: dict[tuple[Any, ...], Any] = {}
        get_name = self.function("glGetStringi", c_char_p, c_uint, c_uint)
        self.extensions = {
            get_name(_EXTENSIONS, index).decode() for index in range(self.number(_NUM_EXTENSIONS))
        }
        self.is_compatible = bool(self.number(_PROFILE) & _COMPATIBILITY)

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """Return an OpenGL function as a ctypes callable; None as `result` for no result."""
        key = (name, *arguments)
        if key not in self._functions:
            self._functions[key] = self._loader.function(name, result, *arguments)
        return self._functions[key]

    def setter(self, name: str, types: Sequence[Any], *first: int) -> Writer:
        """Return a function that sets a value.

        Args:
            name: of the OpenGL function.
            types: of its arguments.
            first: its first arguments; the value is the others.
        """
        function = self.function(name, None, *types)
        return (lambda *value: function(*first, *value)) if first else function

    def reader(self, name: int, count: int = 1, kind: Any = c_int) -> Reader:
        """Return a function that queries `count` values."""
        get = self.function(_GET[kind], None, c_uint, c_void_p)
        values = (kind * max(count, 4))()  # some queries return more than is asked for

        def read() -> Values:
            get(name, values)
            return tuple(values[:count])

        return read

    def indexed_reader(self, name: int, index: int, count: int = 1, kind: Any = c_int) -> Reader:
        """Return a function that queries `count` values at an index."""
        get = self.function(_GET_INDEXED[kind], None, c_uint, c_uint, c_void_p)
        values = (kind * 4)()

        def read() -> Values:
            get(name, index, values)
            return tuple(values[:count])

        return read

    def number(self, name: int) -> int:
        """Return one integer."""
        (value,) = self.reader(name)()
        return int(value)


def joined(*readers: Reader) -> Reader:
    """Return a function that returns the values of several readers as one tuple."""
    return lambda: tuple(value for read in readers for value in read())
