"""Text and JSON of camera files, and errors that name the file and the entry."""

from __future__ import annotations

import json
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
    "read_json",
    "read_text",
    "unreadable",
]

SUPPORTED_FILES = (
    "pass a transforms.json, a scene_camera.json, "
    "or the folder of COLMAP's cameras.txt and images.txt"
)


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


def read_text(path: Path, max_bytes: int) -> str:
    r"""Return the text of a file, with lines that end in \n.

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
                    "raise max_file_bytes"
                )
            data = file.read()
    except CameraError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise unreadable(error) from None
    if data is None:
        raise CameraError("is being written; load it once it is whole")
    # Only image names may hold other characters than ASCII. A wrong letter there does no harm.
    text = data.decode("utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path, max_bytes: int) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        CameraError: see `read_text`; or the file holds no JSON object.
    """
    with locating_errors(path):
        text = read_text(path, max_bytes)
        try:
            document = json.loads(text)
        # ValueError is also raised for a number with thousands of digits.
        except (RecursionError, ValueError) as error:
            raise CameraError(f"is not JSON ({error}); {SUPPORTED_FILES}") from None
        if not isinstance(document, dict):
            raise CameraError(
                f"must be a JSON object, not {reprlib.repr(document)}; {SUPPORTED_FILES}"
            )
        return document


def json_number(values: dict[str, Any], key: str) -> float:
    """Return the number under a key of a JSON object.

    Raises:
        CameraError: the value is not a finite number.
    """
    return float(checked_numbers(repr(key), values[key], ()))
