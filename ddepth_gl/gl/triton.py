"""Triton, the compiler that comes with PyTorch, beside Mesa's software rasterizer in a process.

Both contain LLVM. Mesa loads its own such that libraries that are loaded later use it, too.
Triton's library would, and crash while it is loaded: with the first optimizer of PyTorch.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["keep_triton_apart"]

_LIBRARY = Path("_C", "libtriton.so")
_is_apart = False


def keep_triton_apart() -> None:
    """Load the library of Triton so that it uses its own LLVM, if Triton is installed.

    Python's import finds it loaded. This takes 25 ms, once in a process, before or after Mesa's
    LLVM was loaded.
    """
    global _is_apart
    if _is_apart or not hasattr(os, "RTLD_DEEPBIND"):
        return
    _is_apart = True
    with suppress(ImportError, ValueError, OSError):  # then it cannot be imported, either
        if "triton" in sys.modules:
            return
        spec = importlib.util.find_spec("triton")
        if spec is not None and spec.origin is not None:
            library = Path(spec.origin).parent / _LIBRARY
            if library.is_file():
                ctypes.CDLL(str(library), mode=os.RTLD_LAZY | os.RTLD_DEEPBIND)
