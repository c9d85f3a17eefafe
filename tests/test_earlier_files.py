"""Every file names its mesh, and only that mesh replaces the file without --overwrite."""

from __future__ import annotations

import copy
import errno
import hashlib
import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapes import box, sphere

import ddepth_gl as dd
from ddepth_gl.cli import main as cli
from ddepth_gl.io.results.earlier_files import remove_leftovers
from ddepth_gl.io.results.ply import write_mesh
from ddepth_gl.jobs.formats import FORMATS
from ddepth_gl.jobs.render import RenderJob
from ddepth_gl.results.provenance import printable_path

EVERY = ",".join(FORMATS)
SHEETS = ",".join(name for name, each in FORMATS.items() if not each.needs_layers)


@pytest.fixture(autouse=True)
def meshes(tmp_path, monkeypatch):
    """Two folders, each with a mesh of the same name."""
    monkeypatch.chdir(tmp_path)
    for folder, mesh in (("a", box()), ("b", sphere(1.0, 6, 8))):
        Path(folder).mkdir()
        write_mesh(Path(folder, "model.ply"), mesh)
    return tmp_path


@pytest.fixture
def render(monkeypatch, capfdbinary):
    """Runs `ddepth render` in this process: (exit status, lines of stderr)."""

    def run(*arguments):
        line = ["ddepth", "render", "-o", "out", "--size", "8x6", *arguments]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code or 0, capfdbinary.readouterr().err.decode().splitlines()

    return run


def mesh_named_by(path):
    """Return (path, hash) of the mesh that a file names, read without the package."""
    if path.suffix == ".npz":
        with np.load(path) as file:
            return str(file["mesh_path"]), str(file["mesh_sha256"])
    if path.suffix == ".json":
        about = json.loads(path.read_bytes())
        return about["mesh_path"], about["mesh_sha256"]
    if path.suffix == ".png":
        with Image.open(path) as image:
            return image.text["mesh_path"], image.text["mesh_sha256"]
    if path.suffix == ".ply":
        header = path.read_bytes().split(b"end_header\n")[0].decode("ascii").splitlines()
        comments = dict(line.split(" ", 2)[1:] for line in header if line.startswith("comment "))
        return comments["mesh_path"], comments["mesh_sha256"]
    import OpenEXR

    with path.open("rb") as file:  # OpenEXR takes only names that are valid text
        headers = [part.header for part in OpenEXR.File(file).parts]
    assert {(header["mesh_path"], header["mesh_sha256"]) for header in headers} == {
        (headers[0]["mesh_path"], headers[0]["mesh_sha256"])
    }
    return headers[0]["mesh_path"], headers[0]["mesh_sha256"]


def contents(folder="out"):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.mark.parametrize(
    "options", [["--format", SHEETS], ["--layers", "--format", EVERY, "--png-scale", ".01"]]
)
def test_every_file_names_its_mesh(render, options):
    assert render("a/model.ply", *options) == (0, [])
    digest = hashlib.sha256(Path("a/model.ply").read_bytes()).hexdigest()
    written = list(Path("out").iterdir())
    assert {path.suffix for path in written} == {".npz", ".json", ".png", ".ply", ".exr"}
    assert {path.name: mesh_named_by(path) for path in written} == dict.fromkeys(
        (path.name for path in written), (str(Path("a/model.ply").absolute()), digest)
    )


@pytest.mark.parametrize("layers", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_another_mesh_needs_overwrite(render, name, layers):
    if FORMATS[name].needs_layers and not layers:
        return
    options = ["--format", name, "--no-preview"]
    options += ["--layers"] if layers and FORMATS[name].has_option("layers", True) else []
    options += ["--png-scale", ".01"] if name == "layereddepth" else []
    assert render("a/model.ply", *options) == (0, [])
    before = contents()
    assert render("a/model.ply", *options) == (0, [])  # its own files again
    code, lines = render("b/model.ply", *options)
    assert code == 1
    (line,) = lines
    assert (
        f"is from another mesh ({Path('a/model.ply').absolute()}); give another -o, or --overwrite"
        in line
    )
    assert line.startswith("ddepth: error: out/model_000")
    assert set(contents()) == set(before)
    code, lines = render("b/model.ply", *options, "--overwrite")
    assert (code, lines) == (0, [])
    assert all(mesh_named_by(path)[0].endswith("b/model.ply") for path in Path("out").iterdir())


def test_another_mesh_does_not_replace_the_preview(render):
    assert render("a/model.ply", "--format", "")[0] == 0
    before = contents()
    code, lines = render("b/model.ply")
    assert (code, len(lines)) == (1, 1)
    assert "out/model_preview.png is from another mesh" in lines[0]
    assert contents() == before


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"mine", b"PK\3\4", b'{"mesh": 5}'])
@pytest.mark.parametrize(
    "name",
    [
        "model_000.npz",
        "model_000_png16.json",
        "model_000_photo.png",
        "model_000_mould.ply",
        "model_000.exr",
    ],
)
def test_an_unknown_file_is_not_replaced(render, name, content):
    Path("out").mkdir()
    Path("out", name).write_bytes(content)
    code, lines = render("a/model.ply", "--format", SHEETS)
    assert (code, len(lines)) == (1, 1)
    expected = (
        f"out/{name} was not written by ddepth, or by an older version of it; give another -o"
    )
    assert expected in lines[0]
    assert contents() == {name: content}
    assert render("a/model.ply", "--format", SHEETS, "--overwrite") == (0, [])


def test_an_unknown_archive_is_not_replaced(render):
    Path("out").mkdir()
    np.savez("out/model_000.npz", weights=np.arange(3))
    assert "was not written by ddepth" in render("a/model.ply")[1][0]


def test_other_files_do_not_matter(render):
    Path("out").mkdir()
    for name in (
        "model_1000.npz",
        "model_000.txt",
        "other_000.npz",
        "model_000_layers.npz",
        "model.npz",
    ):
        Path("out", name).write_bytes(b"mine")
    assert render("a/model.ply") == (0, [])


def test_layers_of_another_mesh_are_not_removed(render):
    """A run removes higher layers of an earlier run, but only those of the same mesh."""
    options = ["--layers", "--format", "ply", "--no-preview"]
    assert render("a/model.ply", *options)[0] == 0
    Path("out/model_000_layer07.ply").write_bytes(b"mine")
    code, lines = render("a/model.ply", *options)
    assert (code, len(lines)) == (1, 1)
    assert "out/model_000_layer07.ply was not written by ddepth" in lines[0]
    assert Path("out/model_000_layer07.ply").read_bytes() == b"mine"


def test_other_meshes_of_the_run_are_rendered(render):
    assert render("a/model.ply")[0] == 0
    Path("other.ply").write_bytes(Path("b/model.ply").read_bytes())
    code, lines = render("b/model.ply", "other.ply")
    assert (code, len(lines)) == (1, 1)
    assert Path("out/other_000.npz").exists()


def test_the_same_content_at_another_path_is_the_same_mesh(render):
    assert render("a/model.ply")[0] == 0
    Path("a/model.ply").rename("model.ply")
    assert render("model.ply") == (0, [])


@pytest.mark.parametrize("format_", ["npz", "ply"])
def test_an_edited_mesh_is_recognized(render, format_):
    name = "käse.ply"  # PLY files hold its path in ASCII
    write_mesh(Path(name), box())
    assert render(name, "--format", format_)[0] == 0
    write_mesh(Path(name), sphere(1.0, 6, 8))
    code, (line,) = render(name, "--format", format_)
    assert code == 1
    assert (
        f"is from an earlier state of this mesh file ({Path(name).absolute()}); give another -o, or"
        in line
    )
    assert render(name, "--format", format_, "--overwrite") == (0, [])


def test_files_are_checked_before_rendering(render, monkeypatch):
    assert render("a/model.ply", "--views", "3")[0] == 0
    monkeypatch.setattr(dd.DepthRenderer, "upload", lambda *_: pytest.fail("was uploaded"))
    assert "model_000.npz is from another mesh" in render("b/model.ply", "--views", "2")[1][0]


def test_meshes_in_memory_are_distinguished_by_their_arrays(renderer, tmp_path):
    job = RenderJob(folder=tmp_path, preview=False)
    camera = [dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=8, height=6)]
    job.run(renderer, box(), camera, "m")
    job.run(renderer, box(), camera, "m")
    with pytest.raises(dd.OutputError, match=r"is from another mesh \(without a path\)"):
        job.run(renderer, sphere(1.0, 6, 8), camera, "m")
    painted = dd.Mesh(
        box().vertices, box().faces, colors=np.zeros((len(box().vertices), 3), np.uint8)
    )
    with pytest.raises(dd.OutputError, match="is from another mesh"):
        job.run(renderer, painted, camera, "m")


def test_results_name_their_mesh(renderer):
    mesh = dd.load_mesh("a/model.ply")
    digest = hashlib.sha256(Path("a/model.ply").read_bytes()).hexdigest()
    assert mesh.source[:3] == (str(Path("a/model.ply").absolute()), digest, "")
    for clone in (copy.deepcopy(mesh), pickle.loads(pickle.dumps(mesh))):
        assert clone.source == mesh.source
    assert mesh.transformed(np.eye(4)).source is None  # it is not what the file holds
    camera = dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=8, height=6)
    scene = renderer.upload(mesh)
    layers = renderer.peel(scene, camera)
    results = [renderer.entry_exit(scene, camera), layers, layers.entry_exit(), layers.rows(1, 3)]
    if renderer.info.engine == "compute":
        with renderer.entry_exit(scene, camera, output="gpu") as maps:
            results.append(maps.numpy())
    scene.release()
    for result in results:
        assert result.provenance["mesh_path"] == mesh.source.path
        assert result.provenance["mesh_sha256"] == mesh.source.sha256
    dd.write_npz("maps.npz", results[0])
    assert mesh_named_by(Path("maps.npz")) == mesh.source[:2]
    in_memory = renderer.upload(box())
    assert "mesh_path" not in renderer.entry_exit(in_memory, camera).provenance
    in_memory.release()


@pytest.mark.slow
def test_names_that_are_not_valid_text(render):
    names = [os.fsdecode(b"caf\xe9.ply"), "two\nlines.ply", "käse 日本.ply"]
    for name in names:
        write_mesh(Path(name), box())
    options = ["--layers", "--format", EVERY, "--png-scale", ".01"]
    assert render(*names, *options) == (0, [])
    for name, text in zip(names, ["caf\\xe9.ply", "two\\nlines.ply", "käse 日本.ply"], strict=True):
        expected = str(Path(text).absolute())
        assert printable_path(str(Path(name).absolute())) == expected
        for path in Path("out").glob(f"{Path(name).stem}*"):
            ascii_only = expected.encode("ascii", "backslashreplace").decode()
            assert mesh_named_by(path)[0] == (ascii_only if path.suffix == ".ply" else expected)
    assert render(*names, *options) == (0, [])


def test_the_same_file_with_other_side_files_is_another_mesh(render):
    """Two OBJ or glTF files may be equal byte for byte, but refer to different side files."""
    text = "mtllib m.mtl\nusemtl paint\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n"
    text += "f 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
    for folder, color in (("red", "1 0 0"), ("blue", "0 0 1"), ("again", "1 0 0")):
        Path(folder).mkdir()
        Path(folder, "same.obj").write_text(text)
        Path(folder, "m.mtl").write_text(f"newmtl paint\nKd {color}\n")
    assert render("red/same.obj") == (0, [])
    before = contents()
    assert render("again/same.obj") == (0, [])
    code, (line,) = render("blue/same.obj")
    assert code == 1
    assert "is from another mesh" in line
    assert set(contents()) == set(before)
    plain = dd.load_mesh("a/model.ply").source
    assert plain.side_files_sha256 == plain.textures_sha256 == ""
    red, blue = (dd.load_mesh(f"{folder}/same.obj").source for folder in ("red", "blue"))
    assert red.sha256 == blue.sha256
    assert red.side_files_sha256 == blue.side_files_sha256 == ""  # the surface is the same
    assert red.textures_sha256 != blue.textures_sha256


def write_painted(mtl):
    text = "mtllib m.mtl\nusemtl paint\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n"
    Path("painted.obj").write_text(text + "f 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n")
    Path("m.mtl").write_text(f"newmtl paint\n{mtl}\n")


def errors(outcome: tuple[int, list[str]]) -> tuple[int, list[str]]:
    """Return exit status and lines, without the note on materials that blend."""
    code, lines = outcome
    return code, [line for line in lines if "materials that blend" not in line]


RUNS = {
    "depth": ["--no-preview"],
    "photo": ["--no-preview", "--format", "npz,photo"],
    "preview": [],
    "cut": ["--no-preview", "--blend-cutoff", "0.5"],
    "cut photo": ["--no-preview", "--blend-cutoff", "0.5", "--format", "npz,photo"],
}


@pytest.mark.parametrize("second", RUNS)
@pytest.mark.parametrize("first", RUNS)
def test_runs_with_and_without_materials_are_of_the_same_mesh(render, first, second):
    write_painted("Kd 1 0 0\nd 0.7")
    assert errors(render("painted.obj", *RUNS[first])) == (0, [])
    assert errors(render("painted.obj", *RUNS[second])) == (0, [])
    assert errors(render("painted.obj", *RUNS[second], "--skip-existing")) == (0, [])


@pytest.mark.parametrize("name", RUNS)
def test_changed_materials_are_noticed_where_they_count(render, name):
    write_painted("Kd 1 0 0\nd 0.7")
    assert errors(render("painted.obj", *RUNS[name])) == (0, [])
    write_painted("Kd 1 1 0\nd 0.2")
    code, lines = errors(render("painted.obj", *RUNS[name]))
    assert code == (name != "depth")
    assert all("is from an earlier state of this mesh file" in line for line in lines)


def test_a_file_of_an_earlier_run_that_cannot_be_removed(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    (tmp_path / "m_7.bin").write_bytes(b"old")
    monkeypatch.setattr(Path, "unlink", refuse)
    remove_leftovers(tmp_path / "m", "_[0-9][.]bin", [tmp_path / "m_7.bin"])
    with pytest.raises(
        dd.OutputError, match=r"m_7\.bin is from an earlier .* \(Permission denied\); remove it"
    ):
        remove_leftovers(tmp_path / "m", "_[0-9][.]bin", [])
