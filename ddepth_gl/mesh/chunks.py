"""Chunks of faces, which bound the memory that temporary arrays take."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["face_chunks"]

_FACES_PER_CHUNK = 1 << 16


def face_chunks(faces: npt.NDArray[np.int32]) -> Iterator[npt.NDArray[np.int32]]:
    """Yield views of at most 65,536 consecutive faces each."""
    for start in range(0, len(faces), _FACES_PER_CHUNK):
        yield faces[start : start + _FACES_PER_CHUNK]
