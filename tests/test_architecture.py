"""House rules that a machine can check: public names, lazy imports, error handling, links.

Imports between packages are checked by import-linter, see `[tool.importlinter]` in pyproject.toml.
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
            assert not any(each.split(".")[0] == "ddepth_gl" for each in imported), name


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
                assert (page.parent / target).exists(), (
                    f"{page.relative_to(ROOT)} links to {target}"
                )
