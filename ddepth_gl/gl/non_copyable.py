"""NonCopyable: the base class of objects that own memory on the device."""

from __future__ import annotations

from typing import NoReturn

from ..errors import ContextError

__all__ = ["NonCopyable"]


class NonCopyable:
    """Base of classes that own memory on the device: a copy would be a second owner."""

    def __reduce__(self) -> NoReturn:  # copy.copy, copy.deepcopy and pickle call it
        raise ContextError(
            f"a {type(self).__name__} owns memory on the device and cannot be copied or pickled; "
            "create one from the Mesh where it is needed, and pass results on as NumPy arrays"
        )
