"""The XML of COLLADA files as a tree without namespaces, with its ids and arrays of numbers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from ..xml_guard import check_prolog, local_name, xml_error

__all__ = ["DaeDocument", "Element", "numbers"]

Element = ElementTree.Element


class DaeDocument:
    """A parsed file.

    Args:
        data: content of the file.

    Attributes:
        root: the element COLLADA.

    Raises:
        MeshError: it is not COLLADA, or declares a document type.
    """

    def __init__(self, data: bytes) -> None:
        check_prolog(data)
        try:
            self.root = ElementTree.fromstring(data)
        except ElementTree.ParseError as error:
            raise xml_error(error) from error
        self._ids: dict[str, Element] = {}
        for element in self.root.iter():
            element.tag = local_name(element.tag)
            if "id" in element.attrib:
                self._ids.setdefault(element.attrib["id"], element)
        if self.root.tag != "COLLADA":
            raise MeshError(f"its XML is {self.root.tag!r:.40}, not COLLADA; check the format")
        self._arrays: dict[Element, npt.NDArray[np.float64]] = {}

    def target(self, url: str | None) -> Element | None:
        """Return the element that a URL of this file names; None if there is none."""
        if url is None:
            return None
        return self._ids.get(url[1:] if url.startswith("#") else url)

    def needed(self, url: str | None) -> Element:
        """Return the element that a URL of this file names.

        Raises:
            MeshError: there is none.
        """
        found = self.target(url)
        if found is None:
            raise MeshError(f"it refers to {url!r:.80}, which it does not hold; export it again")
        return found

    def rows(self, source: Element) -> npt.NDArray[np.float64]:
        """Return the values of a source, a row for each of its elements.

        Raises:
            MeshError: it holds fewer values than its accessor declares.
        """
        if source not in self._arrays:
            self._arrays[source] = self._rows(source)
        return self._arrays[source]

    def _rows(self, source: Element) -> npt.NDArray[np.float64]:
        array = source.find("float_array")
        accessor = source.find("technique_common/accessor")
        if accessor is not None and accessor.get("source"):
            array = self.target(accessor.get("source"))
        values = numbers(array) if array is not None else np.zeros(0)
        stride, offset = 3, 0
        count = len(values) // 3
        if accessor is not None:
            stride, offset = int(accessor.get("stride", 1)), int(accessor.get("offset", 0))
            count = int(accessor.get("count", 0))
        if min(stride - 1, offset, count) < 0 or offset + count * stride > len(values):
            raise MeshError(
                f"a source of it declares {count:,} x {stride} values and has {len(values):,}; "
                "it was cut short or damaged, copy it again"
            )
        rows = values[offset : offset + count * stride].reshape(count, stride)
        params = [] if accessor is None else accessor.findall("param")
        # Values of params without a name are skipped (COLLADA 1.4.1, accessor). Some exporters name
        # none, and mean all.
        named = [i for i, param in enumerate(params[:stride]) if param.get("name")]
        return rows[:, named] if named and len(named) < len(params) else rows

    def inputs(self, parent: Element) -> Iterator[tuple[str, int, Element, int]]:
        """Yield (semantic, offset, source, set) of the inputs of an element."""
        for entry in parent.findall("input"):
            source = self.needed(entry.get("source"))
            yield (
                entry.get("semantic", ""),
                int(entry.get("offset", 0)),
                source,
                int(entry.get("set", 0)),
            )


def numbers(element: Element, kind: type[np.generic] = np.float64) -> npt.NDArray[Any]:
    """Return the numbers in the text of an element.

    Raises:
        MeshError: it holds something else.
    """
    text = element.text or ""
    if not text.strip():
        return np.zeros(0, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(text, kind, sep=" ")
        except (ValueError, DeprecationWarning) as error:
            raise MeshError(
                f"its {element.tag} holds something that is no number; export it again"
            ) from error
