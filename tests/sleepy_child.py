"""The real renderer process, but meshes whose names begin with "sleepy" take forever to load."""

from __future__ import annotations

import os
import time
from typing import Any

from ddepth_gl.dataset import loaded_mesh
from ddepth_gl.dataset.child_main import main

_load = vars(loaded_mesh)["load_mesh"]


def load(path: Any, **options: Any) -> Any:
    """Load a mesh, or sleep."""
    if os.path.basename(path).startswith("sleepy"):  # noqa: PTH119
        time.sleep(1000)
    return _load(path, **options)


if __name__ == "__main__":
    vars(loaded_mesh)["load_mesh"] = load
    main()
