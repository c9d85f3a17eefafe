"""The tests that need bpy, run by the Python that has it, as a part of `make soak`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from programs import ROOT

# As for data sets: the Python with bpy, if it is not the one that runs.
VARIABLE = "DDEPTH_BLENDER_PYTHON"
REASON = f"needs a Python with bpy and pytest; name it by {VARIABLE}"


@pytest.mark.soak
def test_with_blender(tmp_path: Path) -> None:
    python = os.environ.get(VARIABLE) or sys.executable
    environment = {name: text for name, text in os.environ.items() if name != VARIABLE}
    environment["PYTHONPATH"] = str(ROOT)
    try:
        check = subprocess.run([python, "-c", "import bpy, pytest"], env=environment, check=False)
    except OSError:
        pytest.skip(REASON)
    if check.returncode:
        pytest.skip(REASON)
    # That Python may lack what builds the extension.
    build = [sys.executable, str(ROOT / "scripts/build_blender"), str(tmp_path / "zip")]
    if not subprocess.run(build, capture_output=True, check=False).returncode:
        (built,) = (tmp_path / "zip").glob("*.zip")
        environment["DDEPTH_BLENDER_ZIP"] = str(built)
    files = sorted(str(path) for path in ROOT.glob("tests/test_blender_*.py"))
    files.remove(str(Path(__file__)))
    options = ("-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "tests"))
    done = subprocess.run(
        [python, "-m", "pytest", *options, *files],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout.splitlines()[-1]
