"""What people render data sets with now, for dataset.py: entry and exit of ray casters, photos.

Each is a script of its own, as it would be written for one of these libraries: it loads a mesh,
renders its views one after the other, and writes a file or two for each.

    python benchmarks/dataset_peers.py NAME JOB.json

It needs nothing of this package, so another Python, with other packages, may run it. The job has
the meshes with their cameras, and the folder to write to:
``{"meshes": {NAME: {"path": ..., "cameras": [...]}}, "out": ...}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

STEPS = 65_535  # of 16-bit images


def camera_rays(camera: dict[str, Any]) -> tuple[Array, Array]:
    """Return origin and directions of all pixels' rays, which advance by 1 in depth; float32."""
    u, v = np.meshgrid(np.arange(camera["width"]) + 0.5, np.arange(camera["height"]) + 0.5)
    pixels = np.stack([u, v, np.ones_like(u)], -1).reshape(-1, 3)
    pose = np.array(camera["camera_from_world"])
    along = pixels @ np.linalg.inv(camera["K"]).T @ pose[:3, :3]
    return (-pose[:3, :3].T @ pose[:3, 3]).astype("f4"), along.astype("f4")


def farthest_depth(vertices: Array, cameras: list[dict[str, Any]]) -> float:
    """Return a depth that no vertex exceeds in any view."""
    center = vertices.mean(0)
    radius = np.linalg.norm(vertices - center, axis=1).max()
    poses = np.array([camera["camera_from_world"] for camera in cameras])
    return float((poses[:, 2, :3] @ center + poses[:, 2, 3]).max() + radius)


def open3d_sheets(path: str, cameras: list[dict[str, Any]], out: Path) -> None:
    """Cast forward and, from behind the mesh, backward; write 16-bit images."""
    import imageio.v3 as iio
    import open3d as o3d

    mesh = o3d.t.geometry.TriangleMesh.from_legacy(o3d.io.read_triangle_mesh(path))
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(mesh)
    end = 1.1 * farthest_depth(mesh.vertex.positions.numpy(), cameras)
    (out / "scale.json").write_text(json.dumps(end / STEPS))
    for view, camera in enumerate(cameras):
        start, along = camera_rays(camera)
        shape = camera["height"], camera["width"]
        starts = np.broadcast_to(start, along.shape)
        entry, behind = (
            scene.cast_rays(o3d.core.Tensor(np.hstack(rays)))["t_hit"].numpy().reshape(shape)
            for rays in ((starts, along), (starts + np.float32(end) * along, -along))
        )
        for name, depth in (("entry", entry), ("exit", end - behind)):
            steps = np.where(np.isfinite(depth), depth * (STEPS / end), 0)
            iio.imwrite(out / f"{view:03d}.{name}.png", np.rint(steps).astype(np.uint16))


def trimesh_sheets(path: str, cameras: list[dict[str, Any]], out: Path) -> None:
    """Find all hits of every ray; write the first and the last as compressed NumPy arrays."""
    import trimesh
    from trimesh.ray.ray_pyembree import RayMeshIntersector

    mesh = trimesh.load(path, process=False, force="mesh")
    intersector = RayMeshIntersector(mesh)
    for view, camera in enumerate(cameras):
        start, along = camera_rays(camera)
        starts = np.broadcast_to(start, along.shape)
        points, ray, _ = intersector.intersects_location(starts, along, multiple_hits=True)
        pose = np.array(camera["camera_from_world"])
        depth = points @ pose[2, :3] + pose[2, 3]
        entry, exit_ = np.full(len(along), np.inf), np.full(len(along), -np.inf)
        np.minimum.at(entry, ray, depth)
        np.maximum.at(exit_, ray, depth)
        shape = camera["height"], camera["width"]
        sheets = [
            np.where(np.isfinite(depths), depths, np.nan).astype("f4").reshape(shape)
            for depths in (entry, exit_)
        ]
        np.savez_compressed(out / f"{view:03d}.npz", entry=sheets[0], exit=sheets[1])


def pyrender_photos(path: str, cameras: list[dict[str, Any]], out: Path) -> None:
    """Render photos with pyrender's offscreen renderer; write them with alpha."""
    import os

    os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    import imageio.v3 as iio
    import pyrender
    import trimesh

    mesh = trimesh.load(path, process=False, force="mesh")
    far = 2 * farthest_depth(np.asarray(mesh.vertices), cameras)
    size = cameras[0]["width"], cameras[0]["height"]
    renderer = pyrender.OffscreenRenderer(*size)
    scene = pyrender.Scene(bg_color=(0, 0, 0, 0), ambient_light=(0.3, 0.3, 0.3))
    scene.add(pyrender.Mesh.from_trimesh(mesh, smooth=False))
    flags = pyrender.RenderFlags.RGBA | pyrender.RenderFlags.SKIP_CULL_FACES
    light = scene.add(pyrender.DirectionalLight(intensity=3.0))
    for view, camera in enumerate(cameras):
        intrinsics = np.array(camera["K"])
        lens = pyrender.IntrinsicsCamera(
            *(intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]),
            znear=far / 1000,
            zfar=far,
        )
        pose = np.linalg.inv(camera["camera_from_world"]) @ np.diag([1, -1, -1, 1])
        node = scene.add(lens, pose=pose)
        scene.set_pose(light, pose)
        image, _ = renderer.render(scene, flags=flags)
        iio.imwrite(out / f"{view:03d}.png", image)
        scene.remove_node(node)
    renderer.delete()


PEERS: dict[str, Callable[[str, list[dict[str, Any]], Path], None]] = {
    "Open3D": open3d_sheets,
    "trimesh + embreex": trimesh_sheets,
    "pyrender": pyrender_photos,
}


def main(name: str, job: str) -> None:
    """Render all meshes of a job."""
    described = json.loads(Path(job).read_text(encoding="utf-8"))
    for mesh, about in described["meshes"].items():
        out = Path(described["out"], mesh)
        out.mkdir(parents=True)
        PEERS[name](about["path"], about["cameras"], out)


if __name__ == "__main__":
    main(*sys.argv[1:])
