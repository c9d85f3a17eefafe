"""Buffer views compressed by meshoptimizer: EXT_meshopt_compression and KHR_meshopt_compression.

The bitstreams are published in appendix A of these extensions of glTF 2.0
(https://github.com/KhronosGroup/glTF, extensions/2.0/Khronos/KHR_meshopt_compression).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from .meshopt_attributes import decode_attributes
from .meshopt_filters import FILTERS
from .meshopt_indices import decode_indices, decode_triangles

__all__ = ["MESHOPT_EXTENSIONS", "decode_meshopt", "decoded_size"]

# The newer name first: a file may use both.
MESHOPT_EXTENSIONS = ("KHR_meshopt_compression", "EXT_meshopt_compression")

_DECODERS = {
    "ATTRIBUTES": decode_attributes,
    "TRIANGLES": decode_triangles,
    "INDICES": decode_indices,
}
# Strides that a filter can be applied to; None for every multiple of 4.
_STRIDES = {"OCTAHEDRAL": (4, 8), "QUATERNION": (8,), "EXPONENTIAL": None, "COLOR": (4, 8)}


def decoded_size(compression: Any) -> int:
    """Return the number of bytes that a stream declares to decode to.

    Args:
        compression: the extension's object in a buffer view.

    Raises:
        MeshError: mode, filter, count and stride do not fit together.
    """
    mode, count, stride = compression["mode"], compression["count"], compression["byteStride"]
    kind = compression.get("filter", "NONE")
    are_integers = all(isinstance(n, int) and not isinstance(n, bool) for n in (count, stride))
    if mode == "ATTRIBUTES":
        is_valid = are_integers and count >= 1 and 4 <= stride <= 256 and stride % 4 == 0
        if kind != "NONE":
            strides = _STRIDES.get(kind, ())
            is_valid = is_valid and (strides is None or stride in strides)
    else:
        is_valid = mode in _DECODERS and kind == "NONE" and are_integers
        is_valid = is_valid and count >= 1 and stride in (2, 4)
        is_valid = is_valid and not (mode == "TRIANGLES" and count % 3)
    if not is_valid:
        raise MeshError(
            f"its meshopt compression declares {count!s:.20} x {stride!s:.20} bytes of mode "
            f"{mode!s:.20}, filter {kind!s:.20}, which does not exist; export it again"
        )
    return int(count * stride)


def decode_meshopt(stream: memoryview, compression: Any) -> npt.NDArray[np.uint8]:
    """Return the bytes that a stream decodes to, (count x stride,) uint8.

    Args:
        stream: the encoded bytes.
        compression: the extension's object in the buffer view: mode, filter, count and stride.

    Raises:
        MeshError: the stream is damaged, or declares more than it can hold. That is checked before
            memory is allocated.
    """
    decoded_size(compression)
    count, stride = compression["count"], compression["byteStride"]
    kind = compression.get("filter", "NONE")
    try:
        decoded = _DECODERS[compression["mode"]](stream, count, stride)
    except ValueError as error:
        raise MeshError(
            f"its meshopt compression is damaged ({error}); copy or export it again"
        ) from error
    if kind != "NONE":
        decoded = FILTERS[kind](decoded)
    return decoded.reshape(-1).view(np.uint8)
