"""ddepth_gl beside moderngl, numpy and pyrr alone: what works, and what names the missing package.

The environment needs no network: it has no pip, and links to these packages' folders only.
"""

from __future__ import annotations

import base64
import os
import subprocess
import venv
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from crossings import by_hand

import ddepth_gl as dd

ROOT = Path(__file__).parents[1]
# What moderngl and pyrr need themselves comes with them.
ABSENT = (
    "trimesh",
    "mapbox_earcut",
    "imageio",
    "PIL",
    "typer",
    "rich",
    "matplotlib",
    "OpenEXR",
    "DracoPy",
    "opengl_basisu",
    "pxr",
    "pip",
)
BARE = ("moderngl", "glcontext", "numpy", "pyrr", "multipledispatch")


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of an environment with these packages and ddepth_gl, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in BARE:
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            source = Path(distribution(name).locate_file(top))
            if source.exists():
                (site / top).symlink_to(source)
    (site / "ddepth_gl").symlink_to(ROOT / "ddepth_gl")
    (site / "shaders").symlink_to(ROOT / "shaders")
    return folder / "bin" / "python"


@pytest.fixture
def run(python, tmp_path):
    def run(*arguments):
        environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [python, "-W", "error", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    return run


def output_of(done):
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_the_environment_is_bare(run):
    code = (
        "from importlib.util import find_spec\n"
        f"for name in {ABSENT}:\n"
        "    assert find_spec(name) is None, name\n"
        "import ddepth_gl; print(ddepth_gl.__file__)"
    )
    assert output_of(run("-c", code)) != []


@pytest.mark.slow
def test_the_core_renders(run, tmp_path):
    """Sheets, layers, photos and npz files, on both engines, as in the full environment."""
    code = """
import numpy as np
import ddepth_gl as dd
from ddepth_gl.mesh.demo import demo_mesh
mesh = demo_mesh()
camera = dd.Camera.orbit(mesh, views=1, width=96, height=64)[0]
for engine in ("raster", "compute"):
    with dd.DepthRenderer(engine) as renderer:
        scene = renderer.upload(mesh)
        frame = renderer.render(scene, camera, layers=True, layer_attributes=("normal", "color"))
        (path,) = dd.write_npz(f"{engine}.npz", frame.layers)
        assert (dd.load_npz(path).depth == frame.layers.depth).all()
        np.save(f"{engine}.npy", renderer.shade(scene, camera, samples=2))
        assert (frame.maps.mask == (frame.image[..., 3] > 0)).all()
assert dd.double_depth(mesh).mask.any()
assert frame.maps.to_mesh().is_closed
mesh.report()
"""
    assert output_of(run("-c", code)) == []
    from ddepth_gl.mesh.demo import demo_mesh

    mesh = demo_mesh()
    camera = dd.Camera.orbit(mesh, views=1, width=96, height=64)[0]
    for engine in ("raster", "compute"):
        with dd.DepthRenderer(engine) as renderer:
            scene = renderer.upload(mesh)
            layers = renderer.peel(scene, camera)
            image = renderer.shade(scene, camera, samples=2)
        loaded = dd.load_npz(tmp_path / f"{engine}.npz")
        np.testing.assert_array_equal(loaded.depth, layers.depth)
        np.testing.assert_array_equal(np.load(tmp_path / f"{engine}.npy"), image)


MISSING = {
    "load_mesh('ell.off')": "MeshError: ell.off: triangulating concave polygons needs the package "
    "mapbox_earcut",
    "load_mesh('a.gltf')": "MeshError: a.gltf: reading textures needs the package PIL",
    "write_png16('b.png', maps)": "OutputError: writing PNG needs the package imageio",
    "write_layereddepth('b.png', layers)": "OutputError: writing PNG needs the package imageio",
    "write_exr('b.exr', maps)": "OutputError: writing EXR needs the package OpenEXR",
}


@pytest.mark.slow
@pytest.mark.parametrize("call", MISSING)
def test_a_missing_package_is_named(run, tmp_path, call):
    (tmp_path / "ell.off").write_text(ELL)
    sheet = np.ones((4, 6), np.float32)
    camera = dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=6, height=4)
    dd.write_npz(tmp_path / "maps.npz", dd.DepthMaps(sheet, sheet + 1, camera))
    dd.write_npz(tmp_path / "layers.npz", by_hand([["F1 B2"]]))
    (tmp_path / "a.gltf").write_text(TEXTURED)
    load = "maps, layers = map(dd.load_npz, ('maps.npz', 'layers.npz'))"
    done = run("-c", f"import ddepth_gl as dd; {load}; dd.{call}")
    extra = '"ddepth-gl[exr]"' if "exr" in call else "ddepth-gl"
    last = done.stderr.splitlines()[-1]
    assert last == f"ddepth_gl.errors.{MISSING[call]}; run pip install {extra}"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(("b.", "b_"))]


ELL = "OFF 6 1 0\n0 0 0\n2 0 0\n2 1 0\n1 1 0\n1 2 0\n0 2 0\n6 0 1 2 3 4 5\n"
TRIANGLE = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]]).tobytes()
TEXTURED = """{"asset": {"version": "2.0"}, "nodes": [{"mesh": 0}],
 "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "material": 0}]}],
 "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
 "textures": [{"source": 0}], "images": [{"uri": "data:image/png;base64,AAAA"}],
 "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
 "bufferViews": [{"buffer": 0, "byteLength": 36}],
 "buffers": [{"byteLength": 36, "uri": "data:application/octet-stream;base64,BUFFER"}]}""".replace(
    "BUFFER", base64.b64encode(TRIANGLE).decode()
)


def test_gltf_without_textures_needs_no_other_package(run, tmp_path):
    plain = TEXTURED.replace(', "material": 0', "")
    (tmp_path / "plain.gltf").write_text(plain)
    code = "import ddepth_gl as dd; print(len(dd.load_mesh('plain.gltf').faces))"
    assert output_of(run("-c", code)) == ["1"]


@pytest.mark.parametrize(
    "arguments", [(), ("--help",), ("demo",), ("render", "box.ply", "-o", "x")]
)
def test_the_command_names_the_pip_command(run, tmp_path, arguments):
    done = run("-m", "ddepth_gl", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "ddepth: error: the command line lacks a package (No module named 'typer'); "
        'run pip install "ddepth-gl[cli]"\n'
    )
    assert not list(tmp_path.iterdir())
