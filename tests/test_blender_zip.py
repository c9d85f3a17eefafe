"""The zip of Blender's extension: what is in it, and that Blender installs and removes it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from blender_scenes import NEEDS_BPY

ROOT = Path(__file__).parents[1]
if not (ROOT / "blender").is_dir():
    pytest.skip("the extension of Blender is not in sdists", allow_module_level=True)
tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11 or later")


def build_script() -> ModuleType:
    loader = SourceFileLoader("build_blender", str(ROOT / "scripts/build_blender"))
    spec = importlib.util.spec_from_loader("build_blender", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def test_the_manifest_of_the_zip() -> None:
    wheels = [Path("a-1-py3-none-any.whl"), Path("b-2-cp311-cp311-manylinux_2_28_x86_64.whl")]
    manifest = tomllib.loads(build_script().manifest(wheels))
    source = tomllib.loads((ROOT / "blender/blender_manifest.toml").read_text())
    assert manifest == {
        **source,
        "version": version(),
        "wheels": [f"./wheels/{wheel.name}" for wheel in wheels],
    }
    assert manifest["permissions"].keys() == {"files"}
    assert manifest["platforms"] == ["linux-x64"]
    assert "Linux" in manifest["name"]
    assert manifest["blender_version_min"] == "4.5.0"
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later"]
    texts = [manifest["tagline"], *manifest["permissions"].values()]
    assert all(len(text) <= 64 and text[-1].isalnum() for text in texts)
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "blender/LICENSE").read_text()[:200]


def test_the_bytes_of_a_zip_depend_on_its_files_alone(tmp_path: Path) -> None:
    write = build_script().write_zip
    files = {"b.py": b"1\n" * 999, "wheels/a.whl": b"2" * 999}
    write(tmp_path / "one", files)
    write(tmp_path / "two", dict(reversed(files.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with zipfile.ZipFile(tmp_path / "one") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files


def test_wheels_are_those_that_the_package_needs() -> None:
    listed = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "blender/wheels.txt").read_text(), re.M))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[><=]", each)[0].lower() for each in project["dependencies"]}
    # Blender brings NumPy; pyrr needs multipledispatch, moderngl needs glcontext.
    assert listed.keys() == (needed - {"numpy"}) | {"glcontext", "multipledispatch", "openexr"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the zip; DDEPTH_BLENDER_ZIP names one that was built."""
    if given := os.environ.get("DDEPTH_BLENDER_ZIP"):
        return Path(given)
    pytest.importorskip("build", reason="needs the package build, or DDEPTH_BLENDER_ZIP")
    folder = tmp_path_factory.mktemp("blender")
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/build_blender"), str(folder)],
        capture_output=True,
        text=True,
    )
    if "pip download" in done.stderr:
        pytest.skip(f"wheels cannot be downloaded here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    (path,) = folder.iterdir()
    return path


@pytest.mark.slow
def test_the_zip(built: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        names = archive.namelist()
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
        own = {path.name: path.read_bytes() for path in (ROOT / "blender").glob("*.py")}
        assert {name: archive.read(name) for name in own} == own
    wheels = [name for name in names if name.endswith(".whl")]
    assert manifest["wheels"] == [f"./{name}" for name in wheels]
    assert set(names) == {*own, "LICENSE", "blender_manifest.toml", *wheels}
    assert f"wheels/ddepth_gl-{version()}-py3-none-any.whl" in wheels
    for package in ("glcontext", "mapbox_earcut", "moderngl", "openexr", "pillow"):
        found = [name for name in wheels if name.startswith(f"wheels/{package}-")]
        assert sorted(name.split("-")[2] for name in found) == ["cp311", "cp313"]


@pytest.fixture(scope="module")
def blender_folder() -> Path:
    """Return the folder of bpy's scripts, without importing bpy here."""
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        pytest.skip(NEEDS_BPY)
    (folder,) = Path(spec.origin).parent.glob("[0-9]*.[0-9]*")
    return folder


@pytest.mark.slow
def test_blender_accepts_it(blender_folder: Path, built: Path) -> None:
    program = blender_folder / "scripts/addons_core/bl_pkg/cli/blender_ext.py"
    done = subprocess.run(
        [sys.executable, str(program), "validate", str(built)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_fresh_profile(blender_folder: Path, built: Path, tmp_path: Path) -> None:
    (tmp_path / "profile").mkdir()
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [
            *(sys.executable, str(Path(__file__).with_name("blender_fresh_profile.py"))),
            *(str(built), str(tmp_path / "out")),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**environment, "BLENDER_USER_RESOURCES": str(tmp_path / "profile")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert not any(found["before"].values())
    assert all(found["enabled"].values())
    assert not any(found["after"].values()), found["after"]
    assert found["path"].startswith(str(tmp_path / "profile"))
    assert {"ddepth_gl", "moderngl", "glcontext", "OpenEXR", "PIL"} <= set(found["wheels"])
    assert found["files"] == [f"untitled_0001{end}" for end in (".exr", ".npz", "_photo.png")]
    assert found["equal"]
    assert found["pixels"] > 100
    assert 5.0 < found["depth"] < 10.0  # the cube of Blender's first scene
