"""Draw the pictures of docs/: every one is made here, from meshes that are made here, too.

Usage: python scripts/draw_docs.py [NAME ...] [--out docs/images]

Without names, all of them. Needs the extra [cli]. training.png is not among them:
examples/train_double_depth.py draws it, at the end of its training.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patches import Polygon, Rectangle

import ddepth_gl as dd
from ddepth_gl.jobs.float64_rays import RayCaster

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "examples"))
from training_meshes import box, lathe  # noqa: E402

BLUE, ORANGE, GRAY, INK = "#195aaa", "#de6e14", "#8c8c8c", "#282828"
MAX_TRANSPARENT = 8  # faces that a ray passes by default in Blender's Cycles, see check-layers.md

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
    view = dd.Camera.look_at(eye, middle, fov_y_deg=32, width=400, height=400)
    points = np.concatenate([front, back])
    colors = np.repeat([BLUE, ORANGE], [len(front), len(back)])
    image, depth = view.project(points)
    order = np.argsort(-depth)
    axes.scatter(*image[order].T, s=0.6, c=colors[order], linewidths=0)
    axes.set(xlim=(0, 400), ylim=(400, 0), aspect="equal")
    axes.set_title(title, loc="left", fontsize=9)
    axes.set_axis_off()


def clouds() -> Figure:
    """Draw the photo of the demo mesh, and the points of both sheets from three directions."""
    mesh = dd.demo_mesh()
    camera = dd.Camera.look_at((1.5, -5.5, 3.5), (0, 0, 0), fov_y_deg=32, width=400, height=400)
    with dd.DepthRenderer() as renderer:
        frame = renderer.render(renderer.upload(mesh), camera, samples=4)
    maps = frame.maps
    assert maps is not None
    assert frame.image is not None
    figure = Figure((11, 3.1), layout="constrained")
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


def exits() -> Figure:
    """Draw last exits beside sums of the depths of all back faces, and both errors.

    Errors are those against rays in float64, with colors from 1e-8 to 10 mesh units.
    """
    mesh = dd.demo_mesh()
    camera = dd.Camera.look_at((1.5, -5.5, 3.5), (0, 0, 0), fov_y_deg=32, width=300, height=300)
    with dd.DepthRenderer() as renderer:
        scene = renderer.upload(mesh)
        photo = renderer.shade(scene, camera, samples=4)
        exact = renderer.entry_exit(scene, camera).exit
    found = RayCaster(mesh.vertices, mesh.faces, camera).cast(camera.pixel_centers().reshape(-1, 2))
    rows = found.of_ray()
    pixel, depth, front = found.point[rows], found.depth[rows, 0], found.front[rows]
    count = np.bincount(pixel, minlength=exact.size)
    rank = np.arange(len(pixel)) - np.repeat(np.cumsum(count) - count, count)
    seen = ~front & (rank < MAX_TRANSPARENT)
    total = np.bincount(pixel[seen], weights=depth[seen], minlength=exact.size)
    truth = np.full(exact.size, -np.inf)
    np.maximum.at(truth, pixel[~front], depth[~front])
    truth[np.isinf(truth)] = np.nan
    truth[found.point[~found.certain]] = np.nan  # a border of a face within 1/128 pixel
    added = np.where(total == 0, np.nan, total).reshape(exact.shape)
    truth = truth.reshape(exact.shape)

    figure = Figure((12, 3.2), layout="constrained")
    axes = figure.subplots(1, 5)
    axes[0].imshow(photo)
    low, high = np.nanmin(exact), np.nanmax(exact)
    sheet = {"cmap": "viridis_r", "vmin": low, "vmax": high, "interpolation": "nearest"}
    exits_ = axes[1].imshow(added, **sheet)
    axes[3].imshow(exact, **sheet)
    for place, values in ((2, added), (4, exact)):
        wrong = np.log10(np.maximum(np.abs(values - truth), 1e-8))
        errors = axes[place].imshow(wrong, cmap="inferno", vmin=-8, vmax=1, interpolation="nearest")
    share = np.mean((np.abs(added - truth) > 1e-4 * truth)[np.isfinite(truth)])
    titles = (
        "photo", "back faces added up", f"its error: {share:.0%} of pixels wrong",
        "last exit, ddepth_gl", "its error",
    )  # fmt: skip
    for each, title in zip(axes, titles, strict=True):
        each.set_title(title, loc="left", fontsize=9)
        each.set_xticks([])
        each.set_yticks([])
        each.set_facecolor("#ececec")
    for place in (1, 3):
        bar = figure.colorbar(exits_, ax=axes[place], location="bottom", label="depth, mesh units")
    for place in (2, 4):
        bar = figure.colorbar(errors, ax=axes[place], location="bottom", label="error, mesh units")
        bar.set_ticks([-8, -5, -2, 1], labels=["≤ 1e-8", "1e-5", "0.01", "10"])
    # The photo has no bar of its own; an invisible one keeps it in line with the others.
    figure.colorbar(exits_, ax=axes[0], location="bottom", label=" ").ax.set_visible(False)
    return figure


def sections(
    figure: Figure, rows: list[tuple[str, dd.Mesh]], camera: dd.Camera
) -> None:
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
    mesh = mesh_of(*[box((0, 0, z), (w, w, 0.2)) for z, w in ((-0.6, 0.8), (-0.2, 0.6), (0.2, 0.4))])
    true = dd.Camera.look_at((3, -4, 2.2), (0, 0, -0.2), fov_y_deg=32, width=320, height=240)
    wrong = dd.Camera.from_intrinsics(
        true.K * [[1.06, 1, 1], [1, 1.06, 1], [1, 1, 1]], true.camera_from_world, 320, 240
    )
    figure = Figure((11, 2.9), layout="constrained")
    with dd.DepthRenderer() as renderer:
        scene = renderer.upload(mesh)
        image = renderer.shade(scene, true, samples=4).astype(float)
        random = np.random.default_rng(0)
        ground = 150 + 50 * np.linspace(-1, 1, 240)[:, None, None] + random.normal(0, 6, (240, 320, 1))
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


def demo() -> Figure:
    """Draw photo, entry, exit and thickness of the demo mesh, as `dd.preview` does."""
    mesh = dd.demo_mesh()
    camera = dd.Camera.orbit(mesh, views=4, width=640, height=480)[0]
    with dd.DepthRenderer() as renderer:
        return dd.preview(renderer.render(renderer.upload(mesh), camera, samples=2))


def layers() -> Figure:
    """Draw layers, crossings per pixel and a section of the demo mesh, as `dd.preview` does."""
    mesh = dd.demo_mesh()
    camera = dd.Camera.orbit(mesh, views=4, width=640, height=480)[2]
    with dd.DepthRenderer() as renderer:
        return dd.preview(renderer.render(renderer.upload(mesh), camera, layers=True, samples=2))


PICTURES: dict[str, Callable[[], Figure]] = {
    "demo": demo, "layers": layers, "clouds": clouds, "exits": exits, "surfaces": surfaces,
    "nested": nested, "conventions": conventions, "band": band, "part": part,
    "camera": camera_overlay,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images")
    options = parser.parse_args()
    for name in options.names or PICTURES:
        if name not in PICTURES:
            parser.error(f"{name} is no picture; there are {', '.join(PICTURES)}")
        options.out.mkdir(parents=True, exist_ok=True)
        path = options.out / f"{name}.png"
        PICTURES[name]().savefig(path, dpi=120, metadata={"Software": None})
        print(path)


if __name__ == "__main__":
    main()
