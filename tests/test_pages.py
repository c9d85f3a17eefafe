"""Every code block of README and docs/ runs, or says why not; every picture has a script."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trimesh
from pages import PAGES, ROOT, blocks_of

from ddepth_gl.io.results.ply import write_mesh
from ddepth_gl.mesh.demo import demo_mesh
from ddepth_gl.mesh.mesh import Mesh

# Tests that run all blocks of a page without a comment of their own.
ELSEWHERE = {
    "docs/cli.md": "tests/test_examples.py",
    "docs/dataset.md": "tests/test_dataset_guide.py",
    "docs/processes.md": "tests/test_processes.py",
}
# Packages whose absence skips a block; all others must be there.
OPTIONAL = ("torch", "open3d", "embreex", "pyarrow", "datasets", "webdataset", "cv2")
# What takes too long here.
SMALLER = (
    ("--views 24", "--views 2"),
    ("--views 8", "--views 2"),
    ("--size 512", "--size 48"),
    ("views=24", "views=3"),
)
RUN = ("python", "sh")
RUNNABLE = [
    page
    for page in PAGES
    if page not in ELSEWHERE
    and any(b.language in RUN and not b.reason and not b.run_by for b in blocks_of(page))
]


@pytest.mark.parametrize("page", PAGES)
def test_blocks_run_or_say_why_not(page):
    for block in blocks_of(page):
        where = f"{page}:{block.line}"
        if block.language in ("text", "json", "bibtex") or block.language.startswith("{"):
            continue  # output, and directives of the site
        if block.reason:
            assert len(block.reason.split()) >= 3, f"{where}: why is it not run?"
        elif block.run_by or page in ELSEWHERE:
            test = (ROOT / (block.run_by or ELSEWHERE[page])).read_text("utf-8")
            assert page in test, f"{where}: {block.run_by} does not run this page"
        else:
            assert block.language in RUN, f"{where}: ```{block.language} is run by no test"


def test_blocks_are_all_found():
    """The pattern of a block with a comment finds as many blocks as there are fences."""
    for page in PAGES:
        fences = re.findall(r"^ *```", (ROOT / page).read_text("utf-8"), re.M)
        assert len(fences) == 2 * len(list(blocks_of(page))), page


COMMANDS = {
    "ddepth": 'exec "$PYTHON" -m ddepth_gl "$@"',
    "python": 'exec "$PYTHON" "$@"',
    # Nothing is installed here: these check that the extras and the targets exist.
    "pip": '"$PYTHON" "$STAND_INS" pip "$@"',
    "make": '"$PYTHON" "$STAND_INS" make "$@"',
    "python3": '"$PYTHON" "$STAND_INS" python3 "$@"',
}
STAND_INS = """
import re, sys
from pathlib import Path

root = Path(ROOT)
if sys.argv[1] == "make":
    targets = re.findall(r"^([\\w-]+):", (root / "Makefile").read_text(), re.M)
    sys.exit(not all(word in targets or "=" in word for word in sys.argv[2:]))
if sys.argv[1] == "python3":  # an environment that is empty, so that the commands are these
    *option, folder = sys.argv[2:]
    (Path(folder) / "bin").mkdir(parents=True)
    (Path(folder) / "bin/activate").touch()
    sys.exit(option != ["-m", "venv"])
project = (root / "pyproject.toml").read_text()
for word in sys.argv[3:]:
    for extra in re.findall(r"[\\w-]+", "".join(re.findall(r"\\[(.*?)\\]", word))):
        if not re.search(rf"^{extra} = \\[", project, re.M):
            sys.exit(f"no extra {extra}")
"""
SCRIPT = """
import json, subprocess, sys
from pathlib import Path

names = {"__name__": "__main__"}
for language, line, content in json.loads(Path(sys.argv[1]).read_text()):
    if language == "sh":
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", content])
        if done.returncode:
            sys.exit(f"line {line}: status {done.returncode}")
    else:
        exec(compile("\\n" * (line - 1) + content, sys.argv[2], "exec"), names)
"""


def missing_package(block):
    """Return an optional package that a block of Python imports and that is not installed."""
    for name in re.findall(r"^ *(?:import|from) (\w+)(?:\.torch\b)?", block.content, re.M):
        if name in OPTIONAL and importlib.util.find_spec(name) is None:
            return name
    if "ddepth_gl.torch" in block.content and importlib.util.find_spec("torch") is None:
        return "torch"
    return None


@pytest.fixture
def folder(tmp_path):
    """Return a folder with what pages may take for granted: meshes, examples, the commands."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name, text in COMMANDS.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_ / name).chmod(0o755)
    (tmp_path / "stand_ins.py").write_text(STAND_INS.replace("ROOT", repr(str(ROOT))))
    work = tmp_path / "work"
    (work / "meshes").mkdir(parents=True)
    (work / ".venv/bin").mkdir(parents=True)
    (work / ".venv/bin/activate").touch()
    (work / "examples").symlink_to(ROOT / "examples")
    mesh = demo_mesh()
    for name in ("part.glb", "part.stl"):
        trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(work / name)
    write_mesh(work / "part.ply", mesh)
    for number in range(3):
        shape = trimesh.creation.icosphere(subdivisions=2, radius=1.0 + number)
        write_mesh(work / f"meshes/{number}.ply", Mesh(shape.vertices, shape.faces))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE)
def test_code_of_a_page(page, folder):
    """All blocks run one after another in one folder and, those of Python, in one process."""
    steps, missing = [], []
    for block in blocks_of(page):
        if block.language not in RUN or block.reason or block.run_by:
            continue
        package = missing_package(block) if block.language == "python" else None
        if package:
            missing.append(package)
            continue
        content = block.content
        for large, small in SMALLER:
            content = content.replace(large, small)
        steps.append((block.language, block.line, content))
    Path(folder / "steps.json").write_text(json.dumps(steps))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(folder / "steps.json"), page],
        cwd=folder / "work",
        env={
            **os.environ,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
            "STAND_INS": str(folder / "stand_ins.py"),
            "MPLBACKEND": "agg",
        },
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    if missing:
        pytest.skip(f"all but blocks that need {', '.join(missing)} ran")


# Pictures

IMAGES = sorted(path.stem for path in (ROOT / "docs/images").glob("*"))
# Pictures that are drawn by something else than scripts/draw_*.py, and by what.
DRAWN_BY = {
    "blender-methods": "benchmarks/blender_methods.py",
    "training": "examples/train_double_depth.py",
}


def test_every_picture_has_a_script():
    drawn = set(DRAWN_BY)
    for script in sorted((ROOT / "scripts").glob("draw_*.py")):
        [table] = re.findall(r"^PICTURES\b(.*?)\n\n", script.read_text("utf-8"), re.M | re.S)
        drawn |= set(re.findall(r'"([\w-]+)":', table))
    assert set(IMAGES) <= drawn
    assert all((ROOT / script).exists() for script in DRAWN_BY.values())


def test_every_picture_is_shown():
    text = "".join((ROOT / page).read_text("utf-8") for page in PAGES)
    for path in (ROOT / "docs/images").glob("*"):
        assert f"images/{path.name})" in text, path.name


# Numbers of the README

README = (ROOT / "README.md").read_text("utf-8")
MEASURED = (ROOT / "docs/measurements.md").read_text("utf-8")


def test_readme_is_short():
    assert len(README.splitlines()) < 120


def test_times_of_the_readme_are_measured():
    [[small, large]] = re.findall(
        r"at 512x512 take ([\d.]+) ms for a mesh of 5,856 faces and ([\d.]+) ms", README
    )
    peers = MEASURED[MEASURED.index("Entry + exit; in paren") :]
    assert re.search(rf"^\| spot \| 5,856 \| 512 \|.*\| {small} \(", peers, re.M)
    [measured] = re.findall(r"^\| sphere 1.3M \| 1,299,272 \| 512 \|.*\| (\S+) \(", peers, re.M)[:1]
    assert round(float(measured)) == float(large)


@pytest.mark.parametrize(
    ("row", "peer"), [("Open3D `RaycastingScene`", "Open3D"), ("trimesh with embree", "embreex")]
)
def test_factors_of_the_readme_are_measured(row, peer):
    [line] = [line for line in README.splitlines() if line.startswith(f"| {row} |")]
    [claimed] = re.findall(r"([\d.]+) times our time", line)
    [measured] = re.findall(rf"^\| entry \+ exit, .*{peer} \| ([\d.]+) \|", MEASURED, re.M)
    # Digits that are left out are not rounded up.
    assert measured.startswith(claimed)


@pytest.mark.slow
def test_numbers_of_the_picture(tmp_path):
    """What the script prints as it draws, README says below the picture."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/draw_readme.py"), "--out", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {path.name for path in tmp_path.iterdir()} == {"overview.png", "demo.png", "layers.png"}
    [wrong] = re.findall(r"^transparent materials: (.*?)% wrong", done.stdout, re.M)
    [ours, largest] = re.findall(r"^ddepth_gl: (.*?)% wrong, .* (\S+)$", done.stdout, re.M)[0]
    told = re.search(r"wrong at (\d+) % of the pixels.*?by less than (\S+)\.", README, re.S)
    assert f"{float(wrong):.0f}" == told[1]
    assert float(ours) == 0.0
    assert float(largest) < float(told[2])
