"""Compare ways to get the last exit in Blender, each rendered by Cycles itself, with float64 rays.

Needs bpy, for the Raycast node 5.1 or later: ``python benchmarks/blender_methods.py OUT``. Nodes
that let back faces emit their depth come in both forms: all of them add up, or the first one ends
the ray. A pixel is wrong if its exit differs by more than a thousandth of the depth, or is missing.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt
import OpenEXR

import ddepth_gl as dd
from ddepth_gl.blender.cameras import blender_camera
from ddepth_gl.blender.render_engine import with_render_depsgraph
from ddepth_gl.blender.scene import blender_scene
from ddepth_gl.jobs.float64_rays import RayCaster

SIZE, ROUNDS = 256, 5
WRONG = 1e-3  # of the depth
FAR = 1e6


def make_scene(name: str) -> Any:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    if name == "monkey":
        bpy.ops.mesh.primitive_monkey_add()
        obj = bpy.context.object
    else:
        demo = dd.demo_mesh()
        mesh = bpy.data.meshes.new("demo")
        mesh.from_pydata(demo.vertices.tolist(), [], demo.faces.tolist())
        obj = bpy.data.objects.new("demo", mesh)
        scene.collection.objects.link(obj)
    obj.data.materials.append(bpy.data.materials.new("material"))
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    reach = max(obj.dimensions)
    direction = np.array([0.45, -0.8, 0.4])
    place = 1.9 * reach * direction / np.linalg.norm(direction)
    camera.location = place
    camera.rotation_euler = (
        math.acos(place[2] / np.linalg.norm(place)),
        0.0,
        math.atan2(place[0], -place[1]),
    )
    scene.camera = camera
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device, cycles.samples, cycles.use_denoising = "CPU", 1, False
    cycles.use_adaptive_sampling = False
    cycles.pixel_filter_type, cycles.filter_width = "GAUSSIAN", 0.01
    cycles.max_bounces = cycles.transparent_max_bounces = 128
    image = scene.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "MULTI_LAYER_IMAGE"
    image.file_format, image.color_depth = "OPEN_EXR_MULTILAYER", "32"
    if hasattr(image, "use_exr_interleave"):
        image.use_exr_interleave = True
    return scene


class Nodes:
    """A material that is built node by node."""

    def __init__(self) -> None:
        self.tree = bpy.data.materials["material"].node_tree
        self.tree.nodes.clear()

    def add(self, kind: str, *inputs: Any, **settings: Any) -> Any:
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for name, value in settings.items():
            setattr(node, name, value)
        for socket, value in zip(node.inputs, inputs, strict=False):
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, socket)
            elif value is not None:
                socket.default_value = value
        return node


def emit_depth(adds_up: bool) -> None:
    """Let front faces be transparent, and back faces emit their depth."""
    nodes = Nodes()
    depth = nodes.add("CameraData").outputs["View Z Depth"]
    emission = nodes.add("Emission", (1, 1, 1, 1), depth).outputs[0]
    clear = nodes.add("BsdfTransparent").outputs[0]
    back = nodes.add("AddShader", emission, clear).outputs[0] if adds_up else emission
    facing = nodes.add("NewGeometry").outputs["Backfacing"]
    nodes.add("OutputMaterial", nodes.add("MixShader", facing, clear, back).outputs[0])


def cast_again(layers: int, offset: float, scene: Any) -> None:
    """Chain Raycast nodes; the last hit is the exit. Each starts ahead of the hit before it."""
    nodes = Nodes()

    def math_node(operation: str, *inputs: Any) -> Any:
        return nodes.add("Math", *inputs, operation=operation).outputs[0]

    geometry = nodes.add("NewGeometry").outputs
    ray = nodes.add("VectorMath", geometry["Incoming"], (-1, -1, -1), operation="MULTIPLY")
    direction = ray.outputs[0]
    at: Any = 0.0  # distance from the first hit to the present one
    last: Any = 0.0  # to the last hit so far
    for _ in range(layers - 1):
        ahead = math_node("ADD", at, offset)
        step = nodes.add("VectorMath", direction, operation="SCALE")
        nodes.tree.links.new(ahead, step.inputs["Scale"])
        start = nodes.add("VectorMath", geometry["Position"], step.outputs[0], operation="ADD")
        hit = nodes.add("Raycast", start.outputs[0], direction, FAR).outputs
        at = math_node("ADD", ahead, hit["Hit Distance"])
        farther = math_node("SUBTRACT", at, last)
        last = math_node("MULTIPLY_ADD", farther, hit["Is Hit"], last)
    # The depth along the view axis.
    axis = tuple(-scene.camera.matrix_world.col[2].xyz)
    slope = nodes.add("VectorMath", direction, axis, operation="DOT_PRODUCT").outputs["Value"]
    entry = nodes.add("CameraData").outputs["View Z Depth"]
    depth = math_node("MULTIPLY_ADD", last, slope, entry)
    emission = nodes.add("Emission", (1, 1, 1, 1), depth).outputs[0]
    nodes.add("OutputMaterial", emission)


def combined(scene: Any, folder: Path) -> tuple[npt.NDArray[Any], float]:
    """Render; return the red channel, and the milliseconds of the render alone."""
    scene.render.filepath = str(folder / "method.exr")
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        bpy.ops.render.render()
        seconds.append(time.perf_counter() - start)
    bpy.ops.render.render(write_still=True)
    with OpenEXR.File(str(folder / "method.exr"), separate_channels=True) as file:
        channels = {name: each for part in file.parts for name, each in part.channels.items()}
        red = next(each.pixels for name, each in channels.items() if name.endswith("Combined.R"))
        return np.array(red, np.float64), 1e3 * min(seconds)


def draw(out: Path, methods: dict[str, str]) -> None:
    """Draw the exits of the monkey by each method, and where they are wrong."""
    from matplotlib.figure import Figure

    truth = np.load(out / "monkey_truth.npy")
    low, high = np.nanpercentile(truth, (1, 99))
    figure = Figure(figsize=(2.4 * len(methods), 5.0), layout="constrained")
    axes = figure.subplots(2, len(methods))
    for column, (method, title) in enumerate(methods.items()):
        exits = np.where(np.isnan(truth), np.nan, np.load(out / f"monkey_{method}.npy"))
        with np.errstate(invalid="ignore"):
            wrong = ~(np.abs(exits - truth) <= WRONG * truth) & ~np.isnan(truth)
        axes[0, column].imshow(exits, vmin=low, vmax=high, cmap="viridis")
        axes[1, column].imshow(np.where(np.isnan(truth), np.nan, wrong), cmap="Reds", vmin=0)
        axes[0, column].set_title(title, fontsize=9)
        axes[1, column].set_title("wrong in red", fontsize=8)
    for each in axes.flat:
        each.set_axis_off()
    figure.savefig(out / "blender-methods.png", dpi=80)


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for name in ("monkey", "demo"):
        scene = make_scene(name)
        mesh, camera = with_render_depsgraph(
            scene,
            lambda graph: (
                blender_scene(graph).mesh,
                blender_camera(graph.scene, graph.scene_eval.camera),
            ),
        )
        grid = np.mgrid[:SIZE, :SIZE].reshape(2, -1).T[:, ::-1] + 0.5
        rays = RayCaster(mesh.vertices, mesh.faces, camera).cast(grid)
        # Only pixels that no border of a face comes near: every method has its own rule there.
        doubtful = np.zeros(SIZE * SIZE, bool)
        doubtful[rays.point[~rays.certain]] = True
        hits = rays.of_ray()
        truth = np.full(SIZE * SIZE, -np.inf)
        np.maximum.at(truth, rays.point[hits], rays.depth[hits, 0])
        count = np.bincount(rays.point[hits], minlength=SIZE * SIZE)
        sure = ~doubtful & (count > 0)

        def judge(
            method: str,
            exits: npt.NDArray[Any],
            ms: float,
            name: str = name,
            truth: Any = truth,
            sure: Any = sure,
            count: Any = count,
            **more: Any,
        ) -> None:
            flat = exits.reshape(-1)
            error = np.where(np.isfinite(flat), np.abs(flat - truth) / truth, np.inf)[sure]
            right = error <= WRONG
            row = {"object": name, "method": method, "pixels": int(sure.sum())}
            row |= {"wrong_percent": round(100 * float(1 - right.mean()), 3)}
            row |= {"largest_error_of_right": float(f"{error[right].max(initial=0):.1e}")}
            row |= {"ms": round(ms, 1), "most_layers": int(count[sure].max()), **more}
            rows.append(row)
            np.save(out / f"{name}_{method}.npy", exits.astype(np.float32))
            print(json.dumps(row), flush=True)

        with dd.DepthRenderer() as renderer:
            uploaded = renderer.upload(mesh)
            seconds = []
            for _ in range(ROUNDS + 1):
                start = time.perf_counter()
                maps = renderer.entry_exit(uploaded, camera, surfaces="any")
                seconds.append(time.perf_counter() - start)
            judge("ddepth_gl", maps.exit, 1e3 * min(seconds), median_ms=1e3 * median(seconds))
        np.save(out / f"{name}_truth.npy", np.where(truth > 0, truth, np.nan).reshape(SIZE, SIZE))
        for method, adds_up in (("back_faces_add_up", True), ("first_back_face", False)):
            emit_depth(adds_up)
            judge(method, *combined(scene, out))
        if hasattr(bpy.types, "ShaderNodeRaycast"):
            diagonal = float(np.linalg.norm(np.diff(mesh.bounds, axis=0)))
            for layers in (4, 8):
                for offset in (1e-3, 1e-5):
                    cast_again(layers, offset * diagonal, scene)
                    missed = int((count[sure] > layers).sum())
                    judge(
                        f"raycast_{layers}_{offset:g}",
                        *combined(scene, out),
                        pixels_with_more_layers=missed,
                    )
    shown = {"back_faces_add_up": "back faces add up", "first_back_face": "first back face"}
    if hasattr(bpy.types, "ShaderNodeRaycast"):
        shown |= {"raycast_4_1e-05": "4 hits by Raycast", "raycast_8_1e-05": "8 hits by Raycast"}
    draw(out, {**shown, "ddepth_gl": "ddepth_gl"})
    (out / f"methods_{bpy.app.version_string}.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
