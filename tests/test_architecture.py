"""Rules for the code: public names, lazy imports, error handling, links.

import-linter checks imports between packages, see `[tool.importlinter]` in pyproject.toml.
"""

from __future__ import annotations

import ast
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


def test_imports_of_the_package_are_relative():
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.append(node.module or "")
            absolute = [module for module in imported if module.split(".")[0] == "ddepth_gl"]
            assert not absolute, name


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


def test_heavy_imports_are_deferred():
    """Importing the package imports nothing large. Its names import no optional dependency."""
    deferred = ("trimesh", "imageio", "cmap", "typer", "rich", "scipy", "OpenEXR")
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


def test_links_in_the_documentation_exist():
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), (
                    f"{page.relative_to(ROOT)} links to {target}"
                )
