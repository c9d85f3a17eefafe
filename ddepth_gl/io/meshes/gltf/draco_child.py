"""Decoding of Draco streams in a child process: see `run_in_child`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ....errors import MeshError

__all__ = ["decode_streams"]

# DracoPy returns 16-bit attributes as uint32 and signed ones as float32, beside their own type.
_INTEGERS = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4"}


def decode_streams(
    request: dict[str, Any], blobs: Sequence[memoryview]
) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Return the arrays of Draco streams.

    Args:
        request: ``{"ids": [[unique id of an attribute, ...] of each stream, ...]}``.
        blobs: the streams.

    Returns:
        For each stream, the corners of its triangles as (3 F, 1), then each attribute as
        (V, width).

    Raises:
        MeshError: a stream is damaged, holds no triangles or lacks an attribute.
    """
    import DracoPy

    arrays = []
    for ids, blob in zip(request["ids"], blobs, strict=True):
        try:
            mesh = DracoPy.decode(bytes(blob))
        except MemoryError:
            raise
        except Exception as error:
            raise MeshError(
                f"a Draco stream of it is damaged ({error}); copy or export it again"
            ) from error
        faces = getattr(mesh, "faces", None)
        if faces is None:
            raise MeshError("a Draco stream of it holds points; export it again")
        arrays.append(np.asarray(faces, np.uint32).reshape(-1, 1))
        for unique_id in ids:
            attribute = mesh.get_attribute_by_unique_id(unique_id)
            if attribute is None:
                raise MeshError(
                    f"a Draco stream of it has no attribute {unique_id!s:.20}; export it again"
                )
            values = np.asarray(attribute["data"])
            values = values.astype(_INTEGERS.get(attribute["data_type"], values.dtype))
            arrays.append(values.reshape(len(values), -1))
    return {}, arrays
