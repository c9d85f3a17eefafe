"""Draw pictures of docs/ that show results, of meshes that are made here.

Usage: python scripts/draw_docs.py [NAME ...] [--out docs/images]

Without names, all of them. Needs the extra [cli].
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from pictures import BLUE, INK, ORANGE, ROOT, draw_clouds, save_figures

import ddepth_gl as dd

sys.path.insert(0, str(ROOT / "examples"))
from training_meshes import box, lathe

Array = npt.NDArray[Any]


def mesh_of(*parts: tuple[Array, Array], color: tuple[int, int, int] = (112, 173, 120)) -> dd.Mesh:
    """Return several parts as one mesh."""
    vertices = np.concatenate([part for part, _ in parts])
    starts = np.cumsum([0, *(len(part) for part, _ in parts)])
    faces = np.concatenate([f + start for (_, f), start in zip(parts, starts, strict=False)])
    return dd.Mesh(vertices, faces, colors=np.tile(np.array(color, np.uint8), (len(vertices), 1)))


def ball(radius: float, *, inward: bool = False) -> tuple[Array, Array]:
    """Return a sphere around the origin."""
    angle = np.linspace(0, np.pi, 49)
    vertices, faces = lathe(radius * np.stack([np.sin(angle), -np.cos(angle)], -1), 96)
    return vertices, faces[:, ::-1] if inward else faces


def sheet_bowl() -> dd.Mesh:
    """Return a half sphere without thickness, open above: 96 x 24 cells, one body, not closed."""
    angle = np.linspace(0, np.pi / 2, 25)
    return mesh_of(lathe(np.stack([np.sin(angle), -np.cos(angle)], -1), 96))


def turned(maps: dd.DepthMaps, axes: Any, degrees: float, title: str) -> None:
    """Draw both clouds as a camera sees them that moved around the object by some degrees."""
    camera, (front, back) = maps.camera, maps.points()
    middle = (front.mean(0) + back.mean(0)) / 2
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    around = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    eye = middle + (camera.center - middle) @ around.T
    view = dd.Camera.look_at(eye, middle, fov_y_deg=26, width=400, height=300)
    draw_clouds(axes, maps, view, 0.6)
    axes.set_title(title, loc="left", fontsize=9)
    axes.set_axis_off()


def clouds() -> Figure:
    """Draw the photo of the demo mesh, and the points of both sheets from three directions."""
    mesh = dd.demo_mesh()
    camera = dd.Camera.look_at((1.5, -5.5, 3.5), (0, 0, 0), fov_y_deg=26, width=400, height=300)
    with dd.DepthRenderer() as renderer:
        frame = renderer.render(renderer.upload(mesh), camera, samples=4)
    maps = frame.maps
    assert maps is not None
    assert frame.image is not None
    figure = Figure((11, 2.4), layout="constrained")
    photo, *others = figure.subplots(1, 4)
    photo.imshow(frame.image)
    photo.set_axis_off()
    photo.set_title("photo", loc="left", fontsize=9)
    for axes, degrees, title in zip(
        others, (0, 45, 90), ("entries (blue), exits (orange)", "turned by 45°", "by 90°"),
        strict=True,
    ):  # fmt: skip
        turned(maps, axes, degrees, title)
    return figure


def sections(figure: Figure, rows: list[tuple[str, dd.Mesh]], camera: dd.Camera) -> None:
    """Draw the middle row of several meshes, cut open by the tool, side by side."""
    with dd.DepthRenderer() as renderer:
        for axes, (title, mesh) in zip(
            figure.subplots(1, len(rows), sharey=True), rows, strict=True
        ):
            scene = renderer.upload(mesh)
            layers = renderer.peel(scene, camera)
            layers.plot_section(row=camera.height // 2, ax=axes)
            axes.set_box_aspect(0.8)
            title_alone(axes, title)


def title_alone(axes: Any, title: str) -> None:
    """Replace the legend and the title of a section, which need more width than there is."""
    for legend in [each for each in axes.get_children() if isinstance(each, Legend)]:
        legend.remove()
    axes.set_title("", loc="left")
    axes.set_title(title, loc="left", fontsize=9)


def side_camera() -> dd.Camera:
    """Return a parallel camera that looks along y, at an image of 2.6 x 2.6 mesh units."""
    pose = dd.Camera.look_at((0, -3, 0), (0, 0, 0)).camera_from_world
    return dd.Camera.orthographic(2.6, pose, width=201, height=201)


def surfaces() -> Figure:
    """Draw cross-sections of closed, hollow, open and mixed meshes."""
    hollow = mesh_of(ball(1.0), ball(0.7, inward=True))
    vertices, faces = ball(1.0)
    mixed = faces.copy()
    mixed[::3] = mixed[::3, ::-1]
    bowl = sheet_bowl()
    bowl = bowl.transformed(np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]))
    figure = Figure((12, 3), layout="constrained")
    sections(
        figure,
        [
            ("closed: a ball", mesh_of(ball(1.0))),
            ("closed, with a cavity", hollow),
            ("open: half a sphere", bowl),
            ("mixed winding", mesh_of((vertices, mixed))),
        ],
        side_camera(),
    )
    return figure


def nested() -> Figure:
    """Draw a section of a shell with a ball and a block, and what the numbers of one ray are."""
    mesh = mesh_of(
        ball(1.0), ball(0.75, inward=True), ball(0.4), box((0, 1.35, 0), (0.8, 0.15, 0.8))
    )
    pose = dd.Camera.look_at((0, -3, 0), (0, 0, 0)).camera_from_world
    camera = dd.Camera.orthographic(2.4, pose, width=240, height=240)
    with dd.DepthRenderer() as renderer:
        layers = renderer.peel(renderer.upload(mesh), camera)
    row, column = 120, 100
    figure = Figure((7, 6.6), layout="constrained")
    axes = figure.subplots()
    layers.plot_section(row=row, ax=axes, title="one row, cut open; one ray in it")
    axes.set_aspect(100)  # pixels per mesh unit
    pixel = row * camera.width + column
    depth = layers.depth[layers.offsets[pixel] : layers.offsets[pixel + 1]]
    x = column + 0.5
    axes.plot([x, x], [1.75, depth[-1] + 0.2], color=INK, linewidth=0.8)
    for number, z in enumerate(depth, 1):
        axes.plot(x, z, "o", color=BLUE if number % 2 else ORANGE, markersize=5, zorder=5)
        axes.annotate(f"layer {number}", (x - 2, z - 0.05), ha="right", fontsize=8)
    for offset, pieces, label in (
        (126, [(depth[0], depth[-1])], f"thickness {depth[-1] - depth[0]:.2f}"),
        (174, layers_pieces(depth), f"solid length {layers.solid_length[row, column]:.2f}"),
    ):
        for start, end in pieces:
            axes.plot([offset] * 2, [start, end], color=INK, linewidth=4, solid_capstyle="butt")
        axes.annotate(label, (offset + 4, depth[0] - 0.12), fontsize=9, va="center")
    return figure


def layers_pieces(depth: Array) -> list[tuple[float, float]]:
    """Return the pieces of a ray between its entries and exits, which alternate here."""
    return list(zip(depth[::2].tolist(), depth[1::2].tolist(), strict=True))


def part() -> Figure:
    """Draw a part of a machine: photo, thickness, and a section of the wall along one column."""
    mesh = bushing()
    camera = dd.Camera.look_at((55, -70, 45), (0, 0, 12), fov_y_deg=32, width=400, height=320)
    pose = dd.Camera.look_at((0, -60, 12), (0, 0, 12)).camera_from_world
    flat = dd.Camera.orthographic((60, 48), pose, width=400, height=320)
    figure = Figure((11, 3.2), layout="constrained")
    photo, thick, cut = figure.subplots(1, 3)
    with dd.DepthRenderer() as renderer:
        scene = renderer.upload(mesh)
        photo.imshow(renderer.shade(scene, camera, samples=4))
        renderer.entry_exit(scene, flat).plot("thickness", ax=thick)
        renderer.peel(scene, flat).plot_section(column=200, ax=cut)
    photo.set_axis_off()
    return figure


def bushing() -> dd.Mesh:
    """Return a flanged sleeve in millimeters, 24 high, with a bore of 16 across."""
    profile = [(8, 0), (24, 0), (24, 5), (13, 5), (13, 24), (8, 24), (8, 0)]
    return mesh_of(lathe(np.array(profile, float), 128), color=(150, 160, 175))


def camera_overlay() -> Figure:
    """Draw a photo with a background, and the silhouette of the mesh with right and wrong K."""
    mesh = mesh_of(
        *[box((0, 0, z), (w, w, 0.2)) for z, w in ((-0.6, 0.8), (-0.2, 0.6), (0.2, 0.4))]
    )
    true = dd.Camera.look_at((3, -4, 2.2), (0, 0, -0.2), fov_y_deg=32, width=320, height=240)
    wrong = dd.Camera.from_intrinsics(
        true.K * [[1.06, 1, 1], [1, 1.06, 1], [1, 1, 1]], true.camera_from_world, 320, 240
    )
    figure = Figure((11, 2.9), layout="constrained")
    with dd.DepthRenderer() as renderer:
        scene = renderer.upload(mesh)
        image = renderer.shade(scene, true, samples=4).astype(float)
        random = np.random.default_rng(0)
        ground = (
            150 + 50 * np.linspace(-1, 1, 240)[:, None, None] + random.normal(0, 6, (240, 320, 1))
        )
        alpha = image[..., 3:] / 255
        photo = np.clip(image[..., :3] * alpha + ground * (1 - alpha), 0, 255).astype(np.uint8)
        masks = [renderer.entry_exit(scene, each).mask for each in (true, wrong)]
        exit_ = renderer.entry_exit(scene, true).exit
    share = np.sum(masks[0] & masks[1]) / np.sum(masks[0] | masks[1])
    axes = figure.subplots(1, 4)
    titles = (
        "photo", "silhouette of the mesh, right K", f"K wrong by 6 %: IoU {share:.2f}",
        "exit depth of this photo",
    )  # fmt: skip
    for each, title in zip(axes, titles, strict=True):
        each.set_title(title, loc="left", fontsize=9)
        each.set_axis_off()
    for each, mask in zip(axes[:3], (None, *masks), strict=True):
        each.imshow(photo)
        if mask is not None:
            each.contour(mask, levels=[0.5], colors=[ORANGE], linewidths=1.2)
    axes[3].imshow(exit_, cmap="viridis_r")
    return figure


PICTURES: dict[str, Callable[[], Figure]] = {
    "clouds": clouds, "surfaces": surfaces, "nested": nested, "part": part,
    "camera": camera_overlay,
}  # fmt: skip


if __name__ == "__main__":
    save_figures(__doc__, PICTURES)
