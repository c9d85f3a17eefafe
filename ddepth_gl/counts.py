"""Whole numbers that callers ask for."""

from __future__ import annotations

from typing import TypeGuard

import numpy as np

from .errors import RequestError

__all__ = ["MOST_SAMPLES", "checked_count", "is_whole"]

# Along each side of a pixel of a picture. Mesa's software rasterizer ends the loops of a shader after 2^16
# times, without a word: the mean of 256 x 256 samples would be wrong.
MOST_SAMPLES = 128


def is_whole(value: object) -> TypeGuard[int]:
    """Whether it is an int or an integer of NumPy's."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def checked_count(name: str, number: object, most: int | None = None) -> int:
    """`number` as an int, if it is a whole one of at least 1.

    Args:
        name: what it is called in the message.
        number: to check.
        most: what it may be, if that is limited.

    Raises:
        RequestError: it is not.
    """
    if not is_whole(number) or number < 1 or (most is not None and number > most):
        limit = "" if most is None else f" and at most {most}"
        raise RequestError(f"{name} must be a whole number, at least 1{limit}, not {number!r}")
    return int(number)
