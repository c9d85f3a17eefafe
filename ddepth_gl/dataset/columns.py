"""Columns of sources' tables on their way to the index: values that keep their Arrow types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .._checks import one_line, shown
from .._packages import import_needed
from ..errors import DatasetError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TypedValue", "column_array", "column_values", "plain_value", "typed_texts"]

# Text that an integer of 64 bits, or a float of 64 bits, gives again character by character.
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_FLOAT = re.compile(r"-?[0-9.]+(e[-+][0-9]+)?")


class TypedValue(NamedTuple):
    """A value of a column whose type does not follow from Python values.

    Attributes:
        value: as pyarrow takes it for the type; an integer of its unit for times. None for null.
        type: Arrow type of the column.
    """

    value: Any
    type: pa.DataType


def plain_value(value: Any) -> Any:
    """Return the value of a column without its type."""
    return value.value if isinstance(value, TypedValue) else value


def typed_texts(texts: Sequence[str | None]) -> pa.Array:
    """Return a column of a CSV file: numbers only if their text follows from them, else text."""
    pa = import_needed("pyarrow", "reading CSV", DatasetError, "dataset")
    given = [text for text in texts if text is not None]
    if given and all(_INTEGER.fullmatch(t) and -(2**63) <= int(t) < 2**63 for t in given):
        return pa.array([None if t is None else int(t) for t in texts], pa.int64())
    if given and all(_FLOAT.fullmatch(t) and _is_float(t) for t in given):
        return pa.array([None if t is None else float(t) for t in texts], pa.float64())
    return pa.array(texts, pa.string())


def _is_float(text: str) -> bool:
    try:
        return repr(float(text)) == text
    except ValueError:
        return False


def column_values(column: Any, name: str) -> list[Any]:
    """Return the values of a column for `MeshEntry.columns`; `column_array` gives it again.

    Args:
        column: a ChunkedArray; dictionaries become their values.
        name: of the column, for the message.

    Raises:
        DatasetError: its type cannot be kept.
    """
    pa = import_needed("pyarrow", "reading tables", DatasetError, "dataset")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    given = column.type
    values: list[Any]
    if _is_inferred(pa, given):
        values = column.to_pylist()
        return values
    try:
        values = _python_values(pa, column)
        again = pa.array(values, given)
        is_kept = again.type == given and repr(_python_values(pa, again)) == repr(values)
    except (pa.ArrowException, ValueError, TypeError, OverflowError, ImportError) as error:
        raise DatasetError(
            f"the column {shown(name)} has the type {given}, which an index cannot keep "
            f"({one_line(error)}); leave it out, or store text"
        ) from error
    if not is_kept:
        raise DatasetError(
            f"the column {shown(name)} has the type {given}, which an index cannot keep; "
            "leave it out, or store text"
        )
    return [TypedValue(value, given) for value in values]


def _is_inferred(pa: Any, given: pa.DataType) -> bool:
    """Return whether the type follows from Python values."""
    if pa.types.is_list(given):
        return _is_inferred(pa, given.value_type)
    simple = (pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.null())
    return given in (*simple, pa.binary(), pa.date32())


def _python_values(pa: Any, column: Any) -> list[Any]:
    types = pa.types
    if types.is_date64(column.type) or (
        (types.is_temporal(column.type) and not types.is_interval(column.type))
        and not types.is_date32(column.type)
    ):
        # Python's times have microseconds, Arrow's may have nanoseconds.
        width = pa.int32() if types.is_time32(column.type) else pa.int64()
        values: list[Any] = column.cast(width).to_pylist()
        return values
    values = column.to_pylist()
    return values


def column_array(values: Sequence[Any]) -> pa.Array:
    """Return values of `column_values`, in any choice, as an array.

    Raises:
        pyarrow.ArrowException, ValueError, TypeError, OverflowError: they do not fit together.
    """
    pa = import_needed("pyarrow", "a data set", DatasetError, "dataset")
    known = [value.type for value in values if isinstance(value, TypedValue)]
    if not known:
        return pa.array(values)
    for value in values:
        if value is not None and getattr(value, "type", None) != known[0]:
            other = value.type if isinstance(value, TypedValue) else type(value).__name__
            raise ValueError(f"some are {known[0]}, some {other}")
    return pa.array([plain_value(value) for value in values], known[0])
