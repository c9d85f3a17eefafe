"""Lines about what Cycles shows and our images do not, with the objects that have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .materials import materials_of, output_node
from .open_blend import is_fluid

__all__ = ["LeftOut"]

_SHOWN_NAMES = 3
# Types of objects that Cycles renders and that have no faces.
_NO_FACES = {
    "CURVES": "hair",
    "GREASEPENCIL": "grease pencil",
    "GPENCIL": "grease pencil",
    "POINTCLOUD": "point clouds",
    "VOLUME": "volumes",
}
# Types of nodes that let rays pass.
_PASSES = ("BSDF_TRANSPARENT", "BSDF_RAY_PORTAL", "HOLDOUT")


class LeftOut:
    """Collector of what is left out, by kind."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, None]] = {}
        self._materials: dict[int, tuple[str, ...]] = {}

    def add(self, kind: str, name: str) -> None:
        """Note that an object, material or scene has something that is left out."""
        self._names.setdefault(kind, {})[name] = None

    def lines(self) -> tuple[str, ...]:
        """Return a line for each kind: ``volumes: 2 (smoke, fog)``."""
        return tuple(
            f"{kind}: {len(names)} ({', '.join([*names][:_SHOWN_NAMES])}"
            + (", ..." if len(names) > _SHOWN_NAMES else "")
            + ")"
            for kind, names in sorted(self._names.items())
        )

    def of_scene(self, scene: Any, camera: Any, layer: Any) -> None:
        """Note what a scene's settings add, its camera, and view layers besides the given one."""
        if scene.render.use_motion_blur:
            self.add("motion blur", scene.name)
        if scene.render.use_multiview:
            self.add("stereoscopy", scene.name)
        cycles = getattr(scene, "cycles", None)
        if scene.render.use_simplify and getattr(cycles, "use_distance_cull", False):
            self.add("culling by distance", scene.name)
        for other in scene.view_layers:
            if other.use and other.name != layer.name:
                self.add("other view layers", other.name)
        if camera is not None and camera.type == "CAMERA" and camera.data.dof.use_dof:
            self.add("depth of field", camera.name)

    def of_file(self, data: Any) -> None:
        """Note fluids that are off, and what linked files lack: Blender has placeholders for it."""
        for obj in data.objects:
            if any(is_fluid(each) and not each.show_render for each in obj.modifiers):
                self.add("fluids that are off, or not baked in the folder of the file", obj.name)
        if data.libraries:
            for blocks in (data.objects, data.collections, data.meshes, data.curves):
                for each in blocks:
                    if getattr(each, "is_missing", False):
                        self.add("missing from linked files", each.name)

    def of_type(self, obj: Any) -> None:
        """Note what has no faces: hair, also on a mesh, grease pencil, points, volumes."""
        if obj.type in _NO_FACES:
            self.add(_NO_FACES[obj.type], obj.name)
        for system in obj.particle_systems:
            # Instances of particles are objects of their own; paths are hair.
            if system.settings.type == "HAIR" and system.settings.render_type == "PATH":
                self.add("hair", obj.name)

    def of_object(self, obj: Any, owner: Any, depsgraph: Any) -> None:
        """Note what Cycles makes of an object with faces, besides the faces.

        Args:
            obj: evaluated object.
            owner: the object that makes it, if it is an instance; or itself.
            depsgraph: where they are from.
        """
        scene, layer = depsgraph.scene_eval, depsgraph.view_layer
        for modifier in obj.original.modifiers:
            if (
                modifier.type == "SUBSURF"
                and modifier.show_render
                and _is_adaptive(modifier, obj, scene)
            ):
                self.add("adaptive subdivision", obj.name)
        is_holdout = owner.original.holdout_get(view_layer=layer)
        if is_holdout or obj.is_shadow_catcher or owner.is_shadow_catcher:
            self.add("holdouts and shadow catchers, shown as objects", obj.name)
        for material in materials_of(obj, layer):
            if material is not None:
                self.of_material(material)

    def of_material(self, material: Any) -> None:
        """Note displacement, volumes and alpha of a material."""
        key = material.as_pointer()
        if key not in self._materials:
            self._materials[key] = tuple(_kinds_of(material))
        for kind in self._materials[key]:
            self.add(kind, material.name)


def _is_adaptive(modifier: Any, obj: Any, scene: Any) -> bool:
    if scene.render.engine != "CYCLES" and not hasattr(scene, "cycles"):
        return False
    if hasattr(modifier, "use_adaptive_subdivision"):  # since 5.0
        return bool(modifier.use_adaptive_subdivision)
    settings = getattr(obj.original, "cycles", None)
    return bool(getattr(settings, "use_adaptive_subdivision", False))


def _kinds_of(material: Any) -> Iterator[str]:
    output = output_node(material)
    if output is None:
        return
    sockets = output.inputs
    if sockets["Displacement"].is_linked and material.displacement_method != "BUMP":
        yield "displacement by materials"
    if sockets["Volume"].is_linked:
        yield "volumes"
    for node in _before(sockets["Surface"]):
        if node.type in _PASSES or _has_alpha(node):
            yield "alpha of materials"
            return


def _has_alpha(node: Any) -> bool:
    if node.type != "BSDF_PRINCIPLED":
        return False
    alpha = node.inputs["Alpha"]
    return bool(alpha.is_linked or alpha.default_value < 1.0)


def _before(socket: Any) -> Iterator[Any]:
    """Yield the nodes that a socket depends on, those inside of groups, too."""
    pending = [link.from_node for link in socket.links]
    seen: set[int] = set()
    while pending:
        node = pending.pop()
        if node.as_pointer() in seen:
            continue
        seen.add(node.as_pointer())
        yield node
        pending += [link.from_node for each in node.inputs for link in each.links]
        if node.type == "GROUP" and node.node_tree is not None:
            pending += list(node.node_tree.nodes)
