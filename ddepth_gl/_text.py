"""Text of messages and reports."""

from __future__ import annotations

__all__ = ["counted", "printable", "size_text"]


def printable(text: str, *, keep_bytes: bool = False) -> str:
    r"""Return the text as one line, with a space for each character that cannot be printed.

    Args:
        text: text, maybe of a file or its name.
        keep_bytes: whether bytes of a file name that are not UTF-8 (lone surrogates in Python)
            stay; otherwise they are escaped, as in ``caf\xe9.obj``.
    """
    return text if text.isprintable() else "".join(_printable(c, keep_bytes) for c in text)


def _printable(character: str, keep_bytes: bool) -> str:
    if "\udc80" <= character <= "\udcff":
        return character if keep_bytes else f"\\x{ord(character) - 0xDC00:x}"
    return character if character.isprintable() else " "


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 face``, ``2,000 faces``; `plural` is not just ``+ s``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size_text(size: float) -> str:
    """Return a number of bytes in the largest unit that leaves at least one."""
    units = ("B", "kB", "MB", "GB", "TB")
    power = 0
    while size >= 999.5 and power < len(units) - 1:
        size, power = size / 1000, power + 1
    return f"{size:.3g} {units[power]}"
