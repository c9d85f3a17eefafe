"""Photos by Cycles whose poses are written in wrong conventions: the check names every one."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_scenes import bpy_module, empty_scene

from ddepth_gl.blender.photo import render_photo

bpy = bpy_module()
for _package in ("pydantic", "fsspec", "yaml", "typer", "psutil"):
    pytest.importorskip(_package, reason="needs ddepth-gl[dataset]")
parquet = pytest.importorskip("pyarrow.parquet", reason="needs ddepth-gl[dataset]")

from ddepth_gl.dataset.entries import escaped_id  # noqa: E402

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


def photographed(generator: np.random.Generator, folder: Path) -> tuple[list[Any], float]:
    """Save an object as ``folder.blend`` and its photos in the folder; return poses and angle."""
    scene = empty_scene(SIZE, SIZE)
    object_of(generator)
    bpy.ops.wm.save_as_mainfile(filepath=f"{folder}.blend")
    folder.mkdir()
    poses = []
    for view in range(VIEWS):
        look(scene.camera, 1.05 * view + generator.uniform(0, 0.5), generator.uniform(-0.4, 1))
        render_photo(scene, folder / f"{view}.png", "cycles", samples=1)
        poses.append(np.array(scene.camera.matrix_world, float))
    return poses, scene.camera.data.angle


def write_poses(folder: Path, poses: list[Any], angle: float) -> None:
    """Write the poses of photos as NeRF has them."""
    frames = [
        {"file_path": f"{view}.png", "transform_matrix": pose.tolist()}
        for view, pose in enumerate(poses)
    ]
    document = {"camera_angle_x": angle, "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(document))


@pytest.mark.slow
def test_wrong_conventions_are_named(tmp_path: Path) -> None:
    """`ddepth dataset` blames all objects whose poses are wrong, and no others."""
    generator = np.random.default_rng(3)
    mistakes = list(MISTAKES.items())
    wrong = set()
    for number in range(OBJECTS):
        right = tmp_path / f"{number:02d}_right"
        poses, angle = photographed(generator, right)
        write_poses(right, poses, angle)
        name, change = mistakes[number % len(mistakes)]
        copy = tmp_path / f"{number:02d}_{name}"
        shutil.copytree(right, copy)
        shutil.copy(f"{right}.blend", f"{copy}.blend")
        write_poses(copy, [change(pose) for pose in poses], angle)
        wrong.add(escaped_id(f"{copy.name}.blend"))
    photos = ["--photos", f"{tmp_path}/{{stem}}", "--min-iou", "0.9", "--workers", "1"]
    out = tmp_path / "out"
    command = [sys.executable, "-m", "ddepth_gl", "dataset", "*.blend", "-o", str(out), *photos]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = parquet.read_table(out / "index.parquet").to_pylist()
    assert len(rows) == 2 * OBJECTS * VIEWS
    corrected = {row["id"] for row in rows if row["pose_correction"] is not None}
    left_out = {row["id"] for row in rows if row["left_out"]}
    assert corrected | left_out == wrong
