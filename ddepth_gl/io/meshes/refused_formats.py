"""Formats that are not read, with the command that converts each. Nothing here starts a program."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["conversion_advice", "is_foreign_mesh"]

_BLENDER = (
    'blender -b --python-expr "from bpy import ops; ops.wm.read_homefile(use_empty=True); '
    "ops.{}(filepath='in{}'); ops.export_scene.gltf(filepath='out.glb')\""
)
_BLEND = (
    "blender -b in.blend --python-expr "
    "\"import bpy; bpy.ops.export_scene.gltf(filepath='out.glb')\""
)
_ASSIMP = "assimp export in{} out.glb -fglb2"
_GMSH = "gmsh in{} -2 -o out.stl"  # surfaces, cut into triangles
_MESHLAB = (
    "python -c \"import pymeshlab; m = pymeshlab.MeshSet(); m.load_new_mesh('in{}'); "
    "m.save_current_mesh('out.ply')\""
)
_MESHIO = "meshio convert in{} out.stl"

# The command by suffix; "{}" stands for the suffix.
_COMMANDS = {
    ".fbx": _BLENDER.format("import_scene.fbx", ".fbx"),
    ".abc": _BLENDER.format("wm.alembic_import", ".abc"),
    ".blend": _BLEND,
    **dict.fromkeys((".step", ".stp", ".iges", ".igs", ".brep"), _GMSH),
    **dict.fromkeys((".x3d", ".x3dv", ".wrl", ".vrml", ".ctm"), _MESHLAB),
    **dict.fromkeys((".vtk", ".vtu", ".vtp", ".msh", ".inp", ".bdf", ".cgns"), _MESHIO),
    **dict.fromkeys(
        (
            ".3ds", ".ac", ".amf", ".ase", ".b3d", ".cob", ".dxf", ".irrmesh", ".lwo", ".lws",
            ".md3", ".md5mesh", ".mdl", ".ms3d", ".nff", ".ogex", ".smd", ".ter", ".x", ".xgl",
            ".md2", ".zae",
        ),
        _ASSIMP,
    ),
}  # fmt: skip
# Formats that only their own program reads in full.
_PROGRAMS = {
    ".max": "3ds Max",
    ".ma": "Maya",
    ".mb": "Maya",
    ".c4d": "Cinema 4D",
    ".skp": "SketchUp",
    ".3dm": "Rhino",
    ".sldprt": "SolidWorks",
    ".sldasm": "SolidWorks",
    ".f3d": "Fusion",
    ".fcstd": "FreeCAD",
    ".ztl": "ZBrush",
    ".hip": "Houdini",
}
# Needs no quotes in a shell nor in Python, and is no option.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,40}")
_POINTS = (".pcd", ".las", ".laz", ".xyz", ".pts", ".e57", ".splat", ".ksplat", ".spz")
_PACKED = {
    ".zip": "unzip in.zip",
    ".gz": "gunzip in.gz",
    ".xz": "unxz in.xz",
    ".zst": "unzstd in.zst",
    ".7z": "7z x in.7z",
    ".tar": "tar xf in.tar",
    ".tgz": "tar xf in.tgz",
}


def is_foreign_mesh(suffix: str) -> bool:
    """Return whether a suffix is that of a mesh format that other programs read."""
    return suffix.lower() in _COMMANDS or suffix.lower() in _PROGRAMS


def conversion_advice(
    suffix: str, suffixes: Collection[str], inner: str = "", name: str = ""
) -> str:
    """Return why a format is not read, and what to do.

    Args:
        suffix: suffix of the file.
        suffixes: suffixes of the supported formats.
        inner: suffix in front of it, as in ``a.obj.gz``; unpacking leaves it.
        name: of the file, for the command; left out if it is long or needs quotes.

    Returns:
        One line of at most 240 characters.
    """
    lower = suffix.lower()
    if lower in _COMMANDS:
        what = _COMMANDS[lower].replace("{}", lower)
        if _PLAIN_NAME.fullmatch(name):
            what = what.replace(f"in{lower}", name)
        return f"{suffix!r} files are not read; convert it: {what}"
    if lower in _PROGRAMS:
        return f"{suffix!r} files are not read; export it as GLB from {_PROGRAMS[lower]}"
    if lower in _POINTS:
        return f"{suffix!r} files hold points and no faces; give a mesh, for example as PLY"
    if lower in _PACKED:
        is_known = inner.lower() in suffixes or is_foreign_mesh(inner)
        command = _PACKED[lower].replace("in.", f"in{inner}." if is_known else "in.")
        if inner.lower() == ".tar":
            command = f"tar xf in.tar{lower}"
        return f"it is packed; unpack it first: {command}"
    formats = ", ".join(suffixes)
    return f"files of type {suffix!r} are not supported; convert the file to {formats}"
