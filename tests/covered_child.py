"""The child process of compiled readers, measured by coverage. Runs in place of `child_main`.

The child is started without site-packages, so coverage's own hook for subprocesses cannot run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    # Without `site`, Python does not know that it is that of a virtual environment.
    packages = Path(sys.executable).parents[1].glob("lib/python*/site-packages")
    sys.path[:0] = [str(ROOT), *map(str, packages)]
    import coverage

    measured = coverage.Coverage(
        data_file=str(ROOT / ".coverage"),
        data_suffix=True,
        config_file=str(ROOT / "pyproject.toml"),
    )
    measured.start()
    from ddepth_gl.io.meshes import child_main

    status = child_main._main(int(sys.argv[1]), int(sys.argv[2]))
    measured.stop()
    measured.save()
    os._exit(status)
