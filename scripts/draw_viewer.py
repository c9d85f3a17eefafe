"""Draw the pictures of docs/viewer.md that show what the viewer draws.

Usage: python scripts/draw_viewer.py [NAME ...] [--out docs/images]
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from pictures import chosen

import ddepth_gl as dd
from ddepth_gl.io.results.png import write_photo
from ddepth_gl.viewer.modes import MODES
from ddepth_gl.viewer.screenshot import Screenshots
from ddepth_gl.viewer.state import ViewerState

Image = npt.NDArray[np.uint8]
TILE, MOULD = (300, 240), (900, 480)


def modes(taken: Screenshots, scene: dd.Scene) -> Image:
    """Return the nine modes, three in a row."""
    state = ViewerState.framing(scene.mesh, aspect=TILE[0] / TILE[1], layer=2)
    tiles = []
    for state.mode in MODES:
        tiles.append(taken.take(scene, state, *TILE))
    return np.concatenate([np.concatenate(tiles[row : row + 3], axis=1) for row in (0, 3, 6)])


def mould(taken: Screenshots, scene: dd.Scene) -> Image:
    """Return the mould view with the ray of a pinned pixel."""
    state = ViewerState.framing(scene.mesh, place="mould", aspect=MOULD[0] / MOULD[1])
    state.pin = MOULD[0] // 2 + 40, MOULD[1] // 2 + 10
    state.mould_orbit = state.orbit.turned(-75.0, 10.0).zoomed(-6.0)
    return taken.take(scene, state, *MOULD)


PICTURES: dict[str, Callable[[Screenshots, dd.Scene], Image]] = {
    "viewer_modes": modes, "viewer_mould": mould,
}  # fmt: skip


def main() -> None:
    """Draw the pictures whose names are given."""
    pictures = chosen(__doc__, PICTURES)
    with dd.DepthRenderer() as renderer:
        scene, taken = renderer.upload(dd.demo_mesh()), Screenshots(renderer)
        for draw, path in pictures:
            write_photo(path, draw(taken, scene))
        taken.release()


if __name__ == "__main__":
    main()
