"""The pictures in docs/images are those that scripts/draw_docs.py and draw_diagrams.py draw."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float64)


@pytest.mark.slow
@pytest.mark.parametrize("script", ["draw_docs", "draw_diagrams"])
def test_pictures_are_drawn_again(script, tmp_path):
    """They may differ in what fonts and versions of matplotlib change: a few gray values."""
    subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / f"scripts/{script}.py"), "--out", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    drawn = sorted(tmp_path.glob("*.png"))
    assert len(drawn) >= 2
    for path in drawn:
        now, stored = pixels(path), pixels(ROOT / "docs/images" / path.name)
        assert now.shape == stored.shape, path.name
        assert np.abs(now - stored).mean() < 2, path.name
        assert now.std() > 10, path.name
