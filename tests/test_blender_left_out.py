"""What Cycles shows and our images do not: a scene for each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from blender_scenes import add, bpy_module, empty_scene, star_prism

from ddepth_gl.blender.render_engine import with_render_depsgraph
from ddepth_gl.blender.scene import blender_scene

bpy = bpy_module()


def material_of(obj: Any) -> tuple[Any, Any, Any]:
    """Give an object a material; return it, its shader and its output."""
    material = bpy.data.materials.new("clay")
    if bpy.app.version < (5, 0):
        material.use_nodes = True
    obj.data.materials.append(material)
    nodes = {each.type: each for each in material.node_tree.nodes}
    return material, nodes["BSDF_PRINCIPLED"], nodes["OUTPUT_MATERIAL"]


def displaced(scene: Any) -> None:
    material, _, output = material_of(add("cube"))
    node = material.node_tree.nodes.new("ShaderNodeDisplacement")
    material.node_tree.links.new(node.outputs[0], output.inputs["Displacement"])
    material.displacement_method = "DISPLACEMENT"


def bumped(scene: Any) -> None:
    displaced(scene)
    bpy.data.materials["clay"].displacement_method = "BUMP"


def adaptive(scene: Any) -> None:
    cube = add("cube")
    modifier = cube.modifiers.new("subdivision", "SUBSURF")
    scene.render.engine = "CYCLES"
    if hasattr(modifier, "use_adaptive_subdivision"):
        modifier.use_adaptive_subdivision = True
    else:
        scene.cycles.feature_set = "EXPERIMENTAL"
        cube.cycles.use_adaptive_subdivision = True


def transparent(scene: Any) -> None:
    material_of(add("cube"))[1].inputs["Alpha"].default_value = 0.5


def transparent_group(scene: Any) -> None:
    material, _, output = material_of(add("cube"))
    group = bpy.data.node_groups.new("group", "ShaderNodeTree")
    group.interface.new_socket("shader", in_out="OUTPUT", socket_type="NodeSocketShader")
    inner, end = group.nodes.new("ShaderNodeBsdfTransparent"), group.nodes.new("NodeGroupOutput")
    group.links.new(inner.outputs[0], end.inputs[0])
    node = material.node_tree.nodes.new("ShaderNodeGroup")
    node.node_tree = group
    material.node_tree.links.new(node.outputs[0], output.inputs["Surface"])


def particles(scene: Any) -> None:
    cube = add("cube")
    cube.modifiers.new("hair", "PARTICLE_SYSTEM")
    cube.particle_systems[0].settings.type = "HAIR"


def curves(scene: Any) -> None:
    star_prism()
    hair = bpy.data.hair_curves.new("curves")
    hair.add_curves([3])
    scene.collection.objects.link(bpy.data.objects.new("curves", hair))


def drawn(scene: Any) -> None:
    star_prism()
    # Before 5.0, the other name was that of an older kind. An empty collection is false.
    name = "grease_pencils_v3" if hasattr(bpy.data, "grease_pencils_v3") else "grease_pencils"
    kinds = getattr(bpy.data, name)
    scene.collection.objects.link(bpy.data.objects.new("drawing", kinds.new("drawing")))


def points(scene: Any) -> None:
    star_prism()
    cloud = bpy.data.objects.new("cloud", bpy.data.pointclouds.new("cloud"))
    scene.collection.objects.link(cloud)


def smoke(scene: Any) -> None:
    star_prism()
    scene.collection.objects.link(bpy.data.objects.new("fog", bpy.data.volumes.new("fog")))


def volume_material(scene: Any) -> None:
    material, _, output = material_of(add("cube"))
    node = material.node_tree.nodes.new("ShaderNodeVolumePrincipled")
    material.node_tree.links.new(node.outputs[0], output.inputs["Volume"])


def moving(scene: Any) -> None:
    star_prism()
    scene.render.use_motion_blur = True


def blurred(scene: Any) -> None:
    star_prism()
    scene.camera.data.dof.use_dof = True


def shadow(scene: Any) -> None:
    add("cube").is_shadow_catcher = True


def in_collection(scene: Any) -> Any:
    """Add a cube in a collection of its own, and return the collection in the view layer."""
    cube, group = add("cube"), bpy.data.collections.new("group")
    scene.collection.children.link(group)
    for each in cube.users_collection:
        each.objects.unlink(cube)
    group.objects.link(cube)
    return scene.view_layers[0].layer_collection.children["group"]


def holdout(scene: Any) -> None:
    add("cube").is_holdout = True


def holdout_collection(scene: Any) -> None:
    place = in_collection(scene)
    place.holdout = place.indirect_only = True  # still a holdout for the camera


def holdout_of_instances(scene: Any) -> None:
    in_collection(scene).exclude = True
    empty = bpy.data.objects.new("empty", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", bpy.data.collections["group"]
    empty.is_holdout = True
    scene.collection.objects.link(empty)


def portal(scene: Any) -> None:
    material, _, output = material_of(add("cube"))
    node = material.node_tree.nodes.new("ShaderNodeBsdfRayPortal")
    material.node_tree.links.new(node.outputs[0], output.inputs["Surface"])


def overridden(scene: Any) -> None:
    material_of(add("cube"))
    transparent(scene)
    material = bpy.data.materials["clay.001"]
    for obj in bpy.data.objects:
        if obj.type == "MESH":
            obj.data.materials[0] = bpy.data.materials["clay"]
    scene.view_layers[0].material_override = material


def stereo(scene: Any) -> None:
    star_prism()
    scene.render.use_multiview = True


def culled(scene: Any) -> None:
    star_prism()
    scene.render.use_simplify = True
    scene.cycles.use_distance_cull = True


def layers(scene: Any) -> None:
    star_prism()
    scene.view_layers.new("second")
    scene.view_layers.new("off").use = False


def plain(scene: Any) -> None:
    material_of(star_prism())


CASES: list[tuple[Callable[[Any], None], tuple[str, ...]]] = [
    (plain, ()),
    (bumped, ()),
    (displaced, ("displacement by materials: 1 (clay)",)),
    (adaptive, ("adaptive subdivision: 1 (Cube)",)),
    (transparent, ("alpha of materials: 1 (clay)",)),
    (transparent_group, ("alpha of materials: 1 (clay)",)),
    (particles, ("hair: 1 (Cube)",)),
    (curves, ("hair: 1 (curves)",)),
    (drawn, ("grease pencil: 1 (drawing)",)),
    (points, ("point clouds: 1 (cloud)",)),
    (smoke, ("volumes: 1 (fog)",)),
    (volume_material, ("volumes: 1 (clay)",)),
    (moving, ("motion blur: 1 (Scene)",)),
    (blurred, ("depth of field: 1 (camera)",)),
    (shadow, ("holdouts and shadow catchers, shown as objects: 1 (Cube)",)),
    (holdout, ("holdouts and shadow catchers, shown as objects: 1 (Cube)",)),
    (holdout_collection, ("holdouts and shadow catchers, shown as objects: 1 (Cube)",)),
    (holdout_of_instances, ("holdouts and shadow catchers, shown as objects: 1 (Cube)",)),
    (portal, ("alpha of materials: 1 (clay)",)),
    (overridden, ("alpha of materials: 1 (clay.001)",)),
    (stereo, ("stereoscopy: 1 (Scene)",)),
    (culled, ("culling by distance: 1 (Scene)",)),
    (layers, ("other view layers: 1 (second)",)),
]


@pytest.mark.parametrize(("make", "expected"), CASES, ids=[make.__name__ for make, _ in CASES])
def test_left_out(make: Callable[[Any], None], expected: tuple[str, ...]) -> None:
    scene = empty_scene()
    make(scene)
    found = with_render_depsgraph(scene, blender_scene)
    assert found.left_out == expected
    assert found.mesh.source.left_out == expected


def test_kinds_are_counted() -> None:
    scene = empty_scene()
    for _ in range(5):
        transparent(scene)
    moving(scene)
    assert with_render_depsgraph(scene, blender_scene).left_out == (
        "alpha of materials: 5 (clay, clay.001, clay.002, ...)",
        "motion blur: 1 (Scene)",
    )


def test_fog_has_no_faces() -> None:
    """Rays pass the faces of a material that is a volume alone, as in Cycles."""
    scene = empty_scene()
    fog = add("cube", size=9.0)
    fog.name = "fog"
    material, _, output = material_of(fog)
    material.node_tree.links.remove(output.inputs["Surface"].links[0])
    node = material.node_tree.nodes.new("ShaderNodeVolumePrincipled")
    material.node_tree.links.new(node.outputs[0], output.inputs["Volume"])
    mixed = add("cube", size=1.0)
    solid = bpy.data.materials.new("solid")
    mixed.data.materials.append(material)
    mixed.data.materials.append(solid)
    for polygon in mixed.data.polygons[:4]:
        polygon.material_index = 1
    found = with_render_depsgraph(scene, blender_scene)
    assert found.object_names == ("Cube",)
    assert len(found.mesh.faces) == 2 * 4
    assert found.mesh.polygon_id.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert found.left_out == ("volumes: 1 (clay)",)
