"""Bytes, text and JSON of camera files, and errors that name the file and the entry."""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...camera.checks import checked_numbers
from ...errors import CameraError
from ..opened_files import opened

__all__ = [
    "SUPPORTED_FILES",
    "json_number",
    "locating_errors",
    "read_bytes",
    "read_json",
    "read_text",
    "unreadable",
]

SUPPORTED_FILES = (
    "pass a transforms.json, a scene_camera.json, "
    "or the folder of COLMAP's cameras.txt and images.txt (or .bin)"
)

# What ends or begins a string or a comment of JSON.
_OUTSIDE = re.compile(r'"|//|/\*')
_IN_STRING = re.compile(r'\\.|"', re.DOTALL)


@contextmanager
def locating_errors(location: object, hint: str = "") -> Iterator[None]:
    """Prefix the message of a CameraError with its location, such as a file or a line.

    Args:
        location: the prefix.
        hint: what to do; appended to messages that do not say so themselves.
    """
    try:
        yield
    except CameraError as error:
        message = f"{location}: {error}" + (f"; {hint}" if hint and ";" not in str(error) else "")
        raise CameraError(" ".join(message.split())) from None


def unreadable(error: OSError | ValueError) -> CameraError:
    """Return the CameraError for a file that the operating system did not open or read."""
    return CameraError(f"cannot be read ({error.args[-1]}); check the name and its permissions")


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file.

    Raises:
        CameraError: the file cannot be read, is not a regular file, or is larger than `max_bytes`.
    """
    try:
        with opened(path) as file:
            if not file.is_regular:  # a pipe or device has no size and maybe no end
                raise CameraError(f"is not a plain file; {SUPPORTED_FILES}")
            if file.size > max_bytes:
                raise CameraError(
                    f"has {file.size} bytes, more than the limit of {max_bytes}; "
                    "pass a larger max_file_bytes"
                )
            data = file.read()
    except CameraError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise unreadable(error) from None
    if data is None:
        raise CameraError("is being written; load it once it is whole")
    return data


def read_text(path: Path, max_bytes: int) -> str:
    r"""Return the text of a file, with lines that end in \n.

    Raises:
        CameraError: see `read_bytes`.
    """
    # Only image names may hold other characters than ASCII. A wrong letter there does no harm.
    text = read_bytes(path, max_bytes).decode("utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path, max_bytes: int) -> dict[str, Any]:
    """Return the JSON object in a file; comments are skipped, as instant-ngp does.

    Raises:
        CameraError: see `read_text`; or the file holds no JSON object.
    """
    with locating_errors(path):
        text = read_text(path, max_bytes)
        try:
            document = _parsed(text)
        # ValueError is also raised for a number with thousands of digits.
        except (RecursionError, ValueError) as error:
            raise CameraError(f"is not JSON ({error}); {SUPPORTED_FILES}") from None
        if not isinstance(document, dict):
            raise CameraError(
                f"must be a JSON object, not {reprlib.repr(document)}; {SUPPORTED_FILES}"
            )
        return document


def _parsed(text: str) -> Any:
    """Return the value of a JSON text, with or without comments.

    Raises:
        ValueError, RecursionError: the text is not JSON.
    """
    try:
        return json.loads(text)
    except ValueError:
        if "//" not in text and "/*" not in text:
            raise
    return json.loads(_without_comments(text))


def _without_comments(text: str) -> str:
    """Return a JSON text without its ``//`` and ``/* */`` comments; line numbers stay."""
    parts = []
    kept = position = 0
    while found := _OUTSIDE.search(text, position):
        if found[0] == '"':
            position = found.end()
            while (mark := _IN_STRING.search(text, position)) and mark[0] != '"':
                position = mark.end()  # of an escaped character
            if mark is None:
                break
            position = mark.end()
            continue
        parts.append(text[kept : found.start()])
        closing = "\n" if found[0] == "//" else "*/"
        stop = text.find(closing, found.end())
        if stop < 0:
            kept = len(text)
            break
        position = kept = stop if found[0] == "//" else stop + 2
        parts.append("\n" * text.count("\n", found.end(), stop) or " ")
    return "".join(parts) + text[kept:]


def json_number(values: dict[str, Any], key: str) -> float:
    """Return the number under a key of a JSON object.

    Raises:
        CameraError: the value is not a finite number.
    """
    return float(checked_numbers(repr(key), values[key], ()))
