"""Draw the picture of the README, and what `ddepth demo` shows.

Usage: python scripts/draw_readme.py [NAME ...] [--out docs/images]

The first is an object in a box of walls, and two ways to its last exits. Those of transparent
materials are computed from all crossings of each ray, as docs/check-layers.md describes: what a ray
collects if front faces are transparent, and back faces emit their depth and let it pass. Errors are
those against rays in float64. Needs the extra [cli].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from pictures import draw_clouds, save_figures

import ddepth_gl as dd
from ddepth_gl.jobs.float64_rays import RayCaster

WALL = (196, 190, 178)
TARGET = (0.0, 0.0, -0.25)
DEPTHS = colormaps["viridis_r"].with_extremes(over="#d03020")
VIEW = {"fov_y_deg": 29, "width": 420, "height": 260}
SPREAD = 1e-2  # of exits that the map shows; numbers do not depend on it
MAX_TRANSPARENT = 8  # faces that a ray passes by default in Blender's Cycles

Array = npt.NDArray[Any]


def scene_mesh() -> dd.Mesh:
    """Return the mesh of `ddepth demo` in a box of five walls, open above; all of it is closed."""
    demo = dd.demo_mesh()
    vertices, faces = open_box(np.array([2.0, 1.75, 0.4]), 0.14)
    colors = np.tile(np.array([*WALL, 255], np.uint8), (len(vertices), 1))
    assert demo.colors is not None
    return dd.Mesh(
        np.concatenate([demo.vertices, vertices]),
        np.concatenate([demo.faces, faces + len(demo.vertices)]),
        colors=np.concatenate([demo.colors, colors]),
    )


def open_box(half: Array, wall: float) -> tuple[Array, Array]:
    """Return a box with a floor and four walls: its outside, its inside, and the rim between them.

    Args:
        half: half of its outer size; its floor is at z = -0.8.
        wall: thickness of floor and walls.
    """
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], float)
    bottom = -0.8
    top = bottom + 2 * half[2]
    rings = [
        (corners * half[:2], bottom), (corners * half[:2], top),
        (corners * (half[:2] - wall), top), (corners * (half[:2] - wall), bottom + wall),
    ]  # fmt: skip
    vertices = np.concatenate([np.c_[ring, np.full(4, z)] for ring, z in rings])
    faces = [(0, 2, 1), (0, 3, 2), (12, 13, 14), (12, 14, 15)]  # floor: below and above
    for ring in range(3):
        for side in range(4):
            a, b = 4 * ring + side, 4 * ring + (side + 1) % 4
            faces += [(a, b, b + 4), (a, b + 4, a + 4)]
    return vertices, np.array(faces)


def float64_exits(mesh: dd.Mesh, camera: dd.Camera) -> tuple[Array, Array, Array]:
    """Return last exits of rays in float64, which are certain, and depths of back faces, added up.

    All are (H, W). Exits and sums are NaN for a miss, exits also where they jump by more than
    `SPREAD` within 1/128 pixel. They are certain where no border of a face is that near.
    """
    found = RayCaster(mesh.vertices, mesh.faces, camera).cast(camera.pixel_centers().reshape(-1, 2))
    rows = found.of_ray()
    pixel, depth, front = found.point[rows], found.depth[rows, 0], found.front[rows]
    size = camera.height * camera.width
    count = np.bincount(pixel, minlength=size)
    rank = np.arange(len(pixel)) - np.repeat(np.cumsum(count) - count, count)
    seen = ~front & (rank < MAX_TRANSPARENT)
    added = np.bincount(pixel[seen], weights=depth[seen], minlength=size)
    exits = np.zeros((found.depth.shape[1], size))
    backs = found.hit & ~found.front[:, None]
    for ray, exit_ in enumerate(exits):
        np.maximum.at(exit_, found.point[backs[:, ray]], found.depth[backs[:, ray], ray])
    is_known = (exits.min(axis=0) > 0) & (np.ptp(exits, axis=0) < SPREAD)
    truth, added = np.where(is_known, exits[0], np.nan), np.where(added > 0, added, np.nan)
    is_certain = is_known.copy()
    is_certain[found.point[~found.certain]] = False
    shape = camera.height, camera.width
    return truth.reshape(shape), is_certain.reshape(shape), added.reshape(shape)


def overview() -> Figure:
    """Draw photo and turned clouds, exits by sums and by ddepth_gl, and the errors of both."""
    mesh = scene_mesh()
    camera = dd.Camera.look_at((1.4, -6.6, 2.5), TARGET, **VIEW)
    with dd.DepthRenderer() as renderer:
        frame = renderer.render(renderer.upload(mesh), camera, samples=4)
    maps, image = frame.maps, frame.image
    assert maps is not None
    truth, is_certain, added = float64_exits(mesh, camera)

    figure = Figure((11, 5), layout="constrained", dpi=100)
    axes = figure.subplots(2, 3)
    axes[0, 0].imshow(image)
    axes[0, 0].set_title("photo")
    draw_clouds(axes[1, 0], maps, turned(camera, -65), 0.4)
    axes[1, 0].set_title("entries (blue) and exits (orange), turned")
    print(f"compared: {is_certain.sum() / maps.mask.sum():.1%} of the object's pixels")
    low, high = np.nanmin(maps.entry), np.nanmax(maps.exit)
    for row, (name, exits) in enumerate(
        (("transparent materials", added), ("ddepth_gl", maps.exit))
    ):
        shown = axes[row, 1].imshow(exits, cmap=DEPTHS, vmin=low, vmax=high)
        axes[row, 1].set_title(f"last exit by {name}")
        error = np.abs(exits - truth)
        wrong = np.mean(error[is_certain] > 1e-4 * truth[is_certain])
        errors = axes[row, 2].imshow(
            np.maximum(error, 1e-8), cmap="inferno", norm=LogNorm(1e-8, 10)
        )
        largest = np.max(error[is_certain])
        axes[row, 2].set_title(f"{wrong:.0%} of pixels wrong, errors up to {largest:.2g}")
        print(f"{name}: {wrong:.2%} wrong, largest error {largest:.3g}")
        figure.colorbar(
            shown, ax=axes[row, 1], label="depth; red: beyond", shrink=0.9, extend="max"
        )
        figure.colorbar(errors, ax=axes[row, 2], label="error against float64", shrink=0.9)
    for each in axes.flat:
        each.set_xticks([])
        each.set_yticks([])
        each.set_facecolor("#ececec")
        each.spines[:].set_visible(False)
        each.title.set_fontsize(10)
    return figure


def turned(camera: dd.Camera, degrees: float) -> dd.Camera:
    """Return a camera of the overview, moved around the object."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    eye = camera.center @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    return dd.Camera.look_at(eye, TARGET, **VIEW)


def demo() -> Figure:
    """Draw photo, entry, exit and thickness of a view of `ddepth demo`."""
    return preview(0, layers=False)


def layers() -> Figure:
    """Draw layers, crossings per pixel and a section of a view of `ddepth demo`."""
    return preview(2, layers=True)


def preview(view: int, *, layers: bool) -> Figure:
    """Draw the preview of a view of `ddepth demo`."""
    mesh = dd.demo_mesh()
    camera = dd.Camera.orbit(mesh, views=4, width=640, height=480)[view]
    with dd.DepthRenderer() as renderer:
        scene = renderer.upload(mesh)
        return dd.preview(renderer.render(scene, camera, layers=layers, samples=2))


PICTURES: dict[str, Callable[[], Figure]] = {"overview": overview, "demo": demo, "layers": layers}


if __name__ == "__main__":
    save_figures(__doc__, PICTURES)
