"""Rules for the code: public names, lazy imports, error handling, links.

import-linter checks imports between packages, see `[tool.importlinter]` in pyproject.toml.
"""

from __future__ import annotations

import ast
import builtins
import re
import subprocess
import sys
from pathlib import Path

import ddepth_gl as dd

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ddepth_gl"


def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
        if path != PACKAGE / "__init__.py"
    }


def test_imports_are_those_that_import_linter_sees():
    """No absolute imports, no public names from the root, and no folder that is not a package."""
    for path in PACKAGE.rglob("*.py"):
        assert (path.parent / "__init__.py").exists(), path
        depth = len(path.relative_to(PACKAGE).parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.append(node.module or "")
            absolute = [module for module in imported if module.split(".")[0] == "ddepth_gl"]
            assert not absolute, path
            if isinstance(node, ast.ImportFrom) and node.level == depth and not node.module:
                public = {alias.name for alias in node.names} & set(dd.__all__)
                assert not public, f"{path}: import from the module that defines {public}"


def test_public_names():
    assert list(dd.__all__) == sorted(dd.__all__)
    assert set(dd._MODULES) == set(dd.__all__) <= set(dir(dd))
    assert not hasattr(dd, "no_such_name")
    for name in set(dd.__all__) - {"__version__", "Surfaces"}:  # Surfaces is a type alias
        public = getattr(dd, name)
        assert public.__doc__, name
        assert public.__module__.startswith("ddepth_gl."), name
    for error in (value for value in vars(dd).values() if isinstance(value, type)):
        if issubclass(error, dd.DDepthError):
            assert error.__module__ == "ddepth_gl.errors"
            assert error.__name__ in dd.__all__


def test_heavy_imports_are_deferred():
    """Importing the package imports nothing large. Its names import no optional dependency."""
    deferred = ("mapbox_earcut", "imageio", "matplotlib", "typer", "rich", "scipy", "OpenEXR")
    code = (
        "import sys, ddepth_gl; assert 'numpy' not in sys.modules; ddepth_gl.Mesh; "
        f"print([name for name in {deferred} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_package_has_no_asserts_and_ignores_no_errors():
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not isinstance(node, ast.Assert), f"{name}:{node.lineno}: raise an error instead"
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{name}:{node.lineno}: name the exception"
                silent = all(isinstance(statement, ast.Pass) for statement in node.body)
                assert not silent, f"{name}:{node.lineno}: silently ignores an error"


def test_only_shader_files_contain_glsl():
    for name, path in modules().items():
        assert "gl_Position" not in path.read_text(encoding="utf-8"), name


def test_docstrings_open_with_a_verb_or_a_noun():
    """Ruff checks that functions open with an imperative; this covers classes and modules too."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                opening = (ast.get_docstring(node) or "").partition(" ")[0]
                assert opening not in {"What", "Which", "Whether", "How", "Where", "When", "Who"}, (
                    f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"
                )


def test_shaders_have_headers_and_includes_have_guards():
    """A header says what the file does, right after #version or the guard."""
    for path in (path for path in (ROOT / "shaders").rglob("*") if path.is_file()):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert any(line.startswith("//") for line in lines[:3]), path.name
        assert max(map(len, lines)) <= 100, path.name
        if path.parent.name == "include":
            guard = path.name.upper().replace(".", "_")
            assert f"#ifndef {guard}" in lines, path.name
            assert f"#define {guard}" in lines, path.name


def test_the_page_on_architecture_draws_the_contract_on_imports():
    contract = re.search(
        r'containers = \["ddepth_gl"\].*?layers = \[(.*?)\]',
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawing = re.search(r"## Rooms.*?```text\n(.*?)```", page, re.DOTALL)
    assert contract is not None
    assert drawing is not None
    layers = [re.findall(r"\w+", layer) for layer in re.findall(r'"(.*?)"', contract[1])]
    assert [line.split() for line in drawing[1].splitlines()] == layers


def test_files_that_the_page_on_architecture_names_exist():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/.]+(?:\.(?:py|glsl|comp|vert|frag|toml)|/))`", page)
    assert len(named) > 40
    for name in named:
        assert any((base / name).exists() for base in (PACKAGE, ROOT / "shaders", ROOT)), name


def test_links_in_the_documentation_exist():
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        ROOT / "SECURITY.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), (
                    f"{page.relative_to(ROOT)} links to {target}"
                )


# Exceptions that the library raises itself although they are not in its tree, and why.
BUILTIN_ERRORS = {
    ("", "AttributeError"): "what Python expects of __getattr__",
    ("results.requested", "AttributeError"): "what Python expects of __getattr__",
    ("mesh.mesh", "AttributeError"): "what Python expects of an object that cannot be changed",
    ("io.meshes.folder", "FileNotFoundError"): "load_mesh names the file",
    ("_checks", "ValueError"): "its callers raise their own error",
    ("camera.checks", "TypeError"): "its caller raises CameraError",
    ("dataset.reading", "IndexError"): "what Python expects of a sequence",
    ("dataset.columns", "ValueError"): "its callers raise DatasetError, or store texts",
    ("dataset.config_groups", "ValueError"): "pydantic collects them for one DatasetError",
    ("io.meshes.child", "ValueError"): "caught below, as MeshError",
    ("io.meshes.child_main", "ValueError"): "its caller raises MeshError",
    ("io.meshes.gltf.meshopt_attributes", "ValueError"): "its caller raises MeshError",
    ("io.meshes.gltf.meshopt_indices", "ValueError"): "its caller raises MeshError",
    ("io.meshes.ply.header", "ValueError"): "its caller raises MeshError",
    ("io.meshes.threemf.document", "ValueError"): "caught below, as MeshError",
    ("io.meshes.zip_entries", "FileNotFoundError"): "as in MeshFolder.read; load_mesh names it",
    ("io.meshes.read", "ValueError"): "its caller raises MeshError",
}


def test_errors_are_those_of_the_tree():
    found = set()
    for name, path in {**modules(), "": PACKAGE / "__init__.py"}.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and node.exc is not None:
                raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                if hasattr(builtins, ast.unparse(raised)):
                    found.add((name, ast.unparse(raised)))
    assert found == set(BUILTIN_ERRORS)


def test_warnings_are_of_the_two_categories():
    """What a file holds and is not used; and, as for files, what was not closed."""
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn":
                category = ast.unparse(node.args[1])
                assert category in ("LeftOutWarning", "ResourceWarning"), f"{name}:{node.lineno}"
