"""Text of messages and reports."""

from __future__ import annotations

__all__ = ["counted", "printable"]


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
