"""The built wheel contains the shaders and renders when installed elsewhere."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("hatch_fancy_pypi_readme") is None,
    reason='hatch-fancy-pypi-readme is missing; run: pip install ".[dev]"',
)


def test_an_index_shows_the_readme_with_whole_addresses():
    """Links and the picture lead to files of this version; nothing else differs from README.md."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "metadata"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    metadata = json.loads(done.stdout)
    shown, version = metadata["readme"]["text"], metadata["version"]
    home = metadata["urls"]["Homepage"]
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", shown)
    links = re.findall(r"(?<!!)\[[^]]*\]\(([^)]+)\)", shown)
    assert pictures
    assert links
    for address, kind in [*((a, "raw") for a in pictures), *((a, "blob") for a in links)]:
        start = f"{home}/{kind}/v{version}/"
        assert address.startswith(start), address
        assert (ROOT / address.removeprefix(start).split("#")[0]).exists(), address
    readme = (ROOT / "README.md").read_text("utf-8")
    assert re.sub(rf"\({home}/(?:raw|blob)/v{re.escape(version)}/", "(", shown) == readme


@pytest.mark.slow
def test_the_wheel_renders_away_from_the_checkout(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    shaders = {
        path.relative_to(ROOT / "shaders").as_posix() for path in (ROOT / "shaders").rglob("*.*")
    }
    assert {f"ddepth_gl/_shaders/{name}" for name in shaders} <= set(names)
    assert "ddepth_gl/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "shared", "benchmarks"))]
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = """
import sys
sys.path.insert(0, sys.argv[1])
import ddepth_gl as dd
from ddepth_gl.gl.shaders import shader_folder
assert dd.__file__.startswith(sys.argv[1]), dd.__file__
assert str(shader_folder()).startswith(sys.argv[1]), shader_folder()
from ddepth_gl.mesh.demo import demo_mesh
print(dd.double_depth(demo_mesh()).mask.sum())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(site)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1000
