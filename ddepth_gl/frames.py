"""Frames: image, depth maps and layers of each camera, from passes that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from .camera.camera import Camera
from .engines.request import SheetRequest
from .engines.scene import Scene
from .errors import RequestError
from .mesh.mesh import Mesh
from .pipeline import Pipeline
from .results.frame import Frame

__all__ = ["FrameRequest", "Pair", "render_frame", "render_pairs"]

Pair = tuple[Mesh | Scene, Camera]


@dataclass(frozen=True)
class FrameRequest:
    """The parts of a frame, and how to render them.

    Attributes:
        image: render the shaded image.
        maps: render both sheets.
        layers: render all crossings.
        sheets: request for image and maps.
        crossings: request for layers.
        samples: samples of the image along each side of a pixel.
        max_layers: number of crossings to keep per pixel; None for all.
        memory_limit: bytes that crossings may take; None for the default.
        min_gap: merge crossings closer than this, see `DepthLayers.merged`.
    """

    image: bool
    maps: bool
    layers: bool
    sheets: SheetRequest
    crossings: SheetRequest
    samples: int = 1
    max_layers: int | None = None
    memory_limit: int | None = None
    min_gap: float = 0.0

    @property
    def has_maps_only(self) -> bool:
        """Boolean: nothing but maps is rendered."""
        return self.maps and not (self.image or self.layers)

    @property
    def needs_bodies(self) -> bool:
        """Boolean: the bodies of each mesh decide how its faces count."""
        return self.sheets.by_geometry and (self.maps or self.image)


def render_frame(
    pipeline: Pipeline,
    scene: Scene,
    camera: Camera,
    request: FrameRequest,
    meanwhile: Callable[[], None] = lambda: None,
) -> Frame:
    """Render one frame.

    With one sample per pixel, image and maps share both sheets. On the engine "compute", layers
    also share the queues of faces with them, as the passes follow one another.

    Args:
        pipeline: the engines.
        scene: Scene to render.
        camera: Camera to render.
        request: parts of the frame.
        meanwhile: called after the sheets are submitted; it must not raise.
    """
    shares_sheets = (
        request.image
        and request.samples == 1
        and not pipeline.shades_by_rasterizing(scene, camera, request.sheets)
    )
    pending = maps = layers = image = None
    if request.maps or shares_sheets:
        sheets = replace(request.sheets, shaded=shares_sheets)
        if not request.maps:
            sheets = replace(sheets, attributes=())
        pending = pipeline.submit_sheets(scene, camera, sheets)
    try:
        if request.layers:
            layers = pipeline.peel(
                scene,
                camera,
                request.crossings,
                request.max_layers,
                request.memory_limit,
                request.min_gap,
            )
        meanwhile()
        if pending is not None:
            submitted, pending = pending, None
            maps, image = pipeline.collect_sheets(submitted)
    finally:
        if pending is not None:
            pipeline.discard_sheets(pending)
    if request.image and not shares_sheets:
        image = pipeline.shade(scene, camera, request.sheets, request.samples)
    return Frame(camera, image, maps if request.maps else None, layers)


def render_pairs(
    pipeline: Pipeline,
    pairs: Iterator[Pair],
    request: FrameRequest,
    upload: Callable[[Mesh], Scene],
) -> Iterator[Frame]:
    """Yield the frame of each pair, in order.

    The mesh of the next pair is uploaded, and its bodies are found, while this one is rendered. An
    uploaded mesh is freed before the last of its consecutive frames is yielded. Scenes in pairs are
    not freed.

    Args:
        pipeline: the engines.
        pairs: pairs of a mesh or a scene and a camera. An error in it is raised after all earlier
            frames.
        request: parts of each frame.
        upload: uploads a mesh.
    """

    def prepare(mesh: Mesh) -> Scene:
        scene = upload(mesh)
        if request.needs_bodies:
            with suppress(MemoryError):  # the frame will report it
                mesh.bodies  # noqa: B018  found on first access
        return scene

    queue = _PairQueue(pairs, prepare)
    queue.advance()
    while queue.failure is None and queue.next is not None:
        mesh, scene, camera = queue.next
        frame = render_frame(pipeline, scene, camera, request, queue.advance)
        if mesh is not None and (queue.next is None or queue.next[1] is not scene):
            scene.release()
        del mesh, scene
        yield frame
        del frame  # not kept while the caller works with it
    failure, queue.failure = queue.failure, None
    if failure is not None:
        try:
            raise failure
        finally:
            del failure  # its traceback would keep this frame alive, and with it the meshes


class _PairQueue:
    """Pairs, one ahead, with their meshes uploaded.

    Attributes:
        next: mesh (None if the pair has a scene), scene and camera of the next pair; None after
            the last one.
        failure: the error that ended the pairs, or None.
    """

    def __init__(self, pairs: Iterator[Pair], upload: Callable[[Mesh], Scene]) -> None:
        self._pairs, self._upload = pairs, upload
        self.next: tuple[Mesh | None, Scene, Camera] | None = None
        self.failure: Exception | None = None

    def advance(self) -> None:
        """Take the next pair; upload its mesh unless the current pair has the same one."""
        current, self.next = self.next, None
        try:
            given, camera = _checked_pair(next(self._pairs))
            if isinstance(given, Scene):
                self.next = None, given, camera
            elif current is not None and current[0] is given:
                self.next = given, current[1], camera
            else:
                self.next = given, self._upload(given), camera
        except StopIteration:
            return
        except Exception as error:
            self.failure = error


def _checked_pair(pair: object) -> Pair:
    if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], (Mesh, Scene)):
        given = type(pair).__name__
        if isinstance(pair, tuple):
            given = f"({', '.join(type(each).__name__ for each in pair[:3])})"
        raise RequestError(
            f"pairs must be (Mesh or Scene, Camera), not {given}; "
            "or a scene and an iterable of cameras"
        )
    return pair[0], pair[1]
