"""The program Blender, with a window, and the extension's zip for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

__all__ = ["accepted_zip", "blender_program"]

_MINIMUM = "4.5.0"


def blender_program() -> tuple[str, tuple[int, ...]] | str:
    """Return the program of DDEPTH_BLENDER or of the PATH and its version, or why there is none."""
    program = os.environ.get("DDEPTH_BLENDER") or shutil.which("blender")
    if not program:
        return "needs the program blender, or its path in DDEPTH_BLENDER"
    text = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"Blender (\d+)\.(\d+)", text)
    if found is None or tuple(map(int, found.groups())) < (4, 2):
        return f"needs Blender 4.2 or later, which has extensions; {program} is {text[:40]!r}"
    return program, tuple(map(int, found.groups()))


def accepted_zip(built: Path, version: tuple[int, ...], folder: Path) -> Path:
    """Return the zip, or before Blender 4.5 a copy that says to need 4.2 alone."""
    if version >= (4, 5):
        return built
    lower = folder / "lower.zip"
    with zipfile.ZipFile(built) as source, zipfile.ZipFile(lower, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename == "blender_manifest.toml":
                content = content.replace(f'"{_MINIMUM}"'.encode(), b'"4.2.0"')
            target.writestr(entry, content)
    return lower
