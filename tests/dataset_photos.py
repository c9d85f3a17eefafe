"""Photos of a mesh in each published layout, written by hand from renders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt
from shapes import box, merged

import ddepth_gl as dd

Floats = npt.NDArray[np.float64]


def crooked() -> dd.Mesh:
    """Return a mesh whose silhouettes tell all 24 rotations of axes apart, away from the origin."""
    bars = (
        box((0.0, 0.0, 0.0), (4.0, 1.0, 0.6)),
        box((0.0, 1.1, 0.0), (0.8, 3.0, 0.6)),
        box((3.0, 0.0, 0.7), (4.0, 0.7, 2.2)),
        box((1.2, 1.1, 0.1), (1.6, 1.7, 0.4)),
    )
    mesh = merged(*bars)
    return dd.Mesh(mesh.vertices + np.array([5.0, -2.0, 1.0]), mesh.faces)


def matrix_of(scale: float, rotation: npt.ArrayLike, offset: npt.ArrayLike) -> Floats:
    """Return a (4, 4) similarity."""
    matrix = np.eye(4)
    matrix[:3, :3] = scale * np.asarray(rotation)
    matrix[:3, 3] = offset
    return matrix


def in_blender(mesh: dd.Mesh) -> dd.Mesh:
    """Return a mesh with y up as rendering scripts have it in Blender: z up, in the unit box."""
    x, y, z = mesh.vertices.T
    points = np.stack([x, -z, y], axis=-1)
    low, high = points.min(axis=0), points.max(axis=0)
    return dd.Mesh((points - (low + high) / 2) / (high - low).max(), mesh.faces)


def around(mesh: dd.Mesh, count: int = 6, size: tuple[int, int] = (72, 64)) -> list[dd.Camera]:
    """Return cameras around a mesh, at several distances."""
    low, high = mesh.bounds
    center, reach = (low + high) / 2, float(np.linalg.norm(high - low))
    rng = np.random.default_rng(8)
    directions = rng.normal(size=(count, 3))
    return [
        dd.Camera.look_at(
            center + each / np.linalg.norm(each) * reach * rng.uniform(1.6, 2.2),
            center,
            fov_y_deg=45.0,
            width=size[0],
            height=size[1],
        )
        for each in directions
    ]


def photographed(
    renderer: dd.DepthRenderer, mesh: dd.Mesh, cameras: Sequence[dd.Camera], folder: Path
) -> list[dd.Camera]:
    """Write photos of a mesh as 000.png and so on; return the cameras with these names."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = renderer.upload(mesh)
    named = []
    for view, camera in enumerate(cameras):
        iio.imwrite(folder / f"{view:03d}.png", renderer.shade(scene, camera))
        named.append(replace(camera, name=f"{view:03d}.png"))
    scene.release()
    return named


def write_zero123(folder: Path, cameras: Sequence[dd.Camera]) -> None:
    """Write poses as Zero123 does: world to Blender's camera frame, y up and looking down -z."""
    for view, camera in enumerate(cameras):
        matrix = np.diag([1.0, -1.0, -1.0]) @ camera.camera_from_world[:3]
        np.save(folder / f"{view:03d}.npy", matrix)


def write_trellis(folder: Path, cameras: Sequence[dd.Camera]) -> None:
    """Write a transforms.json as TRELLIS does: a field of view per frame and no image size."""
    frames = [
        {
            "file_path": camera.name,
            "camera_angle_x": 2 * float(np.arctan(camera.width / 2 / camera.K[0, 0])),
            "transform_matrix": (
                np.linalg.inv(camera.camera_from_world) @ np.diag([1.0, -1.0, -1.0, 1.0])
            ).tolist(),
        }
        for camera in cameras
    ]
    head = {"aabb": [[-0.5] * 3, [0.5] * 3], "scale": 0.25, "offset": [0.0, 0.1, 0.2]}
    (folder / "transforms.json").write_text(json.dumps({**head, "frames": frames}))


def write_colmap(folder: Path, cameras: Sequence[dd.Camera]) -> None:
    """Write cameras.txt and images.txt, with one PINHOLE camera for each image."""
    folder.mkdir(parents=True)
    intrinsics, images = [], []
    for number, camera in enumerate(cameras, start=1):
        K = camera.K
        sizes = f"{camera.width} {camera.height}"
        values = " ".join(repr(float(each)) for each in (K[0, 0], K[1, 1], K[0, 2], K[1, 2]))
        intrinsics.append(f"{number} PINHOLE {sizes} {values}")
        pose = (*quaternion(camera.camera_from_world[:3, :3]), *camera.camera_from_world[:3, 3])
        numbers = " ".join(repr(float(each)) for each in pose)
        images.append(f"{number} {numbers} {number} {camera.name}\n")
    (folder / "cameras.txt").write_text("\n".join(intrinsics) + "\n")
    (folder / "images.txt").write_text("\n".join(images) + "\n")


def quaternion(rotation: Floats) -> Floats:
    """Return w, x, y, z of a rotation: the eigenvector of Bar-Itzhack's symmetric matrix."""
    (a, b, c), (d, e, f), (g, h, i) = rotation
    symmetric = np.array(
        [
            [a + e + i, h - f, c - g, d - b],
            [h - f, a - e - i, b + d, c + g],
            [c - g, b + d, e - a - i, f + h],
            [d - b, c + g, f + h, i - a - e],
        ]
    )
    found: Floats = np.linalg.eigh(symmetric)[1][:, -1]
    return found


def write_bop(scene: Path, cameras: Sequence[dd.Camera], object_id: int) -> None:
    """Write a scene with another object first in every image; pixel centers are at integers."""
    scene.mkdir(parents=True, exist_ok=True)
    views: dict[str, Any] = {}
    truth: dict[str, Any] = {}
    for view, camera in enumerate(cameras):
        K = camera.K.copy()
        K[:2, 2] -= 0.5
        views[str(view)] = {"cam_K": K.ravel().tolist(), "depth_scale": 1.0}
        pose = camera.camera_from_world
        truth[str(view)] = [
            {
                "obj_id": object_id + 1,
                "cam_R_m2c": np.eye(3).ravel().tolist(),
                "cam_t_m2c": [0] * 3,
            },
            {
                "obj_id": object_id,
                "cam_R_m2c": pose[:3, :3].ravel().tolist(),
                "cam_t_m2c": pose[:3, 3].tolist(),
            },
        ]
    (scene / "scene_camera.json").write_text(json.dumps(views))
    (scene / "scene_gt.json").write_text(json.dumps(truth))
