"""Photos by Cycles whose poses are written in wrong conventions: the check names every one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_scenes import bpy_module, empty_scene

import ddepth_gl as dd
from ddepth_gl.blender.photo import render_photo
from ddepth_gl.blender.render_engine import with_render_depsgraph
from ddepth_gl.blender.scene import blender_scene

bpy = bpy_module()
for _package in ("pydantic", "fsspec", "yaml"):
    pytest.importorskip(_package, reason="needs ddepth-gl[dataset]")

from ddepth_gl.dataset.config_groups import NormalizationConfig, PhotosConfig  # noqa: E402
from ddepth_gl.dataset.corrections import matched_photos  # noqa: E402
from ddepth_gl.dataset.entries import MeshEntry  # noqa: E402
from ddepth_gl.dataset.normalization import normalized  # noqa: E402
from ddepth_gl.dataset.photo_files import PhotoFiles  # noqa: E402

OBJECTS, VIEWS, SIZE = 20, 6, 64
Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def object_of(generator: np.random.Generator) -> None:
    """Add an object without symmetry: three boxes and a cone that grow into each other."""
    bpy.ops.mesh.primitive_cone_add(vertices=7, radius1=0.5, depth=1.6, location=(0.4, -0.2, 0.9))
    for _ in range(3):
        bpy.ops.mesh.primitive_cube_add(size=1.0, location=generator.uniform(-0.7, 0.7, 3))
        bpy.context.object.scale = generator.uniform(0.3, 1.7, 3)
        bpy.context.object.rotation_euler = generator.uniform(0, 3, 3)


def look(camera: Any, azimuth: float, elevation: float) -> None:
    reach = 6.5
    camera.location = (
        reach * math.cos(elevation) * math.sin(azimuth),
        -reach * math.cos(elevation) * math.cos(azimuth),
        reach * math.sin(elevation),
    )
    camera.rotation_euler = (math.pi / 2 - elevation, 0.0, azimuth)
    bpy.context.view_layer.update()


# Mistakes that people make: what is written in place of the pose, world_from_camera in OpenGL axes.
MISTAKES = {
    "y_up_of_the_world": lambda pose: Y_UP @ pose,
    "z_up_of_a_world_of_y": lambda pose: np.linalg.inv(Y_UP) @ pose,
    "axes_of_opencv": lambda pose: pose @ np.diag([1.0, -1.0, -1.0, 1.0]),
    "inverse": np.linalg.inv,
    "centimeters": lambda pose: np.vstack([np.c_[pose[:3, :3], pose[:3, 3] * 100], pose[3:]]),
}


@pytest.mark.slow
def test_wrong_conventions_are_named(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    unnamed, blamed = [], []
    with dd.DepthRenderer() as renderer:
        for number in range(OBJECTS):
            scene = empty_scene(SIZE, SIZE)
            object_of(generator)
            folder = tmp_path / str(number)
            folder.mkdir()
            poses = []
            for view in range(VIEWS):
                look(
                    scene.camera,
                    1.05 * view + generator.uniform(0, 0.5),
                    generator.uniform(-0.4, 1),
                )
                render_photo(scene, folder / f"{view}.png", "cycles", samples=1)
                poses.append(np.array(scene.camera.matrix_world, float))
            mesh = with_render_depsgraph(scene, blender_scene).mesh
            angle = scene.camera.data.angle
            mistake = list(MISTAKES)[number % len(MISTAKES)]
            for name, change in (("right", lambda pose: pose), (mistake, MISTAKES[mistake])):
                frames = [
                    {"file_path": f"{view}.png", "transform_matrix": change(pose).tolist()}
                    for view, pose in enumerate(poses)
                ]
                document = {"camera_angle_x": angle, "frames": frames}
                (folder / "transforms.json").write_text(json.dumps(document))
                config = PhotosConfig(folder=str(folder))
                entry = MeshEntry("object", str(folder / "object.blend"))
                placed, placement = normalized(mesh, NormalizationConfig())
                uploaded = renderer.upload(placed)
                found = matched_photos(config, entry, mesh, placed, placement, renderer, uploaded)
                files = PhotoFiles(config, *found)
                views = renderer.entry_exit_many(uploaded, files.cameras)
                columns = [files.columns(k, maps.mask) for k, maps in enumerate(views)]
                agreement = np.mean([each["mask_iou"] for each in columns])
                is_named = columns[0]["pose_correction"] is not None or agreement < 0.9
                if name == "right" and is_named:
                    blamed.append((number, float(agreement)))
                elif name != "right" and not is_named:
                    unnamed.append((number, name, float(agreement)))
                uploaded.release()
    assert not blamed
    assert not unnamed
