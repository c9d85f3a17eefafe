"""Scenes of Blender against Blender itself: Cycles' Z pass, and casts of rays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_scenes import (
    SCENES,
    add,
    bpy_module,
    cycles_depth,
    empty_scene,
    near_edges,
    on_vertices,
    pixel_rays,
    star_prism,
)

import ddepth_gl as dd
from ddepth_gl.blender.cameras import blender_camera, blender_clip
from ddepth_gl.blender.mesh_data import mesh_arrays
from ddepth_gl.blender.render_engine import with_render_depsgraph
from ddepth_gl.blender.scene import BlenderScene, blender_scene

bpy = bpy_module()
TOLERANCE = 1e-5  # relative to depth, which Blender has in float32


@pytest.fixture(scope="module")
def renderer() -> Iterator[dd.DepthRenderer]:
    with dd.DepthRenderer() as one:
        yield one


def read(scene: Any, objects: str = "renderable") -> tuple[BlenderScene, dd.Camera]:
    def work(depsgraph: Any) -> tuple[BlenderScene, dd.Camera]:
        camera = blender_camera(depsgraph.scene, depsgraph.scene_eval.camera)
        return blender_scene(depsgraph, objects), camera

    return with_render_depsgraph(scene, work)


def blender_tree() -> Any:
    """Return a tree of all triangles as Blender has them, in world space."""
    from mathutils.bvhtree import BVHTree

    vertices: list[Any] = []
    polygons: list[list[int]] = []
    for instance in bpy.context.evaluated_depsgraph_get().object_instances:
        if instance.object.type != "MESH" or not instance.show_self:
            continue
        mesh, first = instance.object.to_mesh(), len(vertices)
        matrix = instance.matrix_world.copy()
        vertices += [matrix @ vertex.co for vertex in mesh.vertices]
        mesh.calc_loop_triangles()
        polygons += [[first + v for v in each.vertices] for each in mesh.loop_triangles]
        instance.object.to_mesh_clear()
    return BVHTree.FromPolygons(vertices, polygons)


@pytest.fixture(params=SCENES)
def scene(request: pytest.FixtureRequest) -> Any:
    return SCENES[request.param]()


@pytest.mark.parametrize("name", [*SCENES, "on_vertices"])
def test_entry_is_the_depth_of_cycles(name: str, tmp_path: Path, renderer: Any) -> None:
    scene = {**SCENES, "on_vertices": on_vertices}[name]()
    found, camera = read(scene)
    maps = renderer.entry_exit(
        renderer.upload(found.mesh), camera, surfaces="any", attributes=("face",)
    )
    cycles = cycles_depth(scene, tmp_path)
    assert cycles.shape == maps.entry.shape
    is_sure = ~near_edges(found.mesh, camera)
    hit = cycles < 1e9
    assert 0.1 < hit.mean() < 0.9
    assert is_sure.mean() > 0.8
    np.testing.assert_array_equal(hit[is_sure], ~np.isnan(maps.entry[is_sure]))
    sure_hit = hit & is_sure
    ours, theirs = (depth[sure_hit].astype(float) for depth in (maps.entry, cycles))
    error = np.abs(theirs - ours)
    # Where rays meet the planes of the faces, in float64.
    origins, directions = (each[sure_hit] for each in pixel_rays(camera))
    a, b, c = np.moveaxis(found.mesh.vertices[found.mesh.faces[maps.entry_face[sure_hit]]], 1, 0)
    normals = np.cross(b - a, c - a)
    exact = ((a - origins) * normals).sum(1) / (directions * normals).sum(1)
    off = np.abs(ours - exact)
    print(f"entry of {name}: at most {error.max():.1e}, {(error / ours).max():.1e} of the depth")
    print(f"from float64: Cycles {np.abs(theirs - exact).max():.1e}, ours {off.max():.1e}")
    assert (error / ours).max() <= TOLERANCE
    assert (off / exact).max() <= 2**-23  # a step of float32


def test_exit_is_the_first_hit_from_behind(scene: Any, renderer: Any) -> None:
    found, camera = read(scene)
    maps = renderer.entry_exit(renderer.upload(found.mesh), camera)
    tree = blender_tree()
    origins, directions = pixel_rays(camera)
    is_sure = ~near_edges(found.mesh, camera)
    reach = 12.0
    from mathutils import Vector

    for row, column in np.argwhere(is_sure):
        direction = directions[row, column]
        start = origins[row, column] + reach * direction
        hit = tree.ray_cast(Vector(start), Vector(-direction))
        if hit[0] is None:
            assert np.isnan(maps.exit[row, column])
            continue
        depth = reach - hit[3] / np.linalg.norm(direction)
        assert abs(depth - maps.exit[row, column]) <= TOLERANCE * depth, (row, column)


def test_layers_are_repeated_casts(scene: Any, renderer: Any) -> None:
    found, camera = read(scene)
    mesh = found.mesh
    layers = renderer.peel(renderer.upload(mesh), camera)
    first_polygon = {}
    for number in range(len(found.object_names)):
        first_polygon[number] = mesh.polygon_id[mesh.object_id == number].min()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    origins, directions = pixel_rays(camera)
    is_sure = ~near_edges(mesh, camera, 1 / 16)
    compared = 0
    for row, column in np.argwhere(is_sure)[::5]:
        pixel = row * camera.width + column
        own = slice(*layers.offsets[pixel : pixel + 2])
        direction, start = directions[row, column], origins[row, column]
        length = float(np.linalg.norm(direction))
        at, depths, polygons = 0.0, [], []
        while len(depths) < 50:
            hit, place, _, index, _, _ = bpy.context.scene.ray_cast(
                depsgraph, start + at * direction, direction
            )
            if not hit:
                break
            at = float((np.array(place) - start) @ direction) / length**2
            depths.append(at)
            polygons.append(index)
            at += 2e-5
        if any(np.diff(layers.depth[own]) < 1e-4):
            continue  # closer than Blender's casts can be apart
        compared += len(depths)
        assert len(depths) == own.stop - own.start, (row, column)
        np.testing.assert_allclose(depths, layers.depth[own], rtol=TOLERANCE)
        faces = layers.face[own]
        expected = [
            mesh.polygon_id[face] - first_polygon[mesh.object_id[face]] for face in faces.tolist()
        ]
        assert polygons == expected, (row, column)
    assert compared > 200


def plain_material(name: str, color: tuple[float, float, float]) -> Any:
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0):
        material.use_nodes = True
    node = next(each for each in material.node_tree.nodes if each.type == "BSDF_PRINCIPLED")
    node.inputs["Base Color"].default_value = (*color, 1.0)
    return material


def test_arrays_are_those_of_a_loop() -> None:
    scene = empty_scene()
    star = star_prism()
    for name in "ab":
        star.data.materials.append(plain_material(name, (1, 0, 0)))
    star.data.polygons[1].material_index = 1
    arrays = mesh_arrays(star.data)
    assert arrays.vertices.tolist() == [list(vertex.co) for vertex in star.data.vertices]
    triangles = list(star.data.loop_triangles)
    assert arrays.faces.tolist() == [list(each.vertices) for each in triangles]
    assert arrays.polygons.tolist() == [each.polygon_index for each in triangles]
    assert arrays.materials.tolist() == [each.material_index for each in triangles]
    assert len(set(arrays.polygons.tolist())) == 16 < len(triangles)
    assert len(read(scene)[0].mesh.faces) == len(triangles)


def test_objects_and_names() -> None:
    scene = empty_scene()
    kept, hidden = add("cube", size=1.0), add("cube", size=2.0)
    hidden.name, hidden.hide_render = "hidden", True
    unseen = add("cube", size=3.0)
    unseen.visible_camera = False
    bpy.ops.object.text_add(location=(0, 0, 1))
    bpy.ops.object.metaball_add(location=(0, 0, 3))
    found, _ = read(scene)
    assert sorted(found.object_names) == ["Cube", "Mball", "Text"]
    assert found.mesh.object_names == found.object_names
    for each in bpy.data.objects:
        each.select_set(each == kept)
    assert read(scene, "selected")[0].object_names == ("Cube",)
    outer, inner = bpy.data.collections.new("outer"), bpy.data.collections.new("inner")
    scene.collection.children.link(outer)
    outer.children.link(inner)
    inner.objects.link(bpy.data.objects["Text"])
    assert read(scene, "outer")[0].object_names == ("Text",)
    with pytest.raises(dd.MeshError, match=r"no collection 'wrong'; .* 'outer', 'inner'"):
        read(scene, "wrong")
    for each in bpy.data.objects:
        each.select_set(False)
    with pytest.raises(dd.MeshError, match="nothing selected that has faces"):
        read(scene, "selected")


def test_instances_are_numbered() -> None:
    names = read(SCENES["instances"]())[0].object_names
    assert sorted(names) == ["Cone #0", "Cone #1", "Torus #0", "Torus #1"]


def test_levels_are_those_of_renders() -> None:
    scene = empty_scene()
    modifier = add("cube").modifiers.new("subdivision", "SUBSURF")
    modifier.levels, modifier.render_levels = 0, 2
    assert len(read(scene)[0].mesh.faces) == 6 * 16 * 2
    viewport = blender_scene(bpy.context.evaluated_depsgraph_get())
    assert len(viewport.mesh.faces) == 6 * 2
    assert scene.render.engine != "DDEPTH_GL"


def test_mirrored_objects_stay_outward() -> None:
    mesh = read(SCENES["mirrored"]())[0].mesh
    assert mesh.is_closed
    assert mesh.is_oriented
    assert mesh.oriented_objects == {0, 1}


def test_colors_of_materials() -> None:
    scene = empty_scene()
    cube = add("cube")
    for name, color in (("red", (1, 0, 0)), ("gray", (0.2140411, 0.2140411, 0.2140411))):
        cube.data.materials.append(plain_material(name, color))
    cube.data.polygons[2].material_index = 1
    mesh = read(scene)[0].mesh
    of_faces = mesh.colors[mesh.faces]
    assert (of_faces == of_faces[:, :1]).all()
    is_gray = mesh.polygon_id == 2
    assert (of_faces[is_gray] == (127, 127, 127, 255)).all() or (of_faces[is_gray] == 128).any()
    assert (of_faces[~is_gray] == (255, 0, 0, 255)).all()
    assert mesh.is_closed


def test_cameras_against_calc_matrix_camera() -> None:
    generator = np.random.default_rng(5)
    scene = empty_scene()
    data = scene.camera.data
    for _ in range(60):
        width, height = generator.integers(20, 900, 2).tolist()
        scene.render.resolution_x, scene.render.resolution_y = width, height
        scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = generator.uniform(1, 2, 2)
        data.type = generator.choice(["PERSP", "ORTHO"])
        data.sensor_fit = generator.choice(["AUTO", "HORIZONTAL", "VERTICAL"])
        data.lens, data.ortho_scale = generator.uniform(8, 90), generator.uniform(0.5, 9)
        data.sensor_width, data.sensor_height = generator.uniform(10, 50, 2)
        data.shift_x, data.shift_y = generator.uniform(-0.5, 0.5, 2)
        bpy.context.view_layer.update()
        camera = blender_camera(scene, scene.camera)
        matrix = np.array(
            scene.camera.calc_matrix_camera(
                bpy.context.evaluated_depsgraph_get(),
                x=width,
                y=height,
                scale_x=scene.render.pixel_aspect_x,
                scale_y=scene.render.pixel_aspect_y,
            )
        )
        point = generator.uniform(-3, 3, 3) - (0, 0, 9)
        clip = matrix @ (*point, 1.0)
        expected = (clip[:2] / clip[3] * (1, -1) + 1) / 2 * (width, height)
        z = 1.0 if data.type == "ORTHO" else -point[2]
        found = camera.K @ (point[0], -point[1], z)
        assert (camera.width, camera.height) == (width, height)
        np.testing.assert_allclose(found[:2] / found[2], expected, rtol=2e-5, atol=2e-3)


def test_what_a_camera_must_be() -> None:
    scene = SCENES["border"]()
    data = scene.camera.data
    assert blender_clip(scene.camera) == (pytest.approx(0.1), pytest.approx(1000.0))
    scene.render.border_max_x = scene.render.border_min_x + 0.001
    with pytest.raises(dd.CameraError, match="the render region has no pixels; draw a larger"):
        blender_camera(scene, scene.camera)
    data.type = "PANO"
    with pytest.raises(dd.CameraError, match="of type PANO, which bends straight lines; set"):
        blender_camera(scene, scene.camera)
    scene.camera = None
    with pytest.raises(dd.CameraError, match="scene 'Scene' has no camera; add one"):
        blender_camera(scene, None)
    with pytest.raises(dd.CameraError, match="has no camera; add one"):
        with_render_depsgraph(scene, lambda depsgraph: None)


def test_errors_within_a_render_are_raised() -> None:
    scene = SCENES["concave"]()
    with pytest.raises(ZeroDivisionError):
        with_render_depsgraph(scene, lambda depsgraph: 1 / 0)
    scene.view_layers[0].use = False
    with pytest.raises(dd.RequestError, match="does not render scene 'Scene'"):
        with_render_depsgraph(scene, lambda depsgraph: 1)
