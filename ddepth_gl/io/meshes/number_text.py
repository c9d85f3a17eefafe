"""Numbers in the text of mesh files, with the lines that they stand in."""

from __future__ import annotations

import re
import warnings

import numpy as np
import numpy.typing as npt

from ...errors import MeshError

__all__ = ["line_counts", "numbers_in", "with_plain_nan"]

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
# How the C library of older Visual Studio prints NaN and infinity
_MSVC_NUMBER = re.compile(rb"(?<!\S)([+-]?)\d+\.#(?:(IND|QNAN|SNAN)|INF)\d*(?!\S)", re.I)


def numbers_in(text: bytes) -> _Floats:
    """Return all numbers of a text, which are separated by any white space.

    Raises:
        MeshError: a word is no number.
    """
    if not text.strip():
        return np.zeros(0)
    text = with_plain_nan(text)
    with warnings.catch_warnings():
        # Where a word is no number, NumPy stops with a warning only.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, np.float64, sep=" ")
        except (DeprecationWarning, ValueError) as error:
            words = (found[0] for found in re.finditer(rb"\S+", text))
            word = next((word for word in words if not _is_number(word)), b"")
            raise MeshError(
                f"it has {word[:40].decode('utf-8', 'replace')!r} where a number should be; "
                "it was damaged, copy or export it again"
            ) from error


def with_plain_nan(text: bytes) -> bytes:
    """Return a text with `nan` and `inf` for numbers such as ``-1.#IND`` and ``1.#INF00``."""
    if b".#" not in text:
        return text
    return _MSVC_NUMBER.sub(lambda found: b"nan" if found[2] else found[1] + b"inf", text)


def line_counts(text: bytes) -> _Ints:
    """Return how many words each line of a text has, for the lines that have any.

    Lines end with a line feed, a carriage return or both.
    """
    content = np.frombuffer(text, np.uint8)
    if len(content) == 0:
        return np.zeros(0, np.int64)
    starts = content > 32
    starts[1:] &= ~starts[:-1].copy()
    ends = np.flatnonzero((content == 10) | (content == 13))
    bounds = np.concatenate(([0], ends[ends < len(content) - 1] + 1))
    counts = np.add.reduceat(starts, bounds, dtype=np.int64)
    return np.asarray(counts[counts > 0])


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return b"_" not in word
