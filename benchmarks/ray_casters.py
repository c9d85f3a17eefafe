"""The ways that peers.py compares: this package, Open3D, and trimesh with embreex."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import open3d as o3d
import trimesh
from cases import equal_cameras
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from trimesh.ray.ray_pyembree import RayMeshIntersector

import ddepth_gl as dd

Array = npt.NDArray[Any]

ATTRIBUTES = ("face", "normal", "barycentric")  # what ray casters return of each hit

EMBREE_MISS = 1e37  # embreex returns more than this as the distance of a ray that hits nothing


@dataclass
class Crossings:
    """The crossings of an image: `count` per pixel, and their depths, sorted by pixel and depth."""

    count: Array
    depth: Array


@dataclass
class Way:
    """A way to a result: the call to time, and a function that extracts crossings to compare.

    `crossings` returns one item per image: entry and exit for the sheets, one image for all layers.
    """

    call: Callable[[], Any]
    crossings: Callable[[Any], list[Crossings]]


class Rays:
    """Every pixel's ray, forward from the camera and backward from behind the mesh.

    Rays are float32, as Embree takes them. They advance by 1 in depth, so distances along them are
    depths, counted from either end.

    Args:
        mesh: the mesh, in front of the camera.
        camera: the camera.
    """

    def __init__(self, mesh: dd.Mesh, camera: dd.Camera) -> None:
        u, v = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
        pixels = np.stack([u, v, np.ones_like(u)], -1).reshape(-1, 3)
        along = pixels @ np.linalg.inv(camera.K).T @ camera.camera_from_world[:3, :3]
        start = np.broadcast_to(camera.center, along.shape)
        self.camera, self.count = camera, len(along)
        self.end = float(camera.project(mesh.vertices)[1].max()) * 1.5
        self.forward = start.astype(np.float32), along.astype(np.float32)
        self.backward = (start + self.end * along).astype(np.float32), -self.forward[1]

    def sheets(self, distances: list[Array]) -> list[Crossings]:
        """Return entry and exit from the distances that the forward and the backward cast found."""
        entry, from_behind = (
            np.where(distance < EMBREE_MISS, distance, np.inf).reshape(-1) for distance in distances
        )
        return [sheet_crossings(entry), sheet_crossings(self.end - from_behind)]

    def layers(self, pixel: Array, depth: Array) -> list[Crossings]:
        """Return all crossings from their pixels and depths, in any order."""
        count = np.bincount(pixel, minlength=self.count)
        return [Crossings(count, depth[np.lexsort((depth, pixel))])]


def sheet_crossings(depth: Array) -> Crossings:
    """Return the crossings of one sheet; its misses are not finite."""
    hit = np.isfinite(depth)
    return Crossings(hit.reshape(-1).astype(int), depth[hit])


def our_ways(renderer: dd.DepthRenderer, scene: dd.Scene, camera: dd.Camera) -> dict[str, Way]:
    """Return this package's ways to both sheets, the same with attributes, and all layers."""
    # On an open mesh rays also see faces from behind; that is what "any" is for.
    surfaces: Literal["oriented", "any"] = "oriented" if scene.mesh.is_oriented else "any"
    cameras = equal_cameras(camera)
    return {
        "sheets": Way(
            lambda: renderer.entry_exit(scene, next(cameras), surfaces=surfaces),
            lambda maps: [sheet_crossings(maps.entry), sheet_crossings(maps.exit)],
        ),
        "attributes": Way(
            lambda: renderer.entry_exit(
                scene, next(cameras), surfaces=surfaces, attributes=ATTRIBUTES
            ),
            lambda maps: [sheet_crossings(maps.entry), sheet_crossings(maps.exit)],
        ),
        "layers": Way(
            lambda: renderer.peel(scene, next(cameras)),
            lambda layers: [Crossings(np.diff(layers.offsets), layers.depth)],
        ),
    }


def open3d_ways(mesh: dd.Mesh, rays: Rays) -> dict[str, Way]:
    """Return the ways of Open3D's RaycastingScene."""
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32))
    forward, backward = (o3d.core.Tensor(np.hstack(ray)) for ray in (rays.forward, rays.backward))

    def sheets() -> list[Array]:
        return [scene.cast_rays(ray)["t_hit"].numpy() for ray in (forward, backward)]

    def attributes() -> list[dict[str, Array]]:
        return [
            {name: values.numpy() for name, values in scene.cast_rays(ray).items()}
            for ray in (forward, backward)
        ]

    def layers() -> tuple[Array, Array]:
        hits = scene.list_intersections(forward)
        return hits["ray_ids"].numpy(), hits["t_hit"].numpy()

    return {
        "sheets": Way(sheets, rays.sheets),
        "attributes": Way(attributes, lambda hits: rays.sheets([hit["t_hit"] for hit in hits])),
        "layers": Way(layers, lambda hits: rays.layers(*hits)),
    }


def trimesh_ways(mesh: dd.Mesh, rays: Rays) -> dict[str, Way]:
    """Return the ways of embreex (both sheets) and of trimesh with embreex (all layers)."""
    scene = EmbreeScene()
    TriangleMesh(scene=scene, vertices=mesh.vertices.astype(np.float32), indices=mesh.faces)
    intersector = RayMeshIntersector(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False))

    def sheets() -> list[Array]:
        return [scene.run(*ray, query="DISTANCE") for ray in (rays.forward, rays.backward)]

    def attributes() -> list[dict[str, Array]]:
        return [scene.run(*ray, output=True) for ray in (rays.forward, rays.backward)]

    def layers() -> tuple[Array, Array]:
        points, pixel, _ = intersector.intersects_location(*rays.forward, multiple_hits=True)
        return pixel, points

    def layer_crossings(hits: tuple[Array, Array]) -> list[Crossings]:
        pixel, points = hits
        return rays.layers(pixel, rays.camera.project(points)[1])

    return {
        "sheets": Way(sheets, rays.sheets),
        "attributes": Way(attributes, lambda hits: rays.sheets([hit["tfar"] for hit in hits])),
        "layers": Way(layers, layer_crossings),
    }


PEERS = {"Open3D": open3d_ways, "trimesh + embreex": trimesh_ways}
