# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs over frames: read from Blender here, rendered in a process of its own."""

import atexit
import contextlib
from dataclasses import replace
from pathlib import Path

import bpy

from . import results
from .settings import FORMATS, QUANTITIES

_process = None  # one for all runs, so that its context is made once
_current = None  # the run that uses it
_left_out = {}  # lines of the last run, by the session_uid of the scene


def left_out_of(scene):
    """Return what Cycles shows and the last run did not; None before a run."""
    return _left_out.get(scene.session_uid)


def close():
    """End the renderer process, and forget all runs."""
    global _current
    _current = None
    stop_process()
    _left_out.clear()
    atexit.unregister(stop_process)
    with contextlib.suppress(ImportError):
        from ddepth_gl.blender import render_engine

        render_engine.unregister()


def stop_process():
    """End the renderer process, whatever it does."""
    global _process
    if _process is not None:
        _process.close()
        _process = None


def read(scene, settings):
    """Return the objects, the camera, and clip start and end of the current frame."""
    from ddepth_gl.blender.cameras import blender_camera, blender_clip
    from ddepth_gl.blender.render_engine import with_render_depsgraph
    from ddepth_gl.blender.scene import blender_scene
    from ddepth_gl.errors import RequestError

    objects = settings.objects_argument()
    if objects is None:
        raise RequestError("no collection is chosen; choose one, or render all objects")

    def work(depsgraph):
        evaluated = depsgraph.scene_eval
        # First, because it is quick: panoramic cameras are refused.
        camera = blender_camera(evaluated, evaluated.camera)
        return blender_scene(depsgraph, objects), camera, blender_clip(evaluated.camera)

    found, camera, clip = with_render_depsgraph(scene, work)
    _left_out[scene.session_uid] = found.left_out
    return found, camera, clip


class Run:
    """A run: `step` until it returns True, or `cancel`.

    Args:
        scene: to render.
        frames: numbers of frames; None for the current one.
        with_files: whether to write files.
    """

    def __init__(self, scene, frames, with_files):
        from ddepth_gl.blender.hand_over import ViewRequest
        from ddepth_gl.errors import RequestError

        if _current is not None:
            raise RequestError("another run is at work; wait for it, or press Esc to cancel it")
        settings = scene.double_depth
        # A reference would break when a user undoes or opens a file.
        self._name, self._uid = scene.name, scene.session_uid
        self.frames = [scene.frame_current] if frames is None else list(frames)
        if not self.frames:
            raise RequestError("there are no frames; set an end that is not before the start")
        self.done = 0
        self.files = []
        self.notes = []
        self.renderer = ""
        self._frame_before = scene.frame_current
        self._is_sent = False
        formats = [name for name, *_ in FORMATS if with_files and name in settings.formats]
        quantities = tuple(name for name in QUANTITIES if getattr(settings, name))
        if with_files and not formats:
            raise RequestError("no format is chosen; choose at least one")
        if not (quantities or settings.layers or settings.clouds or settings.mould or formats):
            raise RequestError("nothing to render; choose entry, exit, layers or clouds")
        self._target = _target(settings) if formats else None
        self._request = ViewRequest(
            quantities=quantities,
            layers=settings.max_layers if settings.layers else 0,
            clouds=settings.clouds,
            mould=settings.mould,
            formats=tuple(formats),
            surfaces=settings.surfaces,
        )

    @property
    def scene(self):
        """The scene; None if it is gone."""
        return next((each for each in bpy.data.scenes if each.session_uid == self._uid), None)

    @property
    def total(self):
        """Number of frames."""
        return len(self.frames)

    def step(self, seconds):
        """Send the next frame, or take an answer that comes within some seconds; None waits.

        Returns:
            Whether all frames are done.
        """
        from ddepth_gl.errors import RequestError

        if self.scene is None:
            raise RequestError(f"scene {self._name!r} is gone; run again")
        if not self._is_sent:
            self._send()
            return False
        answer = _process.answer(seconds)
        if answer is None:
            return False
        self._is_sent = False
        self.done += 1
        self.files += answer.files
        self.notes += answer.notes
        self.renderer = answer.renderer
        if self.done < self.total:
            return False
        results.show(self.scene, answer.arrays)
        self._restore()
        return True

    def cancel(self):
        """End at once; files that are complete stay."""
        if _current in (self, None):
            stop_process()
        self._restore()

    def summary(self):
        """Return what was done, on one line."""
        what = f"{self.total} frames" if self.total > 1 else f"frame {self.frames[0]}"
        files = f", {len(self.files)} files in {self.files[0].parent}" if self.files else ""
        return f"Double depth of {what}{files}, by {self.renderer}"

    def _send(self):
        global _current
        frame, scene = self.frames[self.done], self.scene
        if frame != scene.frame_current:
            scene.frame_set(frame)
        settings = scene.double_depth
        found, camera, (near, far) = read(scene, settings)
        request = self._request
        if self.done + 1 < self.total:  # Blender shows the last frame alone
            request = replace(request, is_shown=False)
        if self._target is not None:
            request = replace(request, target=f"{self._target}_{frame:04d}")
        if settings.clip:
            request = replace(request, near=near, far=far)
        _open_process().send(found.mesh, camera, request)
        _current, self._is_sent = self, True

    def _restore(self):
        global _current
        _current = None
        scene = self.scene
        if scene is not None and scene.frame_current != self._frame_before:
            scene.frame_set(self._frame_before)


def _target(settings):
    """Return folder and beginning of the file names; the folder is made."""
    from ddepth_gl.errors import OutputError

    if not settings.folder:
        raise OutputError("no folder is chosen; choose one for the files")
    if settings.folder.startswith("//") and not bpy.data.filepath:
        raise OutputError("the folder is relative to a file that is not saved; save it first")
    folder = Path(bpy.path.abspath(settings.folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"folder {folder} cannot be made ({error.strerror})") from error
    return folder / (Path(bpy.data.filepath).stem or "untitled")


def _open_process():
    global _process
    from ddepth_gl.blender.hand_over import RendererProcess

    if _process is None or not _process.is_open:
        stop_process()
        _process = RendererProcess()
        atexit.register(stop_process)
    return _process
