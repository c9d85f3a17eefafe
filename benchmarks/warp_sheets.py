"""Both sheets by rays of Warp, for gpu_peers.py; importing this module needs Warp.

Run on Warp's CPU device only, so far.
"""
# mypy: ignore-errors
# Annotations of kernels are Warp's types.

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import warp as wp

import ddepth_gl as dd


@wp.kernel
def _cast(
    bvh: wp.uint64,
    center: wp.vec3,
    ray_of_pixel: wp.mat33,
    end: wp.float32,
    entry: wp.array2d(dtype=wp.float32),
    exit_: wp.array2d(dtype=wp.float32),
):
    row, column = wp.tid()
    ray = ray_of_pixel * wp.vec3(float(column) + 0.5, float(row) + 0.5, 1.0)
    # Warp normalizes no directions, so distances along these rays are depths.
    forward = wp.mesh_query_ray(bvh, center, ray, end)
    backward = wp.mesh_query_ray(bvh, center + end * ray, -ray, end)
    entry[row, column] = wp.nan
    exit_[row, column] = wp.nan
    if forward.result:
        entry[row, column] = forward.t
    if backward.result:
        exit_[row, column] = end - backward.t


def warp_sheets(
    mesh: dd.Mesh, cameras: list[dd.Camera], device: str = "cuda"
) -> Callable[[], tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Return a call that casts a ray of each pixel from the camera, and one back from behind.

    It returns entry and exit of the first camera; see `SheetsCall` in gpu_peers.py.
    """
    vertices = wp.array(mesh.vertices.astype(np.float32), dtype=wp.vec3, device=device)
    indices = wp.array(mesh.faces.reshape(-1).astype(np.int32), dtype=wp.int32, device=device)
    bvh = wp.Mesh(points=vertices, indices=indices)
    shape = (cameras[0].height, cameras[0].width)
    views = []
    for camera in cameras:
        world_from_camera = camera.camera_from_world[:3, :3].T
        ray_of_pixel = wp.mat33(*(world_from_camera @ np.linalg.inv(camera.K)).ravel().tolist())
        end = 1.5 * float(camera.project(mesh.vertices)[1].max())
        images = [wp.empty(shape=shape, dtype=wp.float32, device=device) for _ in range(2)]
        views.append((wp.vec3(*camera.center.tolist()), ray_of_pixel, end, *images))

    def call() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        for view in views:
            wp.launch(_cast, dim=shape, inputs=[bvh.id, *view], device=device)
        sheets = views[0][3].numpy(), views[0][4].numpy()
        wp.synchronize_device(device)
        return sheets

    return call
