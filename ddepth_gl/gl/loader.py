"""Loader: looks up the OpenGL functions of one context."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import CFUNCTYPE
from typing import Any

from ..errors import ContextError

__all__ = ["Loader"]


class Loader:
    """The functions of one context, for moderngl and for calls through ctypes.

    moderngl takes it as a context. Its `__enter__`, `__exit__` and `release` do nothing, because
    moderngl must neither make a context current nor destroy it.

    Args:
        address_of: returns the address of a function, or 0.
    """

    def __init__(self, address_of: Callable[[str], int]) -> None:
        self.load_opengl_function = address_of

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """Return an OpenGL function as a ctypes callable.

        Raises:
            ContextError: the driver has no such function.
        """
        address = self.load_opengl_function(name)
        if not address:
            raise ContextError(f"the OpenGL driver has no {name}; update it")
        return CFUNCTYPE(result, *arguments)(address)

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def release(self) -> None:
        """Do nothing."""
