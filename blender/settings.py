# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a scene: which objects, what of them, which frames and files."""

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

QUANTITIES = ("entry", "exit", "thickness", "normal", "object_id")
FORMATS = (
    ("exr", "OpenEXR", "Float channels for the compositor; layers are parts, misses are 0", 1),
    ("npz", "NumPy", "Lossless arrays, with the camera", 2),
    ("ply", "PLY Clouds", "Point clouds in world space", 4),
    ("png16", "16-bit PNG", "Depth of both sheets, with the scale in a JSON file", 8),
    ("mould", "Mould", "Both sheets stitched into one closed mesh, as PLY", 16),
    ("photo", "Photo", "The objects in their plain colors, by the same rasterizer", 32),
)


class DDEPTH_PG_settings(bpy.types.PropertyGroup):
    """What to render of a scene."""

    objects: EnumProperty(
        name="Objects",
        description="Which objects count",
        items=(
            ("RENDERABLE", "Renderable", "All objects that the camera sees in a render"),
            ("SELECTED", "Selected", "The selected ones of them"),
            ("COLLECTION", "Collection", "Those of one collection and its children"),
        ),
    )
    collection: PointerProperty(
        name="Collection", description="Whose objects count", type=bpy.types.Collection
    )
    surfaces: EnumProperty(
        name="Surfaces",
        description="Which sides of faces count",
        items=(
            ("auto", "Automatic", "Closed bodies by facing, open ones on either side"),
            ("oriented", "Oriented", "Entries are front faces, exits back faces"),
            ("any", "Any", "Entries and exits are faces of either side"),
        ),
    )
    clip: BoolProperty(
        name="Clip", description="Leave out what is outside of the clip range of the camera"
    )
    entry: BoolProperty(name="Entry", description="Depth of the first entry", default=True)
    exit: BoolProperty(name="Exit", description="Depth of the last exit", default=True)
    thickness: BoolProperty(name="Thickness", description="From entry to exit along the ray")
    normal: BoolProperty(name="Normals", description="World normals of both sheets")
    object_id: BoolProperty(name="Object IDs", description="Numbers of the objects, from 0")
    layers: BoolProperty(name="Layers", description="All crossings of every ray")
    max_layers: IntProperty(
        name="Shown",
        description="Layers to show in Blender, nearest first; files hold all",
        default=4,
        min=1,
        max=64,
    )
    clouds: BoolProperty(
        name="Point Clouds",
        description="Points as objects, with normals and object IDs",
        default=True,
    )
    mould: BoolProperty(name="Mould", description="Both sheets as one closed mesh object")
    use_scene_frames: BoolProperty(
        name="Frames of the Scene", description="Start, end and step of the scene", default=True
    )
    frame_start: IntProperty(name="Start", description="First frame", default=1)
    frame_end: IntProperty(name="End", description="Last frame", default=100)
    frame_step: IntProperty(name="Step", description="From frame to frame", default=1, min=1)
    folder: StringProperty(
        name="Folder",
        description="Where files are written; it is made if it is missing",
        default="//double_depth/",
        subtype="DIR_PATH",
    )
    write_view: BoolProperty(
        name="Files of This View", description="Also write the files of a single view"
    )
    formats: EnumProperty(
        name="Formats",
        description="Files of each frame",
        items=tuple((name, label, text, "NONE", bit) for name, label, text, bit in FORMATS),
        default={"exr", "npz"},
        options={"ENUM_FLAG"},
    )

    def frames(self, scene):
        """Return the frames of an animation."""
        if self.use_scene_frames:
            return range(scene.frame_start, scene.frame_end + 1, scene.frame_step)
        return range(self.frame_start, self.frame_end + 1, self.frame_step)

    def objects_argument(self):
        """Return the argument `objects` of `blender_scene`; None without a collection."""
        if self.objects != "COLLECTION":
            return self.objects.lower()
        return None if self.collection is None else self.collection.name


def register():
    """Add the settings to scenes."""
    bpy.utils.register_class(DDEPTH_PG_settings)
    bpy.types.Scene.double_depth = PointerProperty(type=DDEPTH_PG_settings)


def unregister():
    """Remove the settings, and their values from the scenes of the open file."""
    for scene in getattr(bpy.data, "scenes", ()):  # Blender may restrict its data
        scene.property_unset("double_depth")
    del bpy.types.Scene.double_depth
    bpy.utils.unregister_class(DDEPTH_PG_settings)
