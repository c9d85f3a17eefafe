"""The commands and every snippet of docs/dataset.md and of the README's section on data sets."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import pytest
from shapes import box, sphere

import ddepth_gl as dd
from ddepth_gl.io.results.ply import write_mesh

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs/dataset.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
OF_README = re.search(r"\n## Data sets\n(.*?)\n## ", README, re.S)[1]
PACKAGES = ("webdataset", "datasets", "torch", "pyarrow")

BLOCKS = [
    block for text in (GUIDE, OF_README) for block in re.findall(r"```(\w*)\n(.*?)```", text, re.S)
]
SNIPPETS = [content for language, content in BLOCKS if language == "python"]
COMMANDS = [
    line.partition("#")[0].strip()
    for language, content in BLOCKS
    if language == "sh"
    for line in content.splitlines()
]


def run(arguments, folder):
    """Run Python beside the data set; return its output."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HF_HOME": str(folder / "hf"),
            "HF_HUB_OFFLINE": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def photographed(mesh, folder):
    """Write the photos of a mesh and their cameras as the guide has them."""
    (folder / "images").mkdir(parents=True)
    orbit = dd.Camera.orbit(mesh, views=2, width=24, height=16)
    cameras = [replace(camera, name=f"images/{i:03d}.png") for i, camera in enumerate(orbit)]
    dd.save_cameras(folder / "transforms.json", cameras)
    with dd.DepthRenderer() as renderer:
        for camera in cameras:
            image = renderer.shade(renderer.upload(mesh), camera)
            iio.imwrite(folder / camera.name, image)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with meshes/ and sofas/, made by the commands of the guide, smaller."""
    folder = tmp_path_factory.mktemp("guide")
    for name, mesh in (("a", sphere(1.0, 8, 16)), ("b", box())):
        (folder / "meshes").mkdir(exist_ok=True)
        write_mesh(folder / f"meshes/{name}.ply", mesh)
        photographed(mesh, folder / "photos" / name)
    outputs = []
    for command in COMMANDS:
        assert command.startswith("ddepth ")
        smaller = command.replace("--views 24", "--views 2 --workers 1").replace("512", "48")
        outputs.append(run(["-m", "ddepth_gl", *smaller.split()[1:]], folder))
    assert any("no problems" in output for output in outputs)
    assert (folder / "sofas/preview.html").exists()
    assert any(output.startswith("photographed: 4 images of 2 meshes") for output in outputs)
    return folder


def test_the_guide_has_all_ways_to_read():
    assert len(SNIPPETS) == 7
    for name in ("DatasetReader", *PACKAGES, "tarfile"):
        assert any(name in snippet for snippet in SNIPPETS)
    assert len(COMMANDS) == 8


def test_settings_of_the_guide(tmp_path):
    from ddepth_gl.dataset.config import DatasetConfig

    [text] = [content for language, content in BLOCKS if language == "yaml"]
    (tmp_path / "settings.yaml").write_text(text)
    config = DatasetConfig.from_yaml(tmp_path / "settings.yaml")
    assert config.store.outputs == ("photo", "depth", "layers")
    assert config.split.val == 0.1


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_snippet(folder, number):
    snippet = SNIPPETS[number]
    for package in PACKAGES:
        needed = re.search(rf"^(import|from) {package}\b", snippet, re.M)
        if needed and importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is missing")
    # What a loop has at its end shows that it ran.
    last = re.findall(r"^ *(?:for )?(sample|batch|row|entry)(?: =| in) ", snippet, re.M)[-1]
    assert run(["-c", f"{snippet}\nprint({last} is not None)"], folder).strip() == "True"


@pytest.mark.slow
def test_what_is_read_is_the_same_everywhere(folder):
    """The formula of the guide and the decoder agree on the first sample."""
    script = SNIPPETS[6 - 1] + (
        "\nfrom ddepth_gl.dataset.reading import DatasetReader\n"
        "reader = DatasetReader('sofas')\n"
        "last = [n for n in range(len(reader)) if reader.key(n) == key][0]\n"
        "print(np.array_equal(entry, reader.read(last)['entry'], equal_nan=True), entry.shape)\n"
    )
    assert run(["-c", script], folder).strip() == "True (48, 48)"


@pytest.mark.slow
def test_files_of_the_table_are_there(folder):
    section = re.search(r"## What it writes\n(.*?)\n## ", GUIDE, re.S)[1]
    names = re.findall(r"^\| `([^`]+)`", section, re.M)
    assert len(names) == 12
    for name in names:
        path = folder / "sofas" / name.replace("00012", "00000")
        assert path.exists() or name.startswith("transforms"), name


@pytest.mark.slow
def test_columns_of_the_tables_are_those_of_the_index(folder):
    from ddepth_gl.dataset.index import index_columns

    section = GUIDE[GUIDE.index("## The index") : GUIDE.index("## What wrong exits")]
    told = {
        name
        for line in re.findall(r"^\|(.*?)\|", section, re.M)
        for name in re.findall(r"`(\S+)`", line)
    }
    columns = index_columns(folder / "sofas/index.parquet")
    plain = {re.sub(r"^(offset|size)\..*", r"\1.ENDING", name) for name in columns}
    assert plain <= told, plain - told


@pytest.mark.slow
def test_the_snippet_of_the_card(folder):
    pytest.importorskip("webdataset", reason="the package webdataset is missing")
    card = (folder / "sofas/README.md").read_text("utf-8")
    [snippet] = re.findall(r"```python\n(.*?)```", card, re.S)
    out = run(["-c", snippet], folder / "sofas")
    assert "photo.png" in out
    assert "sheets.npz" in out
