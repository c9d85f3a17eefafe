"""Splits of a data set, chosen by hashes of ids, so that they depend on nothing else."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from .._checks import shown
from ..errors import DatasetError
from .columns import plain_value

if TYPE_CHECKING:
    from .config import SplitConfig
    from .entries import MeshEntry

__all__ = ["SPLITS", "hash_fraction", "split_of"]

SPLITS = ("train", "val", "test")


def hash_fraction(purpose: str, id: str) -> float:
    """Return a number in [0, 1) that depends on an id alone, evenly distributed.

    Args:
        purpose: what it decides; numbers for different purposes are independent.
        id: id of a mesh.
    """
    digest = hashlib.sha256(f"{purpose}\0{id}".encode()).digest()
    # 53 bits, so that the quotient is exact and below 1.
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def split_of(config: SplitConfig, entry: MeshEntry) -> str:
    """Return the split of a mesh: one of `SPLITS`.

    A mesh stays in its split whatever other meshes the data set has; a larger fraction of ``val``
    or ``test`` only adds meshes to it, as far as the order test, val, train allows.

    Raises:
        DatasetError: a column decides, and its value is no split.
    """
    if config.column is not None:
        value = plain_value(entry.columns.get(config.column))
        if value not in SPLITS:
            raise DatasetError(
                f"the column {shown(config.column)} of mesh {entry.id} is {shown(value)}; "
                f"give one of {', '.join(SPLITS)}"
            )
        return str(value)
    position = hash_fraction(f"split {config.seed}", entry.id)
    if position < config.test:
        return "test"
    return "val" if position < config.test + config.val else "train"
