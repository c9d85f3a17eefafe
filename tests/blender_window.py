"""Program for Blender with a window: panel, both operators, and waiting for Esc.

Arguments after ``--``: a folder. Lines of JSON go to ``log`` there; ``pressed`` tells that Esc was.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

FOLDER = Path(sys.argv[sys.argv.index("--") + 1])
MODULE = "bl_ext.user_default.double_depth"


def say(**facts: Any) -> None:
    """Write a line of the log."""
    with (FOLDER / "log").open("a") as file:
        file.write(json.dumps(facts) + "\n")


def largest_area() -> Any:
    """Return the largest area of the window."""
    areas = bpy.context.window_manager.windows[0].screen.areas
    return max(areas, key=lambda area: area.width * area.height)


def start(operator: str) -> list[str]:
    """Start an operator as a button does."""
    area = largest_area()
    region = next(each for each in area.regions if each.type == "WINDOW")
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window, area=area, region=region):
        return sorted(getattr(bpy.ops.double_depth, operator)("INVOKE_DEFAULT"))


def steps() -> Iterator[float]:
    """Do everything, and yield the seconds until the next step."""
    runs = sys.modules[f"{MODULE}.runs"]
    panel = sys.modules[f"{MODULE}.panel"].DDEPTH_PT_panel
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 320, 200
    scene.frame_start, scene.frame_end = 1, 100_000
    scene.render.use_motion_blur = True
    settings = scene.double_depth
    settings.folder, settings.formats = str(FOLDER / "frames"), {"npz"}
    area = largest_area()
    area.type = "PROPERTIES"
    yield 1.0
    area.spaces.active.context = "RENDER"
    drawn = []
    panel.append(lambda self, context: drawn.append(context.scene.name))
    bpy.utils.unregister_class(panel)
    panel.bl_options, panel.bl_order = set(), 0
    bpy.utils.register_class(panel)
    yield 1.0
    say(step="view", returned=start("view"))
    while runs._current is not None:
        yield 0.1
    images = sorted(image.name for image in bpy.data.images if image.name.startswith("Depth"))
    say(step="viewed", images=images, version=list(bpy.app.version), drawn=bool(drawn))
    yield 0.5
    say(step="animation", returned=start("animation"))
    while runs._current is None or runs._current.done < 3:
        yield 0.1
    pid = runs._process.pid
    say(step="running", left_out=list(runs.left_out_of(scene)))
    while runs._current is not None:
        yield 0.1
    say(
        step="ended",
        is_pressed=(FOLDER / "pressed").exists(),
        is_alive=os.path.exists(f"/proc/{pid}"),  # noqa: PTH110
        process=str(runs._process),
        frame=scene.frame_current,
        files=len(list((FOLDER / "frames").iterdir())),
    )
    yield 1.0


def tick() -> float | None:
    """Go one step; quit after the last."""
    try:
        return next(ticks)
    except StopIteration:
        say(step="quit")
    except Exception:
        say(step="error", text=traceback.format_exc())
    bpy.ops.wm.quit_blender()
    return None


ticks = steps()
bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(tick, first_interval=2.0)
