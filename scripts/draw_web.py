"""Take the pictures of docs/viewer.md from the page of ``ddepth view --web``, in Chromium.

Usage: python scripts/draw_web.py [NAME ...] [--out docs/images]

Needs the extra [web], selenium, Chromium and its driver (scripts/ci-extras installs them).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pictures import ROOT, chosen
from PIL import Image

import ddepth_gl as dd
from ddepth_gl.viewer.web.server import WebViewer

sys.path.insert(0, str(ROOT / "tests"))
from web_page import WebPage

SIZE = (1360, 860)
Shot = Callable[[Any, Any], None]


def probe(viewer: Any, page: Any) -> None:
    """Show the thickness and the probe of a pixel."""
    page.choose("Show", "Thickness")
    settle(viewer)
    width, height = page.canvas_size()
    page.click_canvas(round(0.47 * width), round(0.53 * height))
    settle(viewer)
    page.tab("Probe")


def section(viewer: Any, page: Any) -> None:
    """Show a section of the photo."""
    page.tab("Section")
    page.click("Along the row")
    settle(viewer)


def mould(viewer: Any, page: Any) -> None:
    """Show both clouds, the camera, and the ray of a pixel."""
    width, height = page.canvas_size()
    page.click_canvas(round(0.47 * width), round(0.53 * height))
    settle(viewer)
    page.tab("Mould")
    page.choose("View", "Mould, from the side")
    settle(viewer)


PICTURES: dict[str, Shot] = {"web": probe, "web_section": section, "web_mould": mould}


def settle(viewer: WebViewer) -> None:
    """Wait until the page shows what was asked for."""
    quiet = time.monotonic()
    while time.monotonic() - quiet < 1.0:
        if not viewer.requests.is_idle or any(page.is_moving for page in viewer.pages):
            quiet = time.monotonic()
        time.sleep(0.05)
    time.sleep(1.0)


def main() -> None:
    """Take the pictures whose names are given."""
    pictures = chosen(__doc__, PICTURES)
    with tempfile.TemporaryDirectory() as folder, WebViewer(dd.demo_mesh(), port=0) as viewer:
        for shoot, path in pictures:
            with WebPage(viewer.url, Path(folder), *SIZE) as page:
                settle(viewer)
                shoot(viewer, page)
                page.move_away()
                settle(viewer)
                Image.fromarray(page.shot()).save(path, optimize=True)


if __name__ == "__main__":
    main()
