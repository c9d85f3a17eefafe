"""Version of the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("ddepth-gl")
except PackageNotFoundError:  # an uninstalled checkout on the path
    __version__ = "unknown"
