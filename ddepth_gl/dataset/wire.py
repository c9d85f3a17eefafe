"""Messages between a run and its renderer processes: sizes, JSON and bytes; nothing is pickled.

A message is a mark (4 bytes), the size of its head (8 bytes, little-endian) and the head, a JSON
object. The contents of files follow, in the order and with the sizes that the head's ``files``
lists as pairs of an ending and a size.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..errors import DatasetError

__all__ = ["MAX_HEAD_BYTES", "message_head", "read_head"]

_MARK = b"DDg1"
MAX_HEAD_BYTES = 64 * 2**20


def message_head(head: dict[str, Any]) -> bytes:
    """Return a message without contents of files."""
    text = json.dumps(head).encode()
    return _MARK + len(text).to_bytes(8, "little") + text


def read_head(read: Callable[[int], bytes]) -> dict[str, Any]:
    """Return the head of the next message.

    Args:
        read: returns exactly as many bytes as it is asked for.

    Raises:
        DatasetError: this is not a message.
    """
    start = read(12)
    size = int.from_bytes(start[4:], "little")
    if start[:4] != _MARK or size > MAX_HEAD_BYTES:
        raise DatasetError("a renderer process sent what is not a message")
    try:
        head = json.loads(read(size))
    except (ValueError, RecursionError) as error:
        raise DatasetError("a renderer process sent a message that is not JSON") from error
    if not isinstance(head, dict):
        raise DatasetError("a renderer process sent a message that is not an object")
    return head
