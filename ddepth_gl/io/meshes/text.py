"""Text of mesh files, whatever its encoding."""

from __future__ import annotations

__all__ = ["as_utf8"]


def as_utf8(data: bytes) -> bytes:
    """Return text as UTF-8 without a byte order mark; bytes that are not UTF-8 count as Latin-1."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1").encode("utf-8")
    return data.removeprefix(b"\xef\xbb\xbf")
