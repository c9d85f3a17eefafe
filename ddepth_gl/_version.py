"""The version of the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("ddepth-gl")
except PackageNotFoundError:  # a checkout that is on the path but was not installed
    __version__ = "unknown"
