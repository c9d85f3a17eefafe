"""Plan: which mesh is in which shard, with which settings; and plan.parquet, which holds it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from .._checks import one_line, shown
from .._packages import import_needed
from ..errors import DatasetError
from .columns import column_array, column_values
from .entries import MeshEntry
from .split import SPLITS, split_of

if TYPE_CHECKING:
    from .config import DatasetConfig

__all__ = ["PLAN_NAME", "Plan", "plan_bytes", "plan_of_bytes"]

PLAN_NAME = "plan.parquet"
_LAYOUT = "ddepth dataset plan 1"
_KEY = b"ddepth"
_ENCODED = "bytes:"  # before the percent-encoding of a path that is not UTF-8
_PREFIX = "column:"  # of passed-through columns, whatever they are called
_ID = re.compile(r"[A-Za-z0-9_%-]+")
_MAX_SHARDS = 1_000_000
_MAX_BYTES = 1 << 33  # of a plan in memory


@dataclass(frozen=True)
class Plan:
    """A plan of a data set.

    Attributes:
        config: all settings.
        shards: meshes of each shard, sorted by id. All meshes of a shard are in one split.
        versions: what else decides bytes: engine, driver, versions of libraries; see
            `renderer_versions`.
        workers: number of workers that the plan was made for.
    """

    config: DatasetConfig
    shards: tuple[tuple[MeshEntry, ...], ...]
    versions: Mapping[str, str]
    workers: int = 1

    def entries(self) -> list[MeshEntry]:
        """Return the meshes of all shards, sorted by id."""
        return sorted(chain.from_iterable(self.shards), key=lambda entry: entry.id)

    def split(self, shard: int) -> str:
        """Return the split of a shard."""
        return split_of(self.config.split, self.shards[shard][0])


def plan_bytes(plan: Plan) -> bytes:
    """Return the content of ``plan.parquet``: one row per mesh, settings in its metadata.

    Columns are shard, split, id, address, member, cameras, photos, and ``column:NAME`` for each
    passed-through column.

    Raises:
        DatasetError: a passed-through column has values of types that do not fit together.
    """
    pa = import_needed("pyarrow", "writing a plan", DatasetError, "dataset")
    parquet = import_needed("pyarrow.parquet", "writing a plan", DatasetError, "dataset")
    rows = [(shard, entry) for shard, entries in enumerate(plan.shards) for entry in entries]
    splits = [plan.split(shard) for shard in range(len(plan.shards))]
    text = pa.string()
    arrays = {
        "shard": pa.array([shard for shard, _ in rows], pa.int32()),
        "split": pa.array([splits[shard] for shard, _ in rows], text),
        "id": pa.array([entry.id for _, entry in rows], text),
        "address": pa.array([_stored(entry.address) for _, entry in rows], text),
        "member": pa.array([entry.member and _stored(entry.member) for _, entry in rows], text),
        "cameras": pa.array([entry.cameras and _stored(entry.cameras) for _, entry in rows], text),
        "photos": pa.array([list(map(_stored, entry.photos)) for _, entry in rows], pa.list_(text)),
    }
    for name in sorted({name for _, entry in rows for name in entry.columns}):
        try:
            arrays[_PREFIX + name] = column_array([entry.columns.get(name) for _, entry in rows])
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise DatasetError(
                f"the column {shown(name)} has values that do not fit together "
                f"({one_line(error)}); give it one type in all tables"
            ) from error
    about = {
        "layout": _LAYOUT,
        "config": plan.config.model_dump(mode="json"),
        "fingerprint": plan.config.fingerprint(),
        "versions": dict(plan.versions),
        "workers": plan.workers,
    }
    table = pa.table(arrays).replace_schema_metadata({_KEY: json.dumps(about, sort_keys=True)})
    sink = BytesIO()
    parquet.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def _stored(path: str) -> str:
    # Parquet holds UTF-8, names on disk any bytes.
    if path.isascii() and not path.startswith(_ENCODED):
        return path
    data = path.encode("utf-8", "surrogateescape")
    try:
        data.decode()
    except UnicodeDecodeError:
        return _ENCODED + quote_from_bytes(data)
    return _ENCODED + quote_from_bytes(data) if path.startswith(_ENCODED) else path


def _unstored(path: Any) -> Any:
    if not isinstance(path, str) or not path.startswith(_ENCODED):
        return path
    return unquote_to_bytes(path.removeprefix(_ENCODED)).decode("utf-8", "surrogateescape")


def plan_of_bytes(data: bytes, name: str = PLAN_NAME) -> Plan:
    """Return the plan in the content of a ``plan.parquet``, which may come from anywhere.

    Args:
        data: the content.
        name: what messages call the file.

    Raises:
        DatasetError: it is damaged, is not a plan, or is one of another version.
    """
    parquet = import_needed("pyarrow.parquet", "reading a plan", DatasetError, "dataset")
    try:
        file = parquet.ParquetFile(BytesIO(data), page_checksum_verification=True)
        meta = file.metadata
        groups = (meta.row_group(index) for index in range(meta.num_row_groups))
        if sum(group.total_byte_size for group in groups) > _MAX_BYTES:
            raise DatasetError(f"{name} is too large for a plan")
        about = json.loads((file.schema_arrow.metadata or {})[_KEY])
        table = file.read()
        columns = {
            each: column_values(column, each) if each.startswith(_PREFIX) else column.to_pylist()
            for each, column in zip(table.column_names, table.columns, strict=True)
        }
    except DatasetError:
        raise
    except Exception as error:  # on a damaged file, pyarrow raises nearly anything
        raise DatasetError(
            f"{name} is damaged or is not a plan ({one_line(error)}); give another folder"
        ) from error
    return _checked_plan(about, columns, name)


def _checked_plan(about: Any, columns: dict[str, list[Any]], name: str) -> Plan:
    from .config import DatasetConfig

    if not isinstance(about, dict) or about.get("layout") != _LAYOUT:
        raise DatasetError(f"{name} is a plan of another version of ddepth_gl; use that version")
    config = DatasetConfig.from_settings(about.get("config"), name)
    versions, workers = about.get("versions"), about.get("workers")
    if not isinstance(versions, dict) or not isinstance(workers, int):
        raise DatasetError(f"{name} is damaged: it lacks versions or workers")
    passed = {each: each.removeprefix(_PREFIX) for each in columns if each.startswith(_PREFIX)}
    shards: list[list[MeshEntry]] = []
    seen: set[str] = set()
    try:
        rows = zip(
            *(columns[each] for each in ("shard", "id", "address", "member", "cameras", "photos")),
            strict=True,
        )
        for row, (shard, id, address, member, cameras, photos) in enumerate(rows):
            values = {own: columns[stored][row] for stored, own in passed.items()}
            texts = (id, address, *(text for text in (member, cameras) if text is not None))
            is_right = all(isinstance(text, str) for text in (*texts, *photos))
            if not is_right or not _ID.fullmatch(id) or id in seen or shard >= _MAX_SHARDS:
                raise DatasetError(f"{name} is damaged in row {row + 1}; give another folder")
            seen.add(id)
            if shard == len(shards):
                shards.append([])
            elif shard != len(shards) - 1:
                raise DatasetError(f"{name} is damaged: its shards are not in order")
            address, member, cameras = map(_unstored, (address, member, cameras))
            pictures = tuple(map(_unstored, photos))
            shards[shard].append(MeshEntry(id, address, member, values, cameras, pictures))
    except (LookupError, TypeError, ValueError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{name} is damaged ({one_line(error)}); give another folder") from error
    plan = Plan(
        config,
        tuple(tuple(entries) for entries in shards),
        {str(key): str(value) for key, value in versions.items()},
        workers,
    )
    for entries in plan.shards:
        if len({split_of(config.split, entry) for entry in entries}) != 1:
            raise DatasetError(f"{name} is damaged: a shard has meshes of two of {SPLITS}")
    return plan
