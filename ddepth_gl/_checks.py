"""Checks of arguments that several modules share."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import PurePath
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from ._text import printable
from .errors import RequestError

__all__ = [
    "MAX_SAMPLES",
    "checked_array",
    "checked_choice",
    "checked_count",
    "checked_flag",
    "checked_float32",
    "checked_float_type",
    "checked_number",
    "checked_result",
    "checked_rows",
    "checked_texts",
    "is_integer",
    "one_line",
    "printable",
    "quiet_math",
    "shortened",
    "shown",
    "unmasked_array",
]

# Samples along each side of a pixel. Mesa's software rasterizer would cut a loop over 256 x 256
# samples short, and their mean would be wrong: see decision 7 ("Loops end").
MAX_SAMPLES = 128
# numpy.savez takes arrays by keyword; these are its own arguments.
_SAVEZ_ARGUMENTS = ("file", "allow_pickle")


def is_integer(value: object) -> TypeGuard[int]:
    """Return whether a value is an int or a NumPy integer; booleans are not."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def checked_count(
    name: str,
    number: object,
    limit: int | None = None,
    error: type[Exception] = RequestError,
) -> int:
    """Return an integer as an int.

    Args:
        name: name of the argument in the error message.
        number: an integer, at least 1.
        limit: largest allowed value; None for no limit.
        error: raised if the number is no such integer.
    """
    if not is_integer(number) or number < 1 or (limit is not None and number > limit):
        at_most = "" if limit is None else f" and at most {limit}"
        raise error(f"{name} must be an integer, at least 1{at_most}, not {shown(number)}")
    return int(number)


def checked_rows(
    start: object, stop: object, height: int, error: type[Exception] = RequestError
) -> tuple[int, int]:
    """Return a range of rows as ints; NumPy's small integers would overflow in later computations.

    Args:
        start: first row.
        stop: end of the range; this row is not part of it.
        height: number of rows of the image.
        error: raised if the image has no such rows.
    """
    if not (is_integer(start) and is_integer(stop) and 0 <= start < stop <= height):
        raise error(
            f"rows must satisfy 0 <= start < stop <= {height}, "
            f"not start={shown(start)}, stop={shown(stop)}"
        )
    return int(start), int(stop)


def checked_choice(
    name: str, value: Any, choices: Collection[str], error: type[Exception] = RequestError
) -> str:
    """Return `value` if it is one of the choices.

    Args:
        name: name of the argument in the error message.
        value: the value to check.
        choices: the allowed strings.
        error: raised for any other value.
    """
    if not isinstance(value, str) or value not in choices:
        raise error(f"{name} must be {' or '.join(map(repr, choices))}, not {shown(value)}")
    return value


def checked_flag(name: str, value: object, error: type[Exception] = RequestError) -> bool:
    """Return a boolean, Python's or NumPy's, as a bool.

    Args:
        name: name of the argument in the error message.
        value: the value to check.
        error: raised for any other value.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise error(f"{name} must be True or False, not {shown(value)}")
    return bool(value)


def checked_number(name: str, value: Any, error: type[Exception] = RequestError) -> float:
    """Return a number as the nearest float64; NaN and infinity are allowed.

    Args:
        name: name of the argument in the error message.
        value: the value to check.
        error: raised if the value is not a number or exceeds float64.
    """
    try:
        if isinstance(value, int):
            return float(value)
        number = unmasked_array(value)
        if number.ndim == 0 and number.dtype.kind in "biuf":
            return float(number)
    except Exception:  # an __array__ method may raise anything
        number = None
    raise error(f"{name} must be a number, not {shown(value)}")


def checked_float32(name: str, value: Any) -> np.float32:
    """Return a number as the nearest float32; NaN and infinity are allowed.

    Args:
        name: name of the argument in the error message.
        value: the value to check.

    Raises:
        RequestError: the value is not a number or exceeds float32.
    """
    number = checked_number(name, value)
    if np.isfinite(number) and abs(number) > float(np.finfo(np.float32).max):
        raise RequestError(
            f"{name} must be a number that float32 holds, NaN or infinity, not {shown(value)}"
        )
    nearest: np.float32 = np.float32(number)
    return nearest


def checked_min_gap(value: Any) -> float:
    """Return the distance below which crossings are merged, a finite number of at least 0."""
    gap = -1.0 if isinstance(value, (bool, np.bool_)) else checked_number("min_gap", value)
    if not 0.0 <= gap < np.inf:
        raise RequestError(f"min_gap must be a finite number, at least 0, not {shown(value)}")
    return gap


def checked_float_type(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return a floating point type as a NumPy dtype.

    Raises:
        RequestError: `dtype` is no such type.
    """
    try:
        checked: np.dtype[Any] = np.dtype(dtype)
    except Exception:  # NumPy reads attributes of `dtype`, which may raise anything
        checked = np.dtype(object)
    if checked.kind != "f":
        raise RequestError(
            f"dtype must be a floating point type such as float32, not {shown(dtype)}"
        )
    return checked


def checked_array(
    name: str, value: Any, kinds: str, shape: tuple[int | None, ...] | None, error: type[Exception]
) -> npt.NDArray[Any]:
    """Return `value` as an array; an array is not copied.

    Args:
        name: name of the argument in the error message.
        value: the array-like to check.
        kinds: allowed kinds of dtype: b(ool), i(nt), u(nsigned), f(loat).
        shape: the expected shape, with None for an axis of any length; None for any shape.
        error: raised if the value is no such array.
    """
    expected = {"b": "booleans", "iu": "integers"}.get(kinds, "numbers")
    try:
        array = unmasked_array(value)
    except Exception as reason:  # an __array__ method may raise anything
        raise error(
            f"{name} must be an array of {expected}, not {shown(value)} ({one_line(reason)})"
        ) from None
    if array.dtype.kind not in kinds:
        raise error(f"{name} must be an array of {expected}, not {shown(value)} of {array.dtype}")
    has_shape = shape is None or (
        len(shape) == array.ndim
        and all(length in (None, found) for length, found in zip(shape, array.shape, strict=True))
    )
    if not has_shape:
        text = str(shape).replace("None", "N")
        raise error(f"{name} must have shape {text}, not {array.shape}")
    return array


def checked_result(
    name: str, value: Any, dtype: npt.DTypeLike, shape: tuple[int | None, ...]
) -> npt.NDArray[Any]:
    """Return `value` as an array of this type and shape; such an array is not copied.

    Args:
        name: name of the array in the error message.
        value: the array-like to check.
        dtype: type to convert to.
        shape: the expected shape, with None for an axis of any length.

    Raises:
        RequestError: the value has another shape, or a kind of dtype that does not convert.
    """
    expected = np.dtype(dtype)
    # Every image from an engine takes this shortcut.
    if type(value) is np.ndarray and value.dtype == expected and value.shape == shape:
        return value
    kinds = {"f": "iuf", "b": "b"}.get(expected.kind, "iu")
    array = checked_array(name, value, kinds, shape, RequestError)
    with np.errstate(all="ignore"):
        return array.astype(expected, copy=False)


def checked_texts(name: str, value: Any) -> dict[str, str]:
    """Return a mapping of names to texts as a dict.

    Args:
        name: name of the argument in the error message.
        value: mapping with names and texts that every file format can store: names of lower-case
            letters, digits and underscores, and printable texts.

    Raises:
        RequestError: the value is no such mapping.
    """
    is_valid = isinstance(value, Mapping) and all(
        isinstance(key, str) and _is_name(key) and isinstance(text, str) and text.isprintable()
        for key, text in value.items()
    )
    if not is_valid:
        raise RequestError(f"{name} must be a dict of names to printable texts, not {shown(value)}")
    return dict(value)


@lru_cache(64)  # every image has the same few names
def _is_name(key: str) -> bool:
    return bool(re.fullmatch("[a-z][a-z0-9_]{0,30}", key)) and key not in _SAVEZ_ARGUMENTS


def unmasked_array(value: Any) -> npt.NDArray[Any]:
    """Return `value` as an array.

    Raises:
        ValueError: elements are masked; NumPy would drop the mask silently.
        Exception: anything that an ``__array__`` method raises.
    """
    if _has_masked_elements(value):
        raise ValueError("elements are masked; fill or remove them")
    return np.asarray(value)


def _has_masked_elements(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_has_masked_elements, value))
    return isinstance(value, np.ma.MaskedArray) and bool(np.any(value.mask))


@contextmanager
def quiet_math(error: type[Exception], *arrays: npt.NDArray[Any]) -> Iterator[None]:
    """Silence NumPy's warnings in the block, and report a lack of memory there as `error`.

    Args:
        error: raised instead of MemoryError.
        arrays: the inputs; the message names their shapes.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except MemoryError:
        shapes = " and ".join(str(array.shape) for array in arrays)
        raise error(
            f"there is no memory for arrays of shape {shapes}; pass a part at a time"
        ) from None


def shown(value: object) -> str:
    """Return a short representation of any value for an error message, on one line.

    That of a path is the text of the path.
    """
    try:
        return one_line(reprlib.repr(str(value) if isinstance(value, PurePath) else value))
    except Exception:  # a foreign __repr__ may raise, as do integers of thousands of digits
        return f"a value of type {type(value).__name__}"


def one_line(value: object, max_length: int = 120) -> str:
    """Return the text of a value on one line of at most `max_length` characters.

    Args:
        value: any object, such as an exception of another library.
        max_length: longer text is cut and ends in "...".
    """
    try:
        text = str(value)
    except Exception:  # a foreign __str__ may raise anything
        text = type(value).__name__
    return shortened(" ".join(printable(text).split()), max_length)


def shortened(text: str, max_length: int) -> str:
    """Return the text, cut to `max_length` characters that end in "..." if it is longer."""
    return text if len(text) <= max_length else text[: max_length - 3] + "..."
