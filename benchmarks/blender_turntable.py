"""Time 100 views of a non-convex object in Blender: photo by Cycles, both clouds by ddepth_gl.

Needs bpy: ``python benchmarks/blender_turntable.py OUT``. The scene is made here and saved to OUT.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from statistics import median

import bpy

from ddepth_gl.blender.job import FrameReport, run_batch
from ddepth_gl.jobs.render import RenderJob

VIEWS, SIZE, SAMPLES = 100, 256, 4


def save_scene(path: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_monkey_add()
    subdivision = bpy.context.object.modifiers.new("subdivision", "SUBSURF")
    subdivision.render_levels = 2
    bpy.ops.object.light_add(type="SUN", rotation=(0.6, 0.3, 0.0))
    pivot = bpy.data.objects.new("pivot", None)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    for each in (pivot, camera):
        scene.collection.objects.link(each)
    camera.parent, scene.camera = pivot, camera
    camera.location, camera.rotation_euler = (0.0, -5.0, 1.0), (math.radians(79.0), 0.0, 0.0)
    for frame, turn in ((1, 0.0), (VIEWS + 1, 2.0 * math.pi)):
        pivot.rotation_euler[2] = turn
        pivot.keyframe_insert("rotation_euler", frame=frame)
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.world = bpy.data.worlds.new("world")
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    save_scene(out / "monkey.blend")
    times: dict[str, list[float]] = {"photo by Cycles, both clouds": [], "both clouds alone": []}
    for name, photo in (("photo by Cycles, both clouds", "cycles"), ("both clouds alone", "own")):
        last = time.perf_counter()

        def tell(done: FrameReport, name: str = name) -> None:
            nonlocal last
            now = time.perf_counter()
            times[name].append(now - last)
            last = now

        job = RenderJob(folder=out, formats=("npz", "ply"), preview=False)
        done = run_batch(
            out / "monkey.blend",
            out,
            range(1, VIEWS + 1),
            job=job,
            photo=photo,
            photo_samples=SAMPLES,
            tell=tell,
        )
    steps = {
        step: median(each.report.milliseconds[step][0] for each in done)
        for step in done[0].report.milliseconds
    }
    print(f"{VIEWS} views of {SIZE}x{SIZE}, {len(done[0].scene.mesh.faces):,} faces")
    for name, seconds in times.items():
        print(f"{name}: {1e3 * median(seconds):.0f} ms a view, {sum(seconds):.0f} s in all")
    print(", ".join(f"{step} {ms:.1f} ms" for step, ms in steps.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
