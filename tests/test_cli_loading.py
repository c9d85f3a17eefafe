"""The command line's options of loading, and what it says of textures that are lost."""

import json
from pathlib import Path

import pytest
from mesh_files import TETRA, TEXTURE, glb, gltf, gltf_tree, obj, png, put, textured_gltf

import ddepth_gl as dd
from ddepth_gl.cli.loading import loading_options, loading_text
from ddepth_gl.io.meshes import read
from ddepth_gl.io.meshes.gltf import images as gltf_images
from ddepth_gl.io.meshes.textures import LostTexture

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
def ddepth(ddepth):
    """Run `ddepth`, which renders small images."""

    def run(command, *arguments):
        size = ("-o", "out", "--size", "16x12") if command == "render" else ()
        return ddepth(command, *size, *arguments)

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


def test_a_photo_whose_texture_can_be_decoded_now_is_rendered_again(ddepth, monkeypatch):
    """Such as after the package that decodes it was installed: no file has changed."""
    options = ("--no-preview", "--format", "npz,photo,ply", "--surfaces", "any", "--skip-existing")
    opened = gltf_images.open_texture
    reason = "KTX2 nëeds ddepth-gl[compressed]"
    monkeypatch.setattr(gltf_images, "open_texture", lambda data, name: LostTexture(name, reason))
    for _ in range(2):
        code, out, err = ddepth("render", "a.gltf", *options)
        assert (code, len(err)) == (0, 1)
    assert "skipped 1 of 1" in out
    depth = Path("out/a_000.npz").stat().st_mtime_ns
    gray = Path("out/a_000_photo.png").read_bytes()
    monkeypatch.setattr(gltf_images, "open_texture", opened)
    code, out, err = ddepth("render", "a.gltf", *DEPTH, "--skip-existing")
    assert "skipped 1 of 1" in out
    assert Path("out/a_000.npz").stat().st_mtime_ns == depth
    code, out, err = ddepth("render", "a.gltf", *options)
    assert (code, err) == (0, [])
    assert "skipped" not in out
    assert Path("out/a_000_photo.png").read_bytes() != gray
    assert "skipped 1 of 1" in ddepth("render", "a.gltf", *options)[1]


def test_colors_of_layers_are_rendered_again_as_well(ddepth, monkeypatch):
    options = ("--no-preview", "--layers", "--format", "ply", "--skip-existing")
    opened = gltf_images.open_texture
    monkeypatch.setattr(gltf_images, "open_texture", lambda data, name: LostTexture(name, "nö"))
    assert "skipped" not in ddepth("render", "a.gltf", *options)[1]
    assert "skipped 1 of 1" in ddepth("render", "a.gltf", *options)[1]
    monkeypatch.setattr(gltf_images, "open_texture", opened)
    assert "skipped" not in ddepth("render", "a.gltf", *options)[1]


ANIMATED = {"animations": [{"channels": [], "samplers": []}]}


MOVING_USDA = b"""#usda 1.0
def Mesh "M" {
    int[] faceVertexCounts = [3]
    int[] faceVertexIndices = [0, 1, 2]
    point3f[] points.timeSamples = {
        0: [(0, 0, 0), (1, 0, 0), (0, 1, 0)],
        24: [(0, 0, 0), (2, 0, 0), (0, 1, 0)],
    }
}
"""


@pytest.mark.parametrize("command", ["render", "inspect"])
@pytest.mark.parametrize(
    ("name", "tree", "pose", "message"),
    [
        ("d.gltf", {}, "0,1", "it holds no animation; leave --pose out"),
        (
            "d.gltf", ANIMATED, "Wheels,1",
            "it has no animation 'Wheels'; give --pose one of these, by index or name: "
            "0 (no name)",
        ),
        (
            "d.obj", None, "0,1",
            "only animations of glTF, GLB and USD files are read; leave --pose out",
        ),
        (
            "d.usda", MOVING_USDA, "Walk,1",
            "it has one animation, 0, not 'Walk'; give --pose 0,SECONDS",
        ),
    ],
)  # fmt: skip
def test_messages_about_poses_name_the_option(ddepth, tmp_path, command, name, tree, pose, message):
    data = tree if isinstance(tree, bytes) else gltf(*gltf_tree(TETRA, **(tree or {})))
    put(tmp_path, name, obj() if tree is None else data)
    code, _, err = ddepth(command, name, "--pose", pose)
    assert (code, err) == (1, [f"ddepth: error: {name}: {message}"])


def test_messages_about_poses_name_the_option_where_names_are_shared(ddepth, tmp_path):
    named = {"name": "run", **ANIMATED["animations"][0]}
    put(tmp_path, "d.gltf", gltf(*gltf_tree(TETRA, animations=[named, named])))
    err = ddepth("inspect", "d.gltf", "--pose", "run,0")[2]
    message = "its animations 0, 1 are all named 'run'; give --pose an index"
    assert err == [f"ddepth: error: d.gltf: {message}"]


def test_inspect_names_the_options(ddepth, tmp_path):
    blending = [{"alphaMode": "BLEND", "pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 0.5]}}]
    tree, binary = textured_gltf("x.png")
    tree["materials"][0] |= blending[0] | {
        "pbrMetallicRoughness": tree["materials"][0]["pbrMetallicRoughness"]
    }
    put(tmp_path, "d.gltf", gltf(tree, binary))
    for more in ((), ("--json",)):
        out = ddepth("inspect", "d.gltf", *more)[1]
        assert "file not found in the mesh's folder or --texture-root" in out
        assert "the whole face counts; --blend-cutoff cuts" in out
        assert "texture_roots" not in out
        assert "blend_cutoff" not in out


def test_a_missing_buffer_is_named_as_on_disk(ddepth, tmp_path):
    tree = json.loads((tmp_path / "a.gltf").read_text())
    tree["buffers"][0]["uri"] = "some%20data%20b.bin"
    (tmp_path / "a.gltf").write_text(json.dumps(tree))
    code, _, err = ddepth("render", "a.gltf")
    message = "it needs 'some data b.bin', which is not in its folder or --texture-root, or not"
    assert (code, len(err)) == (1, 1)
    assert err[0].startswith(f"ddepth: error: a.gltf: {message}")


def test_the_size_of_textures_counts_for_masks(ddepth):
    """Without colors, only masks are textures; where they are ignored, there are none."""
    assert ddepth("render", "a.gltf", *DEPTH, "--max-texture-size", "1")[0] == 0
    ignoring = ("--alpha", "ignore", "--max-texture-size", "1")
    code, _, err = ddepth("render", "a.gltf", *DEPTH, *ignoring)
    assert code == 1
    assert err[0].startswith("ddepth: error: --max-texture-size has no effect with --alpha ignore")
    assert ddepth("render", "a.gltf", "--surfaces", "any", "--format", "photo", *ignoring)[0] == 0


def test_formats_that_are_not_read_are_told_of_folders(ddepth, tmp_path):
    for name in (
        "in/a.fbx",
        "in/b.FBX",
        "in/sub/c.blend",
        "in/notes.txt",
        "in/.d.fbx",
        "cad/p.step",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    code, out, err = ddepth("render", "cad")
    assert (code, out) == (1, "")
    (line,) = err
    assert line == (
        "ddepth: error: cad has no mesh files that are read, but p.step: '.step' files are not "
        "read; convert it: gmsh p.step -2 -o out.stl"
    )
    assert (
        "but a.fbx: '.fbx' files are not read; convert it: blender" in ddepth("inspect", "in")[2][0]
    )
    put(tmp_path / "in", "m.obj", obj())
    told = "left out 3 files in formats that are not read (.blend, .fbx); give one by name to see"
    for command in ("render", "inspect"):
        code, out, err = ddepth(command, "in", "in/sub/../../in")
        assert code == 0
        assert out.count(told) == 1
    assert told not in ddepth("inspect", "--json", "in")[1]
    (tmp_path / "in/sub/c.blend").unlink()
    (tmp_path / "in/b.FBX").unlink()
    assert "left out 1 file in a format that is not read (.fbx)" in ddepth("inspect", "in")[1]


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
