"""The examples, and the commands of docs/cli.md, run without errors or warnings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trimesh

from ddepth_gl.io.results.ply import write_ply
from ddepth_gl.mesh.demo import demo_mesh

ROOT = Path(__file__).parents[1]
# test_viewer.py runs the viewer, test_training_examples.py the others.
ELSEWHERE = {"viewer.py", "train_double_depth.py", "train_ablation.py", "training_meshes.py"}
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.name not in ELSEWHERE)


@pytest.fixture(scope="module")
def mesh_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("mesh") / "part.ply"
    mesh = demo_mesh()
    write_ply(path, mesh.vertices, colors=mesh.colors, faces=mesh.faces)
    return path


def run(arguments: list[str], folder: Path) -> str:
    command = [sys.executable, "-W", "error", *arguments]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    assert not process.stderr
    return process.stdout


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example(example, mesh_file, tmp_path):
    assert run([str(example), str(mesh_file)], tmp_path)


@pytest.mark.slow
def test_shell_of_the_page_on_commands(tmp_path):
    """Lines run one after another in a folder with several meshes of the same name."""
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n(.*?)```", page, re.S)
    for folder in ("b", "meshes", "chair/images"):
        Path(tmp_path, folder).mkdir(parents=True)
    for number, name in enumerate(
        ("part.glb", "part.obj", "other.obj", "b/part.glb", "meshes/part.glb", "chair/model.obj")
    ):
        shape = trimesh.creation.icosphere(subdivisions=1 + number % 2, radius=1.0 + number)
        shape.export(tmp_path / name)
    assert "ddepth bench\n" in block  # takes two minutes as it is
    block = block.replace("ddepth bench\n", "ddepth bench b --sizes 64 --seconds 30\n")
    script = f'set -e\nddepth() {{ "{sys.executable}" -m ddepth_gl "$@"; }}\n{block}'
    process = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (process.returncode, process.stderr) == (0, "")
    lines = [line for line in block.splitlines() if line.startswith("ddepth render ")]
    previews = list(tmp_path.glob("out/*/*_preview.png"))
    assert len(previews) == len(lines)  # one line renders two meshes, one skips all of them
