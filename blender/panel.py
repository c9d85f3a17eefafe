# SPDX-License-Identifier: GPL-3.0-or-later
"""Panel in the Render properties."""

import bpy

from . import runs


class DDEPTH_PT_panel(bpy.types.Panel):
    """Settings of the scene, and the operators."""

    bl_idname = "DDEPTH_PT_panel"
    bl_label = "Double Depth"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        """Draw the settings."""
        layout, scene = self.layout, context.scene
        settings = scene.double_depth
        row = layout.row(align=True)
        row.scale_y = 1.3
        row.operator("double_depth.view", icon="RENDER_STILL")
        row.operator("double_depth.animation", icon="RENDER_ANIMATION")
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "objects")
        if settings.objects == "COLLECTION":
            layout.prop(settings, "collection")
        layout.prop(settings, "surfaces")
        layout.prop(settings, "clip")
        column = layout.column(heading="Images")
        for name in ("entry", "exit", "thickness", "normal", "object_id", "layers"):
            column.prop(settings, name)
        if settings.layers:
            column.prop(settings, "max_layers")
        column = layout.column(heading="As Objects")
        column.prop(settings, "clouds")
        column.prop(settings, "mould")
        column = layout.column(heading="Animation")
        column.prop(settings, "use_scene_frames")
        if not settings.use_scene_frames:
            for name in ("frame_start", "frame_end", "frame_step"):
                column.prop(settings, name)
        layout.prop(settings, "folder")
        layout.column().prop(settings, "formats")
        layout.prop(settings, "write_view")
        self._draw_left_out(layout.box(), runs.left_out_of(scene))

    def _draw_left_out(self, box, lines):
        row = box.row()
        row.label(text="Cycles shows, and depth leaves out:")
        row.operator("double_depth.check", text="", icon="FILE_REFRESH")
        if lines is None:
            box.label(text="Not checked yet", icon="QUESTION")
        elif not lines:
            box.label(text="Nothing", icon="CHECKMARK")
        for line in lines or ():
            box.label(text=line, icon="ERROR")


def register():
    """Register the panel."""
    bpy.utils.register_class(DDEPTH_PT_panel)


def unregister():
    """Unregister the panel."""
    bpy.utils.unregister_class(DDEPTH_PT_panel)
