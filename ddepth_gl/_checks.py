"""Checks of arguments that several modules take."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

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
    "checked_texts",
    "is_integer",
    "quiet_math",
    "one_line",
    "unmasked_array",
    "shown",
]

# Along each side of a pixel of a picture. Mesa's software rasterizer ends the loops of a shader after 2^16
# times silently: the mean of 256 x 256 samples would be wrong.
MAX_SAMPLES = 128
_NOT_IN_ARCHIVES = (
    "file",
    "allow_pickle",
)  # arguments of numpy.savez, which takes arrays by keyword as well


def is_integer(value: object) -> TypeGuard[int]:
    """Whether it is an int or an integer of NumPy's."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def checked_count(name: str, number: object, limit: int | None = None) -> int:
    """`number` as an int, if it is a whole one of at least 1.

    Args:
        name: what it is called in the message.
        number: to check.
        limit: its largest allowed value, if there is one.

    Raises:
        RequestError: it is not.
    """
    if not is_integer(number) or number < 1 or (limit is not None and number > limit):
        at_most = "" if limit is None else f" and at most {limit}"
        raise RequestError(f"{name} must be an integer, at least 1{at_most}, not {shown(number)}")
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
        raise error(f"{name} must be {' or '.join(map(repr, choices))}, not {shown(value)}")
    return value


def checked_flag(name: str, value: object, error: type[Exception] = RequestError) -> bool:
    """Return `value`, if it is True or False, NumPy's included.

    Args:
        name: what it is called in the message.
        value: to check.
        error: to raise.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise error(f"{name} must be True or False, not {shown(value)}")
    return bool(value)


def checked_number(name: str, value: Any, error: type[Exception] = RequestError) -> float:
    """Return the float64 nearest to a number, NaN and infinity included.

    Args:
        name: what it is called in the message.
        value: to check.
        error: to raise if it is no number, or beyond float64.
    """
    try:
        if isinstance(value, int):
            return float(value)
        number = unmasked_array(value)
        if number.ndim == 0 and number.dtype.kind in "biuf":
            return float(number)
    except Exception:  # whatever an __array__ method raises
        number = None
    raise error(f"{name} must be a number, not {shown(value)}")


def checked_float32(name: str, value: Any, error: type[Exception] = RequestError) -> np.float32:
    """The float32 nearest to a number, NaN and infinity included.

    Args:
        name: what it is called in the message.
        value: to check.
        error: to raise if it is no number, or beyond float32.
    """
    number = checked_number(name, value, error)
    if np.isfinite(number) and abs(number) > float(np.finfo(np.float32).max):
        raise error(
            f"{name} must be a number that float32 holds, NaN or infinity, not {shown(value)}"
        )
    nearest: np.float32 = np.float32(number)
    return nearest


def checked_array(
    name: str, value: Any, kinds: str, shape: tuple[int | None, ...] | None, error: type[Exception]
) -> npt.NDArray[Any]:
    """Return `value` as an array, not copied if it is one.

    Args:
        name: what it is called in the message.
        value: to check.
        kinds: of dtype: b(ool), i(nt), u(nsigned), f(loat).
        shape: that it must have, None along an axis of any length; None for any shape.
        error: to raise.
    """
    wanted = {"b": "booleans", "iu": "integers"}.get(kinds, "numbers")
    try:
        array = unmasked_array(value)
    except Exception as reason:  # whatever an __array__ method raises
        what = f"{name} must be an array of {wanted}, not {shown(value)} ({one_line(reason)})"
        raise error(what) from None
    if array.dtype.kind not in kinds:
        raise error(f"{name} must be an array of {wanted}, not {shown(value)} of {array.dtype}")
    fits = shape is None or (
        len(shape) == array.ndim
        and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    )
    if not fits:
        text = str(shape).replace("None", "N")
        raise error(f"{name} must have shape {text}, not {array.shape}")
    return array


def checked_result(
    name: str, value: Any, dtype: npt.DTypeLike, shape: tuple[int | None, ...]
) -> npt.NDArray[Any]:
    """Return `value` as an array of this type and shape, not copied if it is one; see `checked_array`.

    Raises:
        RequestError: it is no such array, or of a type that does not fit into `dtype`.
    """
    kind = np.dtype(dtype)
    if type(value) is np.ndarray and value.dtype == kind and value.shape == shape:
        return value  # as every image of ours is
    array = checked_array(
        name, value, {"f": "iuf", "b": "b"}.get(kind.kind, "iu"), shape, RequestError
    )
    with np.errstate(all="ignore"):
        return array.astype(kind, copy=False)


def checked_texts(name: str, value: Any) -> dict[str, str]:
    """Return a mapping of names to texts as a dict: names and texts that every file format can hold.

    Raises:
        RequestError: it is none.
    """
    is_right = isinstance(value, Mapping) and all(
        isinstance(key, str) and _is_name(key) and isinstance(text, str) and text.isprintable()
        for key, text in value.items()
    )
    if not is_right:
        raise RequestError(f"{name} must be a dict of names to printable texts, not {shown(value)}")
    return dict(value)


@lru_cache(64)  # every image has the same few
def _is_name(key: str) -> bool:
    return bool(re.fullmatch("[a-z][a-z0-9_]{0,30}", key)) and key not in _NOT_IN_ARCHIVES


def unmasked_array(value: Any) -> npt.NDArray[Any]:
    """Return `value` as an array, which is no masked one.

    Raises:
        ValueError: elements are masked, which NumPy would silently forget.
        Exception: whatever an ``__array__`` method raises.
    """
    if _is_masked(value):
        raise ValueError("elements are masked; fill or remove them")
    return np.asarray(value)


def _is_masked(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_is_masked, value))
    return isinstance(value, np.ma.MaskedArray) and bool(np.ma.getmaskarray(value).any())


@contextmanager
def quiet_math(error: type[Exception], *given: npt.NDArray[Any]) -> Iterator[None]:
    """Within it numbers overflow silently, and a lack of memory for what is made of `given` is an `error`."""
    try:
        with np.errstate(all="ignore"):
            yield
    except MemoryError:
        shapes = " and ".join(str(each.shape) for each in given)
        raise error(
            f"there is no memory for arrays of shape {shapes}; pass a part at a time"
        ) from None


def shown(value: object) -> str:
    """Return `value` as messages show it: short and on one line, whatever it is."""
    try:
        return one_line(reprlib.repr(value))
    except Exception:  # a repr of somebody else's, or an integer of thousands of digits
        return f"a value of type {type(value).__name__}"


def one_line(value: object, max_length: int = 120) -> str:
    """Return the text of a value, such as somebody else's error, on one line of at most `max_length` characters."""
    try:
        text = str(value)
    except Exception:
        text = type(value).__name__
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= max_length else text[: max_length - 3] + "..."


def checked_float_type(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """`dtype` as one.

    Raises:
        RequestError: it is no floating point type.
    """
    try:
        kind: np.dtype[Any] = np.dtype(dtype)
    except Exception:  # of whatever it asks `dtype` for
        kind = np.dtype(object)
    if kind.kind != "f":
        raise RequestError(
            f"dtype must be a floating point type such as float32, not {shown(dtype)}"
        )
    return kind
