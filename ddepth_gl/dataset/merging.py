"""Merging of Parquet files whose columns may differ, one file after another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from .._checks import one_line
from .._packages import import_needed
from ..errors import DatasetError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["merge_parquet"]

_ROWS_PER_GROUP = 32_768


def merge_parquet(
    sources: Sequence[Any], target: BinaryIO, columns: Iterable[tuple[str, pa.DataType]] = ()
) -> int:
    """Write the rows of all sources, in their order, as one Parquet file.

    Columns keep the order in which they appear first. A column that only some sources have is null
    in the rows of the others. Where types differ, the values become the larger type of the same
    kind, or float64 for integers and fractions, if that holds all of them exactly. Otherwise they
    become text, lists and tables as JSON. Only one batch of rows is in memory, and the same sources
    give the same bytes.

    Args:
        sources: paths or open files of Parquet.
        target: file to write.
        columns: names and types of columns that the file has even if no source has them.

    Returns:
        The number of rows.

    Raises:
        DatasetError: a source is not a Parquet file, or pyarrow is not installed.
    """
    pa = import_needed("pyarrow", "an index", DatasetError, "dataset")
    import_needed("pyarrow.parquet", "an index", DatasetError, "dataset")
    schemas = [pa.schema(list(columns)), *(_schema(pa, source) for source in sources)]
    as_text: set[str] = set()
    while (column := _inexact_column(pa, sources, schema := _common(pa, schemas, as_text))) != "":
        as_text.add(column)
    return _write(pa, sources, schema, target)


def _schema(pa: Any, source: Any) -> pa.Schema:
    with _errors(source):
        return pa.parquet.ParquetFile(source).schema_arrow


def _record_batches(
    pa: Any, source: Any, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    with _errors(source):
        yield from pa.parquet.ParquetFile(source).iter_batches(_ROWS_PER_GROUP, columns=columns)


@contextmanager
def _errors(source: Any) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # on a damaged file, pyarrow raises nearly anything
        raise DatasetError(
            f"{getattr(source, 'name', source)} is not a whole Parquet file "
            f"({one_line(error, 200)}); remove the marker of its shard and rerun"
        ) from error


def _common(pa: Any, schemas: Sequence[pa.Schema], as_text: set[str]) -> pa.Schema:
    """Return a schema that holds every column of the others."""
    types: dict[str, list[pa.DataType]] = {}
    for schema in schemas:
        for field in schema:
            types.setdefault(field.name, []).append(_plain(pa, field.type))
    return pa.schema(
        [
            (name, pa.string() if name in as_text else _common_type(pa, name, given))
            for name, given in types.items()
        ]
    )


def _plain(pa: Any, given: pa.DataType) -> pa.DataType:
    return given.value_type if pa.types.is_dictionary(given) else given


def _common_type(pa: Any, name: str, types: list[pa.DataType]) -> pa.DataType:
    known = [each for each in types if not pa.types.is_null(each)]
    if not known:
        return pa.string()
    if all(each == known[0] for each in known):
        return known[0]
    try:
        field = pa.unify_schemas(
            [pa.schema([(name, each)]) for each in known], promote_options="permissive"
        ).field(0)
    except pa.ArrowException:
        return pa.string()
    return field.type


def _inexact_column(pa: Any, sources: Sequence[Any], schema: pa.Schema) -> str:
    """Return the first column that its common type cannot hold; empty if there is none."""
    for source in sources:
        differing: list[str] = [
            field.name
            for field in _schema(pa, source)
            if field.type != (target := schema.field(field.name).type)
            and not pa.types.is_string(target)
        ]
        for batch in _record_batches(pa, source, differing) if differing else ():
            for name in differing:
                try:
                    batch.column(name).cast(schema.field(name).type)
                except pa.ArrowException:
                    return name
    return ""


def _write(pa: Any, sources: Sequence[Any], schema: pa.Schema, target: BinaryIO) -> int:
    """Write the rows in large groups, however small the sources are; see `merge_parquet`."""
    rows = 0
    waiting: list[pa.Table] = []
    with pa.parquet.ParquetWriter(target, schema, compression="zstd") as writer:

        def write_waiting() -> None:
            if waiting:
                table = pa.concat_tables(waiting)
                writer.write_table(table, row_group_size=max(1, table.num_rows))
                waiting.clear()

        for batch in _batches(pa, sources, schema):
            waiting.append(batch)
            rows += batch.num_rows
            if sum(each.num_rows for each in waiting) >= _ROWS_PER_GROUP:
                write_waiting()
        write_waiting()
    return rows


def _batches(pa: Any, sources: Sequence[Any], schema: pa.Schema) -> Iterator[pa.Table]:
    for source in sources:
        for batch in _record_batches(pa, source):
            columns = [
                _cast(pa, batch.column(field.name), field.type)
                if field.name in batch.schema.names
                else pa.nulls(batch.num_rows, field.type)
                for field in schema
            ]
            yield pa.table(columns, schema=schema)


def _cast(pa: Any, column: pa.Array, target: pa.DataType) -> pa.Array:
    """Return a column as another type; only text has values that `cast` cannot make."""
    if column.type == target:
        return column
    becomes_text = pa.types.is_string(target)
    if not (becomes_text and pa.types.is_nested(column.type)):
        try:
            return column.cast(target)
        except pa.ArrowException:
            if not becomes_text:
                raise
    return pa.array([_text(value) for value in column.to_pylist()], pa.string())


def _text(value: object) -> str | None:
    """Return a value as text: JSON of lists and tables, bytes escaped where they are not UTF-8."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return None if value is None else json.dumps(value, sort_keys=True, default=str)
