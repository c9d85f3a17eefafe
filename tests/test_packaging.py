"""Recipes for conda and containers: they parse, linters pass, they say what pyproject says."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGING = ROOT / "packaging"
CONTAINERFILES = ("Containerfile", "Containerfile.nvidia")
# Names that conda-forge writes in another way, and bounds that it cannot keep.
CONDA_NAMES = {"mapbox-earcut": "mapbox_earcut", "matplotlib": "matplotlib-base"}
OTHER_BOUNDS = {"mapbox_earcut"}
SYSTEM = {"python", "__linux", "libegl", "libgl", "mesa-llvmpipe"}


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def program(name: str) -> str:
    """Return the path of a program beside this interpreter, or skip the test."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f'{name} is missing; run: pip install ".[release]" (.ci/run does it)')
    return found


def bounds(name: str) -> dict[str, str]:
    """Return the packages of a list of pyproject.toml with their lower bounds."""
    block = re.search(rf"^{name} = \[\n?(.*?)^\]", text("pyproject.toml"), re.M | re.S)
    return dict(re.findall(r'"([\w-]+)>=([\w.]+)', block[1]))


def conda_list(name: str) -> dict[str, str]:
    """Return a list of requirements of the conda recipe."""
    block = re.search(rf"^  {name}:\n((?:    .*\n)+)", text("packaging/conda/recipe.yaml"), re.M)
    lines = re.findall(r"- (\S+)(?: >=(\S+))?", block[1])
    return dict(lines)


def test_the_conda_recipe_has_the_version_and_the_bounds_of_pyproject():
    recipe, project = text("packaging/conda/recipe.yaml"), text("pyproject.toml")
    version = re.search(r'^version = "(.*)"', project, re.M)[1]
    assert re.search(r'^  version: "(.*)"', recipe, re.M)[1] == version
    oldest = re.search(r'requires-python = ">=(.*)"', project)[1]
    assert re.search(r'python_min: "(.*)"', recipe)[1] == oldest
    wanted = {
        CONDA_NAMES.get(name, name): bound
        for name, bound in {**bounds("dependencies"), **bounds("cli")}.items()
    }
    given = conda_list("run")
    assert given.keys() == wanted.keys() | SYSTEM
    for name in wanted.keys() - OTHER_BOUNDS:
        assert given[name] == wanted[name], name
    assert re.search(r"- ddepth = (.*)", recipe)[1] in project
    needed = re.search(r"^requires = \[(.*)\]", project, re.M)[1]
    assert re.findall(r'"([\w-]+)>=(.*?)"', needed) == list(conda_list("host").items())[2:]


def test_rattler_build_renders_the_conda_recipe():
    if importlib.util.find_spec("rattler_build") is None:
        pytest.skip('py-rattler-build is missing; run: pip install ".[release]" (.ci/run does it)')
    import rattler_build

    recipe = rattler_build.Stage0Recipe.from_file(str(PACKAGING / "conda" / "recipe.yaml"))
    (variant,) = recipe.render(rattler_build.VariantConfig(), rattler_build.RenderConfig())
    assert variant.recipe.package.name == "ddepth-gl"
    assert set(conda_list("run")) == {
        line.split()[0] for line in variant.recipe.requirements.to_dict()["run"]
    }


@pytest.mark.parametrize("name", CONTAINERFILES)
def test_hadolint_has_no_warnings(name):
    command = [program("hadolint"), "--failure-threshold", "warning", str(PACKAGING / name)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def debian_packages(name: str) -> set[str]:
    return set(re.findall(r"\b(libegl1|libgl1|libgl1-mesa-dri|python3-venv)\s", text(name)))


def test_containers_install_what_the_project_does():
    """`scripts/system-gl` knows what OpenGL needs; with NVIDIA, the host has the driver."""
    opengl = set(re.search(r'^packages="(.*)"', text("scripts/system-gl"), re.M)[1].split())
    wanted = opengl | {"python3-venv"}
    assert debian_packages("packaging/Containerfile") == wanted
    assert debian_packages("packaging/apptainer.def") == wanted
    assert debian_packages("packaging/Containerfile.nvidia") == wanted - {"libgl1-mesa-dri"}
    for name in (*CONTAINERFILES, "apptainer.def"):
        assert "debian:trixie-slim" in text(f"packaging/{name}")
    # Extras that they name exist.
    assert re.search(r"^all = ", text("pyproject.toml"), re.M)
    assert re.search(r"^cuda = ", text("pyproject.toml"), re.M)


def sections() -> dict[str, str]:
    """Return the header of the Apptainer definition as "" and its sections by name."""
    parts = re.split(r"^%(\w+)\n", text("packaging/apptainer.def"), flags=re.M)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def test_the_apptainer_definition():
    """Apptainer knows its sections, its shell parses, its files are a whole package."""
    found = sections()
    assert found.keys() == {"", "files", "post", "environment", "runscript", "test", "help"}
    keys = dict(re.findall(r"^(\w+): (\S+)$", found[""], re.M))
    assert keys == {"Bootstrap": "docker", "From": "debian:trixie-slim"}
    for name in ("post", "environment", "runscript", "test"):
        done = subprocess.run(["sh", "-n"], input=found[name], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), name
    sources = {}
    for line in found["files"].split("\n"):
        if line.strip():
            source, target = line.split()
            assert target == f"/source/{source}"
            sources[source] = (ROOT / source).exists()
    assert all(sources.values()), sources
    packages = re.search(r"\[tool\.hatch\.build\.targets\.wheel\](.*?)\n\[tool\.hatch\.build"
                         r"\.targets\.sdist\]", text("pyproject.toml"), re.S)[1]  # fmt: skip
    named = {
        re.search(r'packages = \["(.*?)"\]', packages)[1],
        *re.findall(r'^"(\w+)" = ', packages, re.M),
    }
    assert set(sources) == named | {"pyproject.toml", "README.md", "LICENSE"}


def test_what_a_container_build_copies():
    """Folders that git ignores because they are large stay out of the context."""
    ignored = set(text(".dockerignore").split())
    assert {".git", ".venv", "out", "dist", "build"} <= ignored
    for name in ("ddepth_gl", "shaders", "pyproject.toml", "README.md", "LICENSE"):
        assert name not in ignored


def test_the_security_policy_names_the_limits():
    """Limits that SECURITY.md states are those of the code."""
    from ddepth_gl.io.meshes import child, polygon_work, read, textures, zip_entries
    from ddepth_gl.io.results import archive

    policy = " ".join(text("SECURITY.md").split())
    gibibyte = 2**30
    for limit in (
        f"{read._MAX_FILE_BYTES // gibibyte} GiB per file",
        f"{child._MEMORY // gibibyte} GiB and three times",
        f"2^{textures._MAX_PIXELS.bit_length() - 1} pixels",
        f"{zip_entries._MAX_ENTRIES:,} entries",
        f"{zip_entries._MAX_RATIO} times",
        f"{archive._MAX_ENTRIES:,} arrays",
        f"{polygon_work.PolygonWork().seconds:g} s",
    ):
        assert limit in policy, limit
