"""Draw the picture of the extension's panel in docs/images: Blender's window, after This View.

Usage: python scripts/draw_blender.py [--out docs/images]

It runs Blender, the program of DDEPTH_BLENDER or of the PATH, on an X server of its own, with the
extension in a fresh profile. Without Blender or Xvfb, it says so and draws nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT = 1240, 800
MODULE = "bl_ext.user_default.double_depth"
PICTURES = {"blender-panel": "the panel and an image of normals"}


def steps(folder: Path) -> Iterator[float]:
    """Show the panel beside an image, inside of Blender; yield the seconds until the next step."""
    import bpy

    scene, window = bpy.context.scene, bpy.context.window_manager.windows[0]
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    bpy.ops.mesh.primitive_monkey_add(rotation=(0.0, 0.0, 0.5))
    monkey = bpy.context.object
    monkey.scale = (1.7, 1.7, 1.7)
    monkey.modifiers.new("Subdivision", "SUBSURF").render_levels = 2
    scene.render.resolution_x, scene.render.resolution_y = 640, 640
    scene.render.use_motion_blur = True
    settings = scene.double_depth
    settings.normal = settings.thickness = settings.layers = True

    while len(window.screen.areas) > 1:
        smallest = min(window.screen.areas, key=lambda area: area.width * area.height)
        with bpy.context.temp_override(window=window, area=smallest):
            bpy.ops.screen.area_close()
        yield 0.3
    with bpy.context.temp_override(window=window, area=window.screen.areas[0]):
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.55)
    yield 1.0
    left, right = sorted(window.screen.areas, key=lambda each: each.x)[:2]
    left.type, right.type = "IMAGE_EDITOR", "PROPERTIES"
    yield 1.0
    right.spaces.active.context = "RENDER"
    # Our panel alone, and open.
    for name in dir(bpy.types):
        panel = getattr(bpy.types, name)
        if "_PT_" in name and getattr(panel, "bl_context", "") == "render":
            bpy.utils.unregister_class(panel)
    panel = sys.modules[f"{MODULE}.panel"].DDEPTH_PT_panel
    panel.bl_options = set()
    bpy.utils.register_class(panel)
    yield 1.0
    region = next(each for each in left.regions if each.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=left, region=region):
        bpy.ops.double_depth.view("INVOKE_DEFAULT")
    while sys.modules[f"{MODULE}.runs"]._current is not None:
        yield 0.1
    left.spaces.active.image = bpy.data.images["Depth entry normal"]
    with bpy.context.temp_override(window=window, area=left, region=region):
        bpy.ops.image.view_all(fit_view=True)
    yield 2.0
    (folder / "ready").touch()
    while not (folder / "drawn").exists():
        yield 0.1


def run_inside(folder: Path) -> None:
    """Do the steps in Blender's timer, and quit."""
    import bpy

    bpy.context.preferences.view.show_splash = False
    ticks = steps(folder)

    def tick() -> float | None:
        try:
            return next(ticks)
        except StopIteration:
            pass
        except Exception as error:
            (folder / "failed").write_text(f"{type(error).__name__}: {error}")
        bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(tick, first_interval=2.0)


def draw(path: Path, folder: Path, program: str, version: tuple[int, ...]) -> None:
    """Draw the panel."""
    from blender_programs import accepted_zip
    from PIL import Image
    from x_server import screen

    subprocess.run([sys.executable, str(ROOT / "scripts/build_blender"), str(folder)], check=True)
    (built,) = folder.glob("*.zip")
    for name in ("profile", "screen"):
        (folder / name).mkdir()
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    environment |= {
        "BLENDER_USER_RESOURCES": str(folder / "profile"),
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }
    archive = str(accepted_zip(built, version, folder))
    install = ["extension", "install-file", "-r", "user_default", "-e", archive]
    subprocess.run(
        [program, "--background", "--command", *install],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    inside = folder / "inside.py"
    inside.write_text(Path(__file__).read_text())
    size = f"{WIDTH}x{HEIGHT}x24"
    screen_folder = str(folder / "screen")
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", size, "-fbdir", screen_folder, "-noreset"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        environment["DISPLAY"] = f":{server.stdout.readline().strip()}"
        place = ["-p", "0", "0", str(WIDTH), str(HEIGHT)]
        window = subprocess.Popen(
            [program, *place, "--python", str(inside), "--", str(folder)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # as it quits, it misses its own panels
        )
        end = time.monotonic() + 120.0
        while not (folder / "ready").exists():
            if window.poll() is not None or time.monotonic() > end:
                failed = folder / "failed"
                why = failed.read_text() if failed.exists() else "it shows nothing"
                window.kill()
                sys.exit(f"draw_blender: Blender stopped: {why}")
            time.sleep(0.2)
        Image.fromarray(screen(folder / "screen")).save(path, optimize=True)
        (folder / "drawn").touch()
        window.wait(60)
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Draw the picture, or say what is missing."""
    import argparse
    import shutil

    sys.path.insert(0, str(ROOT / "tests"))
    from blender_programs import blender_program

    parser = argparse.ArgumentParser(description="Draw the panel of Blender's extension.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", metavar="FOLDER")
    options = parser.parse_args()
    found = blender_program() if shutil.which("Xvfb") else "needs Xvfb; apt-get install xvfb"
    if isinstance(found, str):
        print(f"draw_blender: {found}; the picture of the panel stays as it is")
        return
    path = options.out / f"{next(iter(PICTURES))}.png"
    with tempfile.TemporaryDirectory() as folder:
        draw(path, Path(folder), *found)
    print(path)


if "bpy" in sys.modules:
    run_inside(Path(sys.argv[-1]))
elif __name__ == "__main__":
    main()
