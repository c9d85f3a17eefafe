"""Runs of many frames: each is read from Blender, rendered, and written by the ordinary writers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from .._checks import shown
from ..camera.camera import Camera
from ..errors import RequestError
from ..jobs.render import RenderJob
from ..jobs.report import RenderReport
from ..renderer import DepthRenderer
from .cameras import blender_camera, blender_clip
from .open_blend import open_blend
from .photo import PHOTOS, render_photo
from .render_engine import with_render_depsgraph
from .scene import BlenderScene, blender_scene

__all__ = ["FrameReport", "checked_frames", "run_batch"]

_MAX_FRAMES = 1_000_000
_LAST_FRAME = 1_048_574  # of Blender; others would be taken for it


class FrameReport(NamedTuple):
    """Files that were written of a frame, and what it shows.

    Attributes:
        frame: its number in Blender.
        scene: what was rendered.
        camera: from where.
        report: files and times.
        photo: file of a photo by Blender; None without.
    """

    frame: int
    scene: BlenderScene
    camera: Camera
    report: RenderReport
    photo: Path | None


def checked_frames(text: str) -> list[int]:
    """Return the frames of a text such as ``1:100``, ``1:100:5`` or ``1,7,20:30``, each once.

    Raises:
        RequestError: it is no such text.
    """
    frames: dict[int, None] = {}
    for part in text.split(","):
        try:
            numbers = [int(number) for number in part.split(":")]
        except ValueError:
            numbers = []
        step = numbers[2] if len(numbers) == 3 else 1
        if not 1 <= len(numbers) <= 3 or step < 1 or numbers[min(1, len(numbers) - 1)] < numbers[0]:
            raise RequestError(
                f"--frames must be like 1:100, 1:100:5 or 1,7,20:30, not {shown(text)}"
            )
        last = numbers[min(1, len(numbers) - 1)]
        if numbers[0] < -_LAST_FRAME or last > _LAST_FRAME:
            raise RequestError(
                f"--frames must lie from -{_LAST_FRAME} to {_LAST_FRAME}, not {shown(text)}"
            )
        if (last - numbers[0]) // step + len(frames) >= _MAX_FRAMES:
            raise RequestError(f"--frames has more than {_MAX_FRAMES:,} frames; give fewer")
        frames |= dict.fromkeys(range(numbers[0], last + 1, step))
    return list(frames)


def run_batch(
    path: Path | None,
    out: Path,
    frames: Iterable[int] | None = None,
    *,
    job: RenderJob | None = None,
    objects: str = "renderable",
    scene_name: str | None = None,
    camera_name: str | None = None,
    layer_name: str | None = None,
    clip: bool = False,
    photo: str = "own",
    photo_samples: int | None = None,
    renderer: DepthRenderer | None = None,
    tell: Callable[[FrameReport], None] = lambda report: None,
) -> list[FrameReport]:
    """Render frames of a scene to files ``NAME_0001...``, with the frame's number.

    Args:
        path: .blend file, opened by `open_blend`; None for what is open in Blender.
        out: existing folder.
        frames: numbers of frames; None for the current one.
        job: formats and options; by default npz files of both sheets. Its folder is `out`.
        objects: see `blender_scene`.
        scene_name, camera_name, layer_name: the default is the scene of the file, its camera, and
            its first view layer that is rendered.
        clip: whether clip start and end of the camera count.
        photo: "cycles" and "eevee" write ``NAME_0001_photo.png`` with Blender's own engine; "own"
            leaves photos to the formats of the job.
        photo_samples: samples of photos by Blender; None for those of the scene.
        renderer: open renderer; by default one is made.
        tell: called after every frame.

    Raises:
        RequestError: there is no such scene, camera or photo, or Blender does not render.
        DDepthError: a frame cannot be read, rendered or written; those before it are whole.
    """
    if photo not in PHOTOS:
        raise RequestError(f"--photo must be {', '.join(PHOTOS)}, not {shown(photo)}")
    job = replace(job or RenderJob(folder=out, preview=False), folder=out)
    if photo != "own" and "photo" in job.formats:
        raise RequestError(f"--photo {photo} writes the photo; leave photo out of --format")
    job.check_preview()
    if path is None:
        import bpy
    else:
        bpy = open_blend(path)
    scene = _scene_named(bpy, scene_name)
    cameras = [each.name for each in scene.objects if each.type == "CAMERA"]
    _check_named(scene, "camera", camera_name, cameras)
    _check_named(scene, "view layer", layer_name, [each.name for each in scene.view_layers])
    numbers = [scene.frame_current] if frames is None else list(frames)
    file = Path(path or bpy.data.filepath or "untitled.blend").absolute()
    with ExitStack() as stack:
        if renderer is None:
            renderer = stack.enter_context(DepthRenderer())
        reports = []
        for number in numbers:
            if number != scene.frame_current:
                scene.frame_set(number)
            with _chosen(scene, camera_name, layer_name):
                found, camera, near_far = with_render_depsgraph(
                    scene, partial(_read, objects=objects)
                )
            stem = f"{file.stem}_{number:04d}"
            near, far = near_far if clip else (job.near, job.far)
            source = found.mesh.source and found.mesh.source._replace(path=str(file))
            # The preview shows the first frame.
            has_preview = job.preview and number == numbers[0]
            report = replace(job, near=near, far=far, preview=has_preview).run(
                renderer, found.mesh, [camera], file.stem, stems=[stem], source=source
            )
            picture = None
            if photo != "own":
                picture = out / f"{stem}_photo.png"
                with _chosen(scene, camera_name, layer_name):
                    render_photo(scene, picture, photo, samples=photo_samples)
            reports.append(FrameReport(number, found, camera, report, picture))
            tell(reports[-1])
        return reports


def _read(depsgraph: Any, objects: str) -> tuple[BlenderScene, Camera, tuple[float, float]]:
    """Return what a frame shows, its camera, and clip start and end."""
    camera = depsgraph.scene_eval.camera
    found = blender_scene(depsgraph, objects)
    return found, blender_camera(depsgraph.scene_eval, camera), blender_clip(camera)


def _scene_named(bpy: Any, name: str | None) -> Any:
    if name is None:
        return bpy.context.scene
    scene = bpy.data.scenes.get(name)
    if scene is None:
        names = ", ".join(repr(each.name) for each in bpy.data.scenes[:8])
        raise RequestError(f"the file has no scene {shown(name)}; it has {names}")
    return scene


@contextmanager
def _chosen(scene: Any, camera_name: str | None, layer_name: str | None) -> Iterator[None]:
    """Render from one camera and one view layer until the block ends; None leaves it open."""
    camera = scene.camera
    markers = [(each, each.camera) for each in scene.timeline_markers]
    layers = [(each, each.use) for each in scene.view_layers]
    try:
        if camera_name is not None:
            for marker, _ in markers:  # they would switch it back
                marker.camera = None
            scene.camera = scene.objects[camera_name]
        if layer_name is not None:
            for layer, _ in layers:
                layer.use = layer.name == layer_name
        yield
    finally:
        for layer, is_used in layers:
            layer.use = is_used
        if camera_name is not None:
            for marker, bound in markers:
                marker.camera = bound
        scene.camera = camera


def _check_named(scene: Any, what: str, name: str | None, names: list[str]) -> None:
    if name is not None and name not in names:
        has = ", ".join(map(repr, names[:8])) or "none"
        raise RequestError(f"scene {scene.name!r} has no {what} {shown(name)}; it has {has}")
