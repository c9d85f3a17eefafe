"""A Python with Blender, without Blender: it answers as the modules of ddepth_gl.blender do.

The variable FAKE_BLENDER says what it does instead while it takes photos: "sleep", "memory",
"crash", or "error".
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

VERSION = "9.9.9"
SECONDS = 60.0
MEBIBYTES = 700
# A box, as (8, 3) corners and outward triangles.
BOX = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
FACES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ],
    np.int32,
)


def fake_python(folder: Path) -> str:
    """Write a program that takes the place of a Python with bpy; return its path."""
    path = folder / "fake_python"
    path.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'import sys; sys.path.insert(0, "
        f'"{Path(__file__).parent}"); import fake_blender; fake_blender.main()\' "$@"\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def main() -> None:
    """Answer as the module does that ``-m`` names."""
    module, *arguments = sys.argv[2:]
    if module == "ddepth_gl.blender.child":
        head = json.dumps({"names": ["box"], "left_out": ["hair: 1 (box)"]}).encode()
        with Path(arguments[1]).open("wb") as file:
            np.savez(
                file,
                head=np.frombuffer(head, np.uint8),
                vertices=BOX,
                faces=FACES,
                colors=np.full((8, 4), 255, np.uint8),
                object_id=np.zeros(12, np.int32),
                polygon_id=np.arange(12) // 2,
            )
        return
    request = json.loads(Path(arguments[0]).read_text())
    Path(arguments[1]).write_text(json.dumps(answer_of(request)))


def answer_of(request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request of photos; they show the left half of the image."""
    from PIL import Image

    if "path" not in request:
        if request["engine"] == "eevee":
            return {"error": "EEVEE needs OpenGL"}
        return {"blender": os.environ.get("FAKE_VERSION", VERSION)}
    action = os.environ.get("FAKE_BLENDER", "")
    if action == "error":
        return {"error": "cycles does not render here (no memory)"}
    if action == "crash":
        os.abort()
    ballast = np.ones(MEBIBYTES * 2**17) if action == "memory" else None
    if action in ("sleep", "memory"):
        time.sleep(SECONDS)
    del ballast
    for number, view in enumerate(request["views"]):
        pixels = np.zeros((view["camera"]["height"], view["camera"]["width"], 4), np.uint8)
        pixels[:, : pixels.shape[1] // 2] = (200, 100, 50, 255)
        Image.fromarray(pixels).save(Path(request["folder"], f"{number:06d}.png"))
    return {"engine": request["engine"], "blender": VERSION, "samples": request["samples"]}
