"""The extension of Blender: operators, results and what is left after it, in bpy."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from blender_scenes import SCENES, animated, bpy_module, concave, empty_scene, star_prism

import ddepth_gl as dd
from ddepth_gl.blender.cameras import blender_camera
from ddepth_gl.blender.render_engine import with_render_depsgraph
from ddepth_gl.blender.scene import BlenderScene, blender_scene

bpy = bpy_module()
FOLDER = Path(__file__).parents[1] / "blender"
if not FOLDER.is_dir():
    pytest.skip("the extension of Blender is not in sdists", allow_module_level=True)
NAME = "double_depth_of_tests"


@pytest.fixture(scope="module")
def addon() -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location(NAME, FOLDER / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    module.register()
    yield module
    module.unregister()


@pytest.fixture
def runs(addon: Any) -> Any:
    return sys.modules[f"{NAME}.runs"]


def of_api(
    scene: Any, objects: str = "renderable", **arguments: Any
) -> tuple[dd.DepthMaps, dd.DepthLayers, BlenderScene]:
    """Return what the API makes of a scene."""

    def read(depsgraph: Any) -> tuple[BlenderScene, dd.Camera]:
        evaluated = depsgraph.scene_eval
        return blender_scene(depsgraph, objects), blender_camera(evaluated, evaluated.camera)

    found, camera = with_render_depsgraph(scene, read)
    with dd.DepthRenderer() as renderer:
        uploaded = renderer.upload(found.mesh)
        names = ("normal", "object_id")
        maps = renderer.entry_exit(uploaded, camera, attributes=names, **arguments)
        return maps, renderer.peel(uploaded, camera, attributes=names), found


def pixels(name: str) -> npt.NDArray[np.float32]:
    """Return an image of Blender, (H, W, 4), row 0 at the top."""
    image = bpy.data.images[name]
    assert image.is_float
    width, height = image.size
    flat = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(flat)
    return flat.reshape(height, width, 4)[::-1]


def assert_shows(name: str, values: npt.NDArray[Any]) -> None:
    shown = pixels(name)
    is_id = values.dtype.kind == "i"
    hit = values >= 0 if is_id else ~np.isnan(values.reshape(*values.shape[:2], -1)[..., 0])
    np.testing.assert_array_equal(shown[..., 3], hit, name)
    expected = np.where(hit[..., None], values.reshape(*values.shape[:2], -1), 0)
    np.testing.assert_array_equal(shown[..., :3], np.broadcast_to(expected, (*hit.shape, 3)), name)


def vertices(name: str) -> npt.NDArray[np.float32]:
    return attribute(name, "position", "vector", 3)


def attribute(name: str, key: str, what: str, width: int, kind: Any = np.float32) -> Any:
    data = bpy.data.objects[name].data.attributes[key].data
    flat = np.empty(len(data) * width, kind)
    data.foreach_get(what, flat)
    return flat.reshape(-1, width) if width > 1 else flat


@pytest.mark.parametrize("name", ["concave", "mirrored", "instances", "orthographic", "border"])
def test_this_view_shows_what_the_api_returns(addon: Any, name: str) -> None:
    scene = SCENES[name]()
    settings = scene.double_depth
    settings.thickness = settings.normal = settings.object_id = settings.mould = True
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    maps, _, _ = of_api(scene)
    assert maps.mask.any()
    for quantity in ("entry", "exit", "thickness"):
        assert_shows(f"Depth {quantity}", getattr(maps, quantity))
    for sheet in ("entry", "exit"):
        assert_shows(f"Depth {sheet} normal", getattr(maps, f"{sheet}_normal"))
        assert_shows(f"Depth {sheet} object id", getattr(maps, f"{sheet}_object_id"))
    for cloud, points, sheet in zip(
        ("front", "back"), maps.points(), ("entry", "exit"), strict=True
    ):
        np.testing.assert_array_equal(vertices(f"Depth {cloud}"), points)
        np.testing.assert_array_equal(
            attribute(f"Depth {cloud}", "surface_normal", "vector", 3),
            getattr(maps, f"{sheet}_normal")[maps.mask],
        )
        np.testing.assert_array_equal(
            attribute(f"Depth {cloud}", "object_id", "value", 1, np.int32),
            getattr(maps, f"{sheet}_object_id")[maps.mask],
        )
    mould, mesh = maps.to_mesh(), bpy.data.objects["Depth mould"].data
    np.testing.assert_array_equal(vertices("Depth mould"), mould.vertices.astype(np.float32))
    assert len(mesh.polygons) == len(mould.faces)
    assert not mesh.validate(verbose=False)


def test_layers(addon: Any) -> None:
    scene = SCENES["nested"]()
    settings = scene.double_depth
    settings.layers, settings.max_layers, settings.entry, settings.exit = True, 3, False, False
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    _, layers, _ = of_api(scene)
    assert layers.count.max() > 3
    for number, depth in enumerate(layers.dense("depth", max_layers=3), 1):
        assert_shows(f"Depth layer {number}", depth)
    np.testing.assert_array_equal(vertices("Depth layers"), np.concatenate(layers.points()[:3]))
    numbers = attribute("Depth layers", "layer", "value", 1, np.int32)
    assert numbers.min() == 1
    assert numbers.max() == 3
    assert not {"Depth entry", "Depth layer 4"} & {image.name for image in bpy.data.images}


def test_another_run_replaces_the_results(addon: Any) -> None:
    scene = concave()
    settings = scene.double_depth
    settings.thickness = settings.mould = True
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    bpy.data.objects["Depth front"].name = "renamed"
    bpy.data.images.new("Depth exit normal", 4, 4)  # a user's own
    settings.thickness = settings.mould = False
    scene.render.resolution_x = 40
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    names = {image.name for image in bpy.data.images if image.name.startswith("Depth")}
    assert names == {"Depth entry", "Depth exit", "Depth exit normal"}
    assert tuple(bpy.data.images["Depth entry"].size) == (40, 64)
    maps, _, _ = of_api(scene)
    np.testing.assert_array_equal(vertices("renamed"), maps.points()[0])
    results = bpy.data.collections["Double Depth"]
    assert {obj.name for obj in results.objects} == {"renamed", "Depth back"}
    assert sum(mesh.name.startswith("Depth") for mesh in bpy.data.meshes) == 2


def test_results_are_in_the_scene_that_was_run(addon: Any) -> None:
    scene = concave()
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    results = {"Depth front", "Depth back"}
    assert results <= {obj.name for obj in scene.objects}
    scene.collection.children.unlink(bpy.data.collections["Double Depth"])
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    assert results <= {obj.name for obj in scene.objects}
    other = bpy.data.scenes.new("other")
    for obj in (bpy.data.objects["star"], scene.camera):
        other.collection.objects.link(obj)
    other.camera = scene.camera
    bpy.context.window.scene = other
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    assert results <= {obj.name for obj in other.objects}
    assert not results & {obj.name for obj in scene.objects}


def test_a_view_of_nothing(addon: Any) -> None:
    scene = concave()
    settings = scene.double_depth
    settings.layers = settings.mould = True
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    assert pixels("Depth entry").any()
    scene.camera.rotation_euler = (0.0, 0.0, 0.0)
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    assert not pixels("Depth entry").any()
    assert "Depth layer 1" not in bpy.data.images
    assert "Depth mould" not in bpy.data.objects
    assert len(bpy.data.objects["Depth layers"].data.vertices) == 0
    settings.layers = False
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    assert len(bpy.data.objects["Depth front"].data.vertices) == 0


def test_results_are_not_rendered(addon: Any) -> None:
    scene = concave()
    scene.double_depth.mould = True
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    first = pixels("Depth entry").copy()
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    np.testing.assert_array_equal(pixels("Depth entry"), first)
    assert of_api(scene)[2].object_names == ("star",)


def test_which_objects(addon: Any) -> None:
    scene = empty_scene()
    left, right = star_prism("left"), star_prism("right")
    left.location.x, right.location.x = -1.5, 1.5
    group = bpy.data.collections.new("group")
    scene.collection.children.link(group)
    group.objects.link(right)
    left.select_set(True)
    right.select_set(False)
    settings = scene.double_depth
    for choice, objects in (("SELECTED", "selected"), ("COLLECTION", "group")):
        settings.objects, settings.collection = choice, group
        assert bpy.ops.double_depth.view() == {"FINISHED"}
        assert_shows("Depth entry", of_api(scene, objects)[0].entry)


def test_clip_and_surfaces(addon: Any) -> None:
    scene = concave()
    settings, data = scene.double_depth, scene.camera.data
    settings.clip, settings.surfaces = True, "any"
    data.clip_start, data.clip_end = 6.9, 7.4
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    near, far = float(data.clip_start), float(data.clip_end)
    maps, _, _ = of_api(scene, near=near, far=far, surfaces="any")
    assert 0 < maps.mask.sum() < of_api(scene)[0].mask.sum()
    assert_shows("Depth entry", maps.entry)


def test_animation_writes_files_and_shows_the_last_frame(addon: Any, tmp_path: Path) -> None:
    scene = animated()
    scene.render.use_motion_blur = True
    settings = scene.double_depth
    settings.use_scene_frames = False
    settings.frame_start, settings.frame_end, settings.frame_step = 2, 8, 3
    settings.folder, settings.formats = str(tmp_path / "new/folder"), {"npz", "exr"}
    before = scene.frame_current
    assert bpy.ops.double_depth.animation() == {"FINISHED"}
    assert scene.frame_current == before
    written = sorted(path.name for path in (tmp_path / "new/folder").iterdir())
    assert written == [f"untitled_{f:04d}.{e}" for f in (2, 5, 8) for e in ("exr", "npz")]
    for frame in (2, 5, 8):
        scene.frame_set(frame)
        maps, _, found = of_api(scene)
        stored = dd.load_npz(tmp_path / f"new/folder/untitled_{frame:04d}.npz")
        assert isinstance(stored, dd.DepthMaps)
        np.testing.assert_array_equal(stored.entry, maps.entry)
        assert stored.camera == maps.camera
        assert "motion blur" in stored.provenance["mesh_left_out"]
        assert stored.provenance["mesh_left_out"] == "; ".join(found.left_out)
    assert_shows("Depth exit", maps.exit)


def test_blender_reads_the_exr(addon: Any, tmp_path: Path) -> None:
    scene = concave()
    settings = scene.double_depth
    settings.folder, settings.formats, settings.write_view = str(tmp_path), {"exr"}, True
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    (path,) = tmp_path.iterdir()
    image = bpy.data.images.load(str(path))
    image.pixels[:1]  # reads it
    assert image.type == "MULTILAYER"
    node = bpy.data.node_groups.new("compositing", "CompositorNodeTree").nodes.new(
        "CompositorNodeImage"
    )
    node.image = image
    for layer in ("entry", "exit"):
        node.layer = layer
        assert {output.name for output in node.outputs} == {"depth", "distance"}


def test_what_is_left_out_is_told(addon: Any, runs: Any) -> None:
    scene = concave()
    assert runs.left_out_of(scene) is None or not runs.left_out_of(scene)
    scene.render.use_motion_blur = True
    assert bpy.ops.double_depth.check() == {"FINISHED"}
    assert runs.left_out_of(scene) == (f"motion blur: 1 ({scene.name})",)
    drawn = drawn_texts(scene)
    assert f"motion blur: 1 ({scene.name})" in drawn
    scene.render.use_motion_blur = False
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    assert runs.left_out_of(scene) == ()
    assert "Nothing" in drawn_texts(scene)


def test_what_is_left_out_belongs_to_a_file(addon: Any, runs: Any) -> None:
    scene = concave()
    scene.render.use_motion_blur = True
    assert bpy.ops.double_depth.check() == {"FINISHED"}
    assert runs.left_out_of(scene)
    scene.name = "renamed"
    assert runs.left_out_of(scene)
    another = concave()
    assert another.name == "Scene"
    assert runs.left_out_of(another) is None


class Layout:
    """Layout that remembers its texts, and refuses properties and operators that are not there."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def row(self, **_: Any) -> Layout:
        return self

    column = box = row

    def label(self, text: str = "", icon: str = "NONE") -> None:
        icons = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items
        assert icon in icons
        self.texts.append(text)

    def prop(self, owner: Any, name: str, **_: Any) -> None:
        self.texts.append(owner.bl_rna.properties[name].name)

    def operator(self, name: str, text: str | None = None, icon: str = "NONE") -> None:
        group, _, what = name.partition(".")
        self.texts.append(getattr(getattr(bpy.ops, group), what).get_rna_type().name)


def drawn_texts(scene: Any) -> list[str]:
    panel = sys.modules[f"{NAME}.panel"].DDEPTH_PT_panel
    texts: list[str] = []
    own = SimpleNamespace(layout=Layout(texts), _draw_left_out=None)
    own._draw_left_out = lambda *arguments: panel._draw_left_out(own, *arguments)
    panel.draw(own, SimpleNamespace(scene=scene))
    return texts


def test_the_panel_has_every_setting(addon: Any) -> None:
    scene = concave()
    settings = scene.double_depth
    settings.objects, settings.layers, settings.use_scene_frames = "COLLECTION", True, False
    names = {
        each.name
        for each in settings.bl_rna.properties
        if each.identifier not in ("rna_type", "name")
    }
    assert names <= set(drawn_texts(scene))
    assert {"This View", "Animation", "Check"} <= set(drawn_texts(scene))
    panel = bpy.types.DDEPTH_PT_panel
    assert (panel.bl_space_type, panel.bl_context) == ("PROPERTIES", "render")


def _panoramic(scene: Any) -> None:
    scene.camera.data.type = "PANO"


def _no_faces(scene: Any) -> None:
    bpy.data.objects["star"].hide_render = True


def _no_collection(scene: Any) -> None:
    scene.double_depth.objects = "COLLECTION"


def _nothing(scene: Any) -> None:
    settings = scene.double_depth
    settings.entry = settings.exit = settings.clouds = False


def _no_formats(scene: Any) -> None:
    scene.double_depth.formats, scene.double_depth.write_view = set(), True


def _not_saved(scene: Any) -> None:
    scene.double_depth.write_view = True


def _no_folder(scene: Any) -> None:
    scene.double_depth.write_view, scene.double_depth.folder = True, ""


def _not_a_folder(scene: Any) -> None:
    scene.double_depth.write_view, scene.double_depth.folder = True, "/dev/null/results"


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (_panoramic, "type PANO"),
        (_no_faces, "nothing to render that has faces"),
        (_no_collection, "no collection is chosen"),
        (_nothing, "nothing to render; choose"),
        (_no_formats, "no format is chosen"),
        (_not_saved, "save it first"),
        (_no_folder, "no folder is chosen"),
        (_not_a_folder, "/dev/null/results cannot be made"),
    ],
)
def test_errors_are_one_line(addon: Any, spoil: Any, text: str) -> None:
    scene = concave()
    spoil(scene)
    with pytest.raises(RuntimeError, match=text) as caught:
        bpy.ops.double_depth.view()
    assert len(str(caught.value).strip().splitlines()) == 1
    assert "Traceback" not in str(caught.value)
    scene.camera.data.type = "PERSP"
    bpy.data.objects["star"].hide_render = False
    settings = scene.double_depth
    settings.objects, settings.entry, settings.write_view = "RENDERABLE", True, False
    assert bpy.ops.double_depth.view() == {"FINISHED"}


def test_no_frames_and_no_camera(addon: Any, tmp_path: Path) -> None:
    scene = concave()
    settings = scene.double_depth
    settings.folder, settings.use_scene_frames = str(tmp_path), False
    settings.frame_start, settings.frame_end = 5, 4
    with pytest.raises(RuntimeError, match="no frames"):
        bpy.ops.double_depth.animation()
    scene.camera = None
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.double_depth.view()


def test_a_failed_frame_keeps_the_earlier_ones(addon: Any, tmp_path: Path) -> None:
    scene = concave()
    star = bpy.data.objects["star"]
    for frame, hidden in ((1, False), (3, True)):
        star.hide_render = hidden
        star.keyframe_insert("hide_render", frame=frame)
    scene.frame_start, scene.frame_end = 1, 4
    scene.double_depth.folder, scene.double_depth.formats = str(tmp_path), {"npz"}
    with pytest.raises(RuntimeError, match="nothing to render"):
        bpy.ops.double_depth.animation()
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "untitled_0001.npz",
        "untitled_0002.npz",
    ]
    assert scene.frame_current == 1


class Manager:
    """Window manager that takes notes."""

    def __init__(self) -> None:
        self.timers: list[object] = []
        self.is_in_progress = False
        self.windows: tuple[object, ...] = ()
        self.handlers: list[object] = []

    def event_timer_add(self, seconds: float, window: object) -> object:
        self.timers.append(timer := object())
        return timer

    def event_timer_remove(self, timer: object) -> None:
        self.timers.remove(timer)

    def progress_begin(self, low: int, high: int) -> None:
        self.is_in_progress = True

    def progress_update(self, value: int) -> None:
        assert self.is_in_progress

    def progress_end(self) -> None:
        self.is_in_progress = False

    def modal_handler_add(self, handler: object) -> None:
        self.handlers.append(handler)


class Interface:
    """An operator with an interface around it, which background mode has not."""

    def __init__(self, scene: Any, monkeypatch: pytest.MonkeyPatch, frames: Any) -> None:
        operators = sys.modules[f"{NAME}.operators"]
        self.reports: list[tuple[str, str]] = []
        self.texts: list[str | None] = []
        run = sys.modules[f"{NAME}.runs"].Run
        reports = self.reports

        class Operator(operators._RunOperator):  # type: ignore[name-defined, misc]
            def report(self, kinds: set[str], text: str) -> None:
                reports.append((*kinds, text))

            def _new_run(self, scene: Any) -> Any:
                return run(scene, frames, False)

        self.operator = Operator()
        self.manager = Manager()
        self.context = SimpleNamespace(
            scene=scene,
            window=None,
            window_manager=self.manager,
            workspace=SimpleNamespace(status_text_set=self.texts.append),
        )
        app = SimpleNamespace(background=False)
        module = SimpleNamespace(app=app, utils=bpy.utils, context=self.context)
        monkeypatch.setattr(operators, "bpy", module)

    def start(self) -> set[str]:
        return self.operator.invoke(self.context, None)  # type: ignore[no-any-return]

    def event(self, kind: str, value: str = "PRESS") -> set[str]:
        event = SimpleNamespace(type=kind, value=value)
        return self.operator.modal(self.context, event)  # type: ignore[no-any-return]

    def assert_is_clean(self) -> None:
        assert not self.manager.timers
        assert not self.manager.is_in_progress
        assert self.texts[-1] is None


def at_work(runs: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Interface, int]:
    """Return the scene, the interface and the process of a run that has done two of 999 frames."""
    scene = animated()
    interface = Interface(scene, monkeypatch, range(1, 1000))
    interface.start()
    while runs._current.done < 2:
        assert interface.event("TIMER") == {"RUNNING_MODAL"}
    return scene, interface, runs._process.pid


def test_beside_the_interface(addon: Any, runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = animated()
    interface = Interface(scene, monkeypatch, (3, 9))
    assert interface.start() == {"RUNNING_MODAL"}
    assert interface.event("MOUSEMOVE") == {"PASS_THROUGH"}
    with pytest.raises(RuntimeError, match="another run"):
        bpy.ops.double_depth.view()
    while (state := interface.event("TIMER")) == {"RUNNING_MODAL"}:
        pass
    assert state == {"FINISHED"}
    interface.assert_is_clean()
    assert "Double depth: frame 2 of 2, Esc to cancel" in interface.texts
    ((kind, text),) = interface.reports
    assert kind == "INFO"
    assert text.startswith("Double depth of 2 frames, by ")
    assert scene.frame_current == 7
    scene.frame_set(9)
    assert_shows("Depth entry", of_api(scene)[0].entry)


def test_esc_ends_the_renderer(addon: Any, runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, interface, pid = at_work(runs, monkeypatch)
    assert interface.event("ESC") == {"CANCELLED"}
    assert not Path(f"/proc/{pid}").exists()
    interface.assert_is_clean()
    assert interface.reports == [("WARNING", "Canceled after 2 of 999 frames")]
    assert scene.frame_current == 7
    assert bpy.ops.double_depth.view() == {"FINISHED"}


def test_disabled_in_a_run(addon: Any, runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No timer, text or other frame is left."""
    scene, interface, pid = at_work(runs, monkeypatch)
    addon.unregister()
    try:
        interface.assert_is_clean()
        assert not Path(f"/proc/{pid}").exists()
        assert scene.frame_current == 7
        assert runs._current is None
    finally:
        addon.register()
    addon.unregister()  # a second time, nothing is at work
    addon.register()


def test_the_scene_may_go_away(addon: Any, runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = animated()
    interface = Interface(scene, monkeypatch, range(1, 1000))
    interface.start()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.name = "another"
    assert interface.event("TIMER") == {"CANCELLED"}
    interface.assert_is_clean()
    assert interface.reports == [("ERROR", "scene 'Scene' is gone; run again")]
    assert runs._current is None


def test_image_editors_show_the_first_image(addon: Any) -> None:
    scene = concave()
    own = bpy.data.images.new("own", 4, 4)
    area = bpy.context.window_manager.windows[0].screen.areas[0]
    kind, area.type = area.type, "IMAGE_EDITOR"
    try:
        assert bpy.ops.double_depth.view() == {"FINISHED"}
        assert area.spaces.active.image.name == "Depth entry"
        area.spaces.active.image = own
        assert bpy.ops.double_depth.view() == {"FINISHED"}
        assert area.spaces.active.image == own
    finally:
        area.type = kind
    assert scene.camera


def test_a_killed_renderer_is_an_error(
    addon: Any, runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = animated()
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    os.kill(runs._process.pid, signal.SIGSTOP)  # between frames, another one would start
    interface = Interface(scene, monkeypatch, range(1, 1000))
    interface.start()
    runs._process._process.kill()
    while (state := interface.event("TIMER")) == {"RUNNING_MODAL"}:
        pass
    assert state == {"CANCELLED"}
    interface.assert_is_clean()
    ((kind, text),) = interface.reports
    assert kind == "ERROR"
    assert "ended with exit status -9" in text
    assert bpy.ops.double_depth.view() == {"FINISHED"}


def test_unregistered_without_a_trace(addon: Any, runs: Any) -> None:
    addon.unregister()
    scene = concave()
    handlers = {
        name: list(getattr(bpy.app.handlers, name))
        for name in dir(bpy.app.handlers)
        if isinstance(getattr(bpy.app.handlers, name), list)
    }
    images = {image.name for image in bpy.data.images}
    addon.register()
    scene.double_depth.mould = True
    assert bpy.ops.double_depth.view() == {"FINISHED"}
    pid = runs._process.pid
    addon.unregister()
    try:
        assert not Path(f"/proc/{pid}").exists()
        assert runs._process is None
        assert runs._left_out == {}
        assert not [name for name in dir(bpy.types) if "DDEPTH" in name.upper()]
        assert bpy.types.RenderEngine.bl_rna_get_subclass_py("DDEPTH_GL") is None
        assert not hasattr(bpy.types.Scene, "double_depth")
        assert "double_depth" not in scene
        assert not hasattr(bpy.types, "DOUBLE_DEPTH_OT_view")
        assert "view" not in dir(bpy.ops.double_depth)
        # "Render Result" and "Viewer Node" are Blender's.
        left = {image.name for image in bpy.data.images} - images
        assert left <= {"Render Result", "Viewer Node"}
        assert {name: list(getattr(bpy.app.handlers, name)) for name in handlers} == handlers
        # Results that are objects stay, as any others.
        blocks = (*bpy.data.objects, *bpy.data.meshes, *bpy.data.collections)
        assert not [each for each in blocks if "double_depth_result" in each]
        assert len(bpy.data.objects["Depth mould"].data.polygons)
    finally:
        addon.register()
