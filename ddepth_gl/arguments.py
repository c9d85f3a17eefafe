"""Checks of arguments that several modules take."""

from __future__ import annotations

import reprlib
from collections.abc import Collection
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from .errors import RequestError

__all__ = [
    "MOST_SAMPLES",
    "checked_choice",
    "checked_count",
    "checked_float32",
    "checked_float_type",
    "is_whole",
]

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
        raise RequestError(f"{name} must be a whole number, at least 1{limit}, not {reprlib.repr(number)}")
    return int(number)


def checked_choice(
    name: str, value: Any, choices: Collection[str], error: type[Exception] = RequestError
) -> str:
    """`value`, if it is one of the choices.

    Args:
        name: what it is called in the message.
        value: to check.
        choices: what it may be.
        error: to raise.
    """
    if not isinstance(value, str) or value not in choices:
        raise error(f"{name} must be {' or '.join(map(repr, choices))}, not {reprlib.repr(value)}")
    return value


def checked_float32(name: str, value: Any, error: type[Exception] = RequestError) -> np.float32:
    """The float32 nearest to a number, NaN and infinity included.

    Args:
        name: what it is called in the message.
        value: to check.
        error: to raise if it is no number, or beyond float32.
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise error(f"{name} must be a number, not {reprlib.repr(value)}") from None
    if np.isfinite(number) and abs(number) > float(np.finfo(np.float32).max):
        raise error(f"{name} must be a number that float32 holds, NaN or infinity, not {value!r}")
    nearest: np.float32 = np.float32(number)
    return nearest


def checked_float_type(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """`dtype` as one.

    Raises:
        RequestError: it is no floating point type.
    """
    try:
        kind: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if kind.kind != "f":
        raise RequestError(f"dtype must be a floating point type such as float32, not {reprlib.repr(dtype)}")
    return kind
