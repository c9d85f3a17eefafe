"""Draw diagrams of docs/: frames and pixels, and which pixels a face covers.

Usage: python scripts/draw_diagrams.py [NAME ...] [--out docs/images]

What they show is computed by ddepth_gl, as far as it can be. Without names, all of them. Needs the
extra [cli].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from pictures import BLUE, GRAY, INK, ORANGE, save_figures

import ddepth_gl as dd


def conventions() -> Figure:
    """Draw depth and distance of a ray, and the image coordinates of pixels."""
    figure = Figure((11, 4), layout="constrained")
    side, grid = figure.subplots(1, 2, width_ratios=(1.25, 1))
    camera = dd.Camera.look_at((0, 0, 0), (0, 0, 1), up=(0, -1, 0), fov_y_deg=60, width=5, height=4)
    center = camera.pixel_centers()[3, 2]
    point = camera.unproject(center, np.array(3.0), "camera")
    z, y = point[2], point[1]
    distance = z * camera.distance_per_depth()[3, 2]

    half = 2 / camera.K[1, 1]  # of the image plane z = 1
    side.plot([0, 4.4], [0, half * 4.4], color=GRAY, linewidth=0.6, linestyle=":")
    side.plot([0, 4.4], [0, -half * 4.4], color=GRAY, linewidth=0.6, linestyle=":")
    edges = np.linspace(-half, half, 5)
    side.plot([1, 1], [-half, half], color=INK, linewidth=1)
    side.plot(np.ones(5), edges, "_", color=INK, markersize=9)
    side.plot(np.ones(4), (edges[1:] + edges[:-1]) / 2, "o", color=INK, markersize=4)
    side.add_patch(Polygon([(z, y), (4.2, 0.7), (4.3, 1.9), (3.4, 2.2)], facecolor="#becee0"))
    side.annotate("", (4.7, 0), (0, 0), arrowprops={"arrowstyle": "->", "color": INK})
    side.annotate("", (0, 2.3), (0, 0), arrowprops={"arrowstyle": "->", "color": INK})
    side.text(4.75, 0, "z, forward", va="center", fontsize=9)
    side.text(0.05, 2.3, "y, down (x, right, points at you)", va="center", fontsize=9)
    side.plot([0, z], [0, y], color=BLUE, linewidth=2)
    side.plot([z, z], [0, y], color=GRAY, linewidth=0.8, linestyle="--")
    side.plot([0, z], [-0.16, -0.16], color=ORANGE, linewidth=2)
    side.plot(z, y, "o", color=BLUE, markersize=6)
    side.text(1.55, 1.05, f"distance {distance:.2f}", color=BLUE, fontsize=10, rotation=-24)
    side.text(1.5, -0.33, f"depth {z:.2f}", color=ORANGE, fontsize=10)
    side.text(z + 0.08, y - 0.12, "entry", fontsize=9)
    side.text(-0.06, 0, "camera\ncenter", fontsize=9, ha="right", va="center")
    side.text(0.93, -half - 0.12, "image, 4 rows", fontsize=9, ha="center")
    side.set(xlim=(-0.8, 5.4), ylim=(2.5, -2.2), aspect="equal")
    side.set_axis_off()
    side.set_title("camera frame, from the side", loc="left", fontsize=10)

    for x, y in camera.pixel_centers().reshape(-1, 2):
        grid.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor="none", edgecolor=GRAY))
        grid.plot(x, y, "o", color=INK, markersize=4)
        grid.text(x, y - 0.14, f"row {int(y)}, col {int(x)}", ha="center", fontsize=7)
        grid.text(x, y + 0.27, f"({x:g}, {y:g})", ha="center", fontsize=8, color=BLUE)
    grid.plot(*camera.K[:2, 2], "+", color=ORANGE, markersize=14, markeredgewidth=2)
    grid.text(*(camera.K[:2, 2] + (0.1, 0.18)), "(cx, cy)", color=ORANGE, fontsize=9)
    grid.set(xlim=(-0.2, 5.2), ylim=(4.2, -0.2), aspect="equal", xticks=range(6), yticks=range(5))
    grid.set_title("image coordinates: x right, y down", loc="left", fontsize=10)
    grid.spines[:].set_visible(False)
    return figure


def band() -> Figure:
    """Draw which pixels a triangle covers, and the band of 1/128 pixel around its border."""
    corners = np.array([[0.6, 3.4, 2.0], [6.7, 2.2, 2.0], [2.9, 0.3, 2.0]])
    mesh = dd.Mesh(corners, [[0, 1, 2]])
    camera = dd.Camera.orthographic((8, 4), np.eye(4), width=8, height=4)
    covered = {
        engine: np.isfinite(dd.double_depth(mesh, moved(camera), engine=engine).entry)
        for engine in ("compute", "raster")
    }
    assert (covered["compute"] == covered["raster"]).all()
    figure = Figure((11, 3.4), layout="constrained")
    whole, near = figure.subplots(1, 2, width_ratios=(1.7, 1))
    for row, column in np.ndindex(4, 8):
        inside = covered["compute"][row, column]
        color = "#becee0" if inside else "none"
        whole.add_patch(Rectangle((column, row), 1, 1, facecolor=color, edgecolor="#d0d0d0"))
        whole.plot(column + 0.5, row + 0.5, "o", color=INK if inside else GRAY, markersize=4)
    whole.add_patch(Polygon(corners[:, :2], facecolor="none", edgecolor=BLUE, linewidth=1.2))
    whole.set(xlim=(-0.1, 8.1), ylim=(4.1, -0.1), aspect="equal")
    whole.set_title("a face covers the pixels whose centers are inside", loc="left", fontsize=10)
    whole.set_axis_off()

    near.axhspan(-1 / 128, 1 / 128, color="#f7d8bd")
    near.axhline(0, color=BLUE, linewidth=1.5)
    for x, y, text in (
        (0.012, 0.013, "covered, on every device"),
        (0.012, -0.013, "not covered, on every device"),
        (0.021, 0.004, "in the band: either"),
    ):  # fmt: skip
        near.plot(x, y, "o", color=INK, markersize=5)
        near.text(x + 0.001, y, text, fontsize=9, va="center")
    near.text(0.0495, -0.0005, "border of the face", color=BLUE, fontsize=9, ha="right", va="top")
    near.annotate("", (0.002, 1 / 128), (0.002, -1 / 128), arrowprops={"arrowstyle": "<->"})
    near.text(0.003, 0.004, "1/64 pixel", fontsize=9, va="center")
    near.set(xlim=(0, 0.05), ylim=(0.018, -0.018), xticks=[], yticks=[])
    near.invert_yaxis()
    near.set_title("one border, enlarged 100 times", loc="left", fontsize=10)
    return figure


def moved(camera: dd.Camera) -> dd.Camera:
    """Return the camera with its image corner, instead of its center, at the origin."""
    pose = np.eye(4)
    pose[:2, 3] = -camera.width / 2, -camera.height / 2
    return dd.Camera.orthographic((8, 4), pose, camera.width, camera.height)


PICTURES: dict[str, Callable[[], Figure]] = {"conventions": conventions, "band": band}


if __name__ == "__main__":
    save_figures(__doc__, PICTURES)
