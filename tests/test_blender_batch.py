"""Runs of frames from .blend files: what is written, and what is refused."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_scenes import SCENES, add, bpy_module, empty_scene, near_edges, star_prism
from programs import kill_session

import ddepth_gl as dd
from ddepth_gl.blender.__main__ import main
from ddepth_gl.blender.job import checked_frames, run_batch
from ddepth_gl.blender.open_blend import open_blend
from ddepth_gl.blender.photo import render_photo
from ddepth_gl.blender.render_engine import with_render_depsgraph
from ddepth_gl.blender.scene import blender_scene
from ddepth_gl.jobs.render import RenderJob

bpy = bpy_module()


def saved(name: str, path: Path, **arguments: Any) -> Any:
    scene = SCENES[name]()
    bpy.ops.wm.save_as_mainfile(filepath=str(path), **arguments)
    return scene


@pytest.mark.parametrize("name", ["modifiers", "instances", "border"])
def test_files_are_the_scenes_that_were_saved(name: str, tmp_path: Path) -> None:
    scene = saved(name, tmp_path / "a.blend", compress=name == "border")
    before = with_render_depsgraph(scene, blender_scene).mesh
    (done,) = run_batch(tmp_path / "a.blend", tmp_path)
    mesh = done.scene.mesh
    assert done.frame == 1
    np.testing.assert_array_equal(mesh.vertices, before.vertices)
    np.testing.assert_array_equal(mesh.faces, before.faces)
    assert mesh.object_names == before.object_names
    maps = dd.load_npz(tmp_path / "a_0001.npz")
    with dd.DepthRenderer() as renderer:
        expected = renderer.entry_exit(renderer.upload(mesh), done.camera)
    np.testing.assert_array_equal(maps.entry, expected.entry)
    np.testing.assert_array_equal(maps.exit, expected.exit)
    assert maps.provenance["mesh_path"] == str(tmp_path / "a.blend")


def test_frames_formats_and_what_is_left_out(tmp_path: Path) -> None:
    scene = SCENES["animated"]()
    scene.render.use_motion_blur = True
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "turn.blend"))
    job = RenderJob(folder=tmp_path, formats=("npz", "ply", "photo"))
    done = run_batch(tmp_path / "turn.blend", tmp_path, [1, 7], job=job)
    assert [each.frame for each in done] == [1, 7]
    names = sorted(path.name for path in tmp_path.iterdir())
    endings = (".npz", "_back.ply", "_front.ply", "_photo.png")
    expected = [f"turn_{frame}{ending}" for frame in ("0001", "0007") for ending in endings]
    assert names == sorted(["turn.blend", "turn_preview.png", *expected])
    maps = dd.load_npz(tmp_path / "turn_0007.npz")
    assert maps.provenance["mesh_left_out"] == "motion blur: 1 (Scene)"
    first = dd.load_npz(tmp_path / "turn_0001.npz")
    assert not np.allclose(maps.camera.camera_from_world, first.camera.camera_from_world)
    # The same again replaces its own files; those of another scene stay.
    run_batch(tmp_path / "turn.blend", tmp_path, [1, 7], job=job)
    saved("nested", tmp_path / "turn.blend")
    with pytest.raises(dd.OutputError, match="give another -o, or --overwrite"):
        run_batch(tmp_path / "turn.blend", tmp_path, [1], job=job)


def test_photos_by_cycles(tmp_path: Path) -> None:
    scene = saved("nested", tmp_path / "a.blend")
    world = bpy.data.worlds.new("world")
    scene.world = world
    before = {name: getattr(scene.render, name) for name in ("engine", "filepath")}
    (done,) = run_batch(None, tmp_path, photo="cycles", photo_samples=2)
    assert before == {name: getattr(scene.render, name) for name in before}
    assert done.photo == tmp_path / "a_0001_photo.png"
    import imageio.v3

    # Neither dates nor times nor paths, which change with every run.
    content = done.photo.read_bytes()
    assert not [word for word in (b"tEXt", b"iTXt", b"zTXt", b"tIME") if word in content]
    image = imageio.v3.imread(done.photo)
    maps = dd.load_npz(tmp_path / "a_0001.npz")
    assert image.shape == (64, 96, 4)
    is_sure = ~near_edges(done.scene.mesh, done.camera, 1.0)
    np.testing.assert_array_equal(image[..., 3][is_sure] > 127, maps.mask[is_sure])
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    job = RenderJob(folder=tmp_path, formats=("photo",))
    with pytest.raises(dd.RequestError, match="leave photo out of --format"):
        run_batch(None, tmp_path, photo="cycles", job=job)
    with pytest.raises(dd.RequestError, match="--photo must be own, cycles, eevee, not 'oil'"):
        run_batch(None, tmp_path, photo="oil")
    with pytest.raises(dd.RequestError, match="photo"):
        render_photo(scene, tmp_path / "b.png", "own")


def test_clip_counts_if_asked_for(tmp_path: Path) -> None:
    scene = saved("nested", tmp_path / "a.blend")
    scene.camera.data.clip_start, scene.camera.data.clip_end = 6.5, 7.2
    (done,) = run_batch(None, tmp_path)
    whole = dd.load_npz(tmp_path / "a_0001.npz")
    run_batch(None, tmp_path, clip=True)
    maps = dd.load_npz(tmp_path / "a_0001.npz")
    assert np.nanmin(whole.entry) < 6.5 <= np.nanmin(maps.entry)
    assert np.nanmax(maps.exit) <= 7.2 < np.nanmax(whole.exit)
    assert done.camera.name == "camera"


def test_other_cameras_and_scenes(tmp_path: Path) -> None:
    scene = saved("nested", tmp_path / "a.blend")
    other = scene.camera.copy()
    other.name = "other"
    other.location = (0.0, -9.0, 0.0)
    scene.collection.objects.link(other)
    (done,) = run_batch(None, tmp_path, camera_name="other", scene_name="Scene")
    assert done.camera.name == "other"
    assert scene.camera.name == "camera"
    with pytest.raises(dd.RequestError, match="has no camera 'x'; it has 'camera', 'other'"):
        run_batch(None, tmp_path, camera_name="x")
    with pytest.raises(dd.RequestError, match="has no scene 'x'; it has 'Scene'"):
        run_batch(None, tmp_path, scene_name="x")


def test_a_camera_by_name_against_markers(tmp_path: Path) -> None:
    scene = saved("nested", tmp_path / "a.blend")
    other = scene.camera.copy()
    other.name = "other"
    scene.collection.objects.link(other)
    for frame, camera in ((1, scene.camera), (5, other)):
        scene.timeline_markers.new(f"at {frame}", frame=frame).camera = camera
    names = [each.camera.name for each in run_batch(None, tmp_path, [1, 5])]
    assert names == ["camera", "other"]
    done = run_batch(None, tmp_path, [1, 5], camera_name="camera")
    assert [each.camera.name for each in done] == ["camera"] * 2
    assert [marker.camera.name for marker in scene.timeline_markers] == ["camera", "other"]


def test_view_layers_by_name(tmp_path: Path) -> None:
    scene = saved("nested", tmp_path / "a.blend")
    layer = scene.view_layers.new("second")
    group = bpy.data.collections.new("group")
    scene.collection.children.link(group)
    (cube,) = (each for each in bpy.data.objects if each.name.startswith("Cube"))
    scene.collection.objects.unlink(cube)
    group.objects.link(cube)
    layer.layer_collection.children["group"].exclude = True
    (first,) = run_batch(None, tmp_path)
    assert len(first.scene.object_names) == 4
    assert first.scene.left_out == ("other view layers: 1 (second)",)
    (tmp_path / "out").mkdir()
    (done,) = run_batch(None, tmp_path / "out", layer_name="second")
    assert len(done.scene.object_names) == 3
    assert done.scene.left_out == ()
    assert all(each.use for each in scene.view_layers)
    with pytest.raises(dd.RequestError, match="no view layer 'x'; it has 'ViewLayer', 'second'"):
        run_batch(None, tmp_path, layer_name="x")


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("3", [3]),
        ("1:4", [1, 2, 3, 4]),
        ("1:10:4", [1, 5, 9]),
        ("7,1:2,7", [7, 1, 2]),
        ("-2:0", [-2, -1, 0]),
    ],
)
def test_frames(text: str, frames: list[int]) -> None:
    assert checked_frames(text) == frames


@pytest.mark.parametrize("text", ["", "5:1", "1:5:0", "a", "1:2:3:4", "1.5"])
def test_frames_that_are_none(text: str) -> None:
    with pytest.raises(dd.RequestError, match=re.escape("--frames must be like 1:100")):
        checked_frames(text)


def test_too_many_frames() -> None:
    with pytest.raises(dd.RequestError, match="more than 1,000,000 frames; give fewer"):
        checked_frames("-1:1000000")
    for text in ("1048575", "-1048575:1", "1:99999999:99999998"):
        with pytest.raises(dd.RequestError, match="must lie from -1048574 to 1048574, not '"):
            checked_frames(text)


def test_files_that_are_no_scenes(tmp_path: Path) -> None:
    with pytest.raises(dd.MeshError, match=r"no\.blend cannot be read \(No such file"):
        open_blend(tmp_path / "no.blend")
    with pytest.raises(dd.MeshError, match="is no regular file; give a"):
        open_blend(tmp_path)
    path = tmp_path / "a.blend"
    path.write_bytes(b"solid cube")
    with pytest.raises(dd.MeshError, match="is no file of Blender; save it again there"):
        open_blend(path)
    path.write_bytes(b"BLENDER-v405" + bytes(100))
    with pytest.raises(dd.MeshError, match=r"Blender .* cannot open it"):
        open_blend(path)
    with pytest.raises(dd.MeshError, match="more than the limit of 10; allow more"):
        open_blend(path, max_bytes=10)


def test_scripts_do_not_run(tmp_path: Path) -> None:
    empty_scene()
    star = star_prism()
    text = bpy.data.texts.new("run.py")
    text.write(f"open({str(tmp_path / 'ran')!r}, 'w')")
    text.use_module = True
    curve = star.driver_add("location", 0)
    curve.driver.expression = f"len(open({str(tmp_path / 'driven')!r}, 'w').name)"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    for name in ("ran", "driven"):
        (tmp_path / name).unlink(missing_ok=True)
    bpy.context.preferences.filepaths.use_scripts_auto_execute = True
    run_batch(tmp_path / "a.blend", tmp_path)
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "driven").exists()


@pytest.mark.parametrize("mode", ["SCRIPT", "EDITOR"])
def test_freestyle_is_off(tmp_path: Path, mode: str) -> None:
    """Its scripts run in spite of Blender's switch, and Blender crashes with another engine."""
    scene = empty_scene()
    star_prism()
    text = bpy.data.texts.new("style.py")
    text.write(f"open({str(tmp_path / 'ran')!r}, 'w')")
    scene.render.use_freestyle = True
    settings = scene.view_layers[0].freestyle_settings
    settings.mode = mode
    settings.modules.new().script = text
    with_render_depsgraph(scene, blender_scene)  # as the extension does
    assert scene.render.use_freestyle
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    run_batch(tmp_path / "a.blend", tmp_path, photo="cycles", photo_samples=1)
    assert (tmp_path / "a_0001_photo.png").exists()
    assert not (tmp_path / "ran").exists()


def test_libraries_of_other_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    for folder, is_allowed in ((".", True), ("..", False)):
        empty_scene()
        star_prism()
        library = tmp_path / "here" / folder / "library.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(library))
        scene = empty_scene()
        with bpy.data.libraries.load(str(library), link=True) as (_, into):
            into.objects = ["star"]
        scene.collection.objects.link(bpy.data.objects["star"])
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "here" / "a.blend"))
        if is_allowed:
            (done,) = run_batch(tmp_path / "here" / "a.blend", tmp_path)
            assert done.scene.object_names == ("star",)
            continue
        with pytest.raises(dd.MeshError, match=r"links to .*library\.blend, which is not in its"):
            run_batch(tmp_path / "here" / "a.blend", tmp_path)
        assert "star" not in bpy.data.objects


@pytest.mark.skipif(not bpy.app.build_options.fluid, reason="needs bpy with fluids")
def test_fluids_write_nothing(tmp_path: Path) -> None:
    empty_scene()
    star_prism().location.x = -2.0
    add("cube", size=2.0).name = "box"
    modifier = bpy.data.objects["box"].modifiers.new("fluid", "FLUID")
    modifier.fluid_type = "DOMAIN"
    settings = modifier.domain_settings
    settings.cache_directory, settings.resolution_max = str(tmp_path / "elsewhere"), 6
    assert settings.cache_type == "REPLAY"
    (tmp_path / "here").mkdir()
    path = tmp_path / "here" / "a.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)  # it simulates here
    (done, _) = run_batch(path, tmp_path, [1, 2])
    assert not (tmp_path / "elsewhere").exists()
    assert done.scene.object_names == ("star",)
    assert done.scene.left_out == (
        "fluids that are off, or not baked in the folder of the file: 1 (box)",
    )


@pytest.mark.parametrize("is_packed", [True, False])
def test_packed_and_missing_libraries(tmp_path: Path, is_packed: bool) -> None:
    empty_scene()
    star_prism()
    library, path = tmp_path / "library.blend", tmp_path / "here" / "a.blend"
    if not is_packed:
        library = path.with_name("library.blend")
    path.parent.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(library))
    scene = empty_scene()
    add("cube")
    with bpy.data.libraries.load(str(library), link=True) as (_, into):
        into.objects = ["star"]
    scene.collection.objects.link(bpy.data.objects["star"])
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    if is_packed:
        bpy.ops.file.pack_libraries()
        bpy.ops.wm.save_mainfile()
    library.unlink()
    (done,) = run_batch(path, tmp_path)
    if is_packed:
        assert sorted(done.scene.object_names) == ["Cube", "star"]
        assert done.scene.left_out == ()
    else:
        assert done.scene.object_names == ("Cube",)
        assert done.scene.left_out == ("missing from linked files: 1 (star)",)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved("animated", tmp_path / "a.blend")
    out = tmp_path / "new" / "out"
    arguments = [str(tmp_path / "a.blend"), "-o", str(out), "--frames", "1:3:2", "--layers"]
    assert main(arguments) == 0
    assert sorted(path.name for path in out.iterdir()) == ["a_0001_layers.npz", "a_0003_layers.npz"]
    assert "frame 3: 1 object, 432 faces" in capsys.readouterr().out
    odd = tmp_path / "new\nline.blend"
    shutil.copy(tmp_path / "a.blend", odd)
    assert main([str(odd), "-o", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("frame 7: ")]) == 1
    assert not [line for line in lines if line.startswith("line")]
    for wrong, words in (
        (["--frames", "x"], "--frames must be like"),
        (["--format", "gif"], "unknown format 'gif'"),
        (["--objects", "x"], "no collection 'x'"),
        (["--nope"], "No such option"),
    ):
        assert main([*arguments, *wrong]) == 1
        lines = capsys.readouterr().err.strip().splitlines()
        assert lines[-1].startswith("error: ")
        assert words in lines[-1]
    assert main(["-o", str(out)]) == 1
    assert "there is no scene; give a .blend file" in capsys.readouterr().err


@pytest.mark.slow
def test_crashes_of_blender_are_one_line(tmp_path: Path) -> None:
    """A module in place of bpy stands for a damaged file that crashes Blender's reader."""
    (tmp_path / "bpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "ddepth_gl.blender", "a.blend", "-o", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)},
    )
    text = "Blender crashed (SIGSEGV); the .blend file may be damaged; earlier files are whole"
    assert (done.returncode, done.stderr) == (1, f"error: {text}\n")


@pytest.mark.slow
def test_ctrl_c_is_an_error(tmp_path: Path) -> None:
    saved("animated", tmp_path / "a.blend")
    out = tmp_path / "out"
    arguments = [str(tmp_path / "a.blend"), "-o", str(out), "--frames", "1:100000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ddepth_gl.blender", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while process.poll() is None and not (out / "a_0002.npz").exists():
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        kill_session(process)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == "error: interrupted; files written so far are whole"
    written = sorted(out.iterdir())
    assert [path.name for path in written] == [
        f"a_{frame:04d}.npz" for frame in range(1, len(written) + 1)
    ]
    for path in written:
        dd.load_npz(path)


def test_arguments_inside_of_blender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They follow ``--``; those before it are Blender's."""
    saved("concave", tmp_path / "a.blend")
    monkeypatch.setattr("ddepth_gl.blender.__main__._is_inside_blender", lambda: True)
    own = [str(tmp_path / "a.blend"), "-o", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["blender", "-b", "--python-expr", "x", "--", *own])
    assert main() == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a_0001.npz"]
    monkeypatch.setattr(sys, "argv", ["blender", "-b", "-o", str(tmp_path)])
    assert main() == 1
