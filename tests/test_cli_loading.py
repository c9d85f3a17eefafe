"""The command line's options of loading, and what it says of textures that are lost."""

import json
import sys
from pathlib import Path

import pytest
from mesh_files import TEXTURE, glb, gltf, obj, png, put, textured_gltf

import ddepth_gl as dd
from ddepth_gl.cli import main as cli
from ddepth_gl.cli.loading import loading_options, loading_text
from ddepth_gl.io.meshes import read
from ddepth_gl.io.meshes.gltf import images as gltf_images

DEPTH = ("--no-preview", "--surfaces", "any")  # no format that shows colors


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """A mesh with a texture beside it, and one without its texture."""
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "p.png", png(TEXTURE))
    put(tmp_path, "a.gltf", gltf(*textured_gltf("p.png")))
    put(tmp_path, "b.gltf", gltf(*textured_gltf("x.ktx2")))


@pytest.fixture
def loaded(monkeypatch):
    """Keyword arguments of each call of load_mesh."""
    calls = []
    load_mesh = read.load_mesh

    def spy(path, **options):
        calls.append(options)
        return load_mesh(path, **options)

    monkeypatch.setattr(read, "load_mesh", spy)
    return calls


@pytest.fixture
def ddepth(monkeypatch, capsys):
    """Run `ddepth`; return exit status, stdout and lines of stderr."""

    def run(command, *arguments):
        size = ("-o", "out", "--size", "16x12") if command == "render" else ()
        monkeypatch.setattr(sys, "argv", ["ddepth", command, *size, *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err.splitlines()

    return run


@pytest.mark.parametrize(
    ("options", "appearance"),
    [
        (("--no-preview",), False),
        (("--preview",), True),
        (("--no-preview", "--format", "npz,ply,png16,mould"), False),
        (("--no-preview", "--format", "photo"), True),
        (("--no-preview", "--format", "npz,photo"), True),
        (("--no-preview", "--attributes", "normal,face"), False),
        (("--no-preview", "--attributes", "normal,color"), True),
        (("--no-preview", "--attributes", "uv"), True),
        (("--no-preview", "--layers"), False),
        (("--no-preview", "--layers", "--format", "ply"), True),
        (("--no-preview", "--layers", "--format", "lari"), False),
    ],
)
def test_textures_are_loaded_if_what_is_stored_shows_them(ddepth, loaded, options, appearance):
    assert ddepth("render", "a.gltf", "--surfaces", "any", *options)[0] == 0
    assert [call["appearance"] for call in loaded] == [appearance]


def test_a_run_of_depth_opens_no_image_and_says_nothing_of_it(ddepth, monkeypatch):
    monkeypatch.setattr(gltf_images, "open_texture", None)
    code, _, err = ddepth("render", "a.gltf", "b.gltf", *DEPTH)
    assert (code, err) == (0, [])


def test_lost_textures_are_one_line_a_file_and_in_the_results(ddepth):
    options = ("--no-preview", "--format", "npz,photo,ply,png16", "--surfaces", "any")
    code, _, err = ddepth("render", "b.gltf", *options)
    note = "4 faces lost their texture x.ktx2: file not found in the mesh's folder or "
    assert (code, err) == (0, [f"ddepth: warning: b.gltf: {note}--texture-root"])
    assert dd.load_npz("out/b_000.npz").provenance["mesh_left_out"] == f"{note}texture_roots"
    assert json.loads(Path("out/b_000_png16.json").read_text())["mesh_left_out"].startswith(note)
    assert f"comment mesh_left_out {note}".encode() in Path("out/b_000_front.ply").read_bytes()
    assert b"mesh_left_out" in Path("out/b_000_photo.png").read_bytes()
    out = ddepth("inspect", "b.gltf")[1]
    assert f"left out    {note}" in out


def test_many_files_with_omissions_end_in_one_summary(ddepth, tmp_path):
    for k in range(12):
        put(tmp_path, f"many/{k}.gltf", gltf(*textured_gltf("x.ktx2"))) if k else (
            tmp_path / "many"
        ).mkdir()
    code, _, err = ddepth("render", "many", "--no-preview", "--format", "photo")
    assert code == 0
    assert len(err) == 9
    assert err[-1] == (
        "ddepth: warning: 3 more meshes leave something out; ddepth inspect lists it"
    )


def test_a_run_with_photos_adds_to_one_of_depth(ddepth):
    """The files of a run without colors stay those of the same mesh."""
    assert ddepth("render", "a.gltf", *DEPTH)[0] == 0
    before = Path("out/a_000.npz").read_bytes()
    options = (*DEPTH, "--format", "npz,photo", "--skip-existing")
    code, _, err = ddepth("render", "a.gltf", *options)
    assert (code, err) == (0, [])
    assert "mesh_textures_sha256" not in dd.load_npz("out/a_000.npz").provenance
    assert Path("out/a_000.npz").read_bytes() == before
    stamp = Path("out/a_000_photo.png").stat().st_mtime_ns
    code, out, err = ddepth("render", "a.gltf", *options)
    assert (code, err) == (0, [])
    assert "skipped 1 of 1 meshes" in out
    assert Path("out/a_000_photo.png").stat().st_mtime_ns == stamp
    # Depth alone is still there, and needs no texture.
    out = ddepth("render", "a.gltf", *DEPTH, "--skip-existing")[1]
    assert "skipped 1 of 1 meshes" in out


def test_photos_of_another_texture_are_not_replaced_silently(ddepth, tmp_path):
    options = ("--no-preview", "--format", "npz,photo", "--surfaces", "any")
    assert ddepth("render", "a.gltf", *options)[0] == 0
    put(tmp_path, "p.png", png(TEXTURE[::-1]))
    code, _, err = ddepth("render", "a.gltf", *options, "--skip-existing")
    assert code == 1
    assert "is from an earlier state of this mesh file" in err[0]
    assert ddepth("render", "a.gltf", *DEPTH, "--skip-existing")[0] == 0


def test_options_reach_load_mesh(ddepth, loaded, tmp_path):
    (tmp_path / "images").mkdir()
    given = ("--texture-root", "images", "--texture-root", ".", "--blend-cutoff", "0.25")
    given += ("--max-texture-size", "64")
    wanted = {
        "texture_roots": (Path("images"), Path()),
        "blend_cutoff": 0.25,
        "max_texture_size": 64,
    }
    for command in ("render", "inspect"):
        assert ddepth(command, "a.gltf", *given)[0] == 0
        assert {**wanted, **loaded[-1]} == loaded[-1]
    assert ddepth("inspect", "a.gltf", "--alpha", "ignore")[0] == 0
    assert loaded[-1] == {"alpha": "ignore"}
    assert ddepth("inspect", "a.gltf", "--alpha", "mask")[0] == 0
    assert loaded[-1] == {}


@pytest.mark.parametrize(
    ("text", "pose"),
    [
        ("0,1.5", (0, 1.5)),
        ("Walk,0.25", ("Walk", 0.25)),
        ("a,b,0", ("a,b", 0.0)),
        ("-1,0", ("-1", 0)),
    ],
)
def test_poses(text, pose):
    assert loading_options(None, "mask", None, text, None) == {"pose": pose}


@pytest.mark.parametrize("command", ["render", "inspect"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--alpha", "cut"), "--alpha must be mask or ignore, not 'cut'"),
        (("--blend-cutoff", "0"), "--blend-cutoff must be a number above 0, not 0"),
        (("--blend-cutoff", "nan"), "--blend-cutoff must be a number above 0, not nan"),
        (("--blend-cutoff", "0.5", "--alpha", "ignore"), "--blend-cutoff has no effect with"),
        (("--max-texture-size", "0"), "--max-texture-size must be at least 1, not 0"),
        (("--texture-root", "none"), "--texture-root none is not a folder"),
        (("--pose", "Walk"), "--pose must look like ANIMATION,SECONDS"),
        (("--pose", "Walk,soon"), "--pose must look like ANIMATION,SECONDS"),
        (("--pose", ",1"), "--pose must look like ANIMATION,SECONDS"),
        (("--pose", "0,inf"), "--pose must look like ANIMATION,SECONDS"),
        (("--pose", "0,nan"), "--pose must look like ANIMATION,SECONDS"),
    ],
)
def test_wrong_values_are_one_line(ddepth, command, options, message):
    code, _, err = ddepth(command, "a.gltf", *options)
    assert code == 1
    assert len(err) == 1
    assert err[0].startswith(f"ddepth: error: {message}")


def test_other_options_of_loading_are_other_settings(ddepth):
    """--skip-existing renders again what another pose or cutoff decides."""
    options = (*DEPTH, "--skip-existing")
    assert ddepth("render", "a.gltf", *options)[0] == 0
    assert "skipped 1 of 1" in ddepth("render", "a.gltf", *options)[1]
    assert "skipped" not in ddepth("render", "a.gltf", *options, "--alpha", "ignore")[1]
    assert "skipped" not in ddepth("render", "a.gltf", *options, "--blend-cutoff", "0.5")[1]
    assert "skipped 1 of 1" in ddepth("render", "a.gltf", *options, "--blend-cutoff", "0.5")[1]
    assert loading_text({"texture_roots": (Path("x"),)}) == ""


def test_plain_files_are_skipped_without_being_loaded(ddepth, loaded, tmp_path):
    put(tmp_path, "c.glb", glb())
    put(tmp_path, "d.obj", obj())
    assert ddepth("render", "c.glb", "d.obj", *DEPTH)[0] == 0
    loaded.clear()
    assert "skipped 2 of 2" in ddepth("render", "c.glb", "d.obj", *DEPTH, "--skip-existing")[1]
    assert loaded == []
