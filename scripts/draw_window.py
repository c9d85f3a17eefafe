"""Draw the pictures of the viewer's window in docs/images: what its screen shows.

Usage: python scripts/draw_window.py [NAME ...] [--out docs/images]

It opens the window on an X server of its own. Needs Xvfb and the extra [viewer].
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pictures import ROOT, chosen
from PIL import Image

import ddepth_gl as dd
from ddepth_gl.viewer.code_lines import mesh_line_of
from ddepth_gl.viewer.desktop.viewer import Viewer
from ddepth_gl.viewer.desktop.window import Window
from ddepth_gl.viewer.state import ViewerState

sys.path.insert(0, str(ROOT / "tests"))
from x_server import screen

WIDTH, HEIGHT = 1200, 780
SECTION = ((60.0, 330.0), (800.0, 262.0))
PICTURES: dict[str, dict[str, Any]] = {
    "viewer-window": {"mode": "thickness", "pin": (497, 262), "section": SECTION},
    "viewer-mould": {"place": "mould", "pin": (524, 371)},
}


class Loader:
    """Reads mesh files as `ddepth view` does without options."""

    def __call__(self, path: Path) -> dd.Mesh:
        """Return the mesh of a file."""
        return dd.load_mesh(path)

    def line_of(self, mesh: dd.Mesh) -> str:
        """Return the line of Python that makes a mesh."""
        return mesh_line_of(mesh)


def draw(folder: Path, values: dict[str, Any]) -> Image.Image:
    """Return what the screen shows of a state of the demo's mesh."""
    mesh = dd.demo_mesh()
    state = ViewerState.framing(mesh, aspect=1.3, **values)
    state.mould_orbit = state.mould_orbit.turned(60.0, 0.0).zoomed(-3)
    with Window("demo - ddepth", WIDTH, HEIGHT) as window:
        viewer = Viewer(window, mesh, state, name="demo", load=Loader())
        try:
            end = time.monotonic() + 8.0
            while time.monotonic() < end:
                window.wait(0.05)
                viewer.draw()
            return Image.fromarray(screen(folder))
        finally:
            viewer.release()


def main() -> None:
    """Draw the pictures whose names are given."""
    pictures = chosen(__doc__, PICTURES)
    if not shutil.which("Xvfb"):
        sys.exit("draw_window: Xvfb is not installed; run: apt-get install xvfb")
    with tempfile.TemporaryDirectory() as folder:
        size = f"{WIDTH}x{HEIGHT}x24"
        command = ["Xvfb", "-displayfd", "1", "-screen", "0", size, "-fbdir", folder, "-noreset"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                os.environ["DISPLAY"] = f":{server.stdout.readline().strip()}"
                for values, path in pictures:
                    draw(Path(folder), values).save(path, optimize=True)
                    print(path)
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
