"""Meshes of a data set, and the samples rendered from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

__all__ = ["MeshEntry", "Sample", "escaped_id", "sample_key", "unescaped_id"]

_ESCAPED = re.compile(rb"[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class MeshEntry:
    """A mesh of a data set.

    Attributes:
        id: unique in the data set; made of letters, digits, ``_``, ``-`` and ``%``.
        address: path of the mesh file, or an address that fsspec opens; or of the tar it is in.
        member: name within the tar; None without one.
        columns: values of the source's table, passed through to the index.
        cameras: path of the mesh's own camera file; None without one.
        photos: paths of existing photos, one per camera; empty without any.
    """

    id: str
    address: str
    member: str | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    cameras: str | None = None
    photos: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One view of a mesh, encoded.

    Attributes:
        key: see `sample_key`.
        files: contents by ending, such as ``"photo.png"``, in the order of the shard.
        row: columns of the index.
    """

    key: str
    files: Mapping[str, bytes]
    row: Mapping[str, Any]


def escaped_id(path: str) -> str:
    """Return a path as an id: every byte outside ``[A-Za-z0-9_-]`` becomes ``%XX``.

    This is the percent-encoding of RFC 3986 with fewer characters left as they are: WebDataset ends
    a sample's key at the first dot. `urllib.parse.unquote` reads it, too.
    """
    encoded = path.encode("utf-8", "surrogateescape")
    return _ESCAPED.sub(lambda match: b"%%%02X" % match[0][0], encoded).decode("ascii")


def unescaped_id(id: str) -> str:
    """Return the path that `escaped_id` made an id of."""
    return unquote_to_bytes(id).decode("utf-8", "surrogateescape")


def sample_key(id: str, view: int, views: int) -> str:
    """Return the key of a view: ``ID_000``, with more digits for more than a thousand views."""
    return f"{id}_{view:0{max(3, len(str(views - 1)))}d}"
