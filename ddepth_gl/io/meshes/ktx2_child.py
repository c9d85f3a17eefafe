"""Decoding of KTX 2.0 textures in a child process: see `run_in_child`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._packages import import_needed
from ...errors import MeshError

__all__ = ["decode_levels"]


def decode_levels(
    request: dict[str, Any], blobs: Sequence[memoryview]
) -> tuple[dict[str, Any], list[npt.NDArray[np.uint8]]]:
    """Return one level of each texture as (h, w, 4) uint8.

    Args:
        request: ``{"levels": [level of each texture, ...]}``.
        blobs: contents of the files.

    Raises:
        MeshError: a texture is damaged, or the package is missing.
    """
    basisu = import_needed("opengl_basisu", "reading KTX2 textures", MeshError, "compressed")
    textures = []
    for level, blob in zip(request["levels"], blobs, strict=True):
        try:
            image = basisu.open(bytes(blob)).transcode(basisu.Target.RGBA8, level=level)
        except MemoryError:
            raise
        except Exception as error:  # the decoder's own errors, of damaged data
            raise MeshError(
                f"a KTX2 texture of it is damaged ({error}); convert it again"
            ) from error
        textures.append(np.asarray(image.data, np.uint8))
    return {}, textures
