"""Loggers of the package: children of ``ddepth_gl``, silent until the user sets up logging."""

from __future__ import annotations

import logging

__all__ = ["logger"]

# Without any handler, Python would print warnings to stderr.
logging.getLogger(__name__.partition(".")[0]).addHandler(logging.NullHandler())


def logger(module: str) -> logging.Logger:
    """Return the logger of a module.

    Args:
        module: its ``__name__``.
    """
    return logging.getLogger(module)
