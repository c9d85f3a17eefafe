"""Morph targets of glTF primitives: attributes displaced by weights (glTF 2.0, section 3.7.2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from ..work_limit import WorkLimit
from .accessors import GltfAccessors

__all__ = ["morphed"]


def morphed(
    values: npt.NDArray[Any],
    name: str,
    targets: Sequence[Any],
    weights: Iterable[float],
    accessors: GltfAccessors,
    work: WorkLimit,
) -> npt.NDArray[Any]:
    """Return an attribute plus the sum over the targets of weight x displacement.

    Missing weights are 0, surplus weights are ignored. Targets of weight 0 are not read.

    Args:
        values: (V, width) numbers.
        name: name of the attribute.
        targets: the targets of the primitive.
        weights: their weights.
        accessors: arrays of the document.
        work: limit on the work.

    Returns:
        (V, width) float64; the values themselves if no target changes them.

    Raises:
        MeshError: a target has another number of rows or columns.
    """
    totals: dict[int, float] = {}  # by accessor: a short file may use one very often
    for target, weight in zip(targets, weights, strict=False):
        if weight != 0 and name in target:
            index = target[name]
            totals[index] = totals.get(index, 0.0) + weight
    if not totals:
        return values
    result = values.astype(np.float64)
    widths = (values.shape[1],)
    for index, weight in totals.items():
        sparse = accessors.nonzero_rows(index, name, widths)
        if sparse is None:
            displacement = accessors.array(index, name, widths)
            count = len(displacement)
        else:
            count, displacement = sparse.length, sparse.values
        if count != len(values):
            raise MeshError(
                f"a morph target has {count} {name} for {len(values)} vertices; export it again"
            )
        work.spend(len(displacement))
        result[... if sparse is None else sparse.rows] += weight * displacement.astype(np.float64)
    return result
