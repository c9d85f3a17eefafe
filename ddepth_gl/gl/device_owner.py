"""Objects that own memory on the device: there is one of each."""

from __future__ import annotations

from typing import NoReturn

from ..errors import ContextError

__all__ = ["DeviceOwner"]


class DeviceOwner:
    """Base of those that a copy would make a second owner of."""

    def __reduce__(self) -> NoReturn:  # what copy.copy, copy.deepcopy and pickle go by
        raise ContextError(
            f"a {type(self).__name__} owns memory on the device and cannot be copied or pickled; "
            "make one from the Mesh where it is needed, and pass results on as NumPy arrays"
        )
