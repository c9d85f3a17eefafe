"""The command line, end to end: its files, its output, and one line for every error."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from mesh_files import TETRA, glb, gltf_tree
from meshes import bad_files
from PIL import Image
from shapes import box, sphere, torus

import ddepth_gl as dd
from ddepth_gl.cli.options import create_output_folder
from ddepth_gl.cli.reporting import one_line_errors
from ddepth_gl.cli.wording import in_options
from ddepth_gl.gl.devices import ENVIRONMENT_VARIABLE
from ddepth_gl.io.results.ply import write_mesh
from ddepth_gl.jobs import render as render_job
from ddepth_gl.jobs.names import PREVIEW_MESHES
from ddepth_gl.plot import page

COMMAND = [sys.executable, "-W", "error", "-c", "from ddepth_gl.cli.start import main; main()"]


@pytest.fixture(autouse=True)
def meshes(tmp_path, monkeypatch):
    """A working folder with some meshes."""
    monkeypatch.chdir(tmp_path)
    write_mesh(Path("box.ply"), box())
    write_mesh(Path("ring.ply"), torus(steps=24, sides=12))
    write_mesh(Path("open.ply"), dd.Mesh(box().vertices, box().faces[:-1]))
    return tmp_path


def shell(*arguments, **environment):
    """Run `ddepth` in another process."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        env={**os.environ, **environment},
        timeout=60,
    )


def fails(result, *words, status=1):
    """Assert that a run failed with exactly one line, which contains all the words."""
    code, _, err = result
    assert code == status
    assert len(err) == 1, err
    assert err[0].startswith("ddepth: error: ")
    for word in words:
        assert word in err[0]


def files(folder="out"):
    return sorted(path.name for path in Path(folder).iterdir()) if Path(folder).exists() else []


PLAIN = ("--compression", "deflate", "--derived")


def loaded(name):
    """Return the arrays in a file, and what is packed or derived."""
    path = Path("out") / f"{name}.npz"
    result = dd.load_npz(path)
    with np.load(path) as file:
        return {"entry": result.entry, "exit": result.exit, "mask": result.mask, **file}


# Complete runs, each in another process


def test_the_main_job():
    done = shell("render", "box.ply", "ring.ply", "-o", "out", "--views", "3", "--size", "32x24")
    assert (done.returncode, done.stderr) == (0, "")
    npz = [f"{name}_{view:03d}.npz" for name in ("box", "ring") for view in range(3)]
    assert files() == sorted([*npz, "box_preview.png", "ring_preview.png"])
    lines = done.stdout.splitlines()
    assert "out/box_???.npz   3 files" in lines
    assert "out/box_preview.png" in lines
    (line,) = (line for line in lines if line.startswith("box: 3 images of 32x24, 12 faces, "))
    assert line.endswith(" to render the first, set-up included")
    with dd.DepthRenderer() as renderer:
        info = renderer.info
        assert f"on {info.renderer}, OpenGL {info.gl_version}, engine {info.engine}" in lines
        mesh = dd.load_mesh("ring.ply")
        maps = renderer.entry_exit(renderer.upload(mesh), dd.Camera.orbit(mesh, 3, 32, 24)[2])
    np.testing.assert_array_equal(loaded("ring_002")["entry"], maps.entry)


def test_one_bad_mesh_among_good_ones():
    Path("text.glb").write_text("this is no mesh\n" * 10)
    done = shell(
        "render", "missing.obj", "box.ply", "text.glb", "ring.ply", "-o", "out", "--size", "8x8"
    )
    assert done.returncode == 1
    assert files() == ["box_000.npz", "box_preview.png", "ring_000.npz", "ring_preview.png"]
    first, second = done.stderr.splitlines()
    assert first.startswith("ddepth: error: missing.obj: ")
    assert second.startswith("ddepth: error: text.glb: ")
    assert done.stdout.splitlines()[-1] == "2 of 4 meshes failed"


@pytest.mark.slow
def test_unreadable_files_fail_by_themselves():
    """Root drops its capabilities, so that permissions apply as for an ordinary user."""
    Path("closed").mkdir()
    for name in ("noread.ply", "closed/inside.ply", "views.json", "closed/views.json"):
        Path(name).write_bytes(Path("box.ply").read_bytes())
    for name in ("noread.ply", "views.json", "closed"):
        Path(name).chmod(0)
    script = """
import ctypes, os
header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert os.geteuid() != 0 or ctypes.CDLL(None).capset(header, none) == 0  # see capset(2)
from ddepth_gl.cli.start import main
main()
"""

    def run(*arguments):
        command = [sys.executable, "-c", script, "render", *arguments, "-o", "out", "--size", "8x8"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1, done.stderr
        return done.stdout.splitlines(), done.stderr.splitlines()

    Path("sets/closed").mkdir(parents=True)
    Path("sets/ring.ply").write_bytes(Path("ring.ply").read_bytes())
    Path("sets/closed").chmod(0)
    said, complaints = run("sets")
    assert complaints == [
        "ddepth: error: sets/closed cannot be searched (Permission denied); "
        "change its permissions, or leave it out"
    ]
    assert files() == ["ring_000.npz", "ring_preview.png"]
    for name in files():
        Path("out", name).unlink()
    said, complaints = run("noread.ply", "closed/inside.ply", "box.ply")
    assert said[-1] == "2 of 3 meshes failed"
    assert complaints == [
        f"ddepth: error: {name}: it cannot be read (Permission denied); "
        "change the permissions of the file or of its folder"
        for name in ("noread.ply", "closed/inside.ply")
    ]
    assert files() == ["box_000.npz", "box_preview.png"]
    for name in ("views.json", "closed/views.json"):
        assert run("box.ply", "--cameras", name)[1] == [
            f"ddepth: error: {name}: cannot be read (Permission denied); "
            "check the name and its permissions"
        ]


def test_debug_adds_the_traceback_and_changes_nothing_else():
    done = shell("render", "missing.obj", "box.ply", "-o", "out", "--size", "8x8", "--debug")
    assert done.returncode == 1
    assert files() == ["box_000.npz", "box_preview.png"]
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("ddepth: error: missing.obj: ")


def test_names_with_spaces_umlauts_dashes_and_invalid_text():
    strange = os.fsdecode(b"no\xfftext.ply")
    for name in ("-x y.ply", "käse 日本.ply", strange):
        write_mesh(Path(name), box())
    done = shell(
        "render",
        "-o",
        "out",
        "--size",
        "8x8",
        "--format",
        "npz,ply",
        "--",
        "-x y.ply",
        "käse 日本.ply",
        strange,
    )
    assert (done.returncode, done.stderr) == (0, "")
    stems = ["-x y", "käse 日本", strange.removesuffix(".ply")]
    endings = ["_000.npz", "_000_front.ply", "_000_back.ply", "_preview.png"]
    assert set(files()) == {stem + ending for stem in stems for ending in endings}
    said = set(done.stdout.splitlines())
    assert {f"out/{stem}{ending}" for stem in stems for ending in endings} <= said


@pytest.mark.slow
def test_demo_writes_every_file_that_it_prints():
    done = shell("demo")
    assert (done.returncode, done.stderr) == (0, "")
    said = set()
    for line in done.stdout.splitlines():
        path = line.split(":")[0].split("   ")[0]
        if not path.startswith("out/demo/"):
            continue
        found = [path.name for path in Path().glob(path)]
        assert found, line
        assert line.endswith(f"   {len(found)} files") == ("?" in path)
        said |= set(found)
    assert said == set(files("out/demo"))
    assert len(said) == 1 + 4 * 9 + 1
    heads = [
        line.split(":")[0] for line in done.stdout.splitlines() if ": 4 images of 640x480, " in line
    ]
    assert heads == ["demo, both sheets", "demo, all layers"]
    # Each step is timed once.
    for step in ("the sheets with face", "all layers", "the photo"):
        assert done.stdout.count(f" for {step},") == 1
    mesh = Path("out/demo/demo.ply").absolute()
    for path in Path("out/demo").glob("*.npz"):
        with np.load(path) as arrays:
            assert str(arrays["mesh_path"]) == str(mesh)
            assert str(arrays["mesh_sha256"]) == hashlib.sha256(mesh.read_bytes()).hexdigest()
    look = done.stdout.splitlines()[-1]
    assert look == "look at out/demo/demo_preview.png"
    with Image.open("out/demo/demo_preview.png") as image:
        assert image.width > 1000
    # The mesh file can be rendered like any other.
    assert shell("render", "out/demo/demo.ply", "-o", "again", "--size", "8x8").stderr == ""


def test_help_imports_little():
    """Help is fast because it loads neither NumPy, OpenGL nor what only some commands need."""
    script = """
import sys
from pathlib import Path
sys.argv = ["ddepth", "--help"]
from ddepth_gl.cli.main import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
heavy = {"numpy", "moderngl", "trimesh", "imageio", "rich", "matplotlib", "PIL", "scipy", "OpenEXR"}
heavy |= {"cuda"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert "libEGL" not in Path("/proc/self/maps").read_text()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert {"render", "inspect", "demo", "doctor", "bench"} <= set(done.stdout.split())


# Effects of the options of render


def test_no_arguments_show_help(ddepth):
    code, out, err = ddepth()
    assert (code, err) == (0, [])
    assert "Usage: ddepth" in out


def test_every_option_has_help(ddepth):
    for command in ("render", "inspect", "demo", "doctor", "bench"):
        code, out, _ = ddepth(command, "--help")
        assert code == 0
        for line in out.splitlines():
            if line.lstrip().startswith("--") and line.startswith("  "):
                assert len(line.split("  ")) > 2 or len(line) > 40, line


def test_size_is_width_times_height(ddepth):
    assert ddepth("render", "box.ply", "-o", "out", "--size", "31X7")[0] == 0
    assert loaded("box_000")["entry"].shape == (7, 31)
    assert ddepth("render", "box.ply", "-o", "out", "--size", "9")[0] == 0
    assert loaded("box_000")["entry"].shape == (9, 9)
    assert ddepth("render", "box.ply", "-o", "out", "--no-preview")[0] == 0
    assert loaded("box_000")["entry"].shape == (512, 512)


def test_views_and_seed(ddepth):
    poses = []
    for seed in (0, 0, 1):
        ddepth("render", "box.ply", "-o", "out", "--size", "4x4", "--views", 5, "--seed", seed)
        poses.append([loaded(f"box_{view:03d}")["camera_from_world"] for view in range(5)])
    assert files() == [*(f"box_{view:03d}.npz" for view in range(5)), "box_preview.png"]
    np.testing.assert_array_equal(poses[0], poses[1])
    assert not np.allclose(poses[0], poses[2])
    assert len(np.unique(np.round(poses[0], 6), axis=0)) == 5


def test_eye_target_up_and_fov(ddepth):
    options = ("--eye", "-1,-5,0.5", "--target", "0,0.25,1e-1", "--up", "1,0,1", "--fov-deg", "33")
    code, _, err = ddepth("render", "box.ply", "-o", "out", "--size", "20x10", *options)
    assert (code, err) == (0, [])
    camera = dd.Camera.look_at((-1, -5, 0.5), (0, 0.25, 0.1), (1, 0, 1), 33.0, 20, 10)
    np.testing.assert_array_equal(loaded("box_000")["K"], camera.K)
    np.testing.assert_array_equal(loaded("box_000")["camera_from_world"], camera.camera_from_world)


def test_ortho(ddepth):
    options = ("--eye", "0,-5,0", "--target", "0,0,0", "--ortho", "4")
    ddepth("render", "box.ply", "-o", "out", "--size", "20x10", *options)
    arrays = loaded("box_000")
    assert arrays["is_orthographic"]
    assert (
        arrays["mask"].sum() == 10 * 10
    )  # pixels of 0.2: the box is 10 pixels wide, the image 10 high
    np.testing.assert_allclose(arrays["entry"][arrays["mask"]], 4.0, rtol=1e-6)
    ddepth("render", "box.ply", "-o", "out", "--size", "20x10", "--ortho", "4", "--views", "2")
    assert loaded("box_001")["is_orthographic"]


def test_cameras_of_a_file(ddepth):
    cameras = dd.Camera.orbit(box(), 3, 16, 12)
    frames = [
        {
            "file_path": f"{k}.png",
            "transform_matrix": (c.world_from_camera @ np.diag([1, -1, -1, 1])).tolist(),
        }
        for k, c in enumerate(cameras)
    ]
    K = cameras[0].K
    about = {
        "fl_x": K[0, 0],
        "fl_y": K[1, 1],
        "cx": K[0, 2],
        "cy": K[1, 2],
        "w": 16,
        "h": 12,
        "frames": frames,
    }
    Path("transforms.json").write_text(json.dumps(about))
    code, out, err = ddepth(
        "render", "box.ply", "ring.ply", "-o", "out", "--cameras", "transforms.json"
    )
    assert (code, err) == (0, [])
    assert "3 images of 16x12" in out
    for name in ("box", "ring"):
        np.testing.assert_allclose(
            loaded(f"{name}_002")["camera_from_world"], cameras[2].camera_from_world, atol=1e-9
        )
        assert loaded(f"{name}_002")["camera_name"] == "2.png"
    options = ("--cameras", "transforms.json", "--ortho", "3")
    assert ddepth("render", "box.ply", "-o", "flat", *options)[0] == 0
    flat = dd.load_npz("flat/box_002.npz").camera
    assert (flat.is_orthographic, flat.name) == (True, "2.png")
    fails(
        ddepth("render", "box.ply", "-o", "out", "--cameras", "transforms.json", "--fov-deg", "30"),
        "--fov-deg",
    )
    fails(ddepth("render", "box.ply", "-o", "no", "--cameras", "missing.json"), "missing.json")
    fails(ddepth("render", "box.ply", "-o", "no", "--cameras", "box.ply"), "box.ply")
    assert not Path("no").exists()


def test_formats(ddepth):
    code, out, _ = ddepth(
        "render", "box.ply", "-o", "out", "--size", "16x16", "--format", " png16, mould,"
    )
    assert code == 0
    written = {
        "box_000_entry.png",
        "box_000_exit.png",
        "box_000_png16.json",
        "box_000_mould.ply",
        "box_preview.png",
    }
    assert (
        set(files())
        == written
        == {Path(line).name for line in out.splitlines() if line.startswith("out/")}
    )


def test_png_scale(ddepth):
    options = ("--size", "16x16", "--format", "png16", "--png-scale")
    ddepth("render", "box.ply", "-o", "out", *options, "0.25")
    assert json.loads(Path("out/box_000_png16.json").read_text())["scale"] == 0.25
    before = {name: Path("out", name).read_bytes() for name in files()}
    fails(
        ddepth("render", "box.ply", "-o", "out", *options, "1e-5"),
        "box_000",
        "scale 0.0002 fits this image",
    )
    assert {name: Path("out", name).read_bytes() for name in files()} == before
    fails(ddepth("render", "box.ply", "-o", "out", *options, "-1"), "must be positive")


def test_surfaces(ddepth):
    options = ("-o", "out", "--size", "64x64", "--views", "8", "--no-preview")
    code, _, err = ddepth("render", "open.ply", *options, "--surfaces", "oriented")
    assert code == 0
    assert err == [
        "ddepth: warning: open.ply: it is not closed; entry and exit may be missing in places; "
        "--surfaces auto decides for each body"
    ]
    oriented = [loaded(f"open_{view:03d}")["mask"].sum() for view in range(8)]
    for option in ((), ("--surfaces", "any"), ("--surfaces", "auto")):
        code, _, err = ddepth("render", "open.ply", *options, *option)
        assert (code, err) == (0, [])
        every = [loaded(f"open_{view:03d}")["mask"].sum() for view in range(8)]
        assert sum(every) > sum(oriented) > 0
        assert loaded("open_000")["surfaces"] == "any"


def test_an_inside_out_mesh_is_not_called_open(ddepth):
    write_mesh(Path("turned.ply"), dd.Mesh(box().vertices, box().faces[:, ::-1]))
    options = ("-o", "out", "--size", "8x8", "--surfaces", "oriented")
    _, _, err = ddepth("render", "turned.ply", *options)
    assert "turned.ply: its winding is not consistent" in err[0]


def test_near_and_far(ddepth):
    options = ("-o", "out", "--size", "9x9", "--eye", "0,-5,0", "--target", "0,0,0")
    for crop, entry, exit_ in (
        ((), 4, 6),
        (("--near", "4.5"), np.nan, 6),
        (("--far", "5"), 4, np.nan),
    ):
        assert ddepth("render", "box.ply", *options, *crop)[0] == 0
        center = [float(loaded("box_000")[name][4, 4]) for name in ("entry", "exit")]
        np.testing.assert_allclose(center, [entry, exit_], rtol=1e-6)


def test_fill(ddepth):
    ddepth("render", "box.ply", "-o", "out", "--size", "16x16", "--fill", "-7", *PLAIN)
    arrays = loaded("box_000")
    assert arrays["fill"] == -7
    assert (arrays["entry"][~arrays["mask"]] == -7).all()
    assert not arrays["mask"].all()
    fails(ddepth("render", "box.ply", "-o", "no", "--fill", "1e39"), "fill must be")


def test_engine_and_device(ddepth):
    for options in (("--engine", "raster"), ("--device", "auto"), ("--device", "0")):
        code, out, err = ddepth("render", "box.ply", "-o", "out", "--size", "4x4", *options)
        assert (code, err) == (0, [])
        assert out.splitlines()[-1].startswith("on ")


def test_limits(ddepth):
    fails(ddepth("render", "ring.ply", "-o", "out", "--max-faces", "12"), "ring.ply", "12")
    assert ddepth("render", "box.ply", "-o", "out", "--max-faces", "12", "--size", "4x4")[0] == 0
    fails(ddepth("render", "ring.ply", "-o", "out", "--max-file-mb", "0"), "ring.ply")


def test_the_same_stem_twice(ddepth):
    for folder in ("a", "b"):
        Path(folder).mkdir()
        write_mesh(Path(folder, "m.ply"), box() if folder == "a" else sphere())
    code, out, _ = ddepth("render", "a/m.ply", "b/m.ply", "-o", "out", "--size", "8x8")
    assert code == 0
    assert files() == ["m-a_000.npz", "m-a_preview.png", "m-b_000.npz", "m-b_preview.png"]
    assert "m-a: 1 image of 8x8, 12 faces" in out
    assert "m-b: 1 image of 8x8" in out


# Warnings


def test_a_camera_that_looks_past_the_mesh(ddepth):
    options = ("--eye", "5,5,5", "--target", "9,9,9", "--format", "npz,ply,png16")
    code, _, err = ddepth("render", "box.ply", "-o", "out", "--size", "16x16", *options)
    assert code == 0
    assert err == ["ddepth: warning: box: no ray enters and leaves the mesh in view 0"]
    assert np.isnan(loaded("box_000")["entry"]).all()


def test_a_camera_beyond_the_far_plane_of_other_tools(ddepth):
    options = ("--eye", "1e6,0,0", "--target", "0,0,0", "--fov-deg", "1e-4")
    code, _, err = ddepth("render", "box.ply", "-o", "out", "--size", "64x64", *options)
    assert (code, err) == (0, [])
    np.testing.assert_allclose(np.nanmin(loaded("box_000")["entry"]), 1e6 - 1, rtol=1e-6)


# Errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--size", "3,4"), ("--size must look like N or WxH, not '3,4'",)),
        (("--size", "axb"), ("--size",)),
        (("--size", "3x4x5"), ("--size",)),
        (("--size", "3.5x4"), ("--size",)),
        (("--size", "0x4", "--views", "2"), ("error: --size: width", "0")),
        (("--size", "4x0", "--eye", "1,2,3", "--target", "0,0,0"), ("error: --size: height", "0")),
        (("--size", "-3x4"), ("error: --size: width", "-3")),
        (("--size", ""), ("--size must look like N or WxH, not ''",)),
        (("--size", "9999999x4"), ("9999999",)),
        (("--eye", "1,2", "--target", "0,0,0"), ("--eye must look like X,Y,Z, not '1,2'",)),
        (("--eye", "1,2,x", "--target", "0,0,0"), ("--eye",)),
        (("--eye", "1,2,nan", "--target", "0,0,0"), ("eye", "NaN")),
        (("--eye", "1,2,3", "--target", "1,2,3"), ("eye and target coincide",)),
        (("--eye", "1,2,3", "--target", "0,0,0", "--up", "1,2,3"), ("up",)),
        (("--eye", "1,2,3", "--target", "0,0,0", "--up", "1;2;3"), ("--up must look like",)),
        (("--eye", "1,2,3"), ("--eye and --target belong together",)),
        (("--target", "1,2,3"), ("--eye and --target belong together",)),
        (("--eye", "1,2,3", "--target", "0,0,0", "--views", "2"), ("exclude each other",)),
        (("--cameras", "c.json", "--eye", "1,2,3", "--target", "0,0,0"), ("exclude each other",)),
        (("--cameras", "c.json", "--views", "2"), ("exclude each other",)),
        (("--views", "0"), ("--views must be at least 1, not 0",)),
        (("--views", "-4"), ("--views",)),
        (("--seed", "-1"), ("error: --seed must be at least 0, not -1",)),
        (
            ("--seed", "3", "--eye", "1,2,3", "--target", "0,0,0"),
            ("--seed turns the cameras of --views",),
        ),
        (("--seed", "0", "--cameras", "c.json"), ("--seed turns the cameras of --views",)),
        (
            ("--up", "0,1,0", "--cameras", "c.json"),
            ("--cameras brings its own poses; leave --up out",),
        ),
        (
            ("--ortho", "2", "--fov-deg", "9", "--eye", "1,2,3", "--target", "0,0,0"),
            ("--ortho or --fov-deg",),
        ),
        (("--fov-deg", "180"), ("error: --fov-deg: ", "between 0 and 180")),
        (("--fov-deg", "nan"), ("fov_y_deg",)),
        (("--ortho", "0"), ("error: --ortho: extent must be positive",)),
        (("--ortho", "-2", "--eye", "1,2,3", "--target", "0,0,0"), ("extent must be positive",)),
        (("--format", "npz,tiff"), ("unknown format 'tiff'; give npz, ply, png16, mould",)),
        (("--format", "npz,xray"), ("format xray stores all layers; give --layers",)),
        (("--max-layers", "3"), ("--max-layers has no effect without --layers",)),
        (("--layers", "--max-layers", "0"), ("--max-layers must be an integer, at least 1",)),
        (("--memory-limit", "3"), ("--memory-limit has no effect without --layers",)),
        (
            ("--layers", "--memory-limit", "9"),
            (
                "crossings",
                "memory_limit of 9; give a smaller --size, a small --max-layers or a larger --mem",
            ),
        ),
        (("--layers", "--format", "png16", "--no-preview"), ("--layers has no effect on png16",)),
        (("--format", "npz,ply, npz"), ("format npz is given twice",)),
        (("--attributes", "face,hue"), ("attributes may hold face, normal", "'hue'")),
        (("--format", "photo", "--samples", "0"), ("--samples must be an integer, at least 1",)),
        (("--samples", "0"), ("--samples must be an integer, at least 1",)),
        (("--samples", "4"), ("--samples has no effect on npz; it is for photo",)),
        (
            ("--format", "png16", "--attributes", "uv"),
            ("--attributes has no effect on png16; it is for npz",),
        ),
        (("--format", "xray", "--layers", "--png-scale", "0.1"), ("--png-scale", "xray", "png16")),
        (
            ("--format", "ply,mould", "--fill", "0"),
            ("--fill has no effect on ply, mould; it is for npz, exr, exr-files",),
        ),
        (("--format", "", "--no-preview"), ("nothing to write",)),
        (("--engine", "warp"), ("error: --engine must be 'auto'", "'warp'")),
        (
            ("--surfaces", "both"),
            ("error: --surfaces must be auto, oriented or any, not 'both'",),
        ),
        (("--device", "banana"), ("banana",)),
        (("--device", "99"), ("99",)),
        (("--near", "5", "--far", "2"), ("0 <= near < far, not --near 5 --far 2",)),
        (("--near", "nan"), ("0 <= near < far, not --near nan",)),
        (("--near", "-1"), ("not --near -1",)),
        (("--far", "-1"), ("not --far -1",)),
        (("--far", "0"), ("not --far 0",)),
        (("--format", "png16", "--png-scale", "0"), ("error: --png-scale must be positive",)),
        (("--fill", "1e39"), ("error: --fill must be a number that float32 holds",)),
        (("--max-faces", "-1"), ("error: --max-faces must be at least 0, not -1",)),
        (("--max-file-mb", "-2"), ("error: --max-file-mb must be at least 0, not -2",)),
        (("--up", "0,0,0"), ("error: --up must be a direction, not '0,0,0'",)),
        (("--up", "nan,0,1"), ("error: --up must be a direction",)),
        (("--up", "w"), ("error: --up must look like X,Y,Z, y, -y or auto, not 'w'",)),
        (("--up", ""), ("error: --up must look like X,Y,Z, y, -y or auto, not ''",)),
        (
            ("--eye", "0,0,5", "--target", "0,0,0"),
            ("box: --up auto: up [0.0, 0.0, 1.0] is zero or parallel to the view",),
        ),
        (
            ("--eye", "0,0,5", "--target", "0,0,0", "--up", "-z"),
            ("up [0.0, 0.0, -1.0] is zero or parallel to the view",),
        ),
    ],
)
def test_bad_options_are_one_line(ddepth, options, words):
    fails(ddepth("render", "box.ply", "-o", "out", *options), *words)
    assert files() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("render", "box.ply", "-o", "out", "--views", "many"), ("--views",)),
        (("render", "box.ply", "-o", "out", "--nonsense"), ("--nonsense",)),
        (("render", "box.ply"), ("-o",)),
        (("render", "-o", "out"), ("MESH",)),
        (("render", "box.ply", "-o"), ("-o",)),
        (("paint",), ("paint", "ddepth --help")),
        (("demo", "too", "much"), ("too",)),
        (("render", "box.ply", "-o", ""), ("-o", "'' is no folder")),
        (("demo", "-o", ""), ("-o", "'' is no folder")),
        (("render", "", "-o", "out"), ("MESH", "'' is no mesh; give a file or a folder")),
        (("inspect", "box.ply", ""), ("MESH", "'' is no mesh")),
    ],
)
def test_a_wrong_command_line_is_one_line(ddepth, arguments, words):
    fails(ddepth(*arguments), *words, status=2)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--format", "mould", "--eye", "9,0,0", "--target", "10,0,0"),
            "mesh, or use --surfaces any if the mesh is not closed",
        ),
        (
            ("--format", "layereddepth", "--layers", "--png-scale", "1e-6"),
            "of a 16-bit PNG; --png-scale ",
        ),
        (("--format", "png16", "--png-scale", "1e-6"), "of a 16-bit PNG; --png-scale "),
    ],
)
def test_messages_of_the_library_name_options(ddepth, options, words):
    code, _, err = ddepth(
        "render", "box.ply", "-o", "out", "--size", "9x9", "--no-preview", *options
    )
    assert code == 1
    assert words in err[-1]
    assert not re.search(r"\w=|; scale", err[-1])


def test_messages_in_words_of_options():
    assert in_options("engine='compute' needs 4.3; use engine='raster' or 'auto'") == (
        "engine='compute' needs 4.3; use --engine raster or auto"
    )
    assert in_options("reduce it, pass max_layers= or ask for less") == (
        "reduce it, give --max-layers or ask for less"
    )
    assert (
        in_options("2 layers; pass a smaller max_layers=")
        == "2 layers; give a smaller --max-layers"
    )
    assert in_options("a mesh.ply is empty") == "a mesh.ply is empty"


def test_the_driver_is_named_only_if_something_was_rendered(ddepth):
    Path("text.glb").write_text("this is no mesh\n" * 10)
    code, out, _ = ddepth("render", "nope.glb", "text.glb", "-o", "out")
    assert (code, out) == (1, "2 of 2 meshes failed\n")
    ddepth("render", "box.ply", "-o", "out", "--size", "4x4")
    write_mesh(Path("box.ply"), sphere(1.0, 6, 8))
    code, out, err = ddepth("render", "box.ply", "-o", "out", "--size", "4x4")
    assert (code, out) == (1, "")
    assert "earlier state" in err[0]
    # A view without a mould was rendered nevertheless.
    away = ("--eye", "9,0,0", "--target", "10,0,0", "--no-preview", "--format", "mould")
    code, out, _ = ddepth("render", "ring.ply", "-o", "out", "--size", "4x4", *away)
    assert code == 1
    assert out.splitlines()[-1].startswith("on ")


def test_a_bad_option_is_reported_once_for_all_meshes(ddepth):
    for options in (
        ("--near", "5", "--far", "2"),
        ("--size", "x"),
        ("--device", "banana"),
        ("--format", "tiff"),
    ):
        fails(
            ddepth(
                "render",
                "box.ply",
                "ring.ply",
                "open.ply",
                "--surfaces",
                "any",
                "-o",
                "out",
                *options,
            )
        )


def test_a_missing_package_is_reported_once_and_first(ddepth, monkeypatch):
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    result = ddepth(
        "render", "box.ply", "ring.ply", "missing.ply", "-o", "out", "--format", "npz,exr"
    )
    fails(result, 'run pip install "ddepth-gl[exr]"')
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ((), ("sheets", "writing")),
        (("--layers",), ("sheets", "layers", "writing")),
        (("--format", "photo,npz"), ("sheets", "photo", "writing")),
        (("--format", "photo,npz", "--layers"), ("sheets", "layers", "photo", "writing")),
    ],
)
def test_the_line_of_times_names_the_steps(ddepth, options, what):
    _, out, _ = ddepth("render", "box.ply", "-o", "out", "--size", "4x4", *options)
    (line,) = (line for line in out.splitlines() if " ms per image" in line)
    note = "z up by default, " + "layers instead of sheets in npz, " * ("--layers" in options)
    number = r"\d+\.\d"
    steps = [
        rf"{number}{' ms per image' * (step == 'sheets')} for (?:the |all )?{step}" for step in what
    ]
    assert re.fullmatch(
        rf"box: 1 image of 4x4, 12 faces, {note}{', '.join(steps)}; set-up included", line
    )


def test_one_face_is_singular(ddepth):
    write_mesh(Path("one.ply"), dd.Mesh(box().vertices, box().faces[:1]))
    _, out, _ = ddepth("render", "one.ply", "-o", "out", "--size", "4x4", "--surfaces", "any")
    assert "one: 1 image of 4x4, 1 face, " in out


def test_missing_meshes(ddepth):
    write_mesh(Path("bare.ply"), box())
    Path("bare.ply").rename("bare")
    fails(
        ddepth("render", "bare", "-o", "out"),
        "bare: its name has no extension; add that of its format, .obj",
    )
    fails(ddepth("render", "missing.obj", "-o", "out"), "missing.obj: there is no such file")
    Path("empty").mkdir()
    fails(ddepth("render", "empty", "-o", "out"), "empty has no mesh files (.obj, ")
    Path("empty.stl").write_bytes(b"")
    fails(ddepth("render", "empty.stl", "-o", "out"), "empty.stl: it is empty")


def test_a_folder_without_meshes_among_others(ddepth):
    Path("empty").mkdir()
    code, out, err = ddepth("render", "empty", "box.ply", "-o", "out", "--size", "4x4")
    assert code == 1
    assert [line.split(" (")[0] for line in err] == ["ddepth: error: empty has no mesh files"]
    assert "box: 1 image" in out
    assert files() == ["box_000.npz", "box_preview.png"]
    # Nothing is created where there is nothing to render.
    fails(ddepth("render", "empty", "-o", "no"), "empty has no mesh files")
    assert not Path("no").exists()


@pytest.mark.slow
def test_results_in_a_searched_folder_are_not_rendered(ddepth):
    """A second run into the folder of the meshes writes the same files again, and no others."""
    Path("sets/.hidden").mkdir(parents=True)
    Path("box.ply").rename("sets/box.ply")
    Path("sets/._box.obj").write_bytes(b"of macOS")
    command = ("render", "sets", "-o", "sets", "--format", "mould,ply", "--size", "32x32")
    code, out, err = ddepth(*command)
    assert (code, err) == (0, [])
    assert "left out" not in out
    written = files("sets")
    assert "box_000_mould.ply" in written
    code, out, err = ddepth(*command)
    assert (code, err) == (0, [])
    assert out.splitlines()[0] == (
        "left out 3 results of ddepth found in folders, such as sets/box_000_back.ply"
    )
    assert files("sets") == written
    # In other folders, too; and by name, results are meshes.
    code, out, err = ddepth(
        "render", "sets", "sets/box_000_mould.ply", "-o", "out", "--size", "4x4"
    )
    assert (code, err) == (0, [])
    names = ("box", "box_000_mould")
    assert files() == sorted(
        f"{name}{end}" for name in names for end in ("_000.npz", "_preview.png")
    )
    code, out, err = ddepth("inspect", "sets", "--json")
    assert [entry["file"] for entry in json.loads(out)] == ["sets/box.ply"]
    assert err[0].startswith("ddepth: warning: left out 3 results of ddepth")


def test_a_mesh_given_twice_is_rendered_once(ddepth):
    Path("sets").mkdir()
    Path("box.ply").rename("sets/box.ply")
    code, out, err = ddepth(
        "render", "sets/box.ply", "sets", "./sets", "-o", "out", "--size", "4x4"
    )
    assert code == 0
    assert err == [
        "ddepth: warning: given or found twice, used once: sets/box.ply and 1 more",
    ]
    assert files() == ["box_000.npz", "box_preview.png"]
    code, out, err = ddepth("inspect", "sets/box.ply", "sets/box.ply", "--json")
    assert (code, len(json.loads(out))) == (0, 1)
    assert err == ["ddepth: warning: given or found twice, used once: sets/box.ply"]


def test_limits_are_named_as_options(ddepth):
    fails(ddepth("render", "box.ply", "-o", "out", "--max-faces", "5"), "pass a larger --max-faces")
    fails(ddepth("render", "box.ply", "-o", "out", "--max-file-mb", "0"), "larger --max-file-mb")


@pytest.mark.parametrize("path", bad_files())
def test_bad_meshes(ddepth, path):
    # Either it can be rendered, or one line names the file; never a traceback.
    code, _, err = ddepth("render", path, "-o", "out", "--size", "16x16", "--format", "npz,ply")
    errors = [line for line in err if line.startswith("ddepth: error: ")]
    assert len(err) == len(
        [line for line in err if line.startswith(("ddepth: error: ", "ddepth: warning: "))]
    )
    assert code == len(errors) <= 1
    if errors:
        assert str(path) in errors[0]
        assert files() == []
    else:
        assert len(files()) == 4


def test_output_is_a_file(ddepth):
    before = Path("box.ply").read_bytes()
    fails(
        ddepth("render", "ring.ply", "box.ply", "-o", "box.ply"),
        "-o box.ply is a file; give a folder",
    )
    fails(
        ddepth("render", "ring.ply", "-o", "box.ply/on/top"),
        "-o box.ply/on/top: box.ply is a file; give a",
    )
    fails(ddepth("demo", "-o", "box.ply"), "-o box.ply is a file; give a folder")
    assert Path("box.ply").read_bytes() == before


def test_create_output_folder(tmp_path):
    create_output_folder(tmp_path / "a" / "b")
    create_output_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_bytes(b"")
    for place in ("file", "file/below"):
        with pytest.raises(dd.OutputError, match=r"^-o .*file is a file; give a folder$"):
            create_output_folder(tmp_path / place)


def test_output_that_cannot_be_written(ddepth):
    Path("out/box_000.npz").mkdir(parents=True)
    fails(ddepth("render", "box.ply", "-o", "out", "--size", "4x4"), "out/box_000.npz is a folder")
    code, _, err = ddepth("render", "box.ply", "ring.ply", "-o", "out", "--size", "4x4")
    assert code == 1
    assert len(err) == 1
    assert files() == ["box_000.npz", "ring_000.npz", "ring_preview.png"]


def test_an_image_larger_than_the_device_allows(ddepth):
    fails(
        ddepth("render", "box.ply", "-o", "out", "--size", "70000x1"),
        "70000x1",
        "larger than",
        "; use a smaller --size",
    )
    # The Python API advises differently.
    camera = dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=70000, height=1)
    with pytest.raises(dd.CameraError, match=r"larger than .*; render it in parts"):
        dd.double_depth(box(), camera)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyboardInterrupt(), "interrupted; files written so far are whole"),
        (MemoryError(), "out of memory; reduce the image size or the mesh"),
        (dd.DeviceMemoryError("the device is full"), "the device is full"),
        (dd.ContextError("the device\nwent away"), "the device went away"),
        (
            ZeroDivisionError("oh"),
            "unexpected ZeroDivisionError: oh; please report it, with the output of --debug",
        ),
    ],
)
def test_errors_during_rendering(ddepth, monkeypatch, error, line):
    def run(*_):
        raise error

    monkeypatch.setattr(render_job.RenderJob, "run", run)
    status = 130 if isinstance(error, KeyboardInterrupt) else 1
    result = ddepth("render", "box.ply", "-o", "out")
    fails(result, status=status)
    assert result[2] == [f"ddepth: error: {line}"]
    result = ddepth("render", "box.ply", "-o", "out", "--debug")
    assert result[0] == status
    if status == 1:
        assert result[2][0].startswith("Traceback")


@pytest.mark.parametrize("error", [dd.ContextError("lost"), dd.DeviceMemoryError("full")])
def test_after_a_lost_context_no_other_mesh_is_tried(ddepth, monkeypatch, error):
    tried = []

    def run(_job, _renderer, mesh, *_):
        tried.append(mesh.name)
        raise error

    monkeypatch.setattr(render_job.RenderJob, "run", run)
    ddepth("render", "box.ply", "ring.ply", "-o", "out")
    assert tried == (["box"] if isinstance(error, dd.ContextError) else ["box", "ring"])


@pytest.mark.slow
def test_a_closed_pipe_is_not_an_error():
    done = subprocess.run(
        [
            "bash",
            "-c",
            '"$@" | true',
            "bash",
            *COMMAND,
            "render",
            "box.ply",
            "-o",
            "out",
            "--size",
            "4x4",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""


# doctor


def test_doctor(ddepth, monkeypatch):
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    code, out, err = ddepth("doctor")
    assert (code, err) == (0, [])
    with dd.DepthRenderer() as renderer:
        info = renderer.info
    assert (
        f"ddepth_gl {dd.__version__}: without device=, a renderer runs engine {info.engine}" in out
    )
    assert f" on device {info.device_index}: {info.renderer}, OpenGL {info.gl_version}." in out
    assert ("No GPU answers" in out) == info.is_software
    assert "raster" in out


def test_doctor_json(ddepth, monkeypatch):
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    code, out, err = ddepth("doctor", "--json")
    assert (code, err) == (0, [])
    report = json.loads(out)
    with dd.DepthRenderer() as renderer:
        assert report["default"] == {"error": None, "info": renderer.info.as_dict()}
    assert report[ENVIRONMENT_VARIABLE] is None
    assert report["version"] == f"ddepth_gl {dd.__version__}"
    device = report["devices"][report["default"]["info"]["device_index"]]
    assert device["renderer"] == report["default"]["info"]["renderer"]
    assert "raster" in device["engines"]
    assert all(set(row) == set(device) for row in report["devices"])


@pytest.mark.parametrize("device", ["banana", "99"])
def test_doctor_with_a_broken_environment(ddepth, monkeypatch, device):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, device)
    fails(ddepth("doctor"), device)
    result = ddepth("doctor", "--json")
    fails(result, device)
    report = json.loads(result[1])
    assert report[ENVIRONMENT_VARIABLE] == device
    assert report["default"]["info"] is None
    assert device in report["default"]["error"]
    assert report["devices"]  # the available devices are shown nevertheless
    fails(ddepth("demo", "-o", "out"), device)
    fails(ddepth("render", "box.ply", "-o", "out"), device)
    assert ddepth("render", "box.ply", "-o", "out", "--size", "4x4", "--device", "auto")[0] == 0


# inspect


def test_inspect_prints_the_report_of_each_mesh(ddepth):
    code, out, err = ddepth("inspect", "box.ply", "open.ply")
    assert (code, err) == (0, [])
    lines = out.splitlines()
    reports = [str(dd.load_mesh(name).report()).splitlines() for name in ("box.ply", "open.ply")]
    assert lines[0] == "box.ply: 12 faces, 8 vertices"
    assert lines[1 : len(reports[0])] == reports[0][1:]
    assert lines[len(reports[0])] == "open.ply: 11 faces, 8 vertices"
    assert lines[len(reports[0]) + 1 :] == reports[1][1:]
    assert "  two-sided   1 open (11 faces)" in lines


def test_inspect_takes_folders(ddepth, meshes):
    code, out, err = ddepth("inspect", "--json", meshes)
    assert (code, err) == (0, [])
    names = [str(meshes / name) for name in ("box.ply", "open.ply", "ring.ply")]
    assert [entry["file"] for entry in json.loads(out)] == names


def test_inspect_json(ddepth):
    code, out, err = ddepth("inspect", "--json", "box.ply", "ring.ply")
    assert (code, err) == (0, [])
    entries = json.loads(out)
    assert [entry["file"] for entry in entries] == ["box.ply", "ring.ply"]
    for entry in entries:
        report = dd.load_mesh(entry["file"]).report()
        assert entry == {
            "file": entry["file"],
            "error": None,
            "report": json.loads(json.dumps(report.as_dict())),
        }


def test_inspect_goes_on_after_files_that_cannot_be_read(ddepth):
    Path("text.glb").write_text("this is no mesh\n" * 10)
    code, out, err = ddepth("inspect", "missing.obj", "box.ply", "text.glb")
    assert code == 1
    assert [line.split(": ")[:3] for line in err] == [
        ["ddepth", "error", "missing.obj"],
        ["ddepth", "error", "text.glb"],
    ]
    assert out.startswith("box.ply: 12 faces")
    assert out.splitlines()[-1] == "2 of 3 meshes failed"
    code, out, err = ddepth("inspect", "missing.obj", "box.ply", "text.glb", "--json")
    assert (code, len(err)) == (1, 2)
    missing, fine, text = json.loads(out)
    assert missing["report"] is None
    assert missing["error"].startswith("missing.obj: ")
    assert fine["error"] is None
    assert fine["report"]["faces"] == 12
    assert text["error"].startswith("text.glb: ")
    fails(ddepth("inspect", "missing.obj"), "missing.obj")
    Path("none").mkdir()
    fails(ddepth("inspect", "none"), "none has no mesh files")
    code, out, err = ddepth("inspect", "none", "box.ply", "--json")
    assert (code, len(err)) == (1, 1)
    none, fine = json.loads(out)
    assert none["file"] == "none"
    assert none["error"].startswith("none has no mesh files")
    assert fine["report"]["faces"] == 12
    fails(ddepth("inspect"), "MESH", status=2)


def animated(path):
    """Write a GLB with two animations; return its path."""
    tree, content = gltf_tree(TETRA)
    Path(path).write_bytes(glb(tree | {"animations": [{}, {}]}, content))
    return path


@pytest.mark.parametrize("action", ["default", "ignore", "error"])
def test_what_a_file_holds_and_is_not_used_is_one_line(ddepth, action):
    path = animated("moving.glb")
    options = ("-o", "out", "--size", "16x16", "--views", "2")
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        code, _, err = ddepth("render", path, *options)
    assert (code, err) == (0, ["ddepth: warning: moving.glb: the mesh leaves out animations: 2"])


def test_inspect_lists_what_is_left_out_and_does_not_warn(ddepth):
    code, out, err = ddepth("inspect", animated("moving.glb"))
    assert (code, err) == (0, [])
    assert "left out    animations: 2" in out


def test_other_warnings_stay_as_python_shows_them():
    with pytest.warns(DeprecationWarning, match="old"), one_line_errors(debug=False):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


@pytest.mark.parametrize("command", ["inspect", "render"])
def test_file_names_do_not_control_the_terminal(ddepth, command):
    """Neither in results nor in errors; each line stays a line."""
    options = ("-o", "out", "--size", "16x16") if command == "render" else ()
    lines = ddepth(command, "box.ply", *options)[1].count("\n")
    name = "red\x1b[31m\x9b1m\nbox.ply"
    write_mesh(Path(name), box())
    code, out, err = ddepth(command, name, *options)
    assert (code, err, out.count("\n")) == (0, [], lines)
    assert all(line.isprintable() for line in out.splitlines())
    Path(name).write_text("ply")
    code, _, err = ddepth(command, name, *options)
    assert code == 1
    assert len(err) == 1
    assert err[0].isprintable()


def test_inspect_needs_no_opengl_and_takes_any_file_name():
    strange = os.fsdecode(b"-no\xfftext.ply")
    write_mesh(Path(strange), box())
    script = (
        "import sys; from ddepth_gl.cli import main\ntry: main.main()\n"
        "finally: assert 'moderngl' not in sys.modules"
    )
    for options in ([], ["--json"]):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script, "inspect", *options, "--", strange],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        if options:
            assert json.loads(done.stdout)[0]["file"] == strange
        else:
            assert done.stdout.startswith(f"{strange}: 12 faces")


@pytest.mark.parametrize("path", bad_files())
def test_inspect_of_bad_files(ddepth, path):
    code, out, err = ddepth("inspect", path)
    assert code == (1 if err else 0)
    assert len(err) <= 1
    assert bool(out) != bool(err)


def test_version_and_module():
    done = subprocess.run(
        [sys.executable, "-m", "ddepth_gl", "--version"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"ddepth_gl {dd.__version__}\n", "")


def test_many_meshes_get_previews_only_if_asked_for(ddepth, monkeypatch):
    assert PREVIEW_MESHES == 8
    monkeypatch.setattr("ddepth_gl.jobs.names.PREVIEW_MESHES", 1)
    sized = ("-o", "out", "--size", "8x8")
    note = "no preview images of 2 meshes; --preview writes them"
    # If nothing else is written, previews are.
    for options, count in (
        ((), 0),
        (("--preview",), 2),
        (("--no-preview",), 0),
        (("--format", ""), 2),
    ):
        code, out, err = ddepth("render", "box.ply", "ring.ply", *sized, *options)
        assert (code, err) == (0, [])
        assert (note in out) == (options == ())
        assert sum(name.endswith("_preview.png") for name in files()) == count
        shutil.rmtree("out")
    code, out, _ = ddepth("render", "box.ply", *sized)
    assert (code, note in out) == (0, False)
    assert "box_preview.png" in files()


def test_a_preview_without_matplotlib(ddepth, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    fails(
        ddepth("render", "box.ply", "-o", "out"),
        "drawing plots needs the package matplotlib",
        "ddepth-gl[cli]",
    )
    assert files() == []
    assert ddepth("render", "box.ply", "-o", "out", "--no-preview")[0] == 0


def test_many_meshes_without_matplotlib(ddepth, monkeypatch):
    """No preview is drawn by default, so matplotlib is not needed."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("ddepth_gl.jobs.names.PREVIEW_MESHES", 1)
    command = ("render", "box.ply", "ring.ply", "-o", "out", "--size", "4x4")
    fails(ddepth(*command, "--preview"), "drawing plots needs the package matplotlib")
    fails(ddepth(*command, "--format", ""), "drawing plots needs the package matplotlib")
    assert files() == []
    code, _, err = ddepth(*command)
    assert (code, err) == (0, [])
    assert files() == ["box_000.npz", "ring_000.npz"]


def test_the_demo_without_matplotlib_writes_nothing(ddepth, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = ddepth("demo", "-o", "out")
    fails(result, "drawing plots needs the package matplotlib")
    assert result[1] == ""
    assert not Path("out").exists()


def test_the_first_line_of_a_preview_says_how_many_views_it_shows(ddepth, monkeypatch):
    lines, heights = [], []
    title = page.checked_title
    monkeypatch.setattr(page, "checked_title", lambda text: lines.append(text) or title(text))
    command = ("render", "box.ply", "-o", "out", "--size", "8x6", "--overwrite", "--views")
    for views, first in ((4, []), (6, ["box: 4 of 6 views"])):
        lines.clear()
        assert ddepth(*command, views)[0] == 0
        names = [f"box_{view:03d}   8x6" for view in range(4)]
        assert sorted(lines) == sorted(first + names)
        with Image.open("out/box_preview.png") as image:
            heights.append(image.height)
            top = np.asarray(image.convert("L"))[:50]
        assert (top < 128).any()
    assert heights[1] == heights[0] + 50


def test_how_npz_files_are_stored(ddepth):
    sizes = {}
    for method in ("packed", "deflate", "none"):
        code, _, err = ddepth(
            "render", "ring.ply", "-o", method, "--size", "64x64", "--compression", method
        )
        assert (code, err) == (0, [])
        path = Path(method, "ring_000.npz")
        sizes[method] = path.stat().st_size
        with np.load(path) as file:
            assert ("entry" in file) == (method != "packed")
            assert "thickness" not in file
    assert sizes["packed"] < sizes["deflate"] < sizes["none"]
    options = ("--compression", "none", "--derived", "--tolerance", "0.01")
    assert ddepth("render", "ring.ply", "-o", "more", "--size", "64x64", *options)[0] == 0
    exact, maps = (dd.load_npz(Path(folder, "ring_000.npz")) for folder in ("none", "more"))
    assert maps.provenance["depth_tolerance"] == "0.01"
    error = np.nanmax(np.abs(maps.entry.astype(float) - exact.entry) / exact.entry)
    assert 0.001 < error <= 0.01
    with np.load("more/ring_000.npz") as file:
        np.testing.assert_array_equal(file["thickness"], maps.thickness)
    for option, value, words in (
        ("--compression", "zip", "--compression must be 'packed' or 'deflate' or 'none', not"),
        ("--tolerance", "1", "--tolerance must be a relative error from 0 to below 1"),
    ):
        fails(ddepth("render", "ring.ply", "-o", "no", option, value), words)
    fails(
        ddepth("render", "ring.ply", "-o", "no", "--format", "ply", "--derived"),
        "--derived has no effect on ply; it is for npz",
    )
