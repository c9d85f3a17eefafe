"""Program: install the extension in a fresh profile of Blender, run it, read back, disable it.

Arguments: the zip, a folder for files. It prints a JSON object.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import bpy

MODULE = "bl_ext.user_default.double_depth"


def children() -> list[str]:
    """Return the commands of the child processes."""
    pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in pids]


def ours() -> dict[str, Any]:
    """Return everything in Blender that belongs to the extension."""
    return {
        "types": [name for name in dir(bpy.types) if "DDEPTH" in name],
        "property": hasattr(bpy.types.Scene, "double_depth"),
        "operators": dir(bpy.ops.double_depth),
        "engine": bpy.types.RenderEngine.bl_rna_get_subclass_py("DDEPTH_GL") is not None,
        "images": [image.name for image in bpy.data.images if image.name.startswith("Depth")],
        "children": [each for each in children() if "hand_over_main" in each],
        "addons": [
            each.module for each in bpy.context.preferences.addons if "depth" in each.module
        ],
    }


def main() -> None:
    """Install, run, read back and disable."""
    archive, folder = sys.argv[1:]
    before = ours()
    bpy.ops.extensions.package_install_files(
        filepath=archive, repo="user_default", enable_on_install=True
    )
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 48, 32
    settings = scene.double_depth
    settings.folder, settings.write_view = folder, True
    settings.formats = {"npz", "exr", "photo"}
    bpy.ops.double_depth.view()
    import numpy as np

    import ddepth_gl as dd

    maps = dd.load_npz(Path(folder) / "untitled_0001.npz")
    assert isinstance(maps, dd.DepthMaps)
    image = bpy.data.images["Depth entry"]
    pixels = np.empty(48 * 32 * 4, np.float32)
    image.pixels.foreach_get(pixels)
    shown = pixels.reshape(32, 48, 4)[::-1]
    enabled = ours()
    # Blender looks there last, after packages of the Python that bpy is installed in.
    (site,) = Path(bpy.utils.user_resource("EXTENSIONS")).glob(".local/lib/*/site-packages")
    wheels = [each.name.partition(".")[0] for each in site.iterdir()]
    bpy.ops.preferences.addon_disable(module=MODULE)
    print(
        json.dumps(
            {
                "before": before,
                "enabled": enabled,
                "after": ours(),
                "path": dd.__file__,
                "wheels": wheels,
                "files": sorted(os.listdir(folder)),  # noqa: PTH208
                "equal": bool((shown[..., 0] == np.nan_to_num(maps.entry)).all()),
                "pixels": int(maps.mask.sum()),
                "depth": float(np.nanmin(maps.entry)),
            }
        )
    )


main()
