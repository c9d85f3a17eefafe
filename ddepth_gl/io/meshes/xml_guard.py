"""XML of untrusted files: no document type, hence no entities and nothing that is fetched."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from ...errors import MeshError

__all__ = ["check_prolog", "local_name", "xml_error"]


class _RootReached(Exception):  # noqa: N818 - no error
    """The root element begins, and no document type can follow."""


def check_prolog(data: bytes) -> None:
    """Raise MeshError if a document declares a type, which can define entities (XML 1.0, 2.8).

    Args:
        data: content of the file, in any encoding that expat reads.
    """
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = _stop
    try:
        for start in range(0, len(data), 65536):
            parser.Parse(bytes(data[start : start + 65536]))
    except _RootReached:
        return
    except expat.ExpatError as error:
        raise xml_error(error) from error


def _refuse(*_: Any) -> None:
    raise MeshError("its XML declares a document type, which may define entities; remove it")


def _stop(*_: Any) -> None:
    raise _RootReached


def xml_error(error: Exception) -> MeshError:
    """Return the error of a document that is not XML."""
    return MeshError(f"its XML is damaged ({error}); it was cut short, copy or export it again")


def local_name(tag: str) -> str:
    """Return the name of an element or attribute without its namespace."""
    return tag.rpartition("}")[2]
