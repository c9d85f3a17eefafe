"""The house rules that a machine can check: import arrows, public names, lazy imports, plain words."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ddepth_gl as dd

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ddepth_gl"

# What each module may import of the package; docs/architecture.md draws the same arrows.
ARROWS = {
    "errors": set(),
    "arguments": {"errors"},
    "srgb": set(),
    "frozen_arrays": set(),
    "device_owner": {"errors"},
    "mesh": {"errors", "arguments", "frozen_arrays"},
    "opened_files": set(),
    "mesh_reading": set(),
    "mesh_reading.folder": {"errors", "opened_files"},
    "mesh_reading.parts": {"errors", "mesh", "mesh_reading.folder"},
    "mesh_reading.checks": {"errors", "mesh_reading.folder"},
    "mesh_reading.gltf": {"errors", "srgb", "mesh_reading.folder", "mesh_reading.parts"},
    "mesh_files": {
        "errors", "arguments", "mesh", "mesh_reading.parts", "mesh_reading.folder", "mesh_reading.checks",
        "mesh_reading.gltf"
    },
    "attributes": {"arguments", "errors"},
    "camera": {"arguments", "errors", "frozen_arrays"},
    "camera_files": {"errors", "arguments", "camera", "opened_files"},
    "mould": {"errors", "arguments", "camera"},
    "depth_maps": {"errors", "arguments", "attributes", "mesh", "camera", "mould"},
    "depth_layers": {"arguments", "errors", "attributes", "camera", "depth_maps", "silhouettes", "srgb"},
    "unpacked_mesa": set(),
    "egl": {"errors", "unpacked_mesa"},
    "gl_calls": {"egl", "errors"},
    "host_memory": set(),
    "context": {"errors", "arguments", "egl", "gl_calls", "host_memory"},
    "shader_library": {"errors"},
    "version": set(),
    "silhouettes": {"camera"},
    "face_distance": {"mesh"},
    "scene": {"errors", "arguments", "mesh", "camera", "context", "device_owner", "face_distance"},
    "engines": set(),
    "engines.sheets": {"attributes"},
    "provenance": {"mesh"},
    "camera_runs": {"camera"},
    "engines.face_vertices": set(),
    "engines.drawn_faces": {"mesh"},
    "engines.crossing_memory": {"errors"},
    "engines.crossing_keys": set(),
    "engines.merging": {"engines.sheets", "engines.crossing_keys"},
    "engines.peeling": {
        "context", "gl_calls", "engines.sheets", "engines.merging", "engines.crossing_keys",
        "engines.crossing_memory"
    },
    "smooth_normals": {"mesh"},
    "engines.attributes": {
        "errors", "attributes", "mesh", "camera", "context", "scene", "shader_library", "smooth_normals",
        "srgb", "engines.crossing_keys", "engines.local_camera", "engines.sheets"
    },
    "engines.local_camera": {"camera", "scene"},
    "engines.image_pool": set(),
    "engines.finished_sheets": {
        "errors", "camera", "context", "scene", "shader_library", "silhouettes", "engines.sheets"
    },
    "cuda_interop": {"errors", "context"},
    "device_maps": {
        "errors", "arguments", "camera", "context", "cuda_interop", "depth_maps", "device_owner"
    },
    "engines.targets": {"context"},
    "engines.pictures": {"camera", "context", "scene", "shader_library", "engines.attributes"},
    "engines.engine": {
        "camera", "context", "scene", "engines.sheets", "engines.attributes", "engines.pictures",
        "engines.finished_sheets", "engines.image_pool"
    },
    "engines.raster": {
        "camera", "context", "scene", "shader_library", "engines.sheets", "engines.engine",
        "engines.face_vertices", "engines.drawn_faces", "engines.local_camera", "engines.peeling",
        "engines.targets"
    },
    "engines.face_parts": {"context", "gl_calls", "mesh", "scene", "engines.drawn_faces"},
    "engines.compute_view": {"camera", "scene", "engines.local_camera", "engines.sheets"},
    "engines.face_queues": {"context", "gl_calls", "scene", "engines.face_parts"},
    "engines.face_tiles": {"context", "gl_calls"},
    "engines.face_passes": {
        "camera", "context", "scene", "shader_library", "engines.compute_view", "engines.face_parts",
        "engines.face_queues", "engines.face_tiles", "engines.sheets"
    },
    "engines.layer_lists": {
        "errors", "camera", "context", "scene", "engines.crossing_keys", "engines.crossing_memory",
        "engines.face_passes", "engines.sheets"
    },
    "engines.sheet_buffers": {"context"},
    "engines.compute": {
        "camera", "context", "scene", "engines.sheets", "engines.engine", "engines.face_passes",
        "engines.layer_lists", "engines.sheet_buffers"
    },
    "renderer": {
        "errors", "arguments", "attributes", "mesh", "mesh_files", "camera", "depth_maps", "depth_layers",
        "context", "provenance", "device_owner",
        "scene", "silhouettes", "device_maps", "camera_runs", "engines.sheets", "engines.engine",
        "engines.raster", "engines.compute"
    },
    "writers": set(),
    "writers.whole_file": {"arguments", "errors"},
    "writers.contents": {"arguments", "errors", "version"},
    "writers.replaced_files": {"errors", "mesh", "opened_files", "provenance"},
    "writers.npz": {"depth_maps", "depth_layers", "writers.contents", "writers.whole_file"},
    "writers.ply": {"errors", "arguments", "depth_layers", "srgb", "writers.contents", "writers.whole_file"},
    "writers.png": {"writers.whole_file"},
    "writers.png16": {
        "errors", "arguments", "camera", "depth_maps", "writers.contents", "writers.png",
        "writers.whole_file"
    },
    "writers.layereddepth": {
        "arguments", "depth_layers", "writers.contents", "writers.png16", "writers.whole_file"
    },
    "writers.exr": {
        "errors", "arguments", "attributes", "depth_maps", "depth_layers", "writers.contents",
        "writers.whole_file"
    },
    "writers.xray": {
        "errors", "arguments", "depth_layers", "srgb", "writers.contents", "writers.npz", "writers.whole_file"
    },
    "writers.lari": {
        "errors", "arguments", "depth_layers", "writers.contents", "writers.npz", "writers.whole_file"
    },
    "demo_mesh": {"mesh"},
    "panels": set(),
    "layer_panels": {"depth_layers", "panels"},
    "cross_section": {"errors", "depth_layers", "panels"},
    "preview": {
        "errors", "depth_maps", "depth_layers", "panels", "layer_panels", "cross_section"
    },
    "render_formats": {
        "errors", "mesh", "depth_maps", "depth_layers", "writers.contents", "writers.npz", "writers.exr",
        "writers.ply", "writers.png", "writers.png16", "writers.xray", "writers.lari", "writers.layereddepth"
    },
    "render_job": {
        "errors", "arguments", "attributes", "mesh", "camera", "renderer", "scene", "render_formats",
        "preview", "provenance", "writers.contents", "writers.png", "writers.png16",
        "writers.replaced_files"
    },
    "__main__": {"start"},
    "start": {"cli"},
    "cli": {
        "errors", "mesh", "mesh_files", "camera", "camera_files", "context", "renderer", "render_job",
        "render_formats", "demo_mesh", "version", "writers.contents"
    },
}  # fmt: skip
MODERNGL = {"context", "shader_library", "scene", "engines.raster", "renderer"}


def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
        if path != PACKAGE / "__init__.py"
    }


def imports(name: str, path: Path) -> tuple[set[str], set[str]]:
    """What a module imports of the package, and the top-level packages it imports from elsewhere."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    inner, outer = set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            outer |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            outer.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                whole = ".".join([*base, alias.name])
                inner.add(whole if whole in modules() else ".".join(base))
    return inner, outer


def test_every_module_has_its_arrows():
    assert set(modules()) == set(ARROWS)


@pytest.mark.parametrize("name", sorted(ARROWS))
def test_imports_follow_the_arrows(name):
    inner, outer = imports(name, modules()[name])
    assert inner <= ARROWS[name]
    assert "ddepth_gl" not in outer, "import from the package relatively"
    assert "moderngl" not in outer or name in MODERNGL


def test_arrows_have_no_circle():
    done: set[str] = set()
    while len(done) < len(ARROWS):
        ready = {name for name, needed in ARROWS.items() if name not in done and needed <= done}
        assert ready, f"a circle among {set(ARROWS) - done}"
        done |= ready


def test_public_names():
    assert list(dd.__all__) == sorted(dd.__all__)
    assert set(dd._MODULES) == set(dd.__all__) <= set(dir(dd))
    assert not hasattr(dd, "no_such_name")
    for name in set(dd.__all__) - {"__version__"}:
        public = getattr(dd, name)
        assert public.__doc__, name
        assert public.__module__.startswith("ddepth_gl."), name
    for error in (value for value in vars(dd).values() if isinstance(value, type)):
        if issubclass(error, dd.DDepthError):
            assert error.__module__ == "ddepth_gl.errors"
            assert error.__name__ in dd.__all__


def test_heavy_imports_wait():
    """The package's names come without what only some calls need, and the package without its names."""
    code = "import sys, ddepth_gl; assert 'numpy' not in sys.modules; ddepth_gl.Mesh; print([m for m in ('trimesh', 'imageio', 'cmap', 'typer', 'rich', 'scipy', 'OpenEXR') if m in sys.modules])"  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_no_asserts_and_no_swallowed_errors_in_the_package():
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not isinstance(node, ast.Assert), f"{name}:{node.lineno}: raise an error instead"
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{name}:{node.lineno}: name the exception"
                silent = all(isinstance(statement, ast.Pass) for statement in node.body)
                assert not silent, f"{name}:{node.lineno}: swallows an error"


def test_shader_text_is_in_shader_files_only():
    for name, path in modules().items():
        assert "gl_Position" not in path.read_text(encoding="utf-8"), name


def test_links_in_the_documentation_lead_somewhere():
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
