# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators: this view, the animation, and what is left out."""

import contextlib

import bpy

from . import runs

_INTERVAL = 0.05  # seconds between looks at the renderer
_active = None  # the operator that goes on beside the interface


class _RunOperator:
    """A run that scripts wait for, and that goes on beside the interface if a user starts it."""

    bl_options = {"REGISTER", "UNDO"}
    _timer = None
    _run = None

    @classmethod
    def poll(cls, context):
        """Return whether there is a camera to render from."""
        if context.scene is None or context.scene.camera is None:
            cls.poll_message_set("The scene has no camera")
            return False
        return True

    def execute(self, context):
        """Run to the end."""
        try:
            self._run = self._new_run(context.scene)
            while not self._run.step(None):
                pass
        except Exception as error:
            return self._failed(error)
        return self._finished()

    def invoke(self, context, event):
        """Start a run; `modal` goes on with it."""
        global _active
        if bpy.app.background:
            return self.execute(context)
        try:
            self._run = self._new_run(context.scene)
            self._run.step(0.0)
        except Exception as error:
            return self._failed(error)
        manager = context.window_manager
        self._timer = manager.event_timer_add(_INTERVAL, window=context.window)
        manager.progress_begin(0, self._run.total)
        manager.modal_handler_add(self)
        _active = self
        self._tell(context)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        """Look for an answer; Esc cancels."""
        if event.type == "ESC" and event.value == "PRESS":
            run = self._run
            self.cancel(context)
            self.report({"WARNING"}, f"Canceled after {run.done} of {run.total} frames")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            is_done = self._run.step(0.0)
        except Exception as error:
            self._clean_up(context)
            return self._failed(error)
        if not is_done:
            self._tell(context)
            return {"RUNNING_MODAL"}
        self._clean_up(context)
        return self._finished()

    def cancel(self, context):
        """End the run; Blender calls it, too, when it quits."""
        if self._run is not None:
            self._run.cancel()
        self._clean_up(context)

    def _new_run(self, scene):
        raise NotImplementedError

    def _tell(self, context):
        context.window_manager.progress_update(self._run.done)
        context.workspace.status_text_set(
            f"Double depth: frame {self._run.done + 1} of {self._run.total}, Esc to cancel"
        )

    def _clean_up(self, context):
        global _active
        _active = None
        manager = context.window_manager
        if self._timer is not None:
            manager.event_timer_remove(self._timer)
            self._timer = None
            manager.progress_end()
            if context.workspace is not None:  # it may be None while Blender quits
                context.workspace.status_text_set(None)
        for window in manager.windows:
            for area in window.screen.areas:
                if area.type in ("IMAGE_EDITOR", "PROPERTIES"):
                    area.tag_redraw()

    def _failed(self, error):
        run, self._run = self._run, None
        if run is not None:
            run.cancel()
        self.report({"ERROR"}, _one_line(error))
        return {"CANCELLED"}

    def _finished(self):
        for note in self._run.notes[:3]:
            self.report({"WARNING"}, note)
        self.report({"INFO"}, self._run.summary())
        return {"FINISHED"}


def _one_line(error):
    """Return an error as the status bar shows it."""
    text = " ".join(str(error).split())
    is_ours = type(error).__module__.startswith("ddepth_gl")
    return text if is_ours and text else f"{type(error).__name__}: {text}"


class DDEPTH_OT_view(_RunOperator, bpy.types.Operator):
    """Render the current frame from the camera, and show the results in Blender"""

    bl_idname = "double_depth.view"
    bl_label = "This View"

    def _new_run(self, scene):
        return runs.Run(scene, None, scene.double_depth.write_view)


class DDEPTH_OT_animation(_RunOperator, bpy.types.Operator):
    """Render all frames to files, and show the results of the last one in Blender"""

    bl_idname = "double_depth.animation"
    bl_label = "Animation"

    def _new_run(self, scene):
        return runs.Run(scene, scene.double_depth.frames(scene), True)


class DDEPTH_OT_check(bpy.types.Operator):
    """Look for what Cycles shows and depth maps leave out, such as displacement and hair"""

    bl_idname = "double_depth.check"
    bl_label = "Check"

    @classmethod
    def poll(cls, context):
        """Return whether there is a camera."""
        return context.scene is not None and context.scene.camera is not None

    def execute(self, context):
        """Read the scene, and render nothing."""
        try:
            found = runs.read(context.scene, context.scene.double_depth)[0]
        except Exception as error:
            self.report({"ERROR"}, _one_line(error))
            return {"CANCELLED"}
        count = len(found.mesh.faces)
        self.report({"INFO"}, f"{len(found.object_names)} objects, {count:,} triangles")
        return {"FINISHED"}


_CLASSES = (DDEPTH_OT_view, DDEPTH_OT_animation, DDEPTH_OT_check)


def register():
    """Register the operators."""
    for each in _CLASSES:
        bpy.utils.register_class(each)


def unregister():
    """End the run beside the interface, and unregister the operators."""
    if _active is not None:
        with contextlib.suppress(ReferenceError):  # Blender may have freed it
            _active.cancel(bpy.context)
    for each in reversed(_CLASSES):
        bpy.utils.unregister_class(each)
