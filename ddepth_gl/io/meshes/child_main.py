"""The child process of `run_in_child`: sets its limits, runs one function and writes the result.

A message is an anonymous file: the size of the head (8 bytes, little-endian), the head (JSON), then
the blobs or arrays, each at a multiple of 64 bytes.
"""

import errno
import importlib
import json
import mmap
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

__all__ = [
    "OUT_OF_MEMORY",
    "TOO_LARGE",
    "TYPES",
    "aligned",
    "read_head",
    "write_message",
]

OUT_OF_MEMORY, TOO_LARGE = 81, 82  # exit statuses
# Types of arrays in results.
TYPES = ("|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f4", "<f8")
_MAX_HEAD = 256 * 1024**2
_PR_SET_PDEATHSIG = 1


def aligned(position: int) -> int:
    """Return the next multiple of 64."""
    return -(-position // 64) * 64


def write_message(descriptor: int, head: dict[str, Any], blobs: Sequence[Any]) -> None:
    """Write a message into an empty file.

    Args:
        descriptor: descriptor of the file.
        head: JSON object.
        blobs: bytes-like objects.
    """
    text = json.dumps(head).encode()
    position = 0
    with open(descriptor, "wb", closefd=False) as file:
        for blob in (len(text).to_bytes(8, "little") + text, *blobs):
            position += file.write(bytes(aligned(position) - position))
            position += file.write(blob)


def read_head(content: memoryview, parse: Callable[[bytes], Any]) -> tuple[dict[str, Any], int]:
    """Return the head of a message, and the position of its first blob.

    Raises:
        ValueError: it is not a message.
    """
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > min(len(content) - 8, _MAX_HEAD):
        raise ValueError("no head")
    head = parse(bytes(content[8 : 8 + size]))
    if not isinstance(head, dict):
        raise ValueError("no object")
    return head, aligned(8 + size)


def _limit(head: dict[str, Any]) -> None:
    """Limit what this process may use, before it sees any untrusted data."""
    import ctypes
    import resource  # Windows has none, and `child` imports this module there, too

    # End with the parent, in whatever way that ends.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != head["parent"]:
        os._exit(0)
    seconds = int(head["seconds"]) + 1
    signal.alarm(seconds + 1)
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, head["memory"]),
        (resource.RLIMIT_NOFILE, 2048),
        (resource.RLIMIT_AS, head["memory"]),
    ):
        hard = resource.getrlimit(kind)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (limit, hard))


def _answer(request_file: int) -> tuple[dict[str, Any], list[Any]]:
    """Run the function that the request names; return the head and the arrays of the result."""
    content = memoryview(mmap.mmap(request_file, 0, access=mmap.ACCESS_READ))
    head, start = read_head(content, json.loads)
    _limit(head)
    blobs = []
    for size in head["blobs"]:
        blobs.append(content[start : start + size])
        start = aligned(start + size)
    sys.path[:] = head["path"]
    import numpy as np

    function = getattr(importlib.import_module(head["module"]), head["function"])
    result, arrays = function(head["request"], blobs)
    arrays = [np.ascontiguousarray(a, a.dtype.newbyteorder("<")) for a in arrays]
    return {"result": result, "arrays": [(a.dtype.str, a.shape) for a in arrays]}, arrays


def _main(request_file: int, result_file: int) -> int:
    try:
        try:
            head, arrays = _answer(request_file)
        except MemoryError:
            return OUT_OF_MEMORY
        except Exception as error:
            is_message = type(error).__name__ == "MeshError"
            text = str(error) if is_message else f"{type(error).__name__}: {error}"
            head, arrays = {"error": text[:2000], "is_message": is_message}, []
        write_message(result_file, head, [a.reshape(-1).view("u1") for a in arrays if a.size])
    except MemoryError:
        return OUT_OF_MEMORY
    except OSError as error:
        return TOO_LARGE if error.errno == errno.EFBIG else 1
    return 0


if __name__ == "__main__":
    # Exit at once: destructors of compiled readers may crash or hang, and the result is complete.
    os._exit(_main(int(sys.argv[1]), int(sys.argv[2])))
