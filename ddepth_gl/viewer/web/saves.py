"""Files that the page offers to download."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..session import Session
from ..state import ViewerState

__all__ = ["SAVES", "Saved"]


@dataclass(frozen=True)
class Saved:
    """A file for the client.

    Attributes:
        name: file name.
        content: its bytes.
    """

    name: str
    content: bytes


SAVES: dict[str, Callable[[Session, ViewerState, int, int], Saved]] = {}
