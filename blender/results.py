# SPDX-License-Identifier: GPL-3.0-or-later
"""Results in Blender: float images, point clouds and the mould as objects."""

import bpy
import numpy as np

_COLLECTION = "Double Depth"
_MARK = "double_depth_result"  # property of what is ours: its name, which users may change
_CLOUDS = ("front", "back", "layers")


def show(scene, arrays):
    """Show the arrays of `ddepth_gl.blender.hand_over.Rendered`, and no earlier results.

    Names are those of the arrays, behind "Depth".
    """
    images = {
        f"Depth {name.replace('_', ' ')}": array
        for name, array in arrays.items()
        if name.partition(".")[0] not in (*_CLOUDS, "mould")
    }
    shown = {f"Depth {name.partition('.')[0]}" for name in arrays} | images.keys()
    for blocks in (bpy.data.images, bpy.data.objects, bpy.data.meshes):
        for each in [each for each in blocks if _MARK in each and each[_MARK] not in shown]:
            blocks.remove(each)
    shown_images = [_show_image(name, array) for name, array in images.items()]
    if shown_images:
        _show_in_editors(shown_images[0])
    for name in _CLOUDS:
        if name in arrays:
            attributes = {
                key.partition(".")[2]: each
                for key, each in arrays.items()
                if key.startswith(f"{name}.")
            }
            _show_object(scene, f"Depth {name}", _cloud(arrays[name], attributes))
    if "mould.vertices" in arrays:
        mould = _mesh(arrays["mould.vertices"], arrays["mould.faces"])
        _show_object(scene, "Depth mould", mould)


def remove_images():
    """Remove the images of all runs. Objects stay, as plain meshes: they may be in use."""
    if not hasattr(bpy.data, "images"):  # Blender restricts its data as it starts
        return
    for image in [each for each in bpy.data.images if _MARK in each]:
        bpy.data.images.remove(image)
    for each in (*bpy.data.objects, *bpy.data.meshes, *bpy.data.collections):
        if _MARK in each:
            del each[_MARK]


def _show_image(name, array):
    """Show (H, W) or (H, W, 3) values as a float image, row 0 at the top.

    Values are in R, G and B, normals as x, y and z in world space. Alpha is 1 where there is a
    value; misses are 0.
    """
    height, width = array.shape[:2]
    image = _ours(bpy.data.images, name)
    if image is not None and tuple(image.size) != (width, height):
        bpy.data.images.remove(image)
        image = None
    if image is None:
        image = bpy.data.images.new(
            name, width, height, alpha=True, float_buffer=True, is_data=True
        )
        image[_MARK] = name
        # Otherwise values would count as multiplied by alpha.
        image.alpha_mode = "CHANNEL_PACKED"
    values = array.reshape(height, width, -1)
    is_hit = values[..., :1] >= 0 if array.dtype.kind in "iu" else ~np.isnan(values[..., :1])
    pixels = np.zeros((height, width, 4), np.float32)
    np.copyto(pixels[..., :3], values, where=is_hit, casting="unsafe")
    pixels[..., 3] = is_hit[..., 0]
    image.pixels.foreach_set(pixels[::-1].ravel())
    image.update()
    return image


def _show_in_editors(image):
    """Show an image in all image editors that show nothing else."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            space = area.spaces.active
            if area.type == "IMAGE_EDITOR" and (space.image is None or _MARK in space.image):
                space.image = image


def _ours(blocks, name):
    """Return the data block that an earlier run made under a name, or None."""
    return next((each for each in blocks if each.get(_MARK) == name), None)


def _cloud(points, attributes):
    mesh = bpy.data.meshes.new("points")
    _add_vertices(mesh, points)
    for key, values in attributes.items():
        if key == "normal":  # Blender's own name is "normal"
            data = mesh.attributes.new("surface_normal", "FLOAT_VECTOR", "POINT").data
            data.foreach_set("vector", _flat(values, np.float32))
        else:
            data = mesh.attributes.new(key, "INT", "POINT").data
            data.foreach_set("value", _flat(values, np.int32))
    mesh.update()
    return mesh


def _mesh(vertices, faces):
    mesh = bpy.data.meshes.new("mould")
    _add_vertices(mesh, vertices)
    mesh.loops.add(faces.size)
    mesh.polygons.add(len(faces))
    mesh.loops.foreach_set("vertex_index", _flat(faces, np.int32))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    mesh.update(calc_edges=True)
    return mesh


def _add_vertices(mesh, points):
    if len(points):  # without vertices, a mesh has no positions
        mesh.vertices.add(len(points))
        mesh.attributes["position"].data.foreach_set("vector", _flat(points, np.float32))


def _flat(array, dtype):
    return np.ascontiguousarray(array, dtype).ravel()


def _show_object(scene, name, mesh):
    """Show a mesh in the collection of results, instead of that of an earlier run."""
    mesh.name, mesh[_MARK] = name, name
    obj = _ours(bpy.data.objects, name)
    before = None
    if obj is None:
        obj = bpy.data.objects.new(name, mesh)
        obj[_MARK] = name
        obj.hide_render = True  # results are not rendered again
    else:
        before, obj.data = obj.data, mesh
    if scene not in obj.users_scene:  # those of another scene move here
        for each in obj.users_collection:
            each.objects.unlink(obj)
        _collection(scene).objects.link(obj)
    if before is not None and not before.users:
        bpy.data.meshes.remove(before)
        mesh.name = name


def _collection(scene):
    found = _ours(scene.collection.children_recursive, _COLLECTION)
    if found is None:
        found = bpy.data.collections.new(_COLLECTION)
        found[_MARK] = _COLLECTION
        scene.collection.children.link(found)
    return found
