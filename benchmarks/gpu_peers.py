"""Both sheets by other programs on an NVIDIA GPU, for gpu.py: nvdiffrast and Warp.

Neither is needed: `peer_sheets` leaves out what is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

import ddepth_gl as dd

Sheets = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

# Renders entry and exit of several cameras in one call; returns those of the first as z-depth, NaN
# for a miss, with row 0 at the top. Everything stays on the device but for these.
SheetsCall = Callable[[], Sheets]


def peer_sheets(
    mesh: dd.Mesh, cameras: list[dd.Camera], report: Callable[[str], object]
) -> Iterator[tuple[str, SheetsCall]]:
    """Yield the name of each peer that can be used, and its call.

    Args:
        mesh: the mesh; each peer uploads it before the call.
        cameras: perspective, of one size.
        report: takes a line on each peer that is left out.
    """
    for name, build in (("nvdiffrast", nvdiffrast_sheets), ("Warp", _warp_sheets)):
        try:
            call = build(mesh, cameras)
            call()
        except Exception as error:  # not installed, not built for this GPU, out of memory, ...
            report(f"{name} is left out: {type(error).__name__}: {error}")
        else:
            yield name, call


# Vertices that nvdiffrast transforms and rasterizes in one call, of all cameras together.
_MAX_VERTICES_AT_ONCE = 1 << 24


def nvdiffrast_sheets(mesh: dd.Mesh, cameras: list[dd.Camera]) -> SheetsCall:
    """Return nvdiffrast's way: its depth test finds the entry, and the exit with z negated.

    These are the nearest and the farthest face: for a closed mesh seen from outside, the entry and
    the exit. Each call transforms the vertices, as ours do.
    """
    import nvdiffrast.torch as dr
    import torch

    context = dr.RasterizeCudaContext()
    triangles = torch.tensor(mesh.faces.astype(np.int32), device="cuda")
    points = np.concatenate([mesh.vertices, np.ones((len(mesh.vertices), 1))], axis=1)
    vertices = torch.tensor(points.astype(np.float32), device="cuda")
    size = [cameras[0].height, cameras[0].width]
    planes = [_depth_planes(mesh, camera) for camera in cameras]
    matrices = torch.tensor(
        np.stack([clip_from_world(c, *p) for c, p in zip(cameras, planes, strict=True)]).astype(
            "f4"
        ),
        device="cuda",
    )
    flip = torch.tensor([1.0, 1.0, -1.0, 1.0], device="cuda")
    batches = torch.split(matrices, max(1, _MAX_VERTICES_AT_ONCE // len(vertices)))
    near, far = planes[0]

    def depth(rasterized: Any, sign: float) -> Any:
        """Return z-depth of the first camera from z/w; NaN for a miss."""
        ndc = sign * rasterized[0, ..., 2].double()
        z = 2 * far * near / (far + near - ndc * (far - near))
        return torch.where(rasterized[0, ..., 3] > 0, z, torch.nan).float().cpu().numpy()

    def call() -> Sheets:
        first: list[Any] = []
        for batch in batches:
            positions = vertices @ batch.transpose(1, 2)
            for clip in (positions, positions * flip):
                rasterized, _ = dr.rasterize(context, clip, triangles, size, grad_db=False)
                first.append(rasterized)
            del first[2:]
        sheets = depth(first[0], 1.0), depth(first[1], -1.0)
        torch.cuda.synchronize()
        return sheets

    return call


def _depth_planes(mesh: dd.Mesh, camera: dd.Camera) -> tuple[float, float]:
    """Return a near and a far plane around a mesh in front of the camera."""
    _, depth = camera.project(mesh.vertices)
    return 0.99 * float(depth.min()), 1.01 * float(depth.max())


def clip_from_world(camera: dd.Camera, near: float, far: float) -> npt.NDArray[np.float64]:
    """Return the (4, 4) matrix to OpenGL's clip coordinates, with row 0 of the image at y = -1."""
    pixels_to_ndc = np.array([(2 / camera.width, 0, -1), (0, 2 / camera.height, -1)])
    clip = np.zeros((4, 4))
    clip[:2, :3] = pixels_to_ndc @ camera.K
    clip[2, 2:] = (far + near) / (far - near), -2 * far * near / (far - near)
    clip[3, 2] = 1
    return clip @ camera.camera_from_world


def _warp_sheets(mesh: dd.Mesh, cameras: list[dd.Camera]) -> SheetsCall:
    from warp_sheets import warp_sheets  # needs Warp

    return warp_sheets(mesh, cameras)
