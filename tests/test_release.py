"""Versions that several files name agree."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_changelog_and_the_citation_name_the_version():
    version = re.search(r'^version = "(.*)"', text("pyproject.toml"), re.M)[1]
    released = re.search(r"^## \[(\d\S*)\] - (\S+)", text("CHANGELOG.md"), re.M)
    cited = text("CITATION.cff")
    assert released[1] == version
    assert re.search(r"^version: (.*)", cited, re.M)[1] == version
    assert re.search(r'^date-released: "(.*)"', cited, re.M)[1] == released[2]


def test_the_workflow_tests_every_python_that_the_package_names():
    named = re.findall(r"Python :: (3\.\d+)", text("pyproject.toml"))
    tested = re.search(r"python: \[(.*)\]", text(".github/workflows/test.yml"))[1]
    assert re.findall(r'"(.*?)"', tested) == named
    assert re.search(r'requires-python = ">=(.*)"', text("pyproject.toml"))[1] == named[0]


def requirements(name: str) -> set[str]:
    """Return the names of the packages in a list of pyproject.toml."""
    block = re.search(rf"^{name} = \[\n?(.*?)\]( *#.*)?$", text("pyproject.toml"), re.M | re.S)
    return set(re.findall(r'"([\w-]+(?:\[[\w,]+\])?)', block[1]))


def test_what_is_installed_without_extras_and_with_them():
    """`pip install ddepth-gl` gets the library, and extras what only some need."""
    core = {"moderngl", "numpy", "pyrr", "imageio", "pillow", "mapbox-earcut"}
    assert requirements("dependencies") == core
    assert requirements("cli") == {"typer", "rich", "matplotlib"}
    assert requirements("all") == {"ddepth-gl[cli,exr,compressed,usd]"}
    assert 'pip install ".[cli]"' in text("README.md")
