"""`--skip-existing`: what is skipped, what is rendered again, and what is said about it."""

from __future__ import annotations

import io
import re
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from mesh_files import TEXTURE, glb, gltf, obj, off, ply, png, put, stl, textured_gltf, textured_obj
from meshes import REAL, good
from shapes import box, torus

import ddepth_gl as dd
from ddepth_gl.io.meshes.read import source_of_file
from ddepth_gl.io.results.earlier_files import EarlierFiles, entries_if_whole
from ddepth_gl.io.results.ply import write_mesh
from ddepth_gl.jobs import skipping
from ddepth_gl.jobs.formats import FORMATS
from ddepth_gl.jobs.render import RenderJob

SHEETS = [name for name, each in FORMATS.items() if not each.needs_layers]


def first_fast(values, count):
    """Return the values as parameters, all but the first ones marked slow."""
    values = list(values)
    return values[:count] + [
        pytest.param(value, marks=pytest.mark.slow) for value in values[count:]
    ]


@pytest.fixture(autouse=True)
def meshes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_mesh(Path("box.ply"), box())
    write_mesh(Path("ring.ply"), torus(steps=24, sides=12))


@pytest.fixture
def rendered(monkeypatch):
    """Names of the meshes that were uploaded."""
    names = []
    upload = dd.DepthRenderer.upload
    monkeypatch.setattr(
        dd.DepthRenderer,
        "upload",
        lambda self, mesh: names.append(mesh.name) or upload(self, mesh),
    )
    return names


@pytest.fixture
def render(ddepth, rendered):
    """Run `ddepth render`; return the exit status, lines of stdout, of stderr, and uploads."""

    def run(*arguments, output="out"):
        rendered.clear()
        status, out, err = ddepth("render", "-o", output, "--size", "16x12", *arguments)
        return status, out.splitlines(), err, list(rendered)

    return run


def times(folder="out"):
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).iterdir()}


def contents(folder="out"):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def changed(before, after):
    return sorted(name for name in after if before.get(name) != after[name])


@pytest.mark.slow
def test_what_is_there_is_skipped(render, monkeypatch):
    command = ("box.ply", "ring.ply", "--views", "3")
    render(*command)
    before = times()
    # Neither mesh is decoded.
    monkeypatch.setattr("ddepth_gl.io.meshes.read._load", lambda *_: pytest.fail("was decoded"))
    code, out, err, uploads = render(*command, "--skip-existing")
    assert (code, err, uploads) == (0, [], [])
    assert out == ["skipped 2 of 2 meshes: already there"]
    assert times() == before


@pytest.mark.slow
def test_only_what_is_missing_is_rendered(render):
    command = ("box.ply", "ring.ply", "--views", "6")
    render(*command)
    whole, before = contents(), times()
    for name in ("ring_001.npz", "ring_005.npz"):
        Path("out", name).unlink()
    code, out, err, uploads = render(*command, "--skip-existing")
    assert (code, err, uploads) == (0, [], ["ring"])
    assert any(line.startswith("ring: 2 images of 16x12 (4 more already there), ") for line in out)
    assert out[-1] == "skipped 1 of 2 meshes: already there"
    assert changed(before, times()) == ["ring_001.npz", "ring_005.npz"]
    np.testing.assert_equal(
        {name: dict(np.load(Path("out", name))) for name in whole if name.endswith("npz")},
        {name: arrays(data) for name, data in whole.items() if name.endswith("npz")},
    )


def arrays(data):
    return dict(np.load(io.BytesIO(data)))


@pytest.mark.slow
def test_a_missing_preview_alone(render):
    command = ("box.ply", "--views", "6")
    render(*command)
    before, whole = times(), contents()
    Path("out/box_preview.png").unlink()
    code, out, err, uploads = render(*command, "--skip-existing")
    assert (code, err, uploads) == (0, [], ["box"])
    assert any(line.startswith("box: 0 images of 16x12 (6 more already there)") for line in out)
    assert "out/box_preview.png" in out
    assert changed(before, times()) == ["box_preview.png"]
    assert contents() == whole
    # Without a preview, none is missing.
    Path("out/box_preview.png").unlink()
    assert render(*command, "--skip-existing", "--no-preview")[3] == []


@pytest.mark.slow
def test_an_interrupted_run_is_continued(render, monkeypatch):
    command = ("box.ply", "ring.ply", "--views", "3", "--format", "npz,ply,png16,mould,exr-files")
    render(*command, output="whole")
    written, replace = [], Path.replace

    def stop(self, target):
        if len(written) == 37:
            raise KeyboardInterrupt
        written.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stop)
    assert render(*command)[0] == 130
    monkeypatch.setattr(Path, "replace", replace)
    assert 0 < len(contents()) < len(contents("whole"))
    code, out, err, uploads = render(*command, "--skip-existing")
    assert (code, err, uploads) == (0, [], ["ring"])
    assert out[-1] == "skipped 1 of 2 meshes: already there"
    assert set(contents()) == set(contents("whole"))
    assert render(*command, "--skip-existing")[3] == []


BASE = {
    "--views": "2",
    "--format": "npz,ply,png16,mould,photo,exr,exr-files",
    "--no-preview": None,
}
OTHER = {
    "--views": "3", "--seed": "1", "--up": "y", "--fov-deg": "30", "--size": "20x12",
    "--ortho": "4", "--attributes": "normal", "--samples": "2", "--surfaces": "any", "--near": "1",
    "--far": "100", "--fill": "-1", "--png-scale": "0.01", "--compression": "deflate",
    "--derived": None, "--tolerance": "1e-3",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("option", first_fast(OTHER, 2))
def test_files_of_other_options_are_replaced(render, option):
    def line(options):
        return [word for pair in options.items() for word in pair if word is not None]

    render("box.ply", *line(BASE))
    other = BASE | {option: OTHER[option]}
    code, out, err, uploads = render("box.ply", *line(other), "--skip-existing")
    assert (code, err, uploads) == (0, [], ["box"])
    note = "2 again: files damaged or of other options"
    assert any(f"({note})" in text and text.startswith("box: ") for text in out)
    render("box.ply", *line(other), output="fresh")
    assert {name: stripped(name, data) for name, data in contents().items()} == {
        name: stripped(name, data) for name, data in contents("fresh").items()
    }
    # Now these are there, and the former ones are not.
    assert render("box.ply", *line(other), "--skip-existing")[3] == []
    assert render("box.ply", *line(BASE), "--skip-existing")[3] == ["box"]


def stripped(name, data):
    return {k: v.tobytes() for k, v in arrays(data).items()} if name.endswith("npz") else data


def test_options_without_an_effect_do_not_matter(render):
    render("box.ply", "--views", "2")
    for more in (["--up", "auto"], ["--seed", "0"], ["--engine", "raster"], ["--max-faces", "99"]):
        assert render("box.ply", "--views", "2", *more, "--skip-existing")[3] == []


def test_an_option_counts_for_the_formats_that_it_changes(render):
    render("box.ply", "--format", "photo,npz", "--samples", "2", "--no-preview")
    assert render("box.ply", "--format", "npz", "--no-preview", "--skip-existing")[3] == []
    assert render("box.ply", "--format", "photo", "--no-preview", "--skip-existing")[3] == ["box"]


@pytest.mark.parametrize("layers", first_fast([False, True], 1))
@pytest.mark.slow
def test_every_format_is_recognized(render, layers):
    for name in FORMATS if layers else SHEETS:
        options = ["--format", name, "--views", "2", "--no-preview"]
        options += ["--layers"] if layers and FORMATS[name].has_option("layers", True) else []
        options += ["--png-scale", ".01"] if name == "layereddepth" else []
        render("ring.ply", *options, output=name)
        assert render("ring.ply", *options, "--skip-existing", output=name)[3] == [], name
        # Each file of a view is needed.
        files = sorted(Path(name).glob("ring_001*"))
        for file in files:
            data = file.read_bytes()
            file.unlink()
            code, out, err, uploads = render("ring.ply", *options, "--skip-existing", output=name)
            assert (code, err, uploads) == (0, [], ["ring"]), file
            assert file.exists()
            assert any("1 image of 16x12 (1 more already there)" in line for line in out), file
            assert stripped(file.name, file.read_bytes()) == stripped(file.name, data)
        assert int(entries_if_whole(files[0])["file_count"]) == len(files)


@pytest.mark.parametrize("damage", ["cut", "half", "longer", "empty", "zeros"])
@pytest.mark.parametrize("name", first_fast([*SHEETS, "layereddepth", "xray", "deepexr"], 1))
def test_damaged_files_are_rendered_again(render, name, damage):
    options = ["--format", name, "--no-preview"] + ["--layers"] * FORMATS[name].needs_layers
    options += ["--png-scale", ".01"] if name == "layereddepth" else []
    render("ring.ply", *options)
    for file in sorted(Path("out").glob("ring_000*"))[:3]:
        whole = file.read_bytes()
        file.write_bytes(
            {
                "cut": whole[:-3],
                "half": whole[: len(whole) // 2],
                "longer": whole + whole[:99],
                "empty": b"",
                "zeros": whole[: 3 * len(whole) // 4] + bytes(len(whole) - 3 * len(whole) // 4),
            }[damage]
        )
        if damage == "zeros" and file.suffix in (".ply", ".exr"):
            file.write_bytes(whole)  # their structure ends before the last numbers
            continue
        code, _, err, uploads = render("ring.ply", *options, "--skip-existing")
        assert (code, err, uploads) == (0, [], ["ring"]), file
        assert stripped(file.name, file.read_bytes()) == stripped(file.name, whole)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["photo", "png16"])
def test_a_damaged_byte_of_a_png_file_is_noticed(render, name):
    """Of npz, EXR and PLY, structure and size are checked alone, as the help says."""
    options = ("--format", name, "--no-preview")
    render("ring.ply", *options)
    for file in sorted(Path("out").glob("*.png")):
        whole = file.read_bytes()
        for place in (3, 20, len(whole) // 2, len(whole) - 30, len(whole) - 2):
            damaged = bytearray(whole)
            damaged[place] ^= 16
            file.write_bytes(damaged)
            assert render("ring.ply", *options, "--skip-existing")[3] == ["ring"], place
            assert stripped(file.name, file.read_bytes()) == stripped(file.name, whole)
        assert render("ring.ply", *options, "--skip-existing")[3] == []


def test_files_of_others_are_not_taken_for_damaged_ones(render):
    Path("out").mkdir()
    archive = io.BytesIO()
    np.savez(archive, camera_from_world=np.eye(4))  # whole, and not from here
    for content in (b"mine", b"PK\3\4mine", archive.getvalue()):
        Path("out/box_000.npz").write_bytes(content)
        code, _, err, uploads = render("box.ply", "--skip-existing")
        assert (code, uploads) == (1, [])
        assert "out/box_000.npz was not written by ddepth" in err[0]
        assert Path("out/box_000.npz").read_bytes() == content


def test_files_of_another_mesh_are_not_replaced(render):
    render("box.ply")
    before = times()
    shutil.copy("ring.ply", "box.ply")
    code, _, err, uploads = render("box.ply", "--skip-existing")
    assert (code, uploads) == (1, [])
    assert "is from an earlier state of this mesh file" in err[0]
    assert times() == before


def test_a_moved_mesh_is_the_same_mesh(render):
    render("box.ply")
    Path("moved").mkdir()
    Path("box.ply").rename("moved/box.ply")
    assert render("moved/box.ply", "--skip-existing")[3] == []


@pytest.mark.slow
def test_files_of_another_version_are_replaced(render, monkeypatch):
    render("box.ply")
    assert render("box.ply", "--skip-existing")[3] == []
    monkeypatch.setattr(skipping, "VERSION", "ddepth_gl 99.0.0")
    code, out, _, uploads = render("box.ply", "--skip-existing")
    assert (code, uploads) == (0, ["box"])
    assert "1 again: files damaged or of other options" in "\n".join(out)


def test_files_of_the_python_writers_are_replaced(render):
    """They do not say from which settings."""
    Path("out").mkdir()
    mesh = dd.load_mesh("box.ply")
    dd.write_npz("out/box_000.npz", dd.double_depth(mesh))
    assert render("box.ply", "--skip-existing", "--no-preview")[3] == ["box"]


def test_side_files_are_compared(render):
    """An OBJ file stays the same when its materials change, and the mesh does not."""
    put(Path(), "a.obj", textured_obj())
    put(Path(), "a.mtl", b"newmtl paint\nmap_Kd p.png\n")
    put(Path(), "p.png", png(TEXTURE))
    options = ("a.obj", "--surfaces", "any", "--attributes", "color")
    assert render(*options)[0] == 0
    assert render(*options, "--skip-existing")[3] == []
    put(Path(), "p.png", png(TEXTURE[::-1]))
    code, _, err, _ = render(*options, "--skip-existing")
    assert code == 1
    assert "is from an earlier state of this mesh file" in err[0]
    Path("p.png").unlink()
    assert render(*options, "--skip-existing")[0] == 1


def test_a_mesh_that_fails_fails_again(render):
    Path("bad.glb").write_bytes(b"this is no mesh")
    for _ in range(2):
        code, out, err, _ = render("bad.glb", "box.ply", "--skip-existing")
        assert (code, len(err)) == (1, 1)
        assert out[-1] == "1 of 2 meshes failed"
    assert "skipped 1 of 2 meshes: already there" in out


def test_skip_or_overwrite(render):
    code, _, err, _ = render("box.ply", "--skip-existing", "--overwrite")
    message = "--skip-existing keeps files and --overwrite replaces them; give one of them"
    assert (code, err) == (1, [f"ddepth: error: {message}"])


def test_cameras_of_a_file(render):
    cameras = dd.Camera.orbit(box(), 3, 8, 6)
    dd.save_cameras("a.json", cameras)
    dd.save_cameras("b.json", [cameras[0], cameras[2], cameras[1]])
    render("box.ply", "--cameras", "a.json", "--no-preview")
    assert render("box.ply", "--cameras", "a.json", "--skip-existing", "--no-preview")[3] == []
    before = times()
    _, out, _, _ = render("box.ply", "--cameras", "b.json", "--skip-existing", "--no-preview")
    assert changed(before, times()) == ["box_001.npz", "box_002.npz"]
    assert any(line.startswith("box: 2 images of ") for line in out)


def test_16_bit_images_share_a_scale(render):
    """One more camera farther away changes the scale of all images, unless it is given."""
    near, far = (dd.Camera.look_at((k, 0, 0), (0, 0, 0), width=8, height=6) for k in (5, 500))
    dd.save_cameras("one.json", [near])
    dd.save_cameras("two.json", [near, far])
    for more, again in (([], 2), (["--png-scale", "0.01"], 1)):
        options = ["box.ply", "--format", "png16", "--no-preview", *more]
        render(*options, "--cameras", "one.json", output=f"out{again}")
        _, out, _, _ = render(
            *options, "--cameras", "two.json", "--skip-existing", output=f"out{again}"
        )
        assert any(line.startswith(f"box: {again} image") for line in out)


@pytest.mark.slow
def test_views_of_an_earlier_run_are_told(render):
    render("box.ply", "ring.ply", "--views", "4")
    Path("out/box_0009.npz").write_bytes(b"mine")
    for more in ([], ["--skip-existing"]):
        code, _, err, _ = render("box.ply", "ring.ply", "--views", "2", *more)
        assert code == 0
        assert err == [
            "ddepth: warning: files of views that this run does not have are left from earlier "
            "runs: out/box_002.npz and 3 more; remove them if they are not wanted"
        ]
    assert render("box.ply", "ring.ply", "--views", "4")[2] == []


def test_every_option_of_a_job_counts_or_is_known_not_to():
    """An option that is added later changes the settings until somebody says that it does not."""
    skipped = skipping._WITHOUT_EFFECT
    assert skipped == {
        "folder", "formats", "preview", "memory_limit", "overwrite", "skip_existing"
    }  # fmt: skip
    assert skipped | skipping._OF_FORMATS < {each.name for each in fields(RenderJob)}


@pytest.mark.parametrize(
    ("name", "data", "is_known"),
    [
        ("a.glb", glb(), True),
        ("a.gltf", gltf(), False),
        ("a.obj", obj(), True),
        ("a.OBJ", obj(), True),
        ("a.obj", textured_obj(), False),
        ("a.ply", ply(), True),
        ("a.stl", stl(), True),
        ("a.off", off(), True),
        ("a.glb", glb(*textured_gltf(png(TEXTURE))), True),
        ("a.txt", obj(), False),
        ("a.obj", b"", False),
        ("missing.obj", None, False),
    ],
)
def test_the_source_of_a_file(name, data, is_known):
    if data is not None:
        put(Path(), name, data)
    source = source_of_file(Path(name))
    assert (source is not None) == is_known
    if source is not None:
        assert source[:3] == dd.load_mesh(name).source[:3]
        assert source_of_file(Path(name), len(data) - 1) is None


@pytest.mark.parametrize("name", REAL)
def test_the_source_of_real_files(name):
    source = source_of_file(good(name))
    assert source is None or source[:3] == dd.load_mesh(good(name)).source[:3]


def test_a_folder_is_listed_once(tmp_path, monkeypatch):
    for name in ("a_000.npz", "a_0001.npz", "ab_000.npz", "a_000.txt"):
        (tmp_path / name).touch()
    (tmp_path / "a_001.npz").mkdir()
    earlier = EarlierFiles(tmp_path)
    monkeypatch.setattr(Path, "iterdir", lambda _: pytest.fail("listed again"))
    pattern = re.compile(r"a_[0-9]+\.npz")
    assert [path.name for path in earlier.matching("a_", pattern)] == ["a_000.npz", "a_0001.npz"]
    assert earlier.matching("b", pattern) == []
    monkeypatch.undo()
    with pytest.raises(dd.OutputError, match="cannot be read"):
        EarlierFiles(tmp_path / "nowhere")
