"""Tables (CSV, Parquet) and list files that name meshes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from .._checks import one_line, shown
from .._packages import import_needed
from ..errors import DatasetError
from .addresses import opened_address
from .columns import column_values, plain_value, typed_texts

if TYPE_CHECKING:
    from .config import SourcesConfig

__all__ = ["INDEX_COLUMNS", "TABLE_SUFFIXES", "TableRow", "list_lines", "table_rows"]

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
# Columns of the index that a table may not have; "split" is the one that it may choose.
INDEX_COLUMNS = (
    "view", "key", "split", "width", "height", "camera", "placement", "coverage", "depth_min",
    "depth_max", "layers", "surfaces", "closed", "odd_share", "equal_share", "truncated_share",
    "two_sided_share", "mask_iou", "pose_correction", "left_out", "warnings", "shard",
)  # fmt: skip
_INDEX_PREFIXES = ("offset.", "size.")
_LARGEST_LIST = 1 << 30


class TableRow(NamedTuple):
    """A mesh in a table.

    Attributes:
        id: as given; None without such a column.
        path: as given.
        cameras: path of a camera file as given; None without any.
        columns: values of all other columns.
    """

    id: str | None
    path: str
    cameras: str | None
    columns: dict[str, Any]


def list_lines(address: str) -> list[str]:
    """Return the paths in a text file, one per line; empty lines and those with # are left out.

    Raises:
        DatasetError: it cannot be read, is not UTF-8, or names nothing.
    """
    with opened_address(address) as stream:
        data = stream.read(_LARGEST_LIST)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{address} is not UTF-8 ({one_line(error)}); save it as such") from None
    lines = (line.strip() for line in text.splitlines())
    paths = [line for line in lines if line and not line.startswith("#")]
    if not paths:
        raise DatasetError(f"{address} names no meshes; write one path per line")
    return paths


def table_rows(address: str, config: SourcesConfig, split_column: str | None) -> list[TableRow]:
    """Return the rows of a CSV or Parquet file.

    Args:
        address: of the file; its ending tells the format.
        config: names of the columns.
        split_column: column that names splits; None without any.

    Raises:
        DatasetError: it cannot be read, has no column of paths, lacks a value there, or has columns
            of the index.
    """
    pyarrow = import_needed("pyarrow", "reading tables", DatasetError, "dataset")
    with opened_address(address) as stream:
        try:
            if PurePosixPath(address).suffix.lower() == ".parquet":
                parquet = import_needed(
                    "pyarrow.parquet", "reading Parquet", DatasetError, "dataset"
                )
                table = parquet.read_table(stream)
            else:
                table = _csv_table(stream, config)
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            if isinstance(error, DatasetError):
                raise
            raise DatasetError(
                f"{address} is not a table that can be read ({one_line(error)})"
            ) from error
    names = table.column_names
    if config.path_column not in names:
        raise DatasetError(
            f"{address} has no column {shown(config.path_column)} but {', '.join(names)[:200]}; "
            "name that of the paths in sources.path_column"
        )
    repeated = {name for name in names if names.count(name) > 1}
    reserved = {*INDEX_COLUMNS} - {config.id_column, split_column}
    taken = sorted(
        name
        for name in names
        if name in reserved or name in repeated or name.startswith(_INDEX_PREFIXES)
    )
    if taken:
        why = "twice" if repeated else "which the index has itself"
        if not repeated and taken[0] == "split" and split_column is None:
            raise DatasetError(
                f"{address} has the column 'split', which the index has itself; give "
                "--set split.column=split to use it, or rename it"
            )
        raise DatasetError(f"{address} has the column {taken[0]!r}, {why}; rename it")
    return list(_rows(address, table, config))


def _csv_table(stream: BinaryIO, config: SourcesConfig) -> Any:
    csv = import_needed("pyarrow.csv", "reading CSV", DatasetError, "dataset")
    import pyarrow

    data = stream.read()
    # Spreadsheets of many countries write semicolons.
    delimiter = max(b",;\t", key=data[: data.find(b"\n")].count)
    parsing = csv.ParseOptions(delimiter=chr(delimiter), newlines_in_values=True)
    # pyarrow's guesses change values: "00012" becomes 12, "nan" null.
    names = csv.open_csv(pyarrow.BufferReader(data), parse_options=parsing).schema.names
    table = csv.read_csv(
        pyarrow.BufferReader(data),
        parse_options=parsing,
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pyarrow.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    texts = (config.id_column, config.path_column, config.cameras_column)
    columns = [
        table.column(i) if name in texts else typed_texts(table.column(i).to_pylist())
        for i, name in enumerate(table.column_names)
    ]
    return pyarrow.table(columns, names=table.column_names)


def _rows(address: str, table: Any, config: SourcesConfig) -> Iterator[TableRow]:
    values: dict[str, list[Any]] = {}
    for name in table.column_names:
        try:
            values[name] = column_values(table.column(name), name)
        except DatasetError as error:
            raise DatasetError(f"{address}: {error}") from error
    own = {
        name: [plain_value(value) for value in values.pop(name)]
        for name in (config.path_column, config.id_column, config.cameras_column)
        if name in values
    }
    paths, ids = own[config.path_column], own.get(config.id_column)
    cameras = None if config.cameras_column is None else own.get(config.cameras_column)
    if config.cameras_column is not None and cameras is None:
        raise DatasetError(
            f"{address} has no column {shown(config.cameras_column)}; "
            "correct sources.cameras_column"
        )
    names = list(values)
    others = zip(*values.values(), strict=True) if names else ((),) * len(paths)
    for row, (path, other) in enumerate(zip(paths, others, strict=True)):
        id = None if ids is None else ids[row]
        if not isinstance(path, str) or not path or (ids is not None and id in (None, "")):
            lacking = config.id_column if path else config.path_column
            raise DatasetError(
                f"{address} has no {lacking} in row {row + 1}; fill it in, or remove the row"
            )
        yield TableRow(
            None if id is None else str(id),
            path,
            None if cameras is None else cameras[row] or None,
            dict(zip(names, other, strict=True)),
        )
