"""Scenes of Blender that tests make, and what Blender itself finds in them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import ddepth_gl as dd

Floats = npt.NDArray[np.float64]
NEEDS_BPY = "needs bpy 4.5 or later (pip install bpy, for Python 3.11 or 3.13 alone)"


def bpy_module() -> Any:
    """Return bpy; skip the test where it is not installed."""
    return pytest.importorskip("bpy", reason=NEEDS_BPY, exc_type=ImportError)


def empty_scene(width: int = 96, height: int = 64) -> Any:
    """Return a scene without objects, with a camera 7 units in front of the origin, along +y."""
    bpy = bpy_module()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = width, height
    data = bpy.data.cameras.new("camera")
    data.lens = 45.0
    camera = bpy.data.objects.new("camera", data)
    camera.location = (0.6, -7.0, 0.8)
    camera.rotation_euler = (math.radians(83.0), 0.05, math.radians(5.0))
    scene.collection.objects.link(camera)
    scene.camera = camera
    return scene


def add(kind: str, **arguments: Any) -> Any:
    """Add a primitive such as "monkey", and return the object."""
    bpy = bpy_module()
    getattr(bpy.ops.mesh, f"primitive_{kind}_add")(**arguments)
    return bpy.context.object


def add_mesh(name: str, vertices: Any, polygons: Any) -> Any:
    """Add a mesh of given vertices and polygons, and return the object."""
    bpy = bpy_module()
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([list(map(float, v)) for v in vertices], [], polygons)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def star_prism(name: str = "star", points: int = 7) -> Any:
    """Add a prism whose caps are concave polygons of 2 * points corners."""
    count = 2 * points
    angles = np.arange(count) * math.pi / points
    radii = np.where(np.arange(count) % 2, 0.7, 1.7)
    flat = np.stack([radii * np.cos(angles), np.zeros(count), radii * np.sin(angles)], 1)
    depth = np.array([0, 0.4, 0])
    vertices = np.concatenate([flat - depth, flat + depth])
    sides = [(i, i + count, (i + 1) % count + count, (i + 1) % count) for i in range(count)]
    caps = [tuple(range(count)), tuple(range(2 * count - 1, count - 1, -1))]
    return add_mesh(name, vertices, [*caps, *sides])


def modifiers() -> Any:
    scene = empty_scene()
    monkey = add("monkey")
    subdivision = monkey.modifiers.new("subdivision", "SUBSURF")
    subdivision.levels = subdivision.render_levels = 1
    monkey.modifiers.new("solid", "SOLIDIFY").thickness = 0.07
    cube = add("cube", size=0.8, location=(1.3, 1.5, -1.0), rotation=(0.3, 0.2, 0.5))
    array = cube.modifiers.new("array", "ARRAY")
    array.count, array.relative_offset_displace = 3, (0.4, 0.7, 1.3)
    return scene


def instances() -> Any:
    bpy = bpy_module()
    scene = empty_scene()
    group = bpy.data.collections.new("group")
    for obj in (add("cone", vertices=9, location=(0.5, 0, 0)), add("torus", minor_segments=7)):
        for each in obj.users_collection:
            each.objects.unlink(obj)
        group.objects.link(obj)
    for place, scale in (((-1.4, 0, 0.8), 0.8), ((1.2, 0.5, -0.4), 1.1)):
        empty = bpy.data.objects.new("empty", None)
        empty.instance_type, empty.instance_collection = "COLLECTION", group
        empty.location, empty.rotation_euler = place, (0.9, 0.3, 1.0)
        empty.scale = (scale, scale * 1.2, -scale)
        scene.collection.objects.link(empty)
    return scene


def on_vertices() -> Any:
    """Make instances on vertices; only in renders is the instanced object itself not shown."""
    scene = empty_scene()
    points = add_mesh("points", [(-1, 0, -1.3), (0, 1, -1.2), (1, 0.5, 1.4)], [])
    child = add("cube", size=1.1, rotation=(0.3, 0.5, 0.7))
    child.parent, points.instance_type = points, "VERTS"
    return scene


def concave() -> Any:
    scene = empty_scene()
    star_prism().rotation_euler = (0.4, 0.5, 0.3)
    return scene


def mirrored() -> Any:
    scene = empty_scene()
    cone = add("cone", vertices=7, location=(-1.2, 0, 0), rotation=(0.3, 0.8, 0.1))
    cone.scale = (-1.0, 1.0, 0.7)
    star = star_prism()
    star.location, star.scale = (1.0, 0.5, 0.2), (0.6, -0.9, 0.7)
    return scene


def nested() -> Any:
    scene = empty_scene()
    for size in (1.6, 1.1, 0.5):
        add("ico_sphere", subdivisions=2, radius=size, location=(0.1 * size, 0, 0.05))
    add("cube", size=0.4, location=(1.5, 0.3, 0.2), rotation=(0.2, 0.3, 0.4))
    return scene


def animated() -> Any:
    scene = empty_scene()
    torus = add("torus", major_segments=24, minor_segments=9)
    for obj, turn in ((torus, 2.0), (scene.camera, 0.1)):
        obj.keyframe_insert("rotation_euler", frame=1)
        obj.rotation_euler[0] += turn
        obj.keyframe_insert("rotation_euler", frame=11)
    scene.frame_set(7)
    return scene


def orthographic() -> Any:
    scene = concave()
    data = scene.camera.data
    data.type, data.ortho_scale, data.shift_x, data.shift_y = "ORTHO", 5.0, 0.05, -0.08
    return scene


def shifted() -> Any:
    scene = mirrored()
    data = scene.camera.data
    data.shift_x, data.shift_y, data.lens = 0.1, -0.12, 40.0
    return scene


def portrait() -> Any:
    scene = nested()
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = 119, 187, 50
    render.pixel_aspect_x, render.pixel_aspect_y = 1.0, 1.3
    scene.camera.data.sensor_fit, scene.camera.data.sensor_height = "VERTICAL", 30.0
    return scene


def border() -> Any:
    scene = modifiers()
    render = scene.render
    render.use_border = render.use_crop_to_border = True
    render.border_min_x, render.border_max_x = 0.23, 0.81
    render.border_min_y, render.border_max_y = 0.11, 0.74
    return scene


SCENES: dict[str, Callable[[], Any]] = {
    make.__name__: make
    for make in (
        *(modifiers, instances, concave, mirrored, nested, animated, orthographic, shifted),
        *(portrait, border),
    )
}


def cycles_depth(scene: Any, folder: Path) -> npt.NDArray[np.float32]:
    """Return the Z pass of Cycles at the centers of pixels: (H, W) float32, 1e10 for a miss."""
    return cycles_pass(scene, folder, "use_pass_z", ("Depth", "Z"))[..., 0]


def cycles_pass(
    scene: Any, folder: Path, switch: str | None, ending: tuple[str, ...], samples: int = 1
) -> npt.NDArray[np.float32]:
    """Render with Cycles; return the channels whose layer or pass has one of the names."""
    import OpenEXR

    bpy = bpy_module()
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device, cycles.samples, cycles.use_denoising = "CPU", samples, False
    # The first sample is at the center of the filter, and so of the pixel.
    cycles.pixel_filter_type, cycles.filter_width = "GAUSSIAN", 0.01
    cycles.use_adaptive_sampling = False
    if switch is not None:
        setattr(scene.view_layers[0], switch, True)
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # since 5.0
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format, settings.color_depth = "OPEN_EXR_MULTILAYER", "32"
    settings.exr_codec = "NONE"
    if hasattr(settings, "use_exr_interleave"):  # parts of a file must not have pixel aspects
        settings.use_exr_interleave = True
    scene.render.use_file_extension = True
    scene.render.filepath = str(folder / "cycles")
    bpy.ops.render.render(write_still=True)
    with OpenEXR.File(str(folder / "cycles.exr"), separate_channels=True) as file:
        channels = {name: each for part in file.parts for name, each in part.channels.items()}
        names = [n for n in channels if any(f".{each}" in n for each in ending)]
        return np.stack([channels[name].pixels for name in sorted(names)], -1)


def pixel_rays(camera: dd.Camera) -> tuple[Floats, Floats]:
    """Return origins and directions of all pixels, (H, W, 3) each, world frame; z grows by 1."""
    rows, columns = np.mgrid[: camera.height, : camera.width] + 0.5
    world_from_camera = np.linalg.inv(camera.camera_from_world)
    image = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(camera.K).T
    if camera.is_orthographic:
        origins = image * (1, 1, 0) @ world_from_camera[:3, :3].T + world_from_camera[:3, 3]
        directions = np.broadcast_to(world_from_camera[:3, 2], origins.shape)
    else:
        origins = np.broadcast_to(world_from_camera[:3, 3], image.shape)
        directions = image @ world_from_camera[:3, :3].T
    return origins, directions


def near_edges(mesh: dd.Mesh, camera: dd.Camera, reach: float = 1 / 128) -> npt.NDArray[np.bool_]:
    """Return the pixels whose centers are that near to an edge of a face, (H, W)."""
    points = mesh.vertices @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]
    if camera.is_orthographic:
        points[:, 2] = 1.0
    image = points @ camera.K.T
    image = image[:, :2] / image[:, 2:]
    sides = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    sides = np.unique(np.sort(sides, axis=1), axis=0)
    found = np.zeros((camera.height, camera.width), bool)
    for a, b in zip(image[sides[:, 0]], image[sides[:, 1]], strict=True):
        low = np.maximum(np.floor(np.minimum(a, b) - 1), 0).astype(int)
        high = np.minimum(np.ceil(np.maximum(a, b) + 1), (camera.width, camera.height)).astype(int)
        if (low >= high).any():
            continue
        rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5
        centers = np.stack([columns, rows], -1)
        along = b - a
        share = ((centers - a) @ along / max(along @ along, 1e-30)).clip(0, 1)
        distance = np.linalg.norm(centers - a - share[..., None] * along, axis=-1)
        found[low[1] : high[1], low[0] : high[0]] |= distance < reach
    return found
